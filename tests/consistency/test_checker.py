#!/usr/bin/env python3
"""The checker against histories of which a person can say whether they are linearizable, and against a naive search over random ones."""

import itertools
import random
import unittest

import checker
from checker import ABSENT, DONE, MISSING, REFUSED, Operation


def read(answer, begin, end):
    return Operation("r", "read", None, None, answer, begin, end)


def write(value, begin, end, condition=None, answer=DONE):
    return Operation("w", "write", value, condition, answer if end is not None else None, begin, end)


def delete(begin, end, condition=None, answer=DONE):
    return Operation("d", "delete", None, condition, answer if end is not None else None, begin, end)


def copied(values, begin):
    return Operation("c", "copied", tuple(values), None, None, begin, None)


GOOD = {
    "nothing": [],
    "a read of nothing": [read(None, 0, 1)],
    "a write, then a read of it": [write("a", 0, 1), read("a", 2, 3)],
    "a read beside a write sees the old": [write("a", 0, 9), read(None, 1, 2)],
    "a read beside a write sees the new": [write("a", 0, 9), read("a", 1, 2)],
    "two writes side by side, in either order": [write("a", 0, 9), write("b", 0, 9), read("a", 10, 11)],
    "a write that got no answer, never seen": [write("a", 0, None), read(None, 1, 2), read(None, 3, 4)],
    "a write that got no answer, seen late": [write("a", 0, None), read(None, 1, 2), read("a", 3, 4)],
    "one winner of two": [write("a", 0, 9, ABSENT), write("b", 0, 9, ABSENT, REFUSED), read("a", 10, 11)],
    "both win when a deletion lies between": [
        write("a", 0, 9, ABSENT), delete(0, 9), write("b", 0, 9, ABSENT), read("b", 10, 11)],
    "refused by a write without an answer": [write("a", 0, None, ABSENT), write("b", 1, 2, ABSENT, REFUSED)],
    "a chain": [write("a", 0, 1), write("b", 2, 3, "a"), write("c", 4, 5, "b"), read("c", 6, 7)],
    "If-Match on nothing": [write("b", 0, 1, "a", MISSING), read(None, 2, 3)],
    "If-Match on something else": [write("a", 0, 1), write("c", 2, 3, "b", REFUSED), read("a", 4, 5)],
    "a conditional deletion": [write("a", 0, 1), delete(2, 3, "a"), read(None, 4, 5)],
    "deleting what another has deleted": [write("a", 0, 1), delete(2, 9), delete(2, 9), read(None, 10, 11)],
    "an open copy that was seen": [copied("xy", 0), read(None, 1, 2), read("y", 3, 4), read("y", 5, 6)],
    "an open copy that only refuses": [copied("xy", 0), write("a", 1, 2, ABSENT, REFUSED)],
}

BAD = {
    "a read of what nobody wrote": [read("a", 0, 1)],
    "a stale read": [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)],
    "a read of the future": [read("a", 0, 1), write("a", 2, 3)],
    "a write that is lost": [write("a", 0, 1), read(None, 2, 3)],
    "a deletion that is lost": [write("a", 0, 1), delete(2, 3), read("a", 4, 5)],
    "new, then old again": [write("a", 0, 1), write("b", 2, 9), read("b", 3, 4), read("a", 5, 6)],
    "two winners": [write("a", 0, 9, ABSENT), write("b", 0, 9, ABSENT)],
    "two winners of one chain": [write("a", 0, 1), write("b", 2, 9, "a"), write("c", 2, 9, "a")],
    "no winner": [write("a", 0, 9, ABSENT, REFUSED), write("b", 0, 9, ABSENT, REFUSED), read(None, 10, 11)],
    "a refused write that is seen": [write("a", 0, 1), write("b", 2, 3, ABSENT, REFUSED), read("b", 4, 5)],
    "refused although nothing was there": [write("a", 0, 1, ABSENT, REFUSED), write("b", 2, 3)],
    "missing although it was there": [write("a", 0, 1), write("b", 2, 3, "a", MISSING)],
    "readers disagree on the order of two writes": [
        write("a", 0, 20), write("b", 0, 20), read("a", 1, 2), read("b", 3, 4), read("a", 5, 6)],
    "an open write that came and went": [
        write("a", 0, 1), write("b", 2, None), read("b", 3, 4), read("a", 5, 6)],
    "an open copy that is two things": [copied("xy", 0), read("x", 1, 2), read("y", 3, 4)],
    "an open copy of what its source never was": [copied("xy", 0), read("z", 1, 2)],
    "a list that begins after a put and lacks it": [write("a", 0, 1), read("a", 2, 3), read(None, 4, 5)],
}


def naive(operations, state=None):
    """All orders, straight from the definition."""
    if all(operation.end is None for operation in operations):
        return True
    for i, operation in enumerate(operations):
        rest = operations[:i] + operations[i + 1 :]
        if any(other.end is not None and other.end < operation.begin for other in rest):
            continue
        if any(naive(rest, after) for after in checker.outcomes(operation, state)):
            return True
    return False


def random_history(chance):
    """Seven operations on a register that sometimes lies."""
    found, state = [], None
    for number in range(7):
        begin = chance.uniform(0, 10)
        end = begin + chance.uniform(0.1, 4) if chance.random() < 0.85 else None
        condition = chance.choice([None, None, ABSENT, "a", "b"])
        kind = chance.choice(["read", "write", "write", "delete"])
        if kind == "read":
            found.append(read(chance.choice([None, "a", "b", "c"]), begin, end or begin + 1))
        elif kind == "delete":
            found.append(delete(begin, end, condition if condition != ABSENT else None,
                                chance.choice([DONE, DONE, REFUSED]) if condition not in (None, ABSENT) else DONE))
        else:
            answer = chance.choice([DONE, DONE, REFUSED]) if condition else DONE
            found.append(write(chance.choice("abc"), begin, end, condition, answer))
    return found


class Checker(unittest.TestCase):
    def test_known_histories(self):
        for name, history in GOOD.items():
            for order in itertools.islice(itertools.permutations(history), 24):
                self.assertTrue(checker.check(list(order)), name)
        for name, history in BAD.items():
            for order in itertools.islice(itertools.permutations(history), 24):
                self.assertFalse(checker.check(list(order)), name)

    def test_agrees_with_all_orders(self):
        chance, verdicts = random.Random(7), []
        for _ in range(1500):
            history = random_history(chance)
            verdict = bool(checker.check(history))
            self.assertEqual(verdict, naive(history), "\n".join(map(checker.describe, history)))
            verdicts.append(verdict)
        self.assertGreater(min(verdicts.count(True), verdicts.count(False)), 100)

    def test_says_where_it_stuck(self):
        text = str(checker.check(BAD["a stale read"]))
        self.assertIn("not linearizable", text)
        self.assertIn("read -> a", text)
        self.assertIn("leaves b", text)

    def test_initial_state(self):
        self.assertTrue(checker.check([read("a", 0, 1)], "a"))
        self.assertFalse(checker.check([read(None, 0, 1)], "a"))

    def test_long_histories_with_open_operations(self):
        history = []
        for i in range(500):
            history.append(write(f"v{i}", i, i + 2.5))
            history.append(read(f"v{i}", i + 2.4, i + 2.6))
        history += [write(f"lost{i}", 100 * i, None) for i in range(5)]
        self.assertTrue(checker.check(history))
        history.append(read("v7", 300, 301))
        self.assertFalse(checker.check(history))


if __name__ == "__main__":
    unittest.main()
