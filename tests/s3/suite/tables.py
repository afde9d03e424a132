"""The two tables of the suite's run: which area a case is counted by, and what is expected of it."""

import os
import re
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
# verdict: pass (must pass), aws (AWS would not pass it either) or later (what it needs is not served yet)
Expectation = namedtuple("Expectation", "verdict reason area")
VERDICTS = ("pass", "aws", "later")


def short_name(node_id):
    """test_s3.py::test_x[y] of a path into the suite."""
    return node_id.rpartition("functional/")[2]


class Areas:
    """The rules of areas.txt, in order."""

    def __init__(self, path=os.path.join(HERE, "areas.txt")):
        self.rules = []
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.strip() and not line.startswith("#"):
                    area, pattern = line.rstrip("\n").split(None, 1)
                    self.rules.append((area, re.compile(pattern)))
        self.names = list(dict.fromkeys(area for area, _ in self.rules))

    def of(self, name, markers):
        """The area of a case by its short name and its markers; None when no rule fits."""
        text = name + " " + ",".join(sorted(markers))
        return next((area for area, pattern in self.rules if pattern.search(text)), None)


def read_expected(path=os.path.join(HERE, "expected.txt")):
    """case → Expectation. A line is VERDICT CASE, and for the others than pass `# reason` behind it; `## AREA` stands above
    the cases of an area."""
    expected, area = {}, ""
    if not os.path.exists(path):
        return expected
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if line.startswith("## "):
                area = line[3:]
            if not line or line.startswith("#"):
                continue
            head, _, reason = line.partition(" # ")
            verdict, _, name = head.strip().partition(" ")
            if verdict not in VERDICTS or not name or name.strip() in expected or (verdict != "pass" and not reason):
                raise SystemExit(f"{path}:{number}: not understood: {line}")
            expected[name.strip()] = Expectation(verdict, reason.strip(), area)
    return expected


def write_expected(expected, areas, path=os.path.join(HERE, "expected.txt")):
    """Writes the list by areas, in the order of areas.txt and then of names."""
    with open(path, "w", encoding="utf-8") as out:
        out.write(
            "# What is expected of each case of ceph/s3-tests (revision 8f0ae7b). One line a case:\n"
            "#   pass CASE            passes; if it fails, the run fails\n"
            "#   aws CASE # reason    AWS would not pass it either: it contradicts AWS, or cannot be passed\n"
            "#   later CASE # reason  needs what is not served yet\n"
            "# `run --write-expected` rewrites it from a run and keeps the reasons.\n"
        )
        for area in areas.names:
            names = sorted(name for name in expected if expected[name].area == area)
            if names:
                out.write(f"\n## {area}\n")
            for name in names:
                verdict, reason, _ = expected[name]
                out.write(f"{verdict} {name}" + (f" # {reason}" if verdict != "pass" else "") + "\n")
