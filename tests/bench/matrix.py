"""The matrix: each operation over connections, sizes and temperatures of the page cache, one line each. It has no goals; it shows
where the cliffs are, if there are any. `tests/bench/run --matrix` prints it; docs/benchmarks.md has the last one.

To add a line: a call of `measure` in one of the methods that `run` calls."""

import os
import statistics
from dataclasses import dataclass

import content
import servers
from load import quotient

KIB, MIB, GIB = 1024, 1024 * 1024, 1024 * 1024 * 1024
CONNECTIONS = (1, 4, 16, 64, 256)
SOME_CONNECTIONS = (1, 16, 64, 256)
FEW = 16  # connections, where the size is what changes


@dataclass(frozen=True)
class Scope:
    """How much: sizes with the number of objects of each."""

    seconds: float  # of one drive
    rounds: int  # of what is compared with nginx, A B A B
    sizes: tuple
    list_objects: int
    is_cache_emptied: bool  # before what is called cold; a test may not do that to the machine


SCOPES = {
    "smoke": Scope(0.2, 1, ((1 * KIB, 50), (4 * KIB, 50), (1 * MIB, 4)), 500, False),
    "matrix": Scope(
        1.5,
        3,
        ((1 * KIB, 10000), (4 * KIB, 10000), (64 * KIB, 2000), (1 * MIB, 200), (16 * MIB, 16), (1 * GIB, 2)),
        100_000,
        True,
    ),
}


def median(values):
    return statistics.median(values)


@dataclass
class Line:
    """Figures are medians of the rounds, ratios too: each round has its own."""

    what: str
    connections: int
    pail: list  # of load.Outcome, one a round
    nginx: list = ()

    def ratio(self, figure):
        return median([quotient(figure(p), figure(n)) for p, n in zip(self.pail, self.nginx)])

    def cells(self):
        """As docs/benchmarks.md has them."""
        per_second = median([one.per_second for one in self.pail])
        speed = median([one.bytes_per_second for one in self.pail])
        cells = [
            self.what,
            str(self.connections),
            f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2f}",
            f"{speed / 1e6:,.0f}" if speed else "",
            time_text(median([one.p50_us for one in self.pail])),
            time_text(median([one.p99_us for one in self.pail])),
            time_text(median([one.cpu_us_per_request for one in self.pail])),
        ]
        if self.nginx:
            cells.append(f"{self.ratio(lambda one: one.per_second):.2f}")
            cells.append(f"{self.ratio(lambda one: one.cpu_us_per_request):.2f}")
        return cells + [""] * (len(HEAD) - len(cells))


HEAD = ["what", "connections", "a second", "MB/s", "p50", "p99", "CPU each", "rate / nginx", "CPU / nginx"]


def time_text(us):
    return f"{us:.0f} us" if not us >= 1000 else f"{us / 1000:.1f} ms" if us < 1e6 else f"{us / 1e6:.1f} s"


