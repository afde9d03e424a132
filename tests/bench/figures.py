"""The figures of `make bench`. Each is a ratio, or a cost, with its goal. What is compared runs in the same rounds, one after
the other (A B A B ...), and the median of the rounds counts, so that a slow minute of the machine meets both.

To add one: a method of Figures that appends a Row, and its call in `measure`."""

import hashlib
import os
import resource
import socket
import statistics
import subprocess
import time
from dataclasses import dataclass, field

import content
import process
import servers
from load import quotient

KIB, MIB = 1024, 1024 * 1024
MICRO = 1e6


@dataclass(frozen=True)
class Mode:
    """How much is measured."""

    name: str
    rounds: int
    seconds: float  # of one drive
    small_objects: int
    large_count: int  # objects of 100 MiB
    stream_bytes: int
    crowd_requests: int  # uploads of 64 MiB, or of stream_bytes if that is less, 16 at a time
    list_objects: int  # the larger listing; the smaller has 10,000
    idle_connections: int


MODES = {
    "smoke": Mode("smoke", 1, 0.3, 100, 1, 8 * MIB, 32, 2000, 100),
    "quick": Mode("quick", 3, 1.2, 10000, 4, 256 * MIB, 32, 100_000, 10_000),
    "full": Mode("full", 5, 3, 10000, 4, 1024 * MIB, 64, 1_000_000, 10_000),
}


@dataclass
class Row:
    """One line of the table. Its goal is a bound: at most or at least."""

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""
    rounds: list = field(default_factory=list)

    @property
    def is_met(self):
        if self.at_most is not None:
            return self.value <= self.at_most
        if self.at_least is not None:
            return self.value >= self.at_least
        return None

    @property
    def remarks(self):
        """The note, and how far the rounds lie apart where that is much: then the figure says little."""
        if not self.rounds or max(self.rounds) <= 1.5 * min(self.rounds):
            return self.note
        scatter = f"rounds from {min(self.rounds):.2f} to {max(self.rounds):.2f}"
        return f"{self.note}; {scatter}" if self.note else scatter


def median(values):
    return statistics.median(values)


def alternate(rounds, *drives):
    """Runs the drives in turn, so many rounds; gives a list of results per drive."""
    results = [[] for _ in drives]
    for _ in range(rounds):
        for result, drive in zip(results, drives):
            result.append(drive())
    return results


def md5_bytes_per_second(seconds):
    """One core's MD5, by OpenSSL, in blocks of 1 MiB."""
    block = bytes(MIB)
    digest = hashlib.md5(usedforsecurity=False)
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        digest.update(block)
        count += 1
    return count * MIB / (time.monotonic() - began)


@dataclass(frozen=True)
class Disk:
    """What append_sync.c prints: blocks a second, and how long a sync took."""

    per_second: float
    sync_p50_us: float
    sync_p99_us: float


