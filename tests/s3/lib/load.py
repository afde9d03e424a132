"""A load of clients that remember what was acknowledged, and a check of what the server holds afterwards."""

import random
import threading

from . import checksums
from .clients import exists, make_client, read
from .wire import Wire


class Load:
    """Clients that put, overwrite, delete and read keys of their own, and remember what was acknowledged."""

    def __init__(self, server, bucket, count, turns, sizes=(0, 100, 5000, 200_000)):
        self.server, self.bucket, self.count, self.turns, self.sizes = server, bucket, count, turns, sizes
        self.acknowledged = {}  # key → body or None
        self.uncertain = {}  # key → the bodies it may have instead, of a request that got no answer
        self.failures = []
        self.stopping = threading.Event()
        self.expect_break = False

    def run(self):
        self.threads = [threading.Thread(target=self._client, args=(number,)) for number in range(self.count)]
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures[:3]

    def _client(self, number):
        chance = random.Random(number)
        wire = Wire(self.server.endpoint, self.server.main)
        try:
            with wire.connect() as connection:
                for turn in range(self.turns):
                    if self.stopping.is_set():
                        return
                    self._turn(wire, connection, chance, number, turn)
        except (OSError, EOFError) as problem:
            if not self.expect_break:
                self.failures.append(problem)
        except AssertionError as problem:
            self.failures.append(problem)

    def _turn(self, wire, connection, chance, number, turn):
        key = f"{number:03d}/{chance.randint(0, 9)}"
        target = f"/{self.bucket}/{key}"
        deleting = chance.random() < 0.2
        body = None if deleting else (b"%d %d " % (number, turn)) * (chance.choice(self.sizes) // 8 + 1)
        self.uncertain[key] = [body]
        method = "DELETE" if deleting else "PUT"
        connection.send_head(method, target, wire.head(method, target, body or b""))
        connection.send(body or b"")
        reply = connection.read_reply(method)
        if reply.status == 503 and self.expect_break:
            raise EOFError("the server is going away")
        assert reply.status in (200, 204), reply
        self.acknowledged[key] = body
        del self.uncertain[key]
        if chance.random() < 0.5:
            connection.send_head("GET", target, wire.head("GET", target))
            reply = connection.read_reply()
            assert (reply.status, reply.body) == ((404, reply.body) if body is None else (200, body))

    def check(self):
        """All acknowledged is there; a key in flight has its old or its new state; nothing else exists."""
        client = make_client(self.server.endpoint, self.server.main)
        listed = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            listed.update({one["Key"]: one for one in page.get("Contents", [])})
        for key in set(self.acknowledged) | set(self.uncertain) | set(listed):
            allowed = [self.acknowledged.get(key)] + self.uncertain.get(key, [])
            body = read(client, self.bucket, key) if key in listed else None
            assert body in allowed, (key, body and body[:40], [one and one[:40] for one in allowed])
            if body is not None:
                assert listed[key]["ETag"] == checksums.etag(body) and listed[key]["Size"] == len(body)
        return len(listed)

    def settled(self):
        """What is there, to go on from, once it has been checked: key → body or None."""
        client = make_client(self.server.endpoint, self.server.main)
        out = {key: body for key, body in self.acknowledged.items() if key not in self.uncertain}
        for key in self.uncertain:
            out[key] = read(client, self.bucket, key) if exists(client, self.bucket, key) else None
        return out
