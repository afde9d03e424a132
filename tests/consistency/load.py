"""Clients that work on a few keys side by side and note what they asked and what was answered: a history for checker.py."""

import hashlib
import random
import threading
import time

from checker import ABSENT, DONE, MISSING, REFUSED, Operation
from oracle_http import Client, Lost

BUCKET = "consistency"
SIZES = (40, 40, 40, 900, 5_000, 200_000)  # in the log, and in a file of its own
WEIGHTS = {"get": 24, "head": 10, "put": 20, "put_if_absent": 10, "put_if_match": 14, "delete": 8, "delete_if_match": 5, "copy": 7,
           "complete": 6, "list": 8}


class Wrong(Exception):
    """An answer that is wrong by itself, whatever else happened."""


def md5(data):
    return hashlib.md5(data).hexdigest()


class History:
    """Operations by key, of one round. Lists in CPython take appends from many threads."""

    def __init__(self, keys):
        self.of_key = {key: [] for key in keys}
        self.copies = []  # (place in of_key[key], key, source) of copies that got no answer

    def add(self, key, *words):
        self.of_key[key].append(Operation(*words))

    def count(self):
        return sum(map(len, self.of_key.values()))

    def settled(self):
        """With what open copies may have written: anything that their sources may have held."""
        held = {key: {operation.value for operation in found if operation.kind == "write"} for key, found in self.of_key.items()}
        for _ in self.of_key:
            for operation_key, found in self.of_key.items():
                for operation in found:
                    if operation.kind == "copied":
                        held[operation_key] |= held[operation.value]
        return {key: [operation._replace(value=tuple(sorted(held[operation.value]))) if operation.kind == "copied" else operation
                      for operation in found] for key, found in self.of_key.items()}


