#!/usr/bin/env python3
"""A day of the open internet in minutes: random hostile connections, and whether they leave a trace.

    hostile.py --pail PROGRAM [--count 3000] [--connections 5000] [--threads 16] [--tls] [--seed N]

A tenth of the attacks of attacks.py come first, so that what the server makes once is made; then its memory, its descriptors, its
threads and its files are noted. After all of them, and after --connections connections that are opened and closed at once, all must be back
where it was: memory within --slack MiB, descriptors and threads exactly, nothing in tmp/, no more extents than objects need. Then
as many large uploads at once as there are buffers for must go through: none of the buffers is lost. Time-outs of the server are short, so that
a slow client costs a second, not minutes.
"""

import argparse
import collections
import concurrent.futures
import os
import random
import shutil
import socket
import ssl
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "s3"), os.path.join(HERE, "..", "wire")]

from attacks import ATTACKS, BIG, STORING, Foe, drain, push  # noqa: E402
from lib.server import ROOT_KEYS, Server  # noqa: E402
from run import client_context, make_pair  # noqa: E402

SETTINGS = ["--head-timeout", "400ms", "--body-timeout", "600ms", "--idle-timeout", "2s", "--io-buffers", "16MiB", "--max-connections", "1024",
            "--body-rate-window", "1s"]
SETTLE_SECONDS = 12  # garbage is kept for two seconds, connections that said nothing for two more
UPLOADS = 12  # of BIG bytes: more than the buffers hold at once


class Failed(Exception):
    pass


class Traces:
    """What the server holds while nobody asks anything of it."""

    def __init__(self, server):
        folder = f"/proc/{server.process.pid}"
        self.rss = server.rss_bytes()
        self.descriptors = sum(not is_of_store(server.data, f"{folder}/fd/{name}") for name in os.listdir(folder + "/fd"))
        self.threads = len(os.listdir(folder + "/task"))
        self.tmp = len(os.listdir(server.data + "/tmp"))
        self.extents = sum(len(files) for _, _, files in os.walk(server.data + "/extents"))

    def __str__(self):
        return (f"{self.rss / 2**20:.1f} MiB, {self.descriptors} descriptors, {self.threads} threads, {self.tmp} files in tmp/, "
                f"{self.extents} extents")


def is_of_store(data, link):
    """A file of the log or of the index: their number follows what is stored, not who has called."""
    try:
        return os.readlink(link).startswith((data + "/log/", data + "/index/"))
    except OSError:
        return True  # gone meanwhile


def settled(server):
    """The least that is seen for some seconds: what is given back a little later counts as given back."""
    deadline, least = time.monotonic() + SETTLE_SECONDS, Traces(server)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = Traces(server)
        for field, value in vars(now).items():
            setattr(least, field, min(value, getattr(least, field)))
    return least


