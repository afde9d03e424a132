"""The named points at which a process may die: right before or after a system call on a folder of the data (crash_shim.c).

Points are taken in turns, so that a long run comes to each of them; what was really reached is counted by name."""

from typing import NamedTuple


class Point(NamedTuple):
    stage: str  # of the process: under load, while it starts, while the index is made again
    side: str
    call: str
    folder: str
    often: int  # how often it is passed in a life, roughly

    def __str__(self):
        return f"{self.stage}: {self.side} {self.call} in {self.folder}"


# Only what can be reached: RocksDB names a file in index/ at a start alone, and the index takes that name when it was made again.
CALLS = {
    "load": [
        ("pwrite", "log", 400),
        ("fdatasync", "log", 400),
        ("rename", "log", 20),
        ("fsync", "log", 20),
        ("fallocate", "log", 10),
        ("unlink", "log", 3),
        ("pwrite", "tmp", 120),
        ("fdatasync", "tmp", 60),
        ("ftruncate", "tmp", 60),
        ("fallocate", "tmp", 60),
        ("rename", "extents", 60),
        ("fsync", "extents", 60),
        ("unlink", "extents", 40),
        ("mkdir", "extents", 10),
        ("write", "index", 4),
        ("fsync", "index", 2),
        ("fdatasync", "index", 2),
        ("unlink", "index", 2),
    ],
    "start": [
        ("fdatasync", "log", 1),
        ("unlink", "extents", 2),
        ("unlink", "tmp", 2),
        ("write", "index", 4),
        ("fsync", "index", 3),
        ("fdatasync", "index", 2),
        ("rename", "index", 2),
        ("unlink", "index", 3),
    ],
    "rebuild": [
        ("fdatasync", "log", 1),
        ("write", "index.new", 8),
        ("fsync", "index.new", 3),
        ("fdatasync", "index.new", 2),
        ("rename", "index.new", 2),
        ("rename", "index", 1),
        ("unlink", "index.new", 4),
    ],
}
POINTS = {
    stage: [Point(stage, side, *call) for call in calls for side in ("before", "after")] for stage, calls in CALLS.items()
}


def names():
    return [str(point) for points in POINTS.values() for point in points]


def nth_point(stage, number):
    return POINTS[stage][number % len(POINTS[stage])]


def passes_before(point, rng):
    """How often it is passed before the process dies there: mostly seldom, so that many lives come to it."""
    return int(point.often ** rng.random()) - 1


def environment(options, data, rng, point):
    """For the shim: where this life ends by itself, and whether the disk then forgets."""
    if options.mode not in ("point", "forget"):
        return {}
    return {
        "LD_PRELOAD": options.shim,
        "CRASH_SHIM_DIR": data,
        "CRASH_SHIM_AT": f"{point.side}:{point.call}:{point.folder}:{passes_before(point, rng)}",
        "CRASH_SHIM_FORGETS": "1" if options.mode == "forget" else "0",
        "CRASH_SHIM_SEED": str(rng.randrange(1 << 31)),
    }
