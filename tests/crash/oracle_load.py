"""The load: threads that change and read, each its own keys, and write down in the model what they do.

A thread ends when the server is gone. Whatever it learns that cannot be goes to `faults`; the checks after the crash come
on top (oracle_check.py)."""

import base64
import hashlib
import random
import threading

from oracle_http import Client, Cut, Doubtful, Lost
from oracle_model import ABSENT, Part, Upload, recipe_bytes

PART_MIN = 5 << 20
INLINE_MAX = 128 << 10
END_SECONDS = 20  # from a kill to its being known here, on a busy machine


def some_size(rng):
    """Inline bodies and extents, and the border between them."""
    kind = rng.random()
    if kind < 0.15:
        return rng.choice([0, 1, 31, 511, 512, 513])
    if kind < 0.55:
        return rng.randrange(1, 8192)
    if kind < 0.70:
        return INLINE_MAX + rng.choice([-4096, -1, 0, 1, 4095, 4096])
    if kind < 0.93:
        return rng.randrange(1 << 14, 1 << 20)
    return rng.randrange(1 << 20, 3 << 20)


class Load:
    """What all threads share in one life of the server."""

    def __init__(self, model, port, seed, faults):
        self.model, self.port, self.seed, self.faults = model, port, seed, faults
        self.is_dying = threading.Event()  # set right after the kill: a lost connection is a fault until then
        self.is_ending = False  # it was asked to end, and may close any connection that has no request
        self.may_fail = False  # the disk does: any call may be answered with an error, or a reply be cut short
        self.cut = Cut()
        self.operations = 0
        self.threads = []

    def start(self, readers=2):
        workers = [Writer(self, owner) for owner in range(len(self.model.keys))]
        self.threads = workers + [Reader(self, i) for i in range(readers)]
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(120)
            if thread.is_alive():
                self.faults.append(f"{thread.name} still waits for a reply of a server that is gone")
        self.operations = sum(thread.operations for thread in self.threads)


class Worker(threading.Thread):
    def __init__(self, load, name, seed):
        super().__init__(name=name, daemon=True)
        self.load, self.model = load, load.model
        self.rng = random.Random(seed)
        self.client = Client(load.port, load.cut)
        self.operations = 0

    def fault(self, text):
        self.load.faults.append(f"{self.name}: {text}")

    def run(self):
        try:
            while not self.load.is_dying.is_set():
                self.live()
                self.operations += 1
        except Lost as lost:
            if not self.load.is_ending and not self.load.is_dying.wait(END_SECONDS):
                self.fault(f"the connection was lost while the server ran: {lost}")
        except Exception as error:  # a fault of the oracle must not look like a pass
            self.fault(f"oracle: {error!r}")
            raise
        finally:
            self.client.close()

    def live(self):
        try:
            self.step()
        except Doubtful:
            pass
        except Lost:
            if not self.load.may_fail:
                raise

    def may_fail(self):
        """Whether an error is a right answer: the disk fails, or the server is being ended."""
        return self.load.may_fail or self.load.is_dying.wait(END_SECONDS)

    def check_seen(self, key, lowest, reply, has_body=True):
        """A reader got this; `lowest` was settled before it asked."""
        if reply.is_unsure or self.load.cut.began:
            return
        if reply.status == 404:
            number = key.absence_from(lowest)
            if number is None:
                self.fault(f"{key.bucket}/{key.name}: not found, although {lowest} was answered: stale or lost")
                return
        else:
            number = int(reply.headers.get("x-amz-meta-version", -1))
            version = key.issued.get(number)
            if version is None or number < lowest or not version.is_object:
                self.fault(f"{key.bucket}/{key.name}: served version {number}, settled was {lowest}")
                return
            if reply.status == 200 and has_body and reply.body != version.body():
                self.fault(f"{key.bucket}/{key.name}: wrong bytes for {version}: {len(reply.body)} bytes")
        key.seen = max(key.seen, number)


class Reader(Worker):
    """Reads what others write, most of all what is in flight: what was served may not be taken back."""

    def __init__(self, load, index):
        super().__init__(load, f"reader-{index}", f"{load.seed}/reader-{index}")
        self.all = [key for owned in (*load.model.keys, *load.model.multi) for key in owned]

    def step(self):
        hot = [key for key in self.all if key.unsure]
        if self.rng.random() < 0.25:
            return self.read_chain(self.rng.choice(self.model.chains))
        key = self.rng.choice(hot) if hot and self.rng.random() < 0.9 else self.rng.choice(self.all)
        lowest = max(key.state.number, key.seen)
        method = "HEAD" if self.rng.random() < 0.7 else "GET"
        self.check_seen(key, lowest, self.client.call(method, key.bucket, key.name), method == "GET")

    def read_chain(self, chain):
        reply = self.client.call("HEAD", chain.bucket, chain.name)
        if reply.status == 200 and not self.load.cut.began:
            chain.seen.add(reply.etag)