class Writer(threading.Thread):
    """One client: one connection, one operation at a time, until it is told to stop or has done enough."""

    def __init__(self, name, server, history, until, seed):
        super().__init__(name=name)
        self.server, self.history, self.until = server, history, until
        self.chance = random.Random(seed)
        self.keys = sorted(history.of_key)
        self.tag = {}  # the last one that this client saw of each key
        self.number, self.failure, self.lost = 0, None, 0
        self.client = None

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.turn()
        except Exception as error:  # told by the run, which looks at each client's failure
            self.failure = error

    def turn(self):
        """A client that lost its connection is a new one afterwards: what it had asked may still come about."""
        if self.client is None and not self.connect():
            return
        kind = self.chance.choices(list(WEIGHTS), WEIGHTS.values())[0]
        try:
            getattr(self, kind)(self.chance.choice(self.keys))
        except Lost:
            self.lost += 1
            self.client.close()
            self.client = None
            time.sleep(0.02)

    def connect(self):
        """Before there is something to note: what could not be sent has not begun."""
        client = Client(self.server.port)
        try:
            client.connection.connect()
        except OSError:
            time.sleep(0.02)
            return False
        self.client = client
        return True

    def body(self):
        self.number += 1
        line = f"{self.name} {self.number} {self.chance.getrandbits(40)}\n".encode()
        return line * max(1, self.chance.choice(SIZES) // len(line))

    # ---- Reads ----

    def see(self, key, tag, begin):
        self.history.add(key, self.name, "read", None, None, tag, begin, time.monotonic())
        if tag:
            self.tag[key] = tag

    def get(self, key, method="GET"):
        begin = time.monotonic()
        reply = self.client.call(method, BUCKET, key)
        if reply.is_unsure:
            return
        if reply.status not in (200, 404):
            raise Wrong(f"{method} {key}: {reply}")
        if reply.status == 200 and method == "GET" and "-" not in reply.etag and md5(reply.body) != reply.etag:
            raise Wrong(f"{key}: a body that is not that of its tag {reply.etag}")
        self.see(key, reply.etag if reply.status == 200 else None, begin)

    def head(self, key):
        self.get(key, "HEAD")

    def list(self, _):
        """A list is a read of each key; what it says of one need not be of the same moment as what it says of another."""
        begin = time.monotonic()
        prefix = self.keys[0].split("/")[0] + "/"
        try:
            found = {key: tag for key, _, tag in self.client.list_v2(BUCKET, prefix, self.chance.choice((2, 1000)))}
        except AssertionError as error:
            raise Lost(str(error)) from None
        if set(found) - set(self.keys):
            raise Wrong(f"a list shows {set(found) - set(self.keys)}")
        end = time.monotonic()
        for key in self.keys:
            self.history.add(key, self.name, "read", None, None, found.get(key), begin, end)

    # ---- Changes ----

    def note(self, key, kind, value, condition, begin, reply):
        """What a change was answered; a reply of None was lost."""
        answer = None
        if reply is not None and not reply.is_unsure:
            answer = {200: DONE, 204: DONE, 412: REFUSED, 404: MISSING}.get(reply.status)
            if reply.status == 409:
                return  # says that nothing was changed, and nothing of why
            if answer is None or (answer != DONE and condition is None):
                raise Wrong(f"{kind} {key} if {condition}: {reply}")
        end = time.monotonic() if answer else None
        self.history.add(key, self.name, kind, value, condition, answer, begin, end)
        if answer == DONE and value:
            self.tag[key] = value

    def change(self, key, kind, value, condition, call):
        begin = time.monotonic()
        try:
            reply = call()
        except Lost:
            self.note(key, kind, value, condition, begin, None)
            raise
        self.note(key, kind, value, condition, begin, reply)
        return reply

    def put(self, key, condition=None):
        body, headers = self.body(), conditional(condition)
        reply = self.change(key, "write", md5(body), condition, lambda: self.client.call("PUT", BUCKET, key, headers=headers, body=body))
        if reply.status == 200 and reply.etag != md5(body):
            raise Wrong(f"PUT {key} answers the tag {reply.etag}")

    def put_if_absent(self, key):
        self.put(key, ABSENT)

    def put_if_match(self, key):
        self.put(key, self.tag.get(key, md5(b"never written")))

    def delete(self, key, condition=None):
        self.change(key, "delete", None, condition, lambda: self.client.call("DELETE", BUCKET, key, headers=conditional(condition)))

    def delete_if_match(self, key):
        self.delete(key, self.tag.get(key, md5(b"never written")))

    def copy(self, key):
        source = self.chance.choice([other for other in self.keys if other != key])
        headers, begin = {"x-amz-copy-source": f"/{BUCKET}/{source}"}, time.monotonic()
        try:
            reply = self.client.call("PUT", BUCKET, key, headers=headers)
        except Lost:
            self.history.add(key, self.name, "copied", source, None, None, begin, None)
            raise
        if reply.is_unsure:
            self.history.add(key, self.name, "copied", source, None, None, begin, None)
        elif reply.status in (200, 404):
            tag = reply.xml().findtext("ETag").strip('"') if reply.status == 200 else None
            self.see(source, tag, begin)
            if tag:
                self.history.add(key, self.name, "write", tag, None, DONE, begin, time.monotonic())
        else:
            raise Wrong(f"a copy to {key}: {reply}")

    def complete(self, key):
        condition = self.chance.choice((None, ABSENT))
        upload = begin_upload(self.client, key)
        if upload is None:
            return
        part = self.body()
        reply = self.client.call("PUT", BUCKET, key, {"partNumber": 1, "uploadId": upload}, body=part)
        if reply.is_unsure:
            return
        self.change(key, "write", tag_of_upload(part), condition,
                    lambda: complete_upload(self.client, key, upload, reply.etag, condition))


def conditional(condition):
    if condition is None:
        return {}
    return {"If-None-Match": "*"} if condition == ABSENT else {"If-Match": f'"{condition}"'}


def begin_upload(client, key):
    reply = client.call("POST", BUCKET, key, {"uploads": None})
    return reply.xml().findtext("UploadId") if reply.status == 200 else None


def tag_of_upload(part):
    return md5(hashlib.md5(part).digest()) + "-1"


def complete_upload(client, key, upload, tag, condition):
    document = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    return client.call("POST", BUCKET, key, {"uploadId": upload}, conditional(condition), document.encode())
