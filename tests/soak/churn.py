"""One client of the soak: puts, overwrites, deletes, copies, reads and lists at a steady rate, in a process of its own. It knows what
it has stored (bytes that are made from a seed), compares every answer, and counts what is live.

A call whose connection ended is made again: all of them may be repeated. It counts as lost."""

import base64
import collections
import hashlib
import os
import random
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))

import oracle_http  # noqa: E402

KIB, MIB = 1024, 1024 * 1024
BUCKET = "soak"
BLOCK = random.Random(1).randbytes(4 * MIB)
SMALL_MAX = 128 * KIB  # bodies up to here lie in the log
LARGE_MAX = 6 * MIB
PART_BYTES = 5 * MIB
METADATA_HEADER = "x-amz-meta-soak"
METADATA = "m" * 64
HEADER_BYTES = len(METADATA_HEADER) - len("x-amz-meta-") + len(METADATA) + len("application/octet-stream")
ABANDON_SECONDS = 60  # an upload that was given up is aborted so much later
DELETE_MANY = 50
TRIES = 30


class Body:
    """Bytes that a seed and a length tell. Copies of a large one share it."""

    def __init__(self, seed, sizes):
        self.seed, self.sizes = seed, sizes
        self.users = 0

    @property
    def size(self):
        return sum(self.sizes)

    def part(self, index):
        at, size = (self.seed + index * 7919) % MIB, self.sizes[index]
        pieces = []
        while size > 0:
            piece = BLOCK[at : at + size]
            pieces.append(piece)
            size -= len(piece)
            at = 0
        return b"".join(pieces)

    def crc(self):
        value = 0
        for index in range(len(self.sizes)):
            value = zlib.crc32(self.part(index), value)
        return value

    @property
    def is_shared(self):
        """Whether a copy refers to it instead of having bytes of its own."""
        return self.size > SMALL_MAX or len(self.sizes) > 1


