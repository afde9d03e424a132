#!/usr/bin/env python3
"""What src/http costs beside nginx: the example service and nginx serve the same bytes in turns (A B A B ...), driven by wrk, and
the CPU time of each server for a request is compared. nginx has a file to send where the example has memory, and uses one worker.

    compare.py PATH_OF_http_example [--rounds N] [--seconds S]

Use a release build. Not a test: it needs wrk and nginx, and a machine with little else to do."""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

import run

sys.path.insert(0, os.path.join(run.HERE, os.pardir, "bench"))
import process  # noqa: E402
import servers  # noqa: E402

CONNECTIONS = 64
CLOSE = 'wrk.headers["Connection"] = "close"\n'
SIZES = {"4k": 4096, "256k": 262144}
# name, target of the example, file of nginx, script of wrk
ROWS = [
    ("GET 4 KiB, kept alive", "/bytes/4096", "/4k", None),
    ("GET 4 KiB, a connection each", "/bytes/4096", "/4k", CLOSE),
    ("GET 256 KiB from memory", "/bytes/262144", "/256k", None),
    ("GET 256 KiB by sendfile", "/file/262144", "/256k", None),
]


class OneWorker(servers.Nginx):
    def start(self):
        count, os.cpu_count = os.cpu_count, lambda: 1
        try:
            return super().start()
        finally:
            os.cpu_count = count


def drive(url, seconds, script):
    """Number of requests that were answered."""
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url] + (["-s", script] if script else [])
    output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"{url}: {output}")
    return int(re.search(r"(\d+) requests in", output).group(1))


def cost_us(port, pids, target, seconds, script):
    before = process.cpu_seconds(pids)
    count = drive(f"http://127.0.0.1:{port}{target}", seconds, script)
    return (process.cpu_seconds(pids) - before) * 1e6 / count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = os.path.join(folder, "root")
        os.mkdir(root)
        for name, size in SIZES.items():
            with open(os.path.join(root, name), "wb") as file:
                file.write(bytes(size))
        close = os.path.join(folder, "close.lua")
        with open(close, "w", encoding="ascii") as file:
            file.write(CLOSE)
        example = run.Server(arguments.program, [])
        nginx = OneWorker(os.path.join(folder, "nginx"), root)
        nginx.start()
        try:
            print(f"{'':32}{'example':>10}{'nginx':>10}{'ratio':>8}   CPU a request, median of {arguments.rounds}")
            for name, ours, theirs, script in ROWS:
                costs = ([], [])
                for _ in range(arguments.rounds):
                    wrk_script = close if script else None
                    costs[0].append(cost_us(example.port, [example.process.pid], ours, arguments.seconds, wrk_script))
                    costs[1].append(cost_us(nginx.port, nginx.pids(), theirs, arguments.seconds, wrk_script))
                a, b = (statistics.median(each) for each in costs)
                print(f"{name:32}{a:7.1f} µs{b:7.1f} µs{a / b:8.2f}", flush=True)
        finally:
            nginx.stop()
            example.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
