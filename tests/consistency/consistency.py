#!/usr/bin/env python3
"""Is a running pail linearizable? Clients work on few keys side by side, and checker.py judges what they were answered.

    consistency.py --pail PROGRAM [--rounds 10] [--seconds 1.5] [--clients 10] [--keys 4] [--kills 0.3] [--races 20] [--seed N]

Each round has keys of its own. In a part of the rounds (--kills) the server is killed in the middle and started again while the clients
go on: what got no answer may come about later, or never. Between the rounds there are races: many clients write one key at
once under a condition that one of them alone can meet, by PUT and by Complete; exactly one must win.

Lists count as reads of each key: one that begins after a put was answered shows it, one that begins after a deletion does not.
Status 1: the history of a key is not linearizable, or a race had no winner or two; the history is in the folder that is named.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))

import checker  # noqa: E402
from load import BUCKET, History, Writer, begin_upload, complete_upload, conditional, md5, tag_of_upload  # noqa: E402
from oracle_http import Client, Lost  # noqa: E402
from oracle_server import Server  # noqa: E402

RACERS = 16


class Failed(Exception):
    pass


class Run:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.chance = random.Random(arguments.seed)
        self.server = Server(os.path.abspath(arguments.pail), folder, os.path.join(folder, "data"))
        self.environment = {"PAIL_ENGINE": arguments.engine}
        self.operations = self.open = self.kills = self.races = self.keys = 0
        self.check_seconds = 0.0

    def start(self):
        self.server.spawn(self.environment)
        self.server.wait_ready()

    # ---- Histories ----

    def round(self, number):
        arguments = self.arguments
        history = History([f"r{number}/{i}" for i in range(arguments.keys)])
        until = time.monotonic() + arguments.seconds
        writers = [Writer(f"c{i}", self.server, history, until, self.chance.getrandbits(32)) for i in range(arguments.clients)]
        for writer in writers:
            writer.start()
        if self.chance.random() < arguments.kills:
            time.sleep(self.chance.uniform(0.2, 0.8) * arguments.seconds)
            self.server.kill()
            self.kills += 1
            self.start()
            for writer in writers:
                writer.until = time.monotonic() + arguments.seconds / 2
        for writer in writers:
            writer.join()
        failures = [writer.failure for writer in writers if writer.failure]
        if failures:
            raise Failed(f"round {number}: {failures[0]!r}")
        self.judge(number, history)

    def judge(self, number, history):
        settled = history.settled()
        self.operations += history.count()
        self.open += sum(operation.end is None for found in settled.values() for operation in found)
        self.keys += len(settled)
        began = time.monotonic()
        for key, result in checker.check_all(settled):
            path = os.path.join(self.folder, f"history-{number}.txt")
            with open(path, "w", encoding="utf-8") as file:
                for operation in sorted(settled[key], key=lambda one: one.begin):
                    print(checker.describe(operation), file=file)
            raise Failed(f"round {number}, key {key}, {path}: {result}")
        self.check_seconds += time.monotonic() - began

    # ---- Races ----

    def race(self, number, condition, way):
        """The status that each of many got, and the tag of what each wrote, by threads that begin together."""
        key, barrier, found = f"race{number}", threading.Barrier(RACERS), [None] * RACERS

        def run(i):
            client, body = Client(self.server.port), f"{number} {i} {condition}".encode()
            if way(i) == "put":
                barrier.wait()
                found[i] = (client.call("PUT", BUCKET, key, headers=conditional(condition), body=body).status, md5(body))
            else:
                upload = begin_upload(client, key)
                tag = client.call("PUT", BUCKET, key, {"partNumber": 1, "uploadId": upload}, body=body).etag
                barrier.wait()
                found[i] = (complete_upload(client, key, upload, tag, condition).status, tag_of_upload(body))
            client.close()

        threads = [threading.Thread(target=run, args=(i,)) for i in range(RACERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if None in found:
            raise Failed(f"race {number}: a client failed")
        return key, found

    def one_wins(self, number, condition, way):
        key, found = self.race(number, condition, way)
        winners = [tag for status, tag in found if status == 200]
        odd = {status for status, _ in found} - {200, 412, 409}
        held = Client(self.server.port).call("HEAD", BUCKET, key).etag
        if len(winners) != 1 or odd or held != winners[0]:
            raise Failed(f"race {number} under {condition}: {len(winners)} winners, other answers {odd}, {held} is held of {winners}")
        self.races += 1
        return winners[0]

    def run_races(self, first, count):
        ways = [lambda i: "put", lambda i: "complete", lambda i: ("put", "complete")[i % 2]]
        for number in range(first, first + count):
            tag = self.one_wins(number, checker.ABSENT, ways[number % 3])
            self.one_wins(number, tag, lambda i: "put")

    # ---- The whole ----

    def run(self):
        arguments = self.arguments
        self.start()
        Client(self.server.port).call("PUT", BUCKET)
        for number in range(arguments.rounds):
            self.round(number)
            each = -(-arguments.races // arguments.rounds)
            self.run_races(number * each, each)
        code = self.server.stop()
        if code != 0:
            raise Failed(f"the server ended with {code}: {self.server.log()[-6000:]}")

    def report(self):
        return (f"seed {self.arguments.seed}: {self.operations:,} operations in the histories of {self.keys} keys, {self.open} open, "
                f"{self.kills} kills, {self.races} races, checked in {self.check_seconds:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pail", required=True)
    parser.add_argument("--engine", default="local", choices=("local", "mem"))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each round")
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--keys", type=int, default=4)
    parser.add_argument("--kills", type=float, default=0.3, help="the part of rounds with a kill")
    parser.add_argument("--races", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    arguments = parser.parse_args()
    if arguments.engine == "mem":
        arguments.kills = 0.0  # nothing outlives it
    print(f"seed {arguments.seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="pail-consistency-")
    run = Run(arguments, folder)
    try:
        run.run()
    except (Failed, checker.TooHard, Lost, OSError) as error:
        print(f"FAILED {error}\n{run.report()}\nkept: {folder}")
        if run.server.process and run.server.process.poll() is None:
            run.server.process.kill()
        return 1
    print(run.report())
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
