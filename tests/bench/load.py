"""One run of `pail bench` against a server, with the server's CPU beside it."""

import json
import math
import os
import shlex
import subprocess
from dataclasses import dataclass

import servers

BUCKET = "pail-bench"


def quotient(part, whole):
    """Not a number where nothing was counted: in a run too short for a tick of the processor's time, or for one answer."""
    return part / whole if whole else math.nan


@dataclass
class Outcome:
    """Figures of one run. CPU is the server's, all processes and threads."""

    requests: int
    bytes: int
    keys: int
    per_second: float
    bytes_per_second: float
    p50_us: int
    p99_us: int
    cpu_seconds: float
    client_cpu_us: float
    not_started: int

    @property
    def cpu_us_per_request(self):
        return quotient(self.cpu_seconds * 1e6, self.requests)

    @property
    def cpu_us_per_key(self):
        return quotient(self.cpu_seconds * 1e6, self.keys)


class Client:
    """`command` is the load generator: build/pail bench."""

    def __init__(self, command):
        self.command = shlex.split(command)
        self.environment = {
            **os.environ,
            "PAIL_ROOT_ACCESS_KEY": servers.ACCESS_KEY,
            "PAIL_ROOT_SECRET_KEY": servers.SECRET_KEY,
        }

    def run(self, server, operation, **options):
        """Options are those of pail bench, with underscores; True is a flag. A failed request is an error."""
        words = [*self.command, operation, "--endpoint", server.endpoint, "--bucket", BUCKET, "--json", "--no-prepare"]
        if server.name == "nginx":
            words.append("--no-sign")
        for name, value in options.items():
            words.append("--" + name.replace("_", "-"))
            if value is not True:
                words.append(str(value))
        before = server.cpu_seconds()
        done = subprocess.run(words, capture_output=True, text=True, env=self.environment, check=False)
        after = server.cpu_seconds()
        if done.returncode != 0:
            raise RuntimeError(f"{shlex.join(words)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return read_outcome(json.loads(done.stdout), after - before)

    def fill(self, server, **options):
        """Puts every object once."""
        options.setdefault("concurrency", 64)
        return self.run(server, "put", requests=options["objects"], **options)

    def make_bucket(self, server):
        """The only run that prepares: one object, and the bucket with it."""
        words = [*self.command, "put", "--endpoint", server.endpoint, "--bucket", BUCKET, "--prefix", "first/"]
        words += ["--objects", "1", "--requests", "1", "--json"]
        subprocess.run(words, capture_output=True, env=self.environment, check=True)


def read_outcome(report, cpu_seconds):
    """Of a mixture: the sums, and the latency of the slowest of its operations. An operation without an answer has no row."""
    rows = report["operations"]
    requests, size, keys = (sum(row[name] for row in rows) for name in ("requests", "bytes", "keys"))
    return Outcome(
        requests=requests,
        bytes=size,
        keys=keys,
        per_second=quotient(requests * 1e6, report["elapsed_us"]),
        bytes_per_second=quotient(size * 1e6, report["elapsed_us"]),
        p50_us=max((row["p50_us"] for row in rows), default=math.nan),
        p99_us=max((row["p99_us"] for row in rows), default=math.nan),
        cpu_seconds=cpu_seconds,
        client_cpu_us=report["client_cpu_ns_per_request"] / 1000,
        not_started=report["not_started"],
    )
