#!/usr/bin/env python3
"""Backups under load: while eight writers and two readers go on (oracle_load.py), backups are taken; each is restored, served and compared.

    oracle_backup.py --pail BINARY [--rounds N] [--seed S] [--backups N]

What is checked of each backup, besides all that the crash oracle checks (lists, ETags, usage, strangers):
  - what was answered before the backup began is there, and nothing that was begun after it ended;
  - it is the store at one moment: there is a time at which every key could have had the state that the backup has;
  - chains of conditional writes have no gap.
In other rounds the server is killed in the middle of a backup, the backup is interrupted, or its disk is too small: then nothing
is left that is taken for a backup, nothing is left in the data folder, and the next backup into the same place is whole.

Prints the seed first. Ends with 1 when anything was wrong; the folder of a failed run is kept."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from oracle_check import Check
from oracle_http import Client
from oracle_load import Load
from oracle_model import ABSENT, Bucket, Chain, Key, Model
from oracle_server import Server, run, why_no_disk

SEGMENTS = ["64KiB", "256KiB", "1MiB", "64MiB"]
COMMAND_SECONDS = 120
FAULTS_SHOWN = 12
FOREVER = float("inf")

# ---- The model with times ----


class TimedKey(Key):
    """Knows when each change was begun, and when its answer had come."""

    def issue(self, recipe=None, number=None):
        version = super().issue(recipe, number)
        self.began[version.number] = time.monotonic()
        return version

    def settle(self, version):
        super().settle(version)
        self.ended[version.number] = time.monotonic()


class TimedChain(Chain):
    def issue(self, before):
        version, body = super().issue(before)
        self.began[version.etag] = time.monotonic()
        return version, body

    def answer(self, before, version):
        self.ended[version.etag] = time.monotonic()
        return super().answer(before, version)


class TimedBucket(Bucket):
    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "exists":
            self.__dict__.setdefault("history", []).append(value)


def with_times(model):
    for key in model.every_key():
        key.__class__, key.began, key.ended = TimedKey, {0: 0.0}, {0: 0.0}
    for chain in model.chains:
        chain.__class__, chain.began, chain.ended = TimedChain, {ABSENT: 0.0}, {ABSENT: 0.0}
    for owned in model.scratch:
        for bucket in owned:
            bucket.__class__, bucket.history = TimedBucket, [bucket.exists]
    return model


# ---- What a backup may hold ----


class Window:
    """The model from the beginning of a backup to its end, as a model of its own that Check can use."""

    def __init__(self, model):
        self.model = model
        self.before = {key: (key.state, max(key.state.number, key.seen)) for key in model.every_key()}
        self.chains_before = {chain: (dict(chain.answered), set(chain.seen)) for chain in model.chains}
        self.buckets_before = {b: (len(b.history), set(b.unsure)) for owned in model.scratch for b in owned}
        self.timed = {}  # of what Check sees: the key or chain that it stands for

    def close(self):
        self.buckets = self.model.buckets
        self.keys = [[self.shadow_key(key) for key in owned] for owned in self.model.keys]
        self.multi = [[self.shadow_key(key) for key in owned] for owned in self.model.multi]
        self.scratch = [[self.shadow_bucket(bucket) for bucket in owned] for owned in self.model.scratch]
        self.chains = [self.shadow_chain(chain) for chain in self.model.chains]
        return self

    every_key = Model.every_key

    def shadow_key(self, key):
        state, seen = self.before[key]
        shadow = Key(key.bucket, key.name)
        shadow.state, shadow.seen = state, seen
        shadow.unsure = [version for number, version in sorted(list(key.issued.items())) if version is not state and number >= seen]
        self.timed[shadow] = key
        return shadow

    def shadow_bucket(self, bucket):
        known, unsure = self.buckets_before[bucket]
        shadow = Bucket(bucket.name)
        shadow.key = self.shadow_key(bucket.key)
        shadow.exists = bucket.history[known - 1]
        shadow.unsure = list({*bucket.history[known:], *unsure, *bucket.unsure})
        return shadow

    def shadow_chain(self, chain):
        answered, seen = self.chains_before[chain]
        shadow = Chain(chain.bucket, chain.name)
        with chain.lock:
            shadow.base, shadow.from_of, shadow.version_of = chain.base, dict(chain.from_of), dict(chain.version_of)
        shadow.answered, shadow.seen = answered, seen
        self.timed[shadow] = chain
        return shadow


class BackupCheck(Check):
    """Uploads come and go during the window, so they are only counted, for the usage."""

    def check_uploads(self):
        self.upload_count = {bucket: len(self.client.list_uploads(bucket, page=5)) for bucket in self.buckets}

    def check_moment(self):
        """A change that is there was begun before the moment, one that is not was answered after it."""
        latest_begin, earliest_end = (0.0, "nothing"), (FOREVER, "nothing")
        for shadow, version in self.found.items():
            key = self.model.timed[shadow]
            # One absence looks like another: it may be the first of them, and it may be the last.
            alike = [version] if version.is_object else [other for other in shadow.possible() if not other.is_object]
            latest_begin = max(latest_begin, (key.began.get(alike[0].number, 0.0), f"{key.name} {alike[0]}"))
            later = [ended for number, ended in list(key.ended.items()) if number > alike[-1].number]
            earliest_end = min(earliest_end, (min(later, default=FOREVER), f"{key.name} after {version}"))
        for shadow in self.model.chains:
            held = self.listed["main"].get(shadow.name, (0, ABSENT))[1]
            chain = self.model.timed[shadow]
            latest_begin = max(latest_begin, (chain.began.get(held, 0.0), f"{chain.name} {held}"))
            with chain.lock:
                after = chain.answered.get(held)
            earliest_end = min(earliest_end, (chain.ended.get(after, FOREVER), f"{chain.name} after {held}"))
        if latest_begin[0] > earliest_end[0]:
            self.fault(f"no moment: {latest_begin[1]} is there, begun {latest_begin[0] - earliest_end[0]:.4f} s after the answer to what is missing: {earliest_end[1]}")


# ---- The runs ----


class BackupOracle:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(f"{options.seed}")
        self.folder = tempfile.mkdtemp(prefix="pail-backup-", dir=options.dir)
        self.binary = os.path.abspath(options.pail)
        self.data = os.path.join(self.folder, "data")
        self.server = Server(self.binary, self.folder, self.data)
        self.model = with_times(Model(options.threads, options.keys))
        self.last = None  # the last whole backup
        self.made = 0
        self.totals = {"operations": 0, "backups": 0, "restores": 0, "kills": 0, "interruptions": 0, "full disks": 0, "linked bytes": 0, "bytes": 0}

    # ---- Commands ----

    def words(self, *words):
        return [self.binary, "backup", "--endpoint", f"http://127.0.0.1:{self.server.admin_port}", "--data-dir", self.data, *words]

    def command(self, *words):
        return subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)

    def new_target(self):
        self.made += 1
        return os.path.join(self.folder, f"backup-{self.made}")

    def back_up(self, target, *flags):
        """With exit code 0."""
        done = self.command(*self.words("--to", target, "--json", *flags))
        assert done.returncode == 0, f"pail backup ended with {done.returncode}: {done.stderr}{done.stdout}"
        results = json.loads(done.stdout)["results"]
        self.totals["backups"] += 1
        self.totals["bytes"] += results["bytes"]
        self.totals["linked bytes"] += results["linked_bytes"]

    # ---- One backup ----

    def some_flags(self, rng):
        flags = ["--base", self.last] if self.last and rng.random() < 0.6 else []
        return flags + (["--rate", rng.choice(["50MiB", "200MiB"])] if rng.random() < 0.3 else [])

    def check_backup(self, rng):
        target, window = self.new_target(), Window(self.model)
        flags = self.some_flags(rng)
        self.back_up(target, *flags)
        window.close()
        faults = self.compare(target, window)
        if self.last and not faults:
            shutil.rmtree(self.last)
        self.last = target
        return [f"{target}: {text}" for text in faults]

    def compare(self, target, window):
        restored = os.path.join(self.folder, "restored")
        done = self.command(self.binary, "restore", "--from", target, "--data-dir", restored, "--json")
        if done.returncode != 0:
            return [f"pail restore ended with {done.returncode}: {done.stderr}"]
        self.totals["restores"] += 1
        other = Server(self.binary, os.path.join(self.folder, "other"), restored)
        os.makedirs(other.folder, exist_ok=True)
        try:
            other.spawn().wait_ready()
            check = BackupCheck(window, other)
            faults = check.run()
            if not faults:
                check.check_moment()
            counted = sum(len(entries) for entries in check.listed.values())
            if json.loads(done.stdout)["objects"] != counted:
                faults.append(f"restore counted {done.stdout}, the lists have {counted} objects")
        finally:
            other.kill()
        if not faults:
            shutil.rmtree(restored)
        return faults

    # ---- What goes wrong on purpose ----

    def begin_slow(self, target):
        """A backup that takes longer than anybody waits."""
        process = subprocess.Popen(self.words("--to", target, "--rate", "64KiB"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 30
        while not os.path.exists(os.path.join(target, "unfinished")):
            assert time.monotonic() < deadline and process.poll() is None, "the backup did not begin"
            time.sleep(0.01)
        return process

    def is_none(self, target):
        done = self.command(self.binary, "restore", "--from", target, "--verify-only", "--scratch", self.folder)
        return done.returncode != 0 and "manifest" in done.stderr

    def interrupt(self, rng):
        target = self.new_target()
        process = self.begin_slow(target)
        time.sleep(rng.uniform(0, 0.5))
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=COMMAND_SECONDS)[1]
        self.totals["interruptions"] += 1
        faults = [] if process.returncode == 1 and "cancelled" in said else [f"interrupted, it ended with {process.returncode}: {said}"]
        return faults + ([f"interrupted, it left {os.listdir(target)}"] if os.path.exists(target) else [])

    def kill(self, rng, load):
        """The server dies in the middle; then the same target is used again."""
        target = self.new_target()
        process = self.begin_slow(target)
        time.sleep(rng.uniform(0, 1.5))
        self.server.kill()
        load.is_dying.set()
        process.communicate(timeout=COMMAND_SECONDS)
        load.join()
        self.totals["kills"] += 1
        faults = [] if self.is_none(target) else ["a backup that was broken off is taken for one"]
        self.server.spawn().wait_ready()
        kept = [name for name in os.listdir(os.path.join(self.data, "tmp")) if name.startswith("kept-")]
        faults += [f"left in tmp/ after the start: {name}" for name in kept]
        faults += self.settle()
        self.back_up(target)
        faults += self.compare(target, Window(self.model).close())
        shutil.rmtree(target)
        return faults

    def fill_disk(self):
        """A disk of its own that is too small; with a base nobody can know that before."""
        mountpoint = os.path.join(self.folder, "small")
        os.makedirs(mountpoint, exist_ok=True)
        target = os.path.join(mountpoint, "backup")
        flags = ["--base", self.last] if self.last else []
        # The server's own view of mounts is the one that counts.
        enter = ["nsenter", "--mount", "--target", str(self.server.process.pid)]
        run(*enter, "mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", mountpoint)
        try:
            done = self.command(*enter, *self.words("--to", target, *flags))
            left = run(*enter, "ls", "-A", mountpoint)
        finally:
            run(*enter, "umount", mountpoint)
        self.totals["full disks"] += 1
        faults = [] if done.returncode == 1 and "room" in done.stderr else [f"on a full disk it ended with {done.returncode}: {done.stderr}"]
        return faults + ([f"left on the full disk: {left}"] if left else [])

    # ---- Rounds ----

    def settle(self):
        check = Check(self.model, self.server)
        faults = check.run()
        if not faults:
            check.take_over()
            with_times(self.model)
        return faults

    def run_load(self, number, rng, faults, load):
        for i in range(self.options.backups):
            time.sleep(rng.uniform(0.1, 1.0))
            faults += self.check_backup(rng)
            if faults:
                return
        if number % 2:
            faults += self.interrupt(rng)
        if self.options.has_mounts:
            faults += self.fill_disk()
        if number % 2 == 0 and not faults:
            faults += self.kill(rng, load)

    def round(self, number):
        rng = random.Random(f"{self.options.seed}/{number}")
        faults = []
        self.server.segment = rng.choice(SEGMENTS)
        self.server.spawn().wait_ready()
        load = Load(self.model, self.server.port, f"{self.options.seed}/{number}", faults)
        load.start()
        try:
            self.run_load(number, rng, faults, load)
        finally:
            load.is_dying.set()
            load.join()
        self.totals["operations"] += load.operations
        if not faults:
            faults += self.settle()
        code = self.server.stop()
        if code != 0:
            faults.append(f"the server ended with {code}: {self.server.log()[-2000:]}")
        print(f"round {number}: segments of {self.server.segment}, {load.operations} operations{', ' + str(len(faults)) + ' FAULTS' if faults else ''}", flush=True)
        return faults

    def make_buckets(self):
        self.server.spawn().wait_ready()
        client = Client(self.server.port)
        for bucket in self.model.buckets:
            client.expect(200, "PUT", bucket)
        client.close()
        self.server.stop()

    def run(self):
        began = time.monotonic()
        self.make_buckets()
        for number in range(1, self.options.rounds + 1):
            try:
                faults = self.round(number)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                faults = [str(error)]
            if faults:
                print("\n".join(f"  FAULT {text}" for text in faults[:FAULTS_SHOWN]))
                print(f"FAILED in round {number}: {len(faults)} faults; seed {self.options.seed}, folder {self.folder}")
                return False
        totals = ", ".join(f"{value} {name}" for name, value in self.totals.items())
        print(f"passed: {self.options.rounds} rounds in {time.monotonic() - began:.0f} s: {totals}")
        return True

    def close(self, keep):
        self.server.kill()
        if not keep:
            shutil.rmtree(self.folder)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pail", required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--backups", type=int, default=3, help="backups that are compared in each round")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--keys", type=int, default=20, help="keys of each thread")
    parser.add_argument("--dir", default=None, help="where the folder of the run is made")
    return parser.parse_args()


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    why = why_no_disk("ext4")
    options.has_mounts = why is None
    print(f"backup oracle: seed {options.seed}{'' if options.has_mounts else f'; no small disks: {why}'}", flush=True)
    oracle = BackupOracle(options)
    passed = False
    try:
        passed = oracle.run()
    finally:
        oracle.close(not passed)
    return 0 if passed else 1


if __name__ == "__main__":
    assert threading.current_thread() is threading.main_thread()
    sys.exit(main())
