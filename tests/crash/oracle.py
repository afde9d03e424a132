#!/usr/bin/env python3
"""The crash oracle: loads a server, makes it crash, starts it again, and compares what it holds with what it had answered.

    oracle.py --pail BINARY [--mode kill|point|forget|power|damage|fault] [--fs ext4|xfs] [--rounds N] [--seed S] [--seconds S]

Modes, from the mildest to the hardest:
  kill    SIGKILL at a random moment, also while it starts or ends
  point   SIGKILL right before or after a chosen system call on the data folder (crash_shim.c)
  forget  the same, and a part of what was not synced is lost (crash_shim.c)
  power   a file system of its own (--fs) is shut down without flushing anything; needs root
  damage  no crash: bits are turned and files taken away while the server is stopped (oracle_damage.py)
  fault   no crash: calls on the data folder fail for a while, another kind in each round (oracle_faults.py)

In some rounds the index is made again, and that is interrupted, too (oracle_rebuild.py). Each round prints a line; the seed of a
run is printed first. The folder of a failed run is kept. docs/reliability.md tells what each answer of the server promises. Ends
with 1 when anything was lost, mixed or left over, with 77 when the mode cannot be had here."""

import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import oracle_damage
import oracle_faults
import oracle_points
from oracle_check import Check, orphans_after_cleaning
from oracle_http import Client, Cut
from oracle_load import Load
from oracle_model import Model
from oracle_rebuild import Rebuild
from oracle_server import START_SECONDS, Died, Disk, Folder, Server, why_no_disk

SKIPPED = 77
FAULTS_SHOWN = 12
CLEAN_EVERY = 20  # rounds
ROUNDS_MAX_TIMES = 5  # as many as were asked for, to reach the totals that were
POINT_PATIENCE = 3  # times as long a life, so that it comes to its point
REBUILDS = 0.25  # of the rounds: the index is made again, from the log (oracle_rebuild.py)

# How large a file of the log may grow, another one in each round: with small ones space is reclaimed all the time.
SEGMENTS = ["64KiB", "256KiB", "1MiB", "64MiB"]


