#!/usr/bin/env python3
"""Aim: a campaign passes only when it has what it promises. The oracle is played: it writes the totals that it was asked for, but for
what a case takes away."""

import contextlib
import io
import os
import tempfile
import types
import unittest
from unittest import mock

import campaign
import oracle_points

ALL_POINTS = dict.fromkeys(oracle_points.names(), 1)
PLAYED = """
import json, sys
path = sys.argv[sys.argv.index("--totals") + 1]
json.dump({"words": sys.argv[1:]}, open(path, "w"))
sys.exit(3)
"""


def run(codes=None, totals=None, points=ALL_POINTS, goals=True):
    """(status, output) of a campaign."""

    def play(options, words, _, wanted):
        mode = campaign.name_of(words)
        told = {**(wanted if options.goals else {}), **(totals or {}).get(mode, {})}
        code = (codes or {}).get(mode, 0)
        if code == campaign.SKIPPED:
            return code, None
        return code, {"totals": told, "points": points if mode == "point" else {}, "slowest start": 1.0}

    argv = ["campaign.py", "--pail", "pail", "--shim", "shim"] + (["--goals"] if goals else [])
    output = io.StringIO()
    with mock.patch.object(campaign, "run_mode", play), mock.patch("sys.argv", argv), contextlib.redirect_stdout(output):
        return campaign.main(), output.getvalue()


class Campaign(unittest.TestCase):
    def test_all_goals_reached(self):
        status, output = run()
        self.assertEqual(status, 0, output)
        self.assertIn("kills: 500", output)

    def test_each_goal_is_compared(self):
        for words, _, wanted in campaign.MODES:
            for name, count in wanted.items():
                mode = campaign.name_of(words)
                status, output = run(totals={mode: {name: count - 1}})
                self.assertEqual(status, 1, output)
                self.assertIn(f"FAILED {mode}: {count - 1} {name}, wanted {count}", output)

    def test_a_point_that_was_never_reached(self):
        for name in (oracle_points.names()[0], oracle_points.names()[-1]):
            status, output = run(points={one: count for one, count in ALL_POINTS.items() if one != name})
            self.assertEqual(status, 1, output)
            self.assertIn(f'never came to "{name}"', output)

    def test_enough_kills_and_power_cuts_are_wanted(self):
        wanted = {campaign.name_of(words): goals for words, _, goals in campaign.MODES}
        self.assertGreaterEqual(min(wanted[f"power on {fs}"]["power cuts"] for fs in ("ext4", "xfs")), 100)
        self.assertGreaterEqual(sum(goals.get(name, 0) for goals in wanted.values() for name in campaign.KILLS), 500)

    def test_a_mode_that_cannot_be_had_is_no_pass(self):
        status, output = run(codes={"power on xfs": 77})
        self.assertEqual(status, 77, output)
        self.assertIn("SKIPPED power on xfs", output)
        self.assertEqual(run(codes={"power on xfs": 77, "kill": 1})[0], 1)

    def test_a_mode_that_fails(self):
        for goals in (True, False):
            status, output = run(codes={"damage": 1}, goals=goals)
            self.assertEqual(status, 1, output)
            self.assertIn("FAILED damage: the oracle ended with 1", output)

    def test_the_oracle_is_asked_for_the_goals(self):
        options = types.SimpleNamespace(pail="p", shim="s", seed=5, rounds=0, goals=True, more=["--keep"], oracle="")
        with tempfile.TemporaryDirectory() as folder:
            options.oracle = os.path.join(folder, "oracle.py")
            with open(options.oracle, "w", encoding="utf-8") as file:
                file.write(PLAYED)
            code, told = campaign.run_mode(options, ["--mode", "kill"], 7, {"kills at random": 9})
        self.assertEqual(code, 3)
        for pair in (["--mode", "kill"], ["--rounds", "7"], ["--seed", "5"], ["--at-least", "kills at random=9"]):
            self.assertIn(pair, [told["words"][at : at + 2] for at in range(len(told["words"]))])
        self.assertEqual(told["words"][-1], "--keep")


if __name__ == "__main__":
    unittest.main()
