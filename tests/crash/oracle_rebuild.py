"""Crashes while the index is made again: by `pail rebuild-index`, or by `pail fsck --repair` after bits of the index were turned. Whatever
was interrupted, and however often, the next one comes to its end, and what the store then says is compared as always."""

import os
import re
import signal
import time

from oracle_damage import choose_flips

DAMAGED = re.compile(r"^(\d+\.sst|MANIFEST-\d+|CURRENT)$")  # files that no start can do without
INTERRUPTIONS = [0, 1, 1, 2, 2]
COMMAND_SECONDS = 0.2  # how long one takes, until it is known better: from the last that was not interrupted


class Rebuild:
    """Of one round, while no server runs."""

    def __init__(self, oracle, rng):
        self.oracle, self.rng, self.server = oracle, rng, oracle.server
        self.folder = ["--data-dir", self.server.data]

    def run(self):
        """Returns (what was done, faults)."""
        with_repair = self.rng.random() < 0.4
        words = ["fsck", *self.folder, "--repair", "--json"] if with_repair else ["rebuild-index", *self.folder]
        if with_repair:
            self.damage_index()
        count = self.rng.choice(INTERRUPTIONS)
        for _ in range(count):
            self.interrupt(words)
        said = f"{'repaired' if with_repair else 'rebuilt'} after {count} interruptions"
        if with_repair:
            return said, self.repair()
        # What was interrupted was not asked for again: the start has to do with what there is.
        if count and self.rng.random() < 0.5:
            return f"{count} interrupted rebuilds", []
        began = time.monotonic()
        self.server.run(*words)
        self.oracle.command_seconds[words[0]] = time.monotonic() - began
        self.oracle.totals["rebuilds"] += 1
        return said, []

    def interrupt(self, words):
        """Kills the command at a random moment, or where the shim is told to; one that was quicker has done its work."""
        oracle = self.oracle
        self.server.spawn(oracle.environment(self.rng, "rebuild"), words)
        self.server.count_from_now()
        after = oracle.until_point(self.rng) or self.rng.uniform(0.001, oracle.command_seconds.get(words[0], COMMAND_SECONDS))
        oracle.end_life(self.rng, after=after, codes=(0, 1) if words[0] == "fsck" else (0,))
        if self.server.process.returncode == -signal.SIGKILL:
            oracle.totals["rebuilds interrupted"] += 1

    # ---- A damaged index ----

    def damage_index(self):
        index = os.path.join(self.server.data, "index")
        paths = [os.path.join(index, name) for name in sorted(os.listdir(index)) if DAMAGED.match(name)]
        paths = [path for path in paths if os.path.getsize(path) > 0]  # a crash may have left an empty one
        for flip in choose_flips(self.rng, [self.rng.choice(paths)]):
            flip.turn()

    def repair(self):
        self.oracle.totals["repairs"] += 1
        began = time.monotonic()
        code, report = self.server.fsck("--repair")
        self.oracle.command_seconds["fsck"] = time.monotonic() - began
        # An interrupted one may have had the new index in place already.
        if (code, report["state"]) not in ((1, "repaired"), (0, "clean")):
            return [f"fsck --repair ends with {code}: {report}"]
        code, report = self.server.fsck()
        return [] if (code, report["state"]) == (0, "clean") else [f"after fsck --repair, fsck ends with {code}: {report}"]
