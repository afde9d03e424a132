"""The checks after a crash: what the server says, against the model; then the model takes over what was found, so that the
next round starts from there, and a change that was gone once may not come back."""

import os
import threading
import time

from oracle_http import Client, metrics_of
from oracle_load import md5_header
from oracle_model import ABSENT

CLEAN_SECONDS = 30
SECTOR = 512


class Check:
    def __init__(self, model, server):
        self.model, self.server = model, server
        self.client = Client(server.port)
        self.faults = []
        self.found = {}  # Key: Version
        self.kept = self.gone = 0  # changes in flight that were there, and that were not

    def fault(self, text):
        self.faults.append(text)

    def run(self):
        """Returns the faults; the model is only taken over when there are none."""
        self.check_buckets()
        self.listed = {bucket: self.check_lists(bucket) for bucket in self.buckets}
        self.check_keys()
        for chain in self.model.chains:
            self.check_chain(chain)
        self.check_uploads()
        self.check_strangers()
        self.check_usage()
        self.check_leavings()
        self.client.close()
        return self.faults

    # ---- Buckets and lists ----

    def check_buckets(self):
        self.buckets = self.client.list_buckets()
        expected = set(self.model.buckets)
        for owned in self.model.scratch:
            for bucket in owned:
                exists = bucket.name in self.buckets
                if exists not in (bucket.exists, *bucket.unsure):
                    self.fault(f"bucket {bucket.name} {'exists' if exists else 'is missing'}, answered was {bucket.exists}")
                if exists:
                    expected.add(bucket.name)
                bucket.exists, bucket.unsure = exists, []
        if set(self.buckets) != expected:
            self.fault(f"buckets {sorted(self.buckets)}, expected {sorted(expected)}")

    def check_lists(self, bucket):
        """All ways of listing agree. {key: (size, etag)}"""
        listed = self.client.list_v2(bucket, page=37)
        for name, other in (
            ("one page", self.client.list_v2(bucket)),
            ("the first version of lists", self.client.list_v1(bucket, page=50)),
            ("the list of versions", self.client.list_versions(bucket, page=41)),
        ):
            if other != listed:
                self.fault(f"{bucket}: lists differ: {name} has {sorted(set(other) ^ set(listed))[:6]}")
        if listed != sorted(listed, key=lambda entry: entry[0].encode()):
            self.fault(f"{bucket}: the list is not in order")
        return {name: (size, etag) for name, size, etag in listed}

    def check_strangers(self):
        known = {(key.bucket, key.name) for key in self.model.every_key()}
        known |= {(chain.bucket, chain.name) for chain in self.model.chains}
        for bucket, entries in self.listed.items():
            for name in entries:
                if (bucket, name) not in known:
                    self.fault(f"{bucket}/{name}: nobody wrote this")

    # ---- Objects ----

    def check_keys(self):
        keys = list(self.model.every_key())
        threads = [threading.Thread(target=self.check_some, args=(keys[i::3],)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(self.found) != len(keys) and not self.faults:
            self.fault("oracle: not every key could be read")

    def check_some(self, keys):
        client = Client(self.server.port)
        try:
            for key in keys:
                self.check_key(client, key)
        except Exception as error:
            self.fault(f"reading {key.bucket}/{key.name}: {error!r}")
        finally:
            client.close()

    def check_key(self, client, key):
        reply = client.call("GET", key.bucket, key.name)
        entry = self.listed.get(key.bucket, {}).get(key.name)
        version = self.version_of(key, reply)
        if version is None:
            return
        where = f"{key.bucket}/{key.name}"
        if version.is_object and entry != (len(reply.body), reply.etag):
            self.fault(f"{where}: GET has {len(reply.body)} bytes and {reply.etag}, the list {entry}")
        if not version.is_object and entry:
            self.fault(f"{where}: not found, but listed as {entry}")
        if version.etag and version.is_object and version.etag != reply.etag:
            self.fault(f"{where}: {version} with ETag {reply.etag} instead of {version.etag}")
        for unsure in key.unsure:
            if version is unsure:
                self.kept += 1
            else:
                self.gone += 1
        version.etag = reply.etag
        self.found[key] = version

    def version_of(self, key, reply):
        """Which of the possible states this reply is; otherwise a fault."""
        where = f"{key.bucket}/{key.name}"
        possible = key.possible()
        said = ", ".join(map(str, possible)) + (f" (seen up to {key.seen})" if key.seen else "")
        if reply.status == 404:
            absent = [version for version in possible if not version.is_object]
            if absent:
                return absent[-1]
            return self.fault(f"{where}: LOST: not found, possible was {said}")
        if reply.status != 200:
            return self.fault(f"{where}: GET answers {reply}, possible was {said}")
        number = int(reply.headers.get("x-amz-meta-version", -1))
        version = next((version for version in possible if version.number == number and version.is_object), None)
        if version is None:
            return self.fault(f"{where}: holds version {number} of {len(reply.body)} bytes, possible was {said}")
        if reply.body != version.body():
            return self.fault(f"{where}: WRONG BYTES as {version}: {describe(key, version, reply.body)}")
        return version

    def check_chain(self, chain):
        reply = self.client.call("GET", chain.bucket, chain.name)
        held = reply.etag if reply.status == 200 else ABSENT
        if reply.status not in (200, 404):
            return self.fault(f"{chain.name}: GET answers {reply}")
        faults = chain.faults(held)
        for text in faults:
            self.fault(f"{chain.name}: {text}")
        if held != ABSENT and not faults and reply.body != chain.version_of[held].body():
            self.fault(f"{chain.name}: WRONG BYTES as {held}")

    # ---- Uploads ----

    def check_uploads(self):
        self.upload_count = {}
        left = {}
        for bucket in self.buckets:
            uploads = self.client.list_uploads(bucket, page=5)
            self.upload_count[bucket] = len(uploads)
            for name, upload_id in uploads:
                left.setdefault((bucket, name), []).append(upload_id)
        for owned in self.model.multi:
            for key in owned:
                self.check_upload(key, left.pop((key.bucket, key.name), []))
        for (bucket, name), ids in left.items():
            self.fault(f"{bucket}/{name}: uploads {ids} that nobody began")

    def check_upload(self, key, listed):
        upload, where = key.upload, f"{key.bucket}/{key.name}"
        expected = self.is_upload_there(key, upload, listed)
        if expected is None:
            return
        if expected and upload.doing == "create":
            upload.id = listed[0]
        if listed != ([upload.id] if expected else []):
            state = f"{upload.doing} {upload.id}" if upload else "no upload"
            return self.fault(f"{where}: uploads {listed} are listed, expected was {state} ({'there' if expected else 'gone'})")
        if not expected:
            return self.check_gone(key, upload)
        self.check_parts(key, upload, where)
        upload.doing = "open"

    def is_upload_there(self, key, upload, listed):
        """None: nothing can be said, as the key itself is at fault."""
        if upload is None:
            return False
        if upload.doing in ("create", "abort"):
            return len(listed) > 0
        if upload.doing == "open":
            return True
        if key not in self.found:
            return None
        return self.found[key].number != upload.version_number  # completed: object there and upload gone, or neither

    def check_gone(self, key, upload):
        """A client that lost the answer asks again; a completed upload answers as it would have."""
        if upload and upload.doing == "complete" and upload.version_number % 2:
            parts = "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>{upload.parts[number].etag}</ETag></Part>" for number in upload.chosen
            )
            body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
            reply = self.client.call("POST", key.bucket, key.name, query={"uploadId": upload.id}, body=body)
            if reply.status != 200 or reply.xml().findtext("ETag").strip('"') != self.found[key].etag:
                self.fault(f"{key.bucket}/{key.name}: a completed upload, completed again, answers {reply}")
        key.upload = None

    def check_parts(self, key, upload, where):
        parts = self.client.list_parts(key.bucket, key.name, upload.id)
        if parts is None:
            return self.fault(f"{where}: upload {upload.id} is listed but not known")
        held = {}
        for number in upload.parts.keys() | upload.unsure_parts.keys() | parts.keys():
            possible = [upload.parts.get(number), *upload.unsure_parts.get(number, [])]
            match = [part for part in possible if is_part(part, parts.get(number))]
            if not match:
                self.fault(f"{where}: part {number} is {parts.get(number)}, possible was {[p and (p.size, p.etag) for p in possible]}")
            elif match[0]:
                held[number] = match[0]
                match[0].etag = parts[number][1]
        upload.parts, upload.unsure_parts = held, {}

    # ---- Usage ----

    def check_usage(self):
        figures = metrics_of(self.server.metrics())
        for bucket, entries in self.listed.items():
            truth = {
                "pail_bucket_objects": len(entries),
                "pail_bucket_bytes": sum(size for size, _ in entries.values()),
                "pail_bucket_uploads": self.upload_count[bucket],
                "pail_bucket_old_versions": 0,
            }
            for name, value in truth.items():
                if figures.get((name, bucket)) != value:
                    self.fault(f"{name} of {bucket} is {figures.get((name, bucket))}, the lists say {value}")

    # ---- What an interrupted command leaves behind ----

    def check_leavings(self):
        """A start has removed it; else the next rebuild would find it."""
        if os.path.exists(os.path.join(self.server.data, "index.new")):
            self.fault("index.new, which an interrupted rebuild has left, is still there after a start")

    # ---- What comes next ----

    def take_over(self):
        for key, version in self.found.items():
            key.resolve(version)
        for chain in self.model.chains:
            chain.resolve(self.listed["main"].get(chain.name, (0, ABSENT))[1])


def is_part(part, listed):
    if part is None or listed is None:
        return part is None and listed is None
    size, etag = listed
    return part.size == size and part.etag in (None, etag)


def describe(key, version, body):
    """What the bytes are instead: helps to find the cause."""
    expected = version.body()
    if len(body) != len(expected):
        return f"{len(body)} bytes"
    bad = [at for at in range(0, len(body), SECTOR) if body[at : at + SECTOR] != expected[at : at + SECTOR]]
    zero = sum(1 for at in bad if not any(body[at : at + SECTOR]))
    return f"{len(bad)} of {(len(body) + SECTOR - 1) // SECTOR} sectors differ, the first at {bad[0]}, {zero} of them are zero"


# ---- Nothing is left behind ----


def delete_everything(model, client):
    for owned in model.multi:
        for key in owned:
            if key.upload:
                client.expect(204, "DELETE", key.bucket, key.name, query={"uploadId": key.upload.id})
                key.upload = None
    for bucket in client.list_buckets():
        names = "".join(f"<Object><Key>{name}</Key></Object>" for name, _, _ in client.list_v2(bucket))
        if names:
            body = f"<Delete><Quiet>true</Quiet>{names}</Delete>".encode()
            reply = client.expect(200, "POST", bucket, query={"delete": None}, body=body, headers=md5_header(body))
            assert not reply.xml().findall("Error"), reply
    for key in model.every_key():
        key.resolve(key.issue() if key.state.is_object else key.state)
    for chain in model.chains:
        chain.resolve(ABSENT)
    for owned in model.scratch:
        for bucket in owned:
            if bucket.exists:
                client.expect(204, "DELETE", bucket.name)
                bucket.exists = False


def files_below(folder):
    return [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names if name != "limit"]


def orphans_after_cleaning(model, server):
    """Deletes everything; the janitor must then leave no extent and no unfinished file. Returns what it left."""
    client = Client(server.port)
    delete_everything(model, client)
    client.close()
    deadline = time.monotonic() + CLEAN_SECONDS
    while time.monotonic() < deadline:
        left = files_below(server.data + "/extents") + files_below(server.data + "/tmp")
        if not left:
            return []
        time.sleep(0.2)
    return left
