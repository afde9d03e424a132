"""Aim: each bound of a soak is kept by a run that scatters, and broken by the growth or the stop that it is for."""

import copy
import unittest

import bounds

MIB = 1024 * 1024


def quiet(count=12):
    """Minutes that are not all alike; the tail of one is six times the others'."""
    minutes = [
        {
            "disk_over_live": 1.3 + 0.01 * (i % 3),
            "rss": (70 + 5 * (i % 4)) * MIB,
            "descriptors": 80 + i % 5,
            "ms": {"get": [1.0, 2.0 + 0.1 * (i % 3), 9.0], "put small": [1.5, 3.0, 50.0]},
        }
        for i in range(count)
    ]
    minutes[count // 2]["ms"]["get"][1] = 12.0
    return minutes


class Bounds(unittest.TestCase):
    def broken_by(self, change, count=12):
        minutes = quiet(count)
        change(minutes)
        return bounds.breaches(minutes)

    def test_quiet(self):
        for count in (6, 7, 8, 12, 59):
            self.assertEqual(bounds.breaches(quiet(count)), [], count)

    def test_disk(self):
        def full(minutes):
            minutes[3]["disk_over_live"] = 1.51

        self.assertEqual(len(self.broken_by(full)), 1)

    def test_growth(self):
        """A leak grows in every minute; what fills up and then stays is none."""

        def leak(minutes):
            for i, minute in enumerate(minutes):
                minute["rss"] = (70 + 10 * i) * MIB

        def fills(minutes):
            for i, minute in enumerate(minutes):
                minute["rss"] = (70 + 10 * min(i, 9)) * MIB

        def descriptors(minutes):
            for i, minute in enumerate(minutes):
                minute["descriptors"] = 80 + 20 * i

        self.assertIn("rss", self.broken_by(leak)[0])
        self.assertEqual(self.broken_by(fills), [])
        self.assertIn("descriptors", self.broken_by(descriptors)[0])

    def test_growth_at_the_end_counts(self):
        def late(minutes):
            minutes[-1]["rss"] *= 2

        self.assertIn("rss", self.broken_by(late)[0])

    def test_cliff(self):
        def stands_still(minutes):
            minutes[-1]["ms"]["put small"][1] = 31.0

        def nearly(minutes):
            minutes[-1]["ms"]["put small"][1] = 30.0

        self.assertIn("put small", self.broken_by(stands_still)[0])
        self.assertEqual(self.broken_by(nearly), [])

    def test_too_short(self):
        self.assertIn("too few", bounds.breaches(quiet(5))[0])

    def test_minutes_stay_as_they_are(self):
        minutes = quiet()
        before = copy.deepcopy(minutes)
        bounds.breaches(minutes)
        self.assertEqual(minutes, before)


if __name__ == "__main__":
    unittest.main()