def size_text(size):
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def drop_page_cache():
    """Whether the system let us."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3")
        return True
    except OSError:
        return False


class Matrix:
    """Holds the servers and gathers lines."""

    def __init__(self, scope, folder, binary, client, say):
        self.scope = scope
        self.client = client
        self.say = say
        self.lines = []
        self.static = os.path.join(folder, "static")
        self.nginx = servers.Nginx(os.path.join(folder, "nginx"), self.static)
        self.pail = servers.Pail(os.path.join(folder, "pail"), binary)

    def close(self):
        for server in (self.pail, self.nginx):
            server.stop()

    def measure(self, what, operation, connections, with_nginx=False, **options):
        if "requests" not in options:
            options.setdefault("duration", f"{self.scope.seconds}s")
        compared = [self.nginx, self.pail] if with_nginx else [self.pail]
        results = [[] for _ in compared]
        for _ in range(self.scope.rounds if with_nginx else 1):
            for server, result in zip(compared, results):
                result.append(self.client.run(server, operation, concurrency=connections, **options))
        self.lines.append(Line(what, connections, results[-1], results[0] if with_nginx else ()))

    @staticmethod
    def keys(size, count):
        return {"prefix": f"m{size}/", "objects": count, "size": size}

    def fill(self):
        self.say("writing the objects for nginx and for pail")
        block = content.make_block()
        for size, count in self.scope.sizes:
            content.write_objects(block, os.path.join(self.static, "pail-bench", f"m{size}"), count, size)
            self.client.fill(self.pail, concurrency=64 if size < MIB else 2, **self.keys(size, count))
        os.sync()

    # What changes: the number of connections, the size, the temperature

    def by_connections(self):
        self.say("4 KiB by connections")
        keys = self.keys(4 * KIB, dict(self.scope.sizes)[4 * KIB])
        for connections in CONNECTIONS:
            self.measure("GET 4 KiB", "get", connections, with_nginx=True, **keys)
        for connections in CONNECTIONS:
            fresh = {**keys, "prefix": f"c{connections}/", "objects": 100_000_000}
            self.measure("PUT 4 KiB", "put", connections, **fresh)
        for connections in SOME_CONNECTIONS:
            self.measure("70 % GET, 30 % PUT of 4 KiB", "mixed", connections, mix="get=70,put=30", **keys)

    def by_size(self):
        for size, count in self.scope.sizes:
            label, connections = size_text(size), min(FEW, count)
            self.say(f"{label} objects")
            if size >= MIB:
                # What pail writes past the page cache comes into it with the first read; nginx's files are there.
                self.client.run(self.pail, "get", concurrency=connections, requests=4 * count, **self.keys(size, count))
            self.measure(f"GET {label}", "get", connections, with_nginx=True, **self.keys(size, count))
            # Put again, so that space is also given back meanwhile; the largest one once each.
            once = {"requests": count} if size >= GIB else {}
            self.measure(f"PUT {label}, overwriting", "put", connections, **once, **self.keys(size, count))

    def listed(self):
        return {"prefix": "list/", "objects": self.scope.list_objects, "size": KIB, "folders": 100}

    def others(self):
        count = self.scope.list_objects
        self.say(f"HEAD, LIST and DELETE, {count:,} keys")
        self.client.fill(self.pail, **self.listed())
        for connections in SOME_CONNECTIONS:
            self.measure("HEAD", "head", connections, **self.listed())
        for connections in SOME_CONNECTIONS:
            self.measure("LIST, pages of 1000", "list", connections, **self.listed())
        for connections in SOME_CONNECTIONS:
            self.measure("LIST of 100 folders", "list", connections, delimiter=True, **self.listed())
        for connections in SOME_CONNECTIONS:
            # Keys of its own, so that what is read cold later is still there.
            gone = {**self.listed(), "prefix": f"gone{connections}/"}
            self.client.fill(self.pail, **gone)
            self.measure("DELETE, each key once", "delete", connections, **gone)

    def cold(self):
        if self.scope.is_cache_emptied and not drop_page_cache():
            self.say("not root: the page cache cannot be emptied, so nothing is measured cold")
            return
        for size, count in self.scope.sizes:
            connections = min(FEW, count) if size < GIB else 1
            self.cold_line(f"GET {size_text(size)}, cold", connections, "get", each_once=True, **self.keys(size, count))
        self.cold_line("HEAD, cold", FEW, "head", False, each_once=True, **self.listed())
        pages = {"requests": max(1, self.scope.list_objects // 1000)}
        self.cold_line("LIST, pages of 1000, cold", FEW, "list", False, **pages, **self.listed())

    def cold_line(self, what, connections, operation, with_nginx=True, **options):
        """From servers that have just been started, with nothing of their files in memory; each object is read once."""
        self.say(what)
        results = []
        for server in (self.nginx, self.pail) if with_nginx else (self.pail,):
            server.stop()
            if self.scope.is_cache_emptied:
                drop_page_cache()
            server.start()
            results.append([self.client.run(server, operation, concurrency=connections, **options)])
        self.lines.append(Line(what, connections, results[-1], results[0] if with_nginx else ()))

    def run(self):
        self.pail.start()
        self.client.make_bucket(self.pail)
        self.fill()
        self.nginx.start()
        self.by_connections()
        self.by_size()
        self.others()
        self.cold()


def print_lines(lines, markdown):
    rows = [HEAD] + [line.cells() for line in lines]
    if markdown:
        print("| " + " | ".join(HEAD) + " |\n|" + " --- |" * len(HEAD))
        for row in rows[1:]:
            print("| " + " | ".join(row) + " |")
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for row in rows:
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