class Figures:
    """Holds the servers and gathers rows."""

    def __init__(self, mode, folder, binary, client, say):
        self.mode = mode
        self.folder = folder
        self.binary = binary
        self.client = client
        self.say = say
        self.rows = []
        self.static = os.path.join(folder, "static")
        self.nginx = servers.Nginx(os.path.join(folder, "nginx"), self.static)
        self.pail = None

    def add(self, name, value, **rest):
        self.rows.append(Row(name, value, **rest))

    # Servers

    def start_pail(self, *settings):
        """On the data that is there, if any. Returns the seconds until it answers."""
        self.pail = servers.Pail(os.path.join(self.folder, "pail"), self.binary, settings)
        return self.pail.start()

    def close(self):
        for server in (self.pail, self.nginx):
            if server is not None:
                server.stop()

    def compile_append_sync(self):
        target = os.path.join(self.folder, "append_sync")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "append_sync.c")
        subprocess.run(["cc", "-std=gnu17", "-O2", "-o", target, source], check=True)
        return target

    # Data that both servers have

    def fill(self):
        self.say("writing the objects for nginx and for pail")
        mode, block = self.mode, content.make_block()
        for prefix, count, size in self.objects():
            folder = os.path.join(self.static, "pail-bench", prefix.rstrip("/"))
            content.write_objects(block, folder, count, size)
            self.client.fill(
                self.pail, prefix=prefix, objects=count, size=size, concurrency=64 if size < MIB else 4
            )
        os.sync()  # so that nginx's files are not written back in the middle of a measurement
        for server in (self.nginx, self.pail):
            for prefix, count, size in self.objects():
                self.client.run(
                    server, "get", prefix=prefix, objects=count, size=size, requests=min(count, 200), verify=True
                )
        self.say(f"both serve the same bytes, {mode.small_objects} objects of 4 KiB and the large ones")

    def objects(self):
        return (
            ("small/", self.mode.small_objects, 4 * KIB),
            ("mib/", 64, MIB),
            ("large/", self.mode.large_count, 100 * MIB),
        )

    def drive(self, server, operation, **options):
        options.setdefault("duration", f"{self.mode.seconds}s")
        return lambda: self.client.run(server, operation, **options)

    # Memory and start

    def idle(self):
        self.say("memory at rest")
        time.sleep(1)
        at_rest = self.pail.memory_bytes()
        self.add("idle RSS", at_rest / MIB, unit="MiB", at_most=25)
        count = self.mode.idle_connections
        sockets = open_idle(self.pail.port, count)
        time.sleep(0.5)
        self.add(f"RSS with {count} idle connections", self.pail.memory_bytes() / MIB, unit="MiB", at_most=150)
        for each in sockets:
            each.close()

    def starts(self):
        self.say("start with many objects, after a clean end and after a kill")
        objects = f"{self.mode.list_objects + 10_000:,} objects"
        for how, number in (("clean end", servers.signal.SIGTERM), ("kill -9", servers.signal.SIGKILL)):
            self.pail.stop(number)
            seconds = self.start_pail()
            self.add(f"start after {how}", seconds, unit="s", at_most=1, note=objects)

    # Reads

    def get_small(self):
        self.say("GET of 4 KiB")
        options = {"prefix": "small/", "objects": self.mode.small_objects, "concurrency": 64}
        drives = [self.drive(server, "get", **options) for server in (self.nginx, self.pail)]
        alternate(1, *drives)
        nginx, pail = alternate(self.mode.rounds, *drives)
        ratios = [quotient(p.cpu_us_per_request, n.cpu_us_per_request) for n, p in zip(nginx, pail)]
        self.add(
            "GET 4 KiB signed, CPU a request / nginx",
            median(ratios),
            at_most=1.4,
            rounds=ratios,
            note=f"pail {median([p.cpu_us_per_request for p in pail]):.1f} us, "
            f"nginx {median([n.cpu_us_per_request for n in nginx]):.1f} us; "
            f"{median([p.per_second for p in pail]):,.0f} and {median([n.per_second for n in nginx]):,.0f} a second; "
            f"client {median([p.client_cpu_us for p in pail]):.1f} us",
        )
        rate = int(min(median([p.per_second for p in pail]), median([n.per_second for n in nginx])) / 2)
        self.latency("GET 4 KiB", [self.nginx, self.pail], "get", rate, **options)

    def latency(self, name, compared, operation, rate, **options):
        """p50 and p99 at half of the load that the slower one bears, counted from when each request was due."""
        drives = [self.drive(server, operation, rate=rate, warmup="200ms", **options) for server in compared]
        results = alternate(self.mode.rounds, *drives)
        for server, result in zip(compared, results):
            missed = sum(one.not_started for one in result)
            self.add(
                f"{name} at {rate:,}/s, {server.name} p99",
                median([one.p99_us for one in result]) / 1000,
                unit="ms",
                note=f"p50 {median([one.p50_us for one in result]) / 1000:.2f} ms"
                + (f"; {missed} not started" if missed else ""),
            )

    def get_large(self, verify_reads, at_least):
        for label, prefix, count, size, concurrency in (
            ("1 MiB", "mib/", 64, MIB, 8),
            ("100 MiB", "large/", self.mode.large_count, 100 * MIB, 4),
        ):
            self.say(f"GET of {label}, verify_reads = {verify_reads}")
            options = {"prefix": prefix, "objects": count, "size": size, "concurrency": concurrency}
            nginx, pail = alternate(
                self.mode.rounds, *[self.drive(server, "get", **options) for server in (self.nginx, self.pail)]
            )
            ratios = [quotient(p.bytes_per_second, n.bytes_per_second) for n, p in zip(nginx, pail)]
            self.add(
                f"GET {label}, {verify_reads}, throughput / nginx",
                median(ratios),
                at_least=at_least,
                rounds=ratios,
                note=f"pail {median([p.bytes_per_second for p in pail]) / 1e9:.2f} GB/s, "
                f"nginx {median([n.bytes_per_second for n in nginx]) / 1e9:.2f} GB/s; CPU a GB "
                f"{median([quotient(p.cpu_seconds, p.bytes) * 1e9 for p in pail]):.3f} s and "
                f"{median([quotient(n.cpu_seconds, n.bytes) * 1e9 for n in nginx]):.3f} s",
            )

    # Writes

    def put_small(self):
        self.say("PUT of 4 KiB, durable, against a loop of append and fdatasync")
        program = self.compile_append_sync()
        path = os.path.join(self.folder, "append_sync.data")
        # Keys that were never put before, in every round: an overwrite costs something else.
        rounds = iter(range(1000))

        def append():
            words = [program, path, str(4 * KIB), str(int(self.mode.seconds * 1000))]
            printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
            return Disk(*map(float, printed.split()))

        def put(server=self.pail, **more):
            return self.client.run(
                server,
                "put",
                prefix=f"put{next(rounds)}/",
                objects=100_000_000,
                concurrency=64,
                duration=f"{self.mode.seconds}s",
                **more,
            )

        put()
        appends, puts = alternate(self.mode.rounds, append, put)
        ratios = [quotient(p.per_second, a.per_second) for a, p in zip(appends, puts)]
        self.add(
            "PUT 4 KiB durable, rate / append + fdatasync",
            median(ratios),
            at_least=6,
            rounds=ratios,
            note=f"pail {median([p.per_second for p in puts]):,.0f} a second with 64 connections, "
            f"loop {median([a.per_second for a in appends]):,.0f}",
        )
        self.add(
            "PUT 4 KiB durable, CPU a request",
            median([p.cpu_us_per_request for p in puts]),
            unit="us",
            at_most=40,
            note=f"client {median([p.client_cpu_us for p in puts]):.1f} us",
        )
        rate = int(median([p.per_second for p in puts]) / 2)
        # The same load on an engine without a disk: what of the latency is the machine's and the network's.
        memory = servers.Pail(os.path.join(self.folder, "pail-mem"), self.binary, ["--engine", "mem"])
        memory.start()
        try:
            self.client.make_bucket(memory)
            appends, half, without = alternate(
                self.mode.rounds,
                append,
                lambda: put(rate=rate, warmup="200ms"),
                lambda: put(memory, rate=rate, warmup="200ms"),
            )
        finally:
            memory.stop()
        ratios = [quotient(one.p99_us, a.sync_p99_us) for a, one in zip(appends, half)]
        self.add(
            "PUT 4 KiB at half load, p99 / p99 of fdatasync",
            median(ratios),
            at_most=5,
            rounds=ratios,
            note=f"at {rate:,}/s p50 {median([one.p50_us for one in half]) / 1000:.2f} ms, "
            f"p99 {median([one.p99_us for one in half]) / 1000:.2f} ms; "
            f"fdatasync {median([a.sync_p50_us for a in appends]) / 1000:.2f} ms, "
            f"{median([a.sync_p99_us for a in appends]) / 1000:.2f} ms",
        )
        self.add(
            f"PUT 4 KiB at {rate:,}/s, engine mem p99",
            median([one.p99_us for one in without]) / 1000,
            unit="ms",
            note=f"p50 {median([one.p50_us for one in without]) / 1000:.2f} ms",
        )

    def put_stream(self):
        size = self.mode.stream_bytes
        label = f"{size // MIB} MiB" if size < 1024 * MIB else f"{size // MIB // 1024} GiB"
        self.say(f"PUT of {label} in one stream")
        before = self.pail.memory_bytes()
        process.forget_peak(self.pail.process.pid)

        def put():
            return self.client.run(
                self.pail, "put", prefix="stream/", objects=1, size=size, requests=1, concurrency=1
            )

        self.against_md5(f"PUT {label}, throughput / MD5 of one core", 0.85, put)
        after, peak = self.pail.memory_bytes(), self.pail.memory_bytes("VmHWM")
        self.add(
            f"PUT {label}, RSS after",
            after / MIB,
            unit="MiB",
            note=f"before {before / MIB:.0f} MiB, peak {peak / MIB:.0f} MiB",
        )

    def put_crowd(self):
        size, count = min(64 * MIB, self.mode.stream_bytes), self.mode.crowd_requests
        label = f"PUT {size // MIB} MiB, 16 at a time"
        self.say(label)

        def put():
            return self.client.run(
                self.pail, "put", prefix="crowd/", objects=32, size=size, requests=count, concurrency=16
            )

        put()
        self.against_md5(f"{label}, throughput / MD5 of one core", 1.8, put)

    def against_md5(self, name, at_least, put):
        """Rates beside each other, and CPU a GB, which a busy machine changes less."""
        md5, puts = alternate(self.mode.rounds, lambda: md5_bytes_per_second(0.5), put)
        ratios = [quotient(p.bytes_per_second, m) for m, p in zip(md5, puts)]
        cpu = [quotient(p.cpu_seconds, p.bytes) * 1e9 for p in puts]
        client_cpu = [quotient(p.client_cpu_us * p.requests, p.bytes) * 1000 for p in puts]
        self.add(
            name,
            median(ratios),
            at_least=at_least,
            rounds=ratios,
            note=f"pail {median([p.bytes_per_second for p in puts]) / 1e9:.2f} GB/s, MD5 {median(md5) / 1e9:.2f} GB/s; "
            f"CPU a GB: pail {median(cpu):.2f} s, client {median(client_cpu):.2f} s, MD5 {1e9 / median(md5):.2f} s",
        )

    # Lists

    def lists(self):
        small, large = 10_000, self.mode.list_objects
        self.say(f"putting {small + large:,} keys to list")
        sets = {small: {"prefix": "fewkeys/", "objects": small}, large: {"prefix": "manykeys/", "objects": large}}
        for options in sets.values():
            options["folders"] = 100
            self.client.fill(self.pail, size=16, **options)
        self.say("LIST, flat and with a delimiter")
        drives = [self.drive(self.pail, "list", concurrency=4, **sets[count]) for count in (small, large)]
        few, many = alternate(self.mode.rounds, *drives)
        for count, result in ((small, few), (large, many)):
            self.add(
                f"LIST of {count:,} keys, CPU a key",
                median([one.cpu_us_per_key for one in result]),
                unit="us",
                at_most=2,
                note=f"pages of 1000 from random keys; {median([one.per_second for one in result]):,.0f} pages a second",
            )
        ratios = [quotient(m.cpu_us_per_key, f.cpu_us_per_key) for f, m in zip(few, many)]
        self.add(f"LIST, a key of {large:,} / a key of {small:,}", median(ratios), at_most=1.25, rounds=ratios)
        drives = [
            self.drive(self.pail, "list", concurrency=4, delimiter=True, from_start=True, **sets[count])
            for count in (small, large)
        ]
        few, many = alternate(self.mode.rounds, *drives)
        ratios = [quotient(m.cpu_us_per_request, f.cpu_us_per_request) for f, m in zip(few, many)]
        self.add(
            f"LIST of 100 folders, over {large:,} keys / over {small:,}",
            median(ratios),
            at_most=1.5,
            rounds=ratios,
            note=f"{median([one.cpu_us_per_request for one in few]):.0f} us and "
            f"{median([one.cpu_us_per_request for one in many]):.0f} us of CPU a list",
        )

    def measure(self):
        self.nginx.start()
        self.start_pail()
        self.idle()
        self.client.make_bucket(self.pail)
        self.fill()
        self.get_small()
        self.get_large("always", 0.7)
        self.put_small()
        self.put_stream()
        self.put_crowd()
        self.pail.stop()
        self.start_pail("--verify-reads", "scrub")
        self.get_large("scrub", 0.9)
        self.pail.stop()
        self.start_pail()
        self.lists()
        self.starts()


def open_idle(port, count):
    """Connections that have each had one answer and then keep still."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 100:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 100, hard), hard))
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    opened = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port), timeout=10)
        one.sendall(request)
        if not one.recv(65536).startswith(b"HTTP/1.1 "):
            raise RuntimeError("an idle connection got no answer")
        opened.append(one)
    return opened
