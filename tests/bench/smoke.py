#!/usr/bin/env python3
"""Aim: the benchmark programs run, and give every row that they are for. Nothing is said about times: this runs beside other tests, under
sanitizers.

    smoke.py run|matrix|scale --pail PROGRAM [--fill PROGRAM]

Numbers and sizes in names are those of a short run, so they are compared without: N for a number, SIZE for a number of bytes."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT_SECONDS = 200
SKIPPED = 77  # meson's word for it

READS = ["GET SIZE, {}, throughput / nginx"] * 2
GOALS = [
    "idle RSS",
    "RSS with N idle connections",
    "GET SIZE signed, CPU a request / nginx",
    "GET SIZE at N/s, nginx p99",
    "GET SIZE at N/s, pail p99",
    *[name.format("always") for name in READS],
    "PUT SIZE durable, rate / append + fdatasync",
    "PUT SIZE durable, CPU a request",
    "PUT SIZE at half load, p99 / p99 of fdatasync",
    "PUT SIZE at N/s, engine mem p99",
    "PUT SIZE, throughput / MD5 of one core",
    "PUT SIZE, RSS after",
    "PUT SIZE, N at a time, throughput / MD5 of one core",
    *[name.format("scrub") for name in READS],
    *["LIST of N keys, CPU a key"] * 2,
    "LIST, a key of N / a key of N",
    "LIST of N folders, over N keys / over N",
    "start after clean end",
    "start after kill -9",
]

ALL, SOME, FEW, BIG = (1, 4, 16, 64, 256), (1, 16, 64, 256), (16,), (4,)  # connections; BIG: as many as there are objects
SIZES = [*FEW * 2, *BIG]  # of the three sizes of a short run
MATRIX = {
    "GET SIZE": [*ALL, *SIZES],
    "PUT SIZE": [*ALL],
    "N % GET, N % PUT of SIZE": [*SOME],
    "PUT SIZE, overwriting": SIZES,
    "HEAD": [*SOME],
    "LIST, pages of N": [*SOME],
    "LIST of N folders": [*SOME],
    "DELETE, each key once": [*SOME],
    "GET SIZE, cold": SIZES,
    "HEAD, cold": [*FEW],
    "LIST, pages of N, cold": [*FEW],
}

DRIVES = ["GET", "GET hot", "HEAD", "LIST pages of N", "LIST folders", "PUT new", "LIST pages of N after that", "LIST folders after that"]
SCALE = [
    "filled below HTTP",
    "start after a clean end",
    "start after kill -N",
    *[f"RSS {when}" for when in ("at rest", "after reads", "after lists", "after writes", "at the end")],
    "HEAD bucket, CPU",
    "metrics, time",
    "disk use over payload and metadata",
    "disk use",
    *[f"{name}, {what}" for name in [*DRIVES, "DELETE of N"] for what in ("CPU", "rate")],
    "descriptors at the end",
]


def plain(name):
    name = re.sub(r"\d+ (KiB|MiB|GiB)", "SIZE", name)
    return re.sub(r"\d+(,\d+)*", "N", name)


def call(program, *words):
    done = subprocess.run(
        [os.path.join(HERE, program), *words], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    print(done.stdout, done.stderr, sep="\n")
    if done.returncode != 0:
        sys.exit(f"FAILED: {program} ended with {done.returncode}")
    return done.stdout


def cells(printed):
    """Of a table of Markdown, without its head."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line.startswith("|")]
    return rows[2:]


def compare(found, wanted):
    if sorted(found) != sorted(wanted):
        gone, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
        sys.exit(f"FAILED: rows that are missing: {gone}; that nobody expects: {more}; {len(found)} instead of {len(wanted)}")


def check_run(arguments, folder):
    written = os.path.join(folder, "bench.json")
    printed = call("run", "--smoke", "--markdown", "--pail", arguments.pail, "--folder", folder, "--json", written)
    compare([plain(row[0]) for row in cells(printed)], [plain(name) for name in GOALS])
    with open(written, encoding="utf-8") as file:
        compare([plain(row["name"]) for row in json.load(file)["figures"]], [plain(name) for name in GOALS])


def check_matrix(arguments, folder):
    printed = call("run", "--smoke", "--matrix", "--markdown", "--pail", arguments.pail, "--folder", folder)
    wanted = [(name, str(connections)) for name, many in MATRIX.items() for connections in many]
    compare([(plain(row[0]), row[1]) for row in cells(printed)], wanted)


def check_scale(arguments, folder):
    words = ["--pail", arguments.pail, "--fill", arguments.fill, "--folder", folder]
    printed = call("scale", *words, "--objects", "500,2000", "--seconds", "0.1", "--deletes", "100")
    rows = cells(printed)
    compare([plain(row[0]) for row in rows], SCALE)
    for row in rows:
        if len(row) != 5 or not row[1] or not row[2]:
            sys.exit(f"FAILED: no figure for both sizes: {row}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", choices=["run", "matrix", "scale"])
    parser.add_argument("--pail", required=True)
    parser.add_argument("--fill")
    arguments = parser.parse_args()
    if arguments.program != "scale" and not shutil.which("nginx"):
        print("CANNOT: there is no nginx to compare with (Debian: nginx-light)")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="bench-smoke-") as folder:
        {"run": check_run, "matrix": check_matrix, "scale": check_scale}[arguments.program](arguments, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
