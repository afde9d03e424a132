#!/usr/bin/env python3
"""Prints the closing line of a test run: "N passed, N failed".

Reads meson's testlog.json (one JSON object a line, one line a test program) and counts the cases inside each program
where its output tells them (cmocka, pytest, unittest), so that a program of forty cases does not count as one.
With --strict a skipped program is a failure, and so is a run of no tests at all. The exception is a program that says
"CANNOT: reason": what it needs cannot be installed (root, loop devices), as on many machines for continuous integration.
"""

import argparse
import json
import re
import sys

PYTEST = r"^(?:=+ )?(?:\d+ \w+, )*(\d+) %s\b.* in [\d.]+s"
PASSED = [re.compile(r"^\[  PASSED  \] (\d+) test\(s\)", re.M), re.compile(PYTEST % "passed", re.M)]
FAILED = [re.compile(r"^\[  FAILED  \] (\d+) test\(s\)", re.M), re.compile(PYTEST % "failed", re.M)]
UNITTEST = re.compile(r"^Ran (\d+) tests? in", re.M)
CANNOT = re.compile(r"^CANNOT: (.+)$", re.M)
MARKED = re.compile(r"^(not ok|FAILED (?!\()|E   |\[  (ERROR|FAILED) )|SUMMARY: |runtime error: ")
REASON_MAX_LINES = 30  # a failed program; the end of the output is often all that is kept of a run
GOOD = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP", "IGNORED"}


def count(patterns, text):
    """The sum of what the first pattern that matches tells."""
    for pattern in patterns:
        numbers = [int(number) for number in pattern.findall(text)]
        if numbers:
            return sum(numbers)
    return 0


def cases(entry):
    """(passed, failed) of one test program. A program that failed has at least one failed case."""
    text = entry.get("stdout", "") + "\n" + entry.get("stderr", "")
    passed, failed = count(PASSED, text), count(FAILED, text)
    if entry["result"] in GOOD:
        if passed == 0 and UNITTEST.search(text):
            passed = int(UNITTEST.search(text).group(1))
        return max(passed, 1), 0
    return passed, max(failed, 1)


def reasons(entry):
    """The lines of a failed program that say why: what TAP and pytest mark as failed, else its last lines."""
    lines = (entry.get("stdout", "") + "\n" + entry.get("stderr", "")).strip().split("\n")
    marked = [at for at, line in enumerate(lines) if MARKED.search(line)]
    if not marked:
        return lines[-REASON_MAX_LINES:]
    shown = sorted({near for at in marked for near in (at, at + 1) if near < len(lines)})
    return [lines[at] for at in shown[:REASON_MAX_LINES]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strict", action="store_true", help="a skipped program is a failure")
    parser.add_argument("log", help="meson-logs/testlog.json")
    arguments = parser.parse_args()
    passed = failed = 0
    try:
        with open(arguments.log, encoding="utf-8") as lines:
            entries = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as problem:
        print(f"no test log: {problem}", file=sys.stderr)
        return 1
    skipped = {entry["name"]: CANNOT.search(entry.get("stdout", "")) for entry in entries if entry["result"] in SKIPPED}
    for entry in entries:
        if entry["result"] in SKIPPED:
            continue
        good, bad = cases(entry)
        passed, failed = passed + good, failed + bad
        if bad:
            print(f"FAILED {entry['name']} ({entry['result'].lower()})")
            for line in reasons(entry):
                print(f"    {line[:300]}")
    for name, cannot in skipped.items():
        print(f"SKIPPED {name}: {cannot.group(1) if cannot else 'what it needs is not installed'}")
    if arguments.strict:
        failed += sum(not cannot for cannot in skipped.values())
        if not entries:
            print("no test was run")
            failed += 1
    print(f"{passed} passed, {failed} failed" + (f", {len(skipped)} programs skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