class Churn:
    """`shared` holds the figures that the run reads: live bytes, calls, lost calls; `latencies` is a queue of lists."""

    OPERATIONS = {
        "put small": 32,
        "overwrite": 24,
        "put large": 1,
        "multipart": 0.3,
        "abandon": 0.2,
        "copy": 4,
        "get": 20,
        "head": 6,
        "list": 3,
    }
    # Beside them, by what is live: (below the goal, above it).
    DELETIONS = {"delete small": (6, 30), "delete many": (0.1, 0.5), "delete large": (0.2, 3)}

    def __init__(self, number, port, rate, live_bytes, shared, latencies):
        self.random = random.Random(number)
        self.client = oracle_http.Client(port)
        self.prefix = f"client-{number}/"
        self.rate, self.goal = rate, live_bytes
        self.shared, self.latencies = shared, latencies
        self.objects = {}  # key: Body
        self.keys = []
        self.place = {}
        self.small = self.large = 0  # live bytes
        self.uploads = collections.deque()  # (when, key, id, bytes)
        self.next_key = 0
        self.measured = []
        self.calls = self.lost = 0

    # ---- What is stored ----

    @property
    def live(self):
        return self.small + self.large

    def count(self, body, sign):
        if body.is_shared:
            self.large += sign * body.size
        else:
            self.small += sign * body.size

    def hold(self, key, body):
        self.let_go(key)
        self.place[key] = len(self.keys)
        self.keys.append(key)
        self.objects[key] = body
        body.users += 1
        self.small += len(key) + HEADER_BYTES
        if body.users == 1 or not body.is_shared:
            self.count(body, 1)

    def let_go(self, key):
        body = self.objects.pop(key, None)
        if body is None:
            return
        last, at = self.keys.pop(), self.place.pop(key)
        if last != key:
            self.keys[at], self.place[last] = last, at
        body.users -= 1
        self.small -= len(key) + HEADER_BYTES
        if body.users == 0 or not body.is_shared:
            self.count(body, -1)

    def fresh_key(self):
        self.next_key += 1
        return f"{self.prefix}{self.random.randrange(100):02}/{self.next_key:08}"

    def some_key(self):
        return self.random.choice(self.keys)

    def small_size(self):
        """Between 512 bytes and the largest that lies in the log; each power of two as often as the next."""
        return int(512 * (SMALL_MAX / 512) ** self.random.random())

    def large_size(self):
        return self.random.randrange(SMALL_MAX + 1, LARGE_MAX)

    # ---- Calls ----

    def call(self, name, status, *words, **named):
        for _ in range(TRIES):
            began = time.monotonic()
            try:
                reply = self.client.call(*words, **named)
            except oracle_http.Lost:
                self.lost += 1
                time.sleep(0.5)
                continue
            self.calls += 1
            self.measured.append((began, time.monotonic() - began, name))
            if reply.status != status:
                raise AssertionError(f"{name} {words}: {reply}")
            return reply
        raise AssertionError(f"{name} {words}: lost {TRIES} times")

    def put(self, name, key, body):
        self.call(name, 200, "PUT", BUCKET, key, headers={METADATA_HEADER: METADATA, "Content-Type": "application/octet-stream"}, body=body.part(0))
        self.hold(key, body)

    # ---- Operations ----

    def put_small(self):
        self.put("put small", self.fresh_key(), Body(self.random.randrange(1 << 30), [self.small_size()]))

    def overwrite(self):
        """Most of it hits a few keys, as real overwriting does."""
        few = max(1, len(self.keys) // 10)
        key = self.keys[self.random.randrange(few if self.random.random() < 0.5 else len(self.keys))]
        self.put("put small", key, Body(self.random.randrange(1 << 30), [self.small_size()]))

    def put_large(self):
        self.put("put large", self.fresh_key(), Body(self.random.randrange(1 << 30), [self.large_size()]))

    def begin_upload(self, key):
        headers = {METADATA_HEADER: METADATA, "Content-Type": "application/octet-stream"}
        reply = self.call("upload", 200, "POST", BUCKET, key, query={"uploads": None}, headers=headers)
        return reply.xml().findtext("UploadId")

    def put_part(self, key, upload_id, body, index):
        query = {"partNumber": index + 1, "uploadId": upload_id}
        reply = self.call("put large", 200, "PUT", BUCKET, key, query=query, body=body.part(index))
        return f"<Part><PartNumber>{index + 1}</PartNumber><ETag>{reply.etag}</ETag></Part>"

    def multipart(self):
        key = self.fresh_key()
        body = Body(self.random.randrange(1 << 30), [PART_BYTES, self.random.randrange(1, PART_BYTES)])
        upload_id = self.begin_upload(key)
        parts = "".join(self.put_part(key, upload_id, body, index) for index in range(len(body.sizes)))
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        reply = self.call("upload", 200, "POST", BUCKET, key, query={"uploadId": upload_id}, body=document)
        if b"<ETag>" not in reply.body:
            raise AssertionError(f"complete {key}: {reply}")
        self.hold(key, body)

    def abandon(self):
        """A part lies there until somebody aborts the upload: it is live until then."""
        key = self.fresh_key()
        body = Body(self.random.randrange(1 << 30), [self.random.randrange(1, PART_BYTES)])
        upload_id = self.begin_upload(key)
        self.put_part(key, upload_id, body, 0)
        self.large += body.size
        self.uploads.append((time.monotonic(), key, upload_id, body.size))

    def abort_old(self, age):
        while self.uploads and time.monotonic() - self.uploads[0][0] > age:
            _, key, upload_id, size = self.uploads.popleft()
            self.call("upload", 204, "DELETE", BUCKET, key, query={"uploadId": upload_id})
            self.large -= size

    def copy(self):
        source, key = self.some_key(), self.fresh_key()
        body = self.objects[source]
        self.call("copy", 200, "PUT", BUCKET, key, headers={"x-amz-copy-source": f"/{BUCKET}/{source}"})
        self.hold(key, body if body.is_shared else Body(body.seed, body.sizes))

    def get(self):
        key = self.some_key()
        reply = self.call("get", 200, "GET", BUCKET, key)
        body = self.objects[key]
        if len(reply.body) != body.size or zlib.crc32(reply.body) != body.crc():
            raise AssertionError(f"{key}: other bytes than were stored")

    def head(self):
        key = self.some_key()
        reply = self.call("head", 200, "HEAD", BUCKET, key)
        if int(reply.headers["content-length"]) != self.objects[key].size:
            raise AssertionError(f"{key}: another length than was stored")

    def list(self):
        folder = f"{self.prefix}{self.random.randrange(100):02}/"
        reply = self.call("list", 200, "GET", BUCKET, query={"list-type": 2, "prefix": folder, "max-keys": 100})
        found = [entry.text for entry in reply.xml().findall("Contents/Key")]
        expected = sorted(key for key in self.objects if key.startswith(folder))[:100]
        if found != expected:
            raise AssertionError(f"{folder}: {len(found)} keys are listed, {len(expected)} expected")

    def delete_kind(self, is_large):
        for _ in range(1000):
            key = self.some_key()
            if self.objects[key].is_shared == is_large:
                self.call("delete", 204, "DELETE", BUCKET, key)
                self.let_go(key)
                return

    def delete_small(self):
        self.delete_kind(False)

    def delete_large(self):
        self.delete_kind(True)

    def delete_many(self):
        keys = self.random.sample(self.keys, min(DELETE_MANY, len(self.keys) // 4))
        self.delete_keys(keys)

    def delete_keys(self, keys):
        entries = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        document = f"<Delete><Quiet>true</Quiet>{entries}</Delete>".encode()
        headers = {"Content-MD5": base64.b64encode(hashlib.md5(document, usedforsecurity=False).digest()).decode()}
        reply = self.call("delete many", 200, "POST", BUCKET, query={"delete": None}, headers=headers, body=document)
        if b"<Error>" in reply.body:
            raise AssertionError(f"delete many: {reply}")
        for key in keys:
            self.let_go(key)

    # ---- The run ----

    def choose(self):
        """More is deleted than put where more is live than should be."""
        if len(self.keys) < 100:
            return "put small"
        weights = dict(self.OPERATIONS)
        for name, (below, above) in self.DELETIONS.items():
            live = self.large if name == "delete large" else self.small
            weights[name] = above if live > self.goal / 2 else below
        return self.random.choices(list(weights), weights.values())[0]

    def tell(self):
        self.shared[0], self.shared[1], self.shared[2] = self.live, self.calls, self.lost
        self.latencies.put(self.measured)
        self.measured = []

    def fill(self):
        """As fast as it goes, to the goal: half of the bytes small, half large."""
        told = time.monotonic()
        while self.live < self.goal:
            if self.small < self.goal / 2:
                self.put_small()
            if self.large < self.goal / 2 and self.large <= self.small:
                self.put_large()
            if time.monotonic() - told > 1:
                told = time.monotonic()
                self.tell()
        self.tell()

    def run(self, seconds):
        due = told = time.monotonic()
        end = due + seconds
        while time.monotonic() < end:
            due += 1 / self.rate
            behind = due - time.monotonic()
            if behind > 0:
                time.sleep(behind)
            elif behind < -1:
                due = time.monotonic()  # after a stop, what was missed is not made up for
            getattr(self, self.choose().replace(" ", "_"))()
            self.abort_old(ABANDON_SECONDS)
            if time.monotonic() - told > 1:
                told = time.monotonic()
                self.tell()
        self.tell()

    def check(self):
        """The whole of what is listed, and a sample of the bytes."""
        found = {key: size for key, size, _ in self.client.list_v2(BUCKET, self.prefix)}
        expected = {key: body.size for key, body in self.objects.items()}
        if found != expected:
            wrong = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
            raise AssertionError(f"{len(wrong)} keys are not as they should be, {wrong[:3]}")
        for _ in range(min(200, len(self.keys))):
            self.get()

    def remove_all(self):
        self.abort_old(-1)
        while self.keys:
            self.delete_keys(self.keys[-500:])
        self.tell()


def main(number, port, options, shared, latencies, orders, answers):
    """The process: obeys fill, run, check, remove until the orders end; answers each with None or what went wrong."""
    churn = Churn(number, port, options["rate"], options["live_bytes"], shared, latencies)
    for order in iter(orders.get, None):
        try:
            {
                "fill": churn.fill,
                "run": lambda: churn.run(options["seconds"]),
                "check": churn.check,
                "remove": churn.remove_all,
            }[order]()
            answers.put(None)
        except Exception as error:  # whatever it is, the run has to know
            answers.put(f"client {number}, {order}: {error!r}")
    churn.client.close()
