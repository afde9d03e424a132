#!/usr/bin/env python3
"""All modes of the crash oracle after each other, and what they came to.

    campaign.py --pail BINARY --shim LIBRARY [--goals] [--rounds N] [--seed S] [words for oracle.py]

With --goals each mode goes on until it has what GOALS asks for, and the sums are compared with GOALS once more at the end. Ends
with 1 when a mode failed or a goal was not reached, else with 77 when a mode cannot be had here (power cuts want root)."""

import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile

import oracle_points

SKIPPED = 77
ORACLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oracle.py")

# Words for the oracle, and of which total it has to bring how many; rounds are what that takes, roughly.
MODES = [
    (["--mode", "kill"], 170, {"kills at random": 250}),
    (["--mode", "point", "--seconds", "1"], 200, {"crashes at a point": 250}),
    (["--mode", "power", "--fs", "ext4"], 65, {"power cuts": 100}),
    (["--mode", "power", "--fs", "xfs"], 65, {"power cuts": 100}),
    (["--mode", "forget"], 70, {"lost caches": 100}),
    (["--mode", "fault"], 34, {"kinds of fault": 34}),
    (["--mode", "damage"], 20, {"bits turned": 500, "extents removed": 5}),
]
KILLS = ("kills at random", "crashes at a point")
SHOWN = [
    "rounds", "kills at random", "crashes at a point", "power cuts", "lost caches", "rebuilds interrupted", "rebuilds", "repairs",
    "kinds of fault", "bits turned", "extents removed", "refusals", "operations", "kept", "gone", "segments given back",
]  # fmt: skip


def run_mode(options, words, rounds, wanted):
    """(exit status, what the oracle has written of its totals, or None)"""
    with tempfile.TemporaryDirectory(prefix="pail-campaign-") as folder:
        path = os.path.join(folder, "totals")
        command = [sys.executable, options.oracle, "--pail", options.pail, "--shim", options.shim, "--totals", path, *words]
        command += ["--seed", str(options.seed), "--rounds", str(options.rounds or rounds)]
        if options.goals:
            command += [word for name, count in wanted.items() for word in ("--at-least", f"{name}={count}")]
        code = subprocess.run(command + options.more, check=False).returncode
        if not os.path.exists(path):
            return code, None
        with open(path, encoding="utf-8") as file:
            return code, json.load(file)


def name_of(words):
    return " on ".join(words[at + 1] for at, word in enumerate(words) if word in ("--mode", "--fs"))


def judge(results):
    """What is short of the goals, in words. `results`: {name of a mode: totals}, of those that could be had."""
    short = []
    for words, _, wanted in MODES:
        if name_of(words) not in results:
            continue
        totals = results[name_of(words)]["totals"]
        short += [f"{name_of(words)}: {totals.get(name, 0)} {name}, wanted {count}" for name, count in wanted.items() if totals.get(name, 0) < count]
    reached = results.get("point", {}).get("points", {})
    return short + [f"point: never came to \"{name}\"" for name in oracle_points.names() if not reached.get(name)]


def print_table(results):
    print("| mode | " + " | ".join(SHOWN) + " | slowest start |\n" + "| --- " * (len(SHOWN) + 2) + "|")
    sums = collections.Counter()
    for name, result in results.items():
        sums.update(result["totals"])
        print(f"| {name} | " + " | ".join(f"{result['totals'].get(one, 0):,}" for one in SHOWN) + f" | {result['slowest start']:.2f} s |")
    print("| all | " + " | ".join(f"{sums[one]:,}" for one in SHOWN) + " | |")
    print(f"kills: {sum(sums[name] for name in KILLS):,} ({', '.join(f'{sums[name]:,} {name}' for name in KILLS)})", flush=True)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pail", required=True)
    parser.add_argument("--shim", required=True)
    parser.add_argument("--goals", action="store_true", help="go on until the goals are reached, and fail when they are not")
    parser.add_argument("--rounds", type=int, default=0, help="of each mode")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--oracle", default=ORACLE, help=argparse.SUPPRESS)
    options, options.more = parser.parse_known_args()
    return options


def main():
    options = read_options()
    print(f"campaign: seed {options.seed}", flush=True)
    results, failed, skipped = {}, [], []
    for words, rounds, wanted in MODES:
        code, told = run_mode(options, words, rounds, wanted)
        if code == SKIPPED:
            skipped.append(name_of(words))
            continue
        if code != 0 or told is None:
            failed.append(f"{name_of(words)}: the oracle ended with {code}")
        results[name_of(words)] = told or {"totals": {}, "points": {}, "slowest start": 0.0}
    print_table(results)
    failed += judge(results) if options.goals else []
    for text in failed:
        print(f"FAILED {text}")
    for name in skipped:
        print(f"SKIPPED {name}, see above")
    return 1 if failed else SKIPPED if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