class Run:
    def __init__(self, arguments, server, context):
        self.arguments, self.server, self.context = arguments, server, context
        self.chance = random.Random(arguments.seed)
        self.done = collections.Counter()
        self.faults = []

    def foe(self):
        foe = Foe(self.server.endpoint, ROOT_KEYS, self.chance.getrandbits(32), self.context)
        foe.wire.context_get = lambda target: self.ask(foe, "GET", target)
        foe.upload = self.upload
        return foe

    upload = None

    @staticmethod
    def ask(foe, method, target, body=b""):
        with foe.open() as connection:
            push(connection, foe.head(method, target, len(body), {"connection": "close"}) + body)
            reply = drain(connection, 1 << 30)
        head, _, rest = reply.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            raise Failed(f"{method} {target}: no answer: {reply[:100]!r}")
        return collections.namedtuple("Reply", "status body")(int(head[9:12]), rest)

    def expect(self, foe, status, method, target, body=b""):
        reply = self.ask(foe, method, target, body)
        if reply.status != status:
            raise Failed(f"{method} {target} was answered {reply}")
        return reply

    def furnish(self):
        foe = self.foe()
        self.expect(foe, 200, "PUT", "/hostile")
        self.expect(foe, 200, "PUT", "/hostile/there", b"here")
        self.expect(foe, 200, "PUT", "/hostile/big", foe.bodies * 4)
        reply = self.expect(foe, 200, "POST", "/hostile/upload?uploads")
        upload = reply.body.split(b"<UploadId>")[1].split(b"</UploadId>")[0].decode()
        self.upload = "/hostile/upload?uploadId=" + upload

    # ---- Attacks ----

    def attacker(self, foe, count):
        chosen = {attack: weight for attack, weight in ATTACKS.items() if attack.__name__ in self.arguments.only}
        attacks, weights = list(chosen), list(chosen.values())
        for _ in range(count):
            attack = foe.chance.choices(attacks, weights)[0]
            try:
                fault = attack(foe)
            except socket.timeout:
                fault = "the server neither answered nor closed"
            except (ConnectionError, ssl.SSLError, BrokenPipeError, OSError):
                fault = None  # it closed while we spoke: its right
                self.done["cut short"] += 1
            self.done[attack.__name__] += 1
            if fault:
                self.faults.append(f"{attack.__name__}: {fault}")

    def attack(self, count):
        threads = self.arguments.threads
        foes = [self.foe() for _ in range(threads)]
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(self.attacker, foe, -(-count // threads)) for foe in foes]:
                future.result()
        if self.faults:
            raise Failed(f"{len(self.faults)} faults: " + "; ".join(self.faults[:5]))
        if not self.server.running():
            raise Failed("the server is gone: " + self.server.log()[-3000:])

    def flood(self, count):
        """Connections that are opened side by side and closed at once."""
        address, made = self.foe().wire.address, 0
        while made < count:
            crowd = []
            for _ in range(min(200, count - made)):
                one = socket.socket()
                one.setblocking(False)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.connect_ex(address)
                crowd.append(one)
            for one in crowd:
                one.close()
            made += len(crowd)

    # ---- Afterwards ----

    def clean(self):
        """Objects that an attack may rightly have left (an upload whose last byte came) go, so that files can be counted."""
        foe = self.foe()
        self.ask(foe, "DELETE", self.upload)
        self.ask(foe, "DELETE", "/hostile-other")
        while True:
            found = self.expect(foe, 200, "GET", "/hostile?list-type=2&max-keys=1000").body
            keys = [part.split(b"</Key>")[0].decode() for part in found.split(b"<Key>")[1:]]
            keys = [key for key in keys if key not in ("there", "big")]
            for key in keys:
                self.expect(foe, 204, "DELETE", f"/hostile/{key}")
            if not keys:
                break
        reply = self.expect(foe, 200, "POST", "/hostile/upload?uploads")
        self.upload = "/hostile/upload?uploadId=" + reply.body.split(b"<UploadId>")[1].split(b"</UploadId>")[0].decode()

    def serve(self):
        """Many large uploads at once, and what they put is what comes back."""
        foes = [self.foe() for _ in range(UPLOADS)]

        def one(i):
            body = foes[i].bodies
            self.expect(foes[i], 200, "PUT", f"/hostile/after{i}", body)
            if self.expect(foes[i], 200, "GET", f"/hostile/after{i}").body != body:
                raise Failed("wrong bytes")

        with concurrent.futures.ThreadPoolExecutor(UPLOADS) as pool:
            for future in [pool.submit(one, i) for i in range(UPLOADS)]:
                future.result()

    def compare(self, before, after):
        slack = self.arguments.slack * 2**20
        if after.rss > before.rss + slack:
            raise Failed(f"memory grew: {before} -> {after}")
        for field in ("descriptors", "threads", "tmp", "extents"):
            if getattr(after, field) > getattr(before, field):
                raise Failed(f"{field}: {before} -> {after}")

    def run(self):
        arguments = self.arguments
        self.furnish()
        self.attack(arguments.count // 10)
        self.flood(arguments.connections // 10)
        self.serve()
        self.clean()
        before = settled(self.server)
        print(f"before: {before}", flush=True)
        seconds = 0.0
        for _ in range(arguments.parts):
            began = time.monotonic()
            self.attack(arguments.count // arguments.parts)
            self.flood(arguments.connections // arguments.parts)
            seconds += time.monotonic() - began
            self.serve()
            self.clean()
            after = settled(self.server)
            print(f"after:  {after}", flush=True)
        print(f"{sum(self.done[attack.__name__] for attack in ATTACKS):,} attacks and {arguments.connections:,} connections in {seconds:.0f} s, "
              f"{self.done['cut short']} cut short by the server")
        print(", ".join(f"{name} {count}" for name, count in sorted(self.done.items())))
        self.compare(before, after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pail", required=True)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--parts", type=int, default=1, help="after each of which is looked")
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--slack", type=float, default=6, help="MiB that memory may differ")
    parser.add_argument("--only", nargs="+", default=[attack.__name__ for attack in ATTACKS], metavar="NAME", help="these attacks alone")
    parser.add_argument("--store-nothing", dest="only", action="store_const", const=[attack.__name__ for attack in ATTACKS if attack not in STORING],
                        help="only attacks after which nothing is stored")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="pail-hostile-")
    words, context = list(SETTINGS), None
    if arguments.tls:
        certificate, key = make_pair(folder)
        words += ["--tls-cert", certificate, "--tls-key", key]
        context = client_context(certificate)
    server = Server(os.path.abspath(arguments.pail), "local", os.path.join(folder, "server"), words)
    server.start()
    try:
        Run(arguments, server, context).run()
        server.stop()
    except (Failed, AssertionError) as error:
        print(f"FAILED {error}\nkept: {folder}")
        if server.running():
            server.kill()
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