class Oracle:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(f"{options.seed}")
        self.folder = tempfile.mkdtemp(prefix="pail-crash-", dir=options.dir)
        self.disk = Disk(self.folder, options.fs) if options.mode == "power" else Folder(self.folder)
        self.server = Server(os.path.abspath(options.pail), self.folder, self.disk.data)
        self.model = Model(options.threads, options.keys)
        self.totals = collections.Counter()
        self.points = collections.Counter()  # by name, those that were reached
        self.turn = dict.fromkeys(oracle_points.POINTS, self.rng.randrange(1000))  # of each stage's points
        self.kinds = set()  # of faults
        self.command_seconds = {}  # how long each takes

    # ---- A life and its end ----

    def environment(self, rng, stage):
        """For the shim: where this life ends by itself."""
        self.point = oracle_points.nth_point(stage, self.turn[stage])
        self.turn[stage] += 1
        return oracle_points.environment(self.options, self.disk.data, rng, self.point)

    def slow(self):
        """A disk whose syncs of the log take longer, so that more is in flight."""
        if not self.options.slow_ms:
            return {}
        return {
            "LD_PRELOAD": self.options.shim,
            "CRASH_SHIM_DIR": self.disk.data,
            "CRASH_SHIM_SLOW_MS": str(self.options.slow_ms),
        }

    def until_point(self, rng):
        """Mostly as long as it takes; None: the life ends at a random moment, as where there are no points."""
        return START_SECONDS if self.options.mode in ("point", "forget") and rng.random() < 0.7 else None

    def end_life(self, rng, load=None, after=0.0, codes=()):
        """The crash. `after`: when it comes, unless the shim is quicker. `codes`: with which it may end by itself."""
        has_ended = self.server.has_ended(after, until_ready=not load)
        if has_ended and not self.server.is_at_point() and self.server.process.returncode not in codes:
            raise AssertionError(f"the server ended by itself with {self.server.process.returncode}: {self.server.log()[-3000:]}")
        if load and rng.random() < 0.15:
            load.is_ending = True
            self.server.process.terminate()  # it ends in good order, and dies while it does
            time.sleep(rng.uniform(0, 0.3))
            self.said += " while it ended"
        if self.options.mode == "power":
            self.cut_power(load.cut if load else Cut())
            if load:
                time.sleep(rng.choice([0, 0.01, 0.1]))  # what is answered now counts too
        self.server.kill()
        self.count_crash()
        if load:
            load.is_dying.set()
            load.join()
        if self.options.mode == "power":
            self.disk.remount()

    def count_crash(self):
        """By what it was: a server that was quicker to end in good order was not killed."""
        if self.server.process.returncode != -signal.SIGKILL or self.options.mode == "power":
            return
        is_at_point = self.server.is_at_point()
        if is_at_point:
            self.points[str(self.point)] += 1
            self.said += f" [{self.point}]"
        if self.options.mode == "forget":
            self.totals["lost caches"] += 1
        else:
            self.totals["crashes at a point" if is_at_point else "kills at random"] += 1

    def cut_power(self, cut):
        cut.began = time.monotonic()
        self.disk.cut()
        cut.ended = time.monotonic()
        self.totals["power cuts"] += 1

    def crash_at_start(self, rng):
        """Dies while it recovers."""
        self.server.spawn({**self.environment(rng, "start"), **self.slow()})
        self.server.count_from_now()
        self.end_life(rng, after=self.until_point(rng) or rng.uniform(0.001, 0.15))

    def start(self, environment=None):
        self.totals["starts"] += 1
        self.server.spawn(environment).wait_ready()

    # ---- A round ----

    def round(self, number):
        rng = random.Random(f"{self.options.seed}/{number}")
        faults = []
        self.said = ""
        self.server.segment = rng.choice(SEGMENTS)
        if self.options.mode == "fault":
            return self.fail_disk(number, rng)
        environment = {**self.environment(rng, "load"), **self.slow()}
        life = rng.uniform(0.005, self.options.seconds * (POINT_PATIENCE if self.options.mode == "point" else 1))
        self.start(environment)
        load = Load(self.model, self.server.port, f"{self.options.seed}/{number}", faults)
        load.start()
        self.server.count_from_now()
        if self.options.mode == "damage":
            return faults + self.damage(number, rng, load, life)
        self.end_life(rng, load, life)
        starts = rng.choice([0, 0, 0, 1, 1, 2])
        for _ in range(starts):
            self.crash_at_start(rng)
        if rng.random() < REBUILDS:
            said, faults_of_rebuild = Rebuild(self, rng).run()
            self.said += " " + said
            faults += faults_of_rebuild
        self.start()
        check = Check(self.model, self.server)
        faults += check.run()
        self.totals["operations"] += load.operations
        self.totals["kept"] += check.kept
        self.totals["gone"] += check.gone
        print(
            f"round {number}: {life * 1000:.0f} ms{' ' + self.said if self.said else ''}, {load.operations} operations, in flight "
            f"{check.kept} kept {check.gone} gone, {starts} crashes at start{', ' + str(len(faults)) + ' FAULTS' if faults else ''}",
            flush=True,
        )
        if faults:
            return faults
        check.take_over()
        if number % CLEAN_EVERY == 0 or self.is_over(number):
            faults = self.clean()
        self.server.kill()
        return faults

    def fail_disk(self, number, rng):
        fault = oracle_faults.FAULTS[(self.options.first_fault + number - 2) % len(oracle_faults.FAULTS)]
        faults, what = oracle_faults.fault_round(self, fault, number, rng)
        self.kinds.add(str(fault))
        self.totals["kinds of fault"] = len(self.kinds)
        print(f"round {number}: {what}{', ' + str(len(faults)) + ' FAULTS' if faults else ''}", flush=True)
        return faults

    def damage(self, number, rng, load, life):
        time.sleep(life)
        load.is_dying.set()
        load.join()
        faults = self.settle()
        if not faults:
            self.server.stop()
            before = self.totals["refusals"]
            faults = oracle_damage.damage_round(self.model, self.server, rng, self.totals)
            print(f"round {number}: {load.operations} operations, {self.totals['refusals'] - before} refusals of damage", flush=True)
            self.totals["operations"] += load.operations
        if not faults:
            self.start()
            faults = self.settle()
            self.server.stop()
        return faults

    def settle(self):
        check = Check(self.model, self.server)
        faults = check.run()
        if not faults:
            check.take_over()
        return faults

    def clean(self):
        left = orphans_after_cleaning(self.model, self.server)
        faults = Check(self.model, self.server).run()
        return faults + [f"left over after everything was deleted: {path}" for path in left]

    def segments_given_back(self):
        """Files of the log get the next number each, and leave a gap when they go."""
        numbers = [int(name[:-4], 16) for name in os.listdir(os.path.join(self.disk.data, "log")) if name.endswith(".log")]
        return max(numbers, default=0) - len(numbers)

    def make_buckets(self):
        self.start()
        client = Client(self.server.port)
        for bucket in self.model.buckets:
            client.expect(200, "PUT", bucket)
        client.close()
        self.server.kill()

    def run(self):
        began = time.monotonic()
        self.make_buckets()
        number = 0
        while not self.is_over(number):
            number += 1
            try:
                faults = self.round(number)
            except (AssertionError, Died) as error:
                faults = [str(error)]
            self.totals["rounds"] = number
            if faults:
                print("\n".join(f"  FAULT {text}" for text in faults[:FAULTS_SHOWN]))
                print(f"FAILED in round {number}: {len(faults)} faults; seed {self.options.seed}, folder {self.folder}")
                return False
        self.totals["segments given back"] = self.segments_given_back()
        totals = ", ".join(f"{value:,} {name}" for name, value in self.totals.items() if value)
        print(f"passed in {time.monotonic() - began:.0f} s: {totals}; slowest start {self.server.slowest_start:.2f} s{self.say_points()}")
        return True

    def is_over(self, number):
        """When it has what --at-least asks for; a run that gets no nearer to it ends all the same, and its totals tell."""
        if number < self.options.rounds:
            return False
        if number >= ROUNDS_MAX_TIMES * self.options.rounds:
            return True
        is_short = any(self.totals[name] < count for name, count in self.options.at_least.items())
        return not is_short and (self.options.mode != "point" or not self.options.at_least or not self.points_left())

    def points_left(self):
        return [name for name in oracle_points.names() if not self.points[name]]

    def say_points(self):
        if self.options.mode not in ("point", "forget"):
            return ""
        return f"; {len(self.points)} of {len(oracle_points.names())} points were reached"

    def write_totals(self, path, passed):
        with open(path, "w", encoding="utf-8") as file:
            told = {"mode": self.options.mode, "fs": self.options.fs, "seed": self.options.seed, "passed": passed}
            json.dump({**told, "totals": self.totals, "points": self.points, "slowest start": self.server.slowest_start}, file)

    def close(self, keep):
        self.server.kill()
        self.disk.close()
        if not keep:
            shutil.rmtree(self.folder)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pail", required=True)
    parser.add_argument("--shim", default="", help="the library made of crash_shim.c; modes point, forget and fault need it")
    parser.add_argument("--mode", choices=["kill", "point", "forget", "power", "damage", "fault"], default="kill")
    parser.add_argument("--fs", choices=["ext4", "xfs"], default="ext4")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--at-least", type=total_wanted, action="append", default=[], metavar="NAME=COUNT",
                        help="go on until the totals have so many, and in mode point every point was reached")  # fmt: skip
    parser.add_argument("--totals", help="write them into this file, as JSON")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--seconds", type=float, default=2.0, help="longest load before a crash")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--keys", type=int, default=20, help="keys of each thread")
    parser.add_argument("--first-fault", type=int, help="of the list in oracle_faults.py, for the first round; else the seed says which")
    parser.add_argument("--slow-ms", type=int, default=0, help="each sync of the log takes this much longer (needs --shim)")
    parser.add_argument("--dir", default=None, help="where the folder of the run is made")
    parser.add_argument("--keep", action="store_true", help="keep the folder also of a run that passed")
    parser.add_argument("--delete", action="store_true", help="delete the folder also of a run that failed")
    options = parser.parse_args()
    options.at_least = dict(options.at_least)
    options.first_fault = options.first_fault or random.Random(f"{options.seed}/fault").randint(1, len(oracle_faults.FAULTS))
    return options


def total_wanted(text):
    name, _, count = text.partition("=")
    return name, int(count)


def main():
    options = read_options()
    options.shim = options.shim and os.path.abspath(options.shim)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing stays mounted
    why = why_no_disk(options.fs) if options.mode == "power" else None
    if why:
        # What could be installed is missing, or the machine does not let us: tools/test_summary.py tells these apart.
        word = "CANNOT" if os.geteuid() != 0 or shutil.which("mkfs." + options.fs) else "SKIPPED"
        print(f"{word}: no power cuts on {options.fs} here: {why}")
        return SKIPPED
    where = {"power": f" on {options.fs}", "fault": f" from kind {options.first_fault} of {len(oracle_faults.FAULTS)} on"}
    print(f"crash oracle: mode {options.mode}{where.get(options.mode, '')}, seed {options.seed}", flush=True)
    oracle = Oracle(options)
    passed = False
    try:
        passed = oracle.run()
    finally:
        if options.totals:
            oracle.write_totals(options.totals, passed)
        oracle.close(options.keep or not (passed or options.delete))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
