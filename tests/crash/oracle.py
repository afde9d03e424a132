#!/usr/bin/env python3
"""The crash oracle: loads a server, makes it crash, starts it again, and compares what it holds with what it had answered.

    oracle.py --pail BINARY [--mode kill|point|forget|power|damage|fault] [--fs ext4|xfs] [--rounds N] [--seed S] [--seconds S]

Modes, from the mildest to the hardest:
  kill    SIGKILL at a random moment, also while it starts or ends
  point   SIGKILL right before or after a chosen system call on the data folder (crash_shim.c)
  forget  the same, and a part of what was not synced is lost (crash_shim.c)
  power   a file system of its own (--fs) is shut down without flushing anything; needs root
  damage  no crash: bits are turned while the server is stopped (oracle_damage.py)
  fault   no crash: calls on the data folder fail for a while, another kind in each round (oracle_faults.py)

Each round prints a line; the seed of a run is printed first. The folder of a failed run is kept. docs/reliability.md tells
what each answer of the server promises. Ends with 1 when anything was lost, mixed or left over, with 77 when the mode
cannot be had here."""

import argparse
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
from oracle_check import Check, orphans_after_cleaning
from oracle_http import Client, Cut
from oracle_load import Load
from oracle_model import Model
from oracle_server import Died, Disk, Folder, Server, why_no_disk

SKIPPED = 77
FAULTS_SHOWN = 12
CLEAN_EVERY = 20  # rounds
REBUILDS = 0.15  # of the rounds: the index is thrown away, and made from the log

# How large a file of the log may grow, another one in each round: with small ones space is reclaimed all the time.
SEGMENTS = ["64KiB", "256KiB", "1MiB", "64MiB"]

# Where a process may die: which call, on what, and how often it passes there in a life.
POINTS = [
    ("pwrite", "log", 400),
    ("fdatasync", "log", 400),
    ("pwrite", "tmp", 120),
    ("fdatasync", "tmp", 60),
    ("ftruncate", "tmp", 60),
    ("rename", "extents", 60),
    ("fsync", "extents", 60),
    ("unlink", "extents", 40),
    ("mkdir", "extents", 30),
    ("rename", "log", 40),
    ("fsync", "log", 40),
    ("fallocate", "log", 20),
    ("unlink", "log", 10),
    ("rename", "index", 3),
    ("fsync", "index", 3),
    ("fdatasync", "index", 2),
    ("write", "index", 8),
    ("unlink", "index", 3),
]


