"""Whether a recorded history of one key is linearizable: whether all that was answered can be put into one order, each
operation at a moment between its invocation and its reply, in which a plain register would have answered the same.

The search is that of J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects", Journal of Parallel and Distributed
Computing 17 (1993), with the memory of configurations of G. Lowe, "Testing for Linearizability", Concurrency and Computation 29
(2017): a set of operations that were done and the state that they left are looked at once. In addition, an operation that can never
change anything (a read, a refusal) and whose answer fits is taken at once and never reconsidered: it could stand nowhere better.

Keys are independent objects, so a history is linearizable if and only if that of each key is.

The state is the entity tag of what the key holds, or None. Operations are tuples of a history (history.py):

    read    answer: the tag that was seen, or None
    write   value: the tag that the key has then; condition: ABSENT (If-None-Match: *), a tag (If-Match), or None
            answer: DONE, or REFUSED (412), or MISSING (404 to an If-Match)
    delete  condition: a tag or None; answer likewise
    copied  a write of which nobody knows what it wrote: value is a tuple of tags that it may have been

An operation without an answer (open) may have its effect at any time after its invocation, or never. Time and memory grow with two to the
number of open operations of a key, so a load gives each key few of them.
"""

import sys
from collections import namedtuple

Operation = namedtuple("Operation", "client kind value condition answer begin end", defaults=(None,))

ABSENT = "*"
DONE, REFUSED, MISSING = "done", "refused", "missing"
OTHER = "a copy that nobody saw"
CONFIGURATIONS_MAX = 500_000  # some minutes


class TooHard(Exception):
    """Neither an order was found nor that there is none: too many operations are open."""


def fits(operation, state):
    """Whether the condition of a change holds; else what it must be answered with."""
    condition = operation.condition
    if condition is None:
        return DONE
    if condition == ABSENT:
        return DONE if state is None else REFUSED
    if state is None:
        return MISSING
    return DONE if state == condition else REFUSED


def outcomes(operation, state):
    """The states that the operation may leave, as a tuple; empty: it cannot have been answered so in this state."""
    if operation.kind == "read":
        return (state,) if operation.answer == state else ()
    outcome = fits(operation, state)
    if operation.end is not None and operation.answer != outcome:
        return ()
    if outcome != DONE:
        return (state,)
    if operation.kind == "delete":
        return (None,)
    return operation.value if operation.kind == "copied" else (operation.value,)


def is_quiet(operation):
    """Whether it changes nothing wherever it stands. A deletion of what is not there does not belong here: it could come later."""
    return operation.end is not None and (operation.kind == "read" or operation.answer in (REFUSED, MISSING))


class Result:
    """is_linearizable; else what was left when the search had got farthest."""

    def __init__(self, is_linearizable, order=(), stuck=(), state=None):
        self.is_linearizable = is_linearizable
        self.order, self.stuck, self.state = order, stuck, state

    def __bool__(self):
        return self.is_linearizable

    def __str__(self):
        if self:
            return "linearizable"
        lines = ["not linearizable; the longest order that fits ends with"]
        lines += [f"    {describe(operation)}" for operation in self.order[-8:]]
        lines += [f"  leaves {self.state}, and none of these can come next:"]
        lines += [f"    {describe(operation)}" for operation in self.stuck[:12]]
        return "\n".join(lines)


def describe(operation):
    end = f"{operation.end:.6f}" if operation.end is not None else "open"
    condition = f" if {operation.condition}" if operation.condition else ""
    value = f" {operation.value}" if operation.value else ""
    return f"[{operation.begin:.6f} {end}] {operation.client}: {operation.kind}{value}{condition} -> {operation.answer}"


class Search:
    """One key. Operations are numbers in the order of their invocation; a set of them is an int."""

    def __init__(self, operations, initial):
        self.operations = sorted(operations, key=lambda operation: operation.begin)
        self.required = sum(1 << i for i, operation in enumerate(self.operations) if operation.end is not None)
        self.seen = set()
        self.best = (-1, (), 0, initial)
        self.initial = initial

    def enabled(self, done, first):
        """Those that nothing undone must precede: begun before the first undone one ended. `first`: all before it are done."""
        limit, found = None, []
        for i in range(first, len(self.operations)):
            operation = self.operations[i]
            if limit is not None and operation.begin > limit:
                break
            if done >> i & 1:
                continue
            found.append(i)
            if operation.end is not None and (limit is None or operation.end < limit):
                limit = operation.end
        return [i for i in found if limit is None or self.operations[i].begin <= limit]

    def settle(self, done, state, first, order):
        """Takes what changes nothing and fits, as far as that goes."""
        while True:
            while first < len(self.operations) and done >> first & 1:
                first += 1
            candidates = self.enabled(done, first)
            quiet = [i for i in candidates if is_quiet(self.operations[i]) and outcomes(self.operations[i], state)]
            if not quiet:
                return done, first, order, candidates
            for i in quiet:
                done |= 1 << i
                order = (order, i)

    def run(self):
        stack = [(0, self.initial, 0, None)]
        while stack:
            done, state, first, order = stack.pop()
            done, first, order, candidates = self.settle(done, state, first, order)
            if done & self.required == self.required:
                return Result(True)
            if (done, state) in self.seen:
                continue
            self.seen.add((done, state))
            if len(self.seen) > CONFIGURATIONS_MAX:
                raise TooHard(f"{len(self.operations)} operations, {len(self.seen)} configurations")
            count = bin(done & self.required).count("1")
            if count > self.best[0]:
                self.best = (count, order, candidates, state)
            # What ended first is tried first: the stack is taken from its end.
            candidates.sort(key=lambda i: self.operations[i].end or sys.float_info.max, reverse=True)
            for i in candidates:
                for after in outcomes(self.operations[i], state):
                    stack.append((done | 1 << i, after, first, (order, i)))
        _, order, candidates, state = self.best
        return Result(False, [self.operations[i] for i in unchain(order)], [self.operations[i] for i in candidates], state)


def unchain(order):
    found = []
    while order is not None:
        order, i = order
        found.append(i)
    return found[::-1]


def observed(operations):
    return {operation.answer for operation in operations if operation.kind == "read"} | {
        operation.condition for operation in operations if operation.condition not in (None, ABSENT)}


def check(operations, initial=None):
    """A Result for the history of one key. What an open copy may have written is cut to what anybody could tell apart."""
    known = observed(operations)
    cut = []
    for operation in operations:
        if operation.kind == "copied":
            values = tuple(value for value in operation.value if value in known)
            operation = operation._replace(value=values + (OTHER,))
        cut.append(operation)
    return Search(cut, initial).run()


def check_all(history, initial=None):
    """Of {key: operations}, the keys that are not linearizable, with why: [(key, Result)]."""
    results = [(key, check(operations, (initial or {}).get(key))) for key, operations in sorted(history.items())]
    return [(key, result) for key, result in results if not result]