class Writer(Worker):
    def __init__(self, load, owner):
        super().__init__(load, f"writer-{owner}", f"{load.seed}/writer-{owner}")
        self.owner = owner
        self.keys = load.model.keys[owner]
        self.multi = load.model.multi[owner]
        self.steps = [
            (self.put, 30),
            (self.put_conditional, 10),
            (self.delete, 8),
            (self.delete_many, 4),
            (self.copy, 8),
            (self.read_own, 6),
            (self.list_own, 3),
            (self.chain, 10),
            (self.scratch, 6),
            (self.multipart, 15),
        ]

    def step(self):
        functions, weights = zip(*self.steps)
        self.rng.choices(functions, weights)[0]()

    # ---- Sending a change ----

    def change(self, key, version, call, expected=(200,), refused=()):
        """Sends what was issued and settles it by the reply."""
        reply = call()
        if reply.status in expected:
            self.check_etag(key, version, reply)
            key.settle(version)
        elif reply.status in refused:
            key.refuse(version)
        elif not reply.is_unsure:
            self.fault(f"{key.bucket}/{key.name}: {version}: unexpected answer {reply}")
            key.refuse(version)
        elif not self.may_fail():
            self.fault(f"{key.bucket}/{key.name}: {version}: {reply}")
        return reply

    def check_etag(self, key, version, reply):
        etag = reply.etag
        if etag and version.etag and etag != version.etag:
            self.fault(f"{key.bucket}/{key.name}: {version}: ETag {etag}, not {version.etag}")

    def put_version(self, key, headers=None, **outcome):
        size = some_size(self.rng)
        seed = f"{key.bucket}/{key.name}#{key.counter + 1}"
        version = key.issue(((seed, 0, size),))
        body = version.body()
        version.etag = version.md5
        headers = {"x-amz-meta-version": str(version.number), **(headers or {})}
        return self.change(key, version, lambda: self.client.call("PUT", key.bucket, key.name, headers=headers, body=body), **outcome)

    def is_sure(self, key):
        return not key.unsure

    # ---- Single objects ----

    def put(self):
        self.put_version(self.rng.choice(self.keys))

    def put_conditional(self):
        key = self.rng.choice(self.keys)
        if not self.is_sure(key):
            return self.put_version(key)
        holds = key.state.is_object
        if self.rng.random() < 0.5:
            outcome = {"expected": (), "refused": (412,)} if holds else {"expected": (200,)}
            return self.put_version(key, {"If-None-Match": "*"}, **outcome)
        if holds and key.state.etag and self.rng.random() < 0.7:
            return self.put_version(key, {"If-Match": f'"{key.state.etag}"'})
        outcome = {"expected": (), "refused": (412,) if holds else (404,)}
        return self.put_version(key, {"If-Match": '"0123456789abcdef0123456789abcdef"'}, **outcome)

    def delete(self):
        key = self.rng.choice(self.keys)
        version = key.issue()
        self.change(key, version, lambda: self.client.call("DELETE", key.bucket, key.name), expected=(204,))

    def delete_many(self):
        keys = [key for key in self.rng.sample(self.keys, 6) if key.bucket == "main"]
        if not keys:
            return
        versions = [key.issue() for key in keys]
        names = "".join(f"<Object><Key>{key.name}</Key></Object>" for key in keys)
        body = f"<Delete>{names}</Delete>".encode()
        reply = self.client.call("POST", "main", query={"delete": None}, body=body, headers=md5_header(body))
        if reply.status == 200:
            deleted = {element.text for element in reply.xml().findall("Deleted/Key")}
            for key, version in zip(keys, versions):
                if key.name in deleted:
                    key.settle(version)
        elif not reply.is_unsure:
            self.fault(f"DeleteObjects: {reply}")

    def copy(self):
        source, target = self.rng.sample(self.keys + self.multi, 2)
        if target in self.multi or not self.is_sure(source):
            return
        if not source.state.is_object:
            return
        version = target.issue(source.state.recipe)
        headers = {
            "x-amz-copy-source": f"/{source.bucket}/{source.name}",
            "x-amz-metadata-directive": "REPLACE",
            "x-amz-meta-version": str(version.number),
        }
        version.body()
        reply = self.change(target, version, lambda: self.client.call("PUT", target.bucket, target.name, headers=headers))
        if reply.status == 200:
            version.etag = reply.xml().findtext("ETag").strip('"')

    def read_own(self):
        key = self.rng.choice(self.keys + self.multi)
        self.check_seen(key, max(key.state.number, key.seen), self.client.call("GET", key.bucket, key.name))

    def list_own(self):
        """Nobody else changes these keys, so the list is known."""
        bucket = self.rng.choice(self.model.buckets)
        keys = {key.name: key for key in self.keys + self.multi if key.bucket == bucket}
        try:
            listed = {name: (size, etag) for name, size, etag in self.client.list_v2(bucket, f"t{self.owner}/", page=7)}
        except AssertionError as error:
            if not self.may_fail():
                self.fault(str(error))
            return
        for name, key in keys.items():
            if not self.is_sure(key):
                continue
            entry = listed.get(name)
            if (entry is not None) != key.state.is_object:
                self.fault(f"list of {bucket}: {name} is {'there' if entry else 'missing'}, held is {key.state}")
            elif entry and entry[0] != key.state.size:
                self.fault(f"list of {bucket}: {name} has {entry[0]} bytes, held is {key.state}")
        for name in listed.keys() - keys.keys():
            self.fault(f"list of {bucket}: {name} is not a key of this thread")

    # ---- Contended keys ----

    def chain(self):
        chain = self.rng.choice(self.model.chains)
        reply = self.client.call("HEAD", chain.bucket, chain.name)
        if reply.status not in (200, 404):
            return
        before = reply.etag if reply.status == 200 else ABSENT
        if before != ABSENT and not self.load.cut.began:
            chain.seen.add(before)
        version, body = chain.issue(before)
        headers = {"x-amz-meta-version": str(version.number)}
        headers["If-None-Match" if before == ABSENT else "If-Match"] = "*" if before == ABSENT else f'"{before}"'
        reply = self.client.call("PUT", chain.bucket, chain.name, headers=headers, body=body)
        if reply.status == 200:
            other = chain.answer(before, version)
            if other:
                self.fault(f"{chain.name}: two changes replaced {before}: {other} and {version.etag}")
        elif not reply.is_unsure:
            chain.refuse(version)
            if reply.status not in (412, 409):
                self.fault(f"{chain.name}: {reply}")

    # ---- Buckets that come and go ----

    def scratch(self):
        bucket = self.rng.choice(self.model.scratch[self.owner])
        key = bucket.key
        if bucket.unsure or key.unsure:
            return
        if not bucket.exists:
            return self.change_bucket(bucket, True)
        if key.state.is_object and self.rng.random() < 0.6:
            version = key.issue()
            self.change(key, version, lambda: self.client.call("DELETE", bucket.name, key.name), expected=(204,))
        elif key.state.is_object:
            self.delete_full_bucket(bucket)
        elif self.rng.random() < 0.5:
            self.put_version(key)
        else:
            self.change_bucket(bucket, False)

    def delete_full_bucket(self, bucket):
        reply = self.client.call("DELETE", bucket.name)
        if reply.status != 409 and not reply.is_unsure:
            self.fault(f"deleting {bucket.name}, which has an object: {reply}")

    def change_bucket(self, bucket, is_create):
        bucket.unsure.append(is_create)
        reply = self.client.call("PUT" if is_create else "DELETE", bucket.name)
        if reply.status == (200 if is_create else 204):
            bucket.exists, bucket.unsure = is_create, []
        elif not reply.is_unsure:
            self.fault(f"{'creating' if is_create else 'deleting'} {bucket.name}: {reply}")
            bucket.unsure = []

    # ---- Multipart ----

    def multipart(self):
        key = self.rng.choice(self.multi)
        upload = key.upload
        if upload is None:
            if key.state.is_object and self.rng.random() < 0.2:
                version = key.issue()
                self.change(key, version, lambda: self.client.call("DELETE", key.bucket, key.name), expected=(204,))
            elif self.is_sure(key):
                self.create_upload(key)
        elif upload.doing != "open" or upload.unsure_parts:
            return
        elif len(upload.parts) < 1 or self.rng.random() < 0.5:
            self.store_part(key, upload)
        elif self.rng.random() < 0.15:
            self.abort(key, upload)
        else:
            self.complete(key, upload)

    def create_upload(self, key):
        key.counter += 1
        key.upload = upload = Upload(key.counter)
        headers = {"x-amz-meta-version": str(upload.version_number)}
        reply = self.client.call("POST", key.bucket, key.name, query={"uploads": None}, headers=headers)
        if reply.status == 200:
            upload.id = reply.xml().findtext("UploadId")
            upload.doing = "open"
        elif not reply.is_unsure:
            self.fault(f"CreateMultipartUpload: {reply}")

    def store_part(self, key, upload):
        """Part 1 has the least size that one with a successor may have, the others are small and taken alone or last."""
        number = self.rng.choice([1, 2, 2, 3])
        sources = [own for own in self.keys if self.is_sure(own) and own.state.is_object and own.state.size]
        if number > 1 and sources and self.rng.random() < 0.4:
            return self.copy_part(key, upload, number, self.rng.choice(sources))
        size = PART_MIN if number == 1 else self.rng.choice([1, 4096, 70000, INLINE_MAX + 1, 300000])
        part = Part(((f"{key.bucket}/{key.name}#{upload.version_number}/{number}/{self.rng.random()}", 0, size),))
        body = part_body(part)
        call = lambda query: self.client.call("PUT", key.bucket, key.name, query=query, body=body)  # noqa: E731
        self.send_part(key, upload, number, part, call)

    def copy_part(self, key, upload, number, source):
        """Its ETag is known from the answer only: docs/decisions/005."""
        size = source.state.size
        first = self.rng.randrange(size)
        end = self.rng.randrange(first, size) + 1
        part = Part(recipe_range(source.state.recipe, first, end))
        headers = {"x-amz-copy-source": f"/{source.bucket}/{source.name}", "x-amz-copy-source-range": f"bytes={first}-{end - 1}"}
        call = lambda query: self.client.call("PUT", key.bucket, key.name, query=query, headers=headers)  # noqa: E731
        self.send_part(key, upload, number, part, call)

    def send_part(self, key, upload, number, part, call):
        upload.unsure_parts.setdefault(number, []).append(part)
        reply = call({"partNumber": number, "uploadId": upload.id})
        if reply.status == 200:
            etag = reply.etag or reply.xml().findtext("ETag").strip('"')
            if part.etag and etag != part.etag:
                self.fault(f"{key.name}: part {number}: ETag {etag}, not {part.etag}")
            part.etag = etag
            upload.parts[number] = part
            del upload.unsure_parts[number]
        elif not reply.is_unsure:
            self.fault(f"{key.name}: part {number}: {reply}")
            del upload.unsure_parts[number]

    def complete(self, key, upload):
        numbers = sorted(upload.parts)
        if len(numbers) > 1 and numbers[0] == 1:
            chosen = [1, numbers[-1]]
        else:
            chosen = [numbers[-1]]
        recipe = tuple(piece for number in chosen for piece in upload.parts[number].recipe)
        version = key.issue(recipe, upload.version_number)
        upload.doing = "complete"
        upload.chosen = chosen
        reply = self.change(key, version, lambda: self.send_complete(key, upload))
        if reply.status == 200:
            key.upload = None
            version.etag = reply.xml().findtext("ETag").strip('"')

    def send_complete(self, key, upload):
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>\"{upload.parts[number].etag}\"</ETag></Part>" for number in upload.chosen
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        return self.client.call("POST", key.bucket, key.name, query={"uploadId": upload.id}, body=body)

    def abort(self, key, upload):
        upload.doing = "abort"
        reply = self.client.call("DELETE", key.bucket, key.name, query={"uploadId": upload.id})
        if reply.status == 204:
            key.upload = None
        elif not reply.is_unsure:
            self.fault(f"{key.name}: abort: {reply}")


def md5_header(body):
    return {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}


def part_body(part):
    data = recipe_bytes(part.recipe)
    part.etag = hashlib.md5(data).hexdigest()
    return data


def recipe_range(recipe, first, end):
    """The recipe of bytes first to end - 1 of a body."""
    pieces, at = [], 0
    for seed, piece_start, piece_end in recipe:
        length = piece_end - piece_start
        low, high = max(first - at, 0), min(end - at, length)
        if low < high:
            pieces.append((seed, piece_start + low, piece_start + high))
        at += length
    return tuple(pieces)