class Oracle:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(f"{options.seed}")
        self.folder = tempfile.mkdtemp(prefix="pail-crash-", dir=options.dir)
        self.disk = Disk(self.folder, options.fs) if options.mode == "power" else Folder(self.folder)
        self.server = Server(os.path.abspath(options.pail), self.folder, self.disk.data)
        self.model = Model(options.threads, options.keys)
        self.totals = {"operations": 0, "kept": 0, "gone": 0, "kills": 0, "points": 0, "cuts": 0, "starts": 0, "refusals": 0, "rebuilds": 0}

    # ---- A life and its end ----

    def environment(self, rng, is_start):
        """For the shim: where this life ends by itself."""
        if self.options.mode not in ("point", "forget"):
            return {}
        call, where, often = rng.choice(POINTS)
        side = rng.choice(["before", "after"])
        nth = rng.randrange(min(often, 4)) if is_start else int(often ** rng.random())
        if not is_start:
            self.said = f"{side} {call} in {where} #{nth}"
        return {
            "LD_PRELOAD": self.options.shim,
            "CRASH_SHIM_DIR": self.disk.data,
            "CRASH_SHIM_AT": f"{side}:{call}:{where}:{nth}",
            "CRASH_SHIM_FORGETS": "1" if self.options.mode == "forget" else "0",
            "CRASH_SHIM_SEED": str(rng.randrange(1 << 31)),
        }

    def slow(self):
        """A disk whose syncs of the log take longer, so that more is in flight."""
        if not self.options.slow_ms:
            return {}
        return {
            "LD_PRELOAD": self.options.shim,
            "CRASH_SHIM_DIR": self.disk.data,
            "CRASH_SHIM_SLOW_MS": str(self.options.slow_ms),
        }

    def end_life(self, rng, load=None, after=0.0):
        """The crash. `after`: when it comes, unless the shim is quicker."""
        try:
            self.server.process.wait(after)
            self.totals["points"] += 1
        except subprocess.TimeoutExpired:
            pass
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
        self.totals["kills"] += 1
        if load:
            load.is_dying.set()
            load.join()
        if self.options.mode == "power":
            self.disk.remount()

    def cut_power(self, cut):
        cut.began = time.monotonic()
        self.disk.cut()
        cut.ended = time.monotonic()
        self.totals["cuts"] += 1

    def crash_at_start(self, rng):
        """Dies while it recovers."""
        self.server.spawn({**self.environment(rng, True), **self.slow()})
        self.server.count_from_now()
        self.end_life(rng, after=rng.uniform(0.001, 0.15))

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
        environment = {**self.environment(rng, False), **self.slow()}
        life = rng.uniform(0.005, self.options.seconds)
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
            self.server.run("rebuild-index", "--data-dir", self.disk.data)
            self.totals["rebuilds"] += 1
            self.said += " rebuilt"
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
        if number % CLEAN_EVERY == 0 or number == self.options.rounds:
            faults = self.clean()
        self.server.kill()
        return faults

    def fail_disk(self, number, rng):
        faults, what = oracle_faults.fault_round(self, number, rng)
        print(f"round {number}: {what}{', ' + str(len(faults)) + ' FAULTS' if faults else ''}", flush=True)
        return faults

    def damage(self, number, rng, load, life):
        time.sleep(life)
        load.is_dying.set()
        load.join()
        faults = self.settle()
        if not faults:
            self.server.stop()
            faults, notes = oracle_damage.damage_round(self.model, self.server, rng)
            print(f"round {number}: {load.operations} operations, {len(notes)} refusals of damage", flush=True)
            self.totals["operations"] += load.operations
            self.totals["refusals"] += len(notes)
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
        for number in range(1, self.options.rounds + 1):
            try:
                faults = self.round(number)
            except (AssertionError, Died) as error:
                faults = [str(error)]
            if faults:
                print("\n".join(f"  FAULT {text}" for text in faults[:FAULTS_SHOWN]))
                print(f"FAILED in round {number}: {len(faults)} faults; seed {self.options.seed}, folder {self.folder}")
                return False
        self.totals["segments given back"] = self.segments_given_back()
        totals = ", ".join(f"{value} {name}" for name, value in self.totals.items() if value)
        print(f"passed: {self.options.rounds} rounds in {time.monotonic() - began:.0f} s: {totals}; slowest start {self.server.slowest_start:.2f} s")
        return True

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
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--seconds", type=float, default=2.0, help="longest load before a crash")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--keys", type=int, default=20, help="keys of each thread")
    parser.add_argument("--first-fault", type=int, default=1, help="of the list in oracle_faults.py, for the first round")
    parser.add_argument("--slow-ms", type=int, default=0, help="each sync of the log takes this much longer (needs --shim)")
    parser.add_argument("--dir", default=None, help="where the folder of the run is made")
    parser.add_argument("--keep", action="store_true", help="keep the folder also of a run that passed")
    parser.add_argument("--delete", action="store_true", help="delete the folder also of a run that failed")
    return parser.parse_args()


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
    print(f"crash oracle: mode {options.mode}{' on ' + options.fs if options.mode == 'power' else ''}, seed {options.seed}", flush=True)
    oracle = Oracle(options)
    passed = False
    try:
        passed = oracle.run()
    finally:
        oracle.close(options.keep or not (passed or options.delete))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
