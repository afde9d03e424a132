"""What may go wrong: clients that vanish, bodies that do not fit, crashes, restarts, damage, and many clients at once.

The promises tested: an acknowledged write is there after any crash; what was not acknowledged is whole or absent; wrong
bytes are never served; a request that fails leaves nothing; memory does not follow the size of what passes through.
"""

import hashlib
import os
import random
import socket
import subprocess
import threading
import time

import pytest

from lib import checksums, sigv4
from lib.clients import exists, keys_of, make_client, pattern, read
from lib.server import ROOT_KEYS, clean_environment
from lib.wire import Wire

MIB = 1024 * 1024


def begin_put(raw, target, length, headers=None):
    """A connection on which the head of a PUT has been sent."""
    connection = raw.connect()
    sent = {"content-length": str(length), **(headers or {})}
    connection.send_head("PUT", target, raw.head("PUT", target, b"", sent, payload=sigv4.UNSIGNED))
    return connection


@pytest.mark.parametrize("before", [None, b"old"])
@pytest.mark.parametrize("length, sent", [(1000, 0), (1000, 999), (8 * MIB, 100), (8 * MIB, 5 * MIB), (8 * MIB, 8 * MIB - 1)])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_gone(client, raw, bucket, before, length, sent, how):
    if before:
        client.put_object(Bucket=bucket, Key="k", Body=before)
    connection = begin_put(raw, f"/{bucket}/k", length)
    connection.send(bytes(sent))
    getattr(connection, how)()
    time.sleep(0.05)
    assert (read(client, bucket, "k") if before else exists(client, bucket, "k")) == (before or False)
    assert keys_of(client.list_objects_v2(Bucket=bucket)) == (["k"] if before else [])


def test_client_gone_inside_a_chunked_body(client, raw, bucket):
    """The last chunk is missing, or the trailer: the body is not complete."""
    encoded = sigv4.stream_unsigned(pattern(200_000))
    for cut in (10, 100_000, len(encoded) - 2, len(encoded) - 5):
        target = f"/{bucket}/k"
        headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "200000"}
        headers["content-length"] = str(len(encoded))
        connection = raw.connect()
        connection.send_head("PUT", target, raw.head("PUT", target, b"", headers, payload=sigv4.STREAM_UNSIGNED_TRAILER))
        connection.send(encoded[:cut])
        connection.close()
        time.sleep(0.05)
        assert not exists(client, bucket, "k"), cut


def test_short_body(client, raw, bucket):
    """The client stops sending and waits: an error, not a shorter object."""
    connection = begin_put(raw, f"/{bucket}/k", 1000)
    connection.send(bytes(500))
    connection.socket.shutdown(socket.SHUT_WR)
    try:
        connection.read_reply("PUT").is_error(400, "IncompleteBody")
    except (EOFError, ConnectionResetError):
        pass
    connection.close()
    assert not exists(client, bucket, "k")


def test_over_long_body(client, raw, bucket):
    """What follows the stated length is no part of the object, and no request either."""
    connection = begin_put(raw, f"/{bucket}/k", 10)
    connection.send(b"0123456789" + b"and more that is no request\r\n\r\n")
    assert connection.read_reply("PUT").status == 200
    try:
        assert connection.read_reply().status >= 400
    except (EOFError, ConnectionResetError):
        pass
    connection.close()
    assert read(client, bucket, "k") == b"0123456789"


@pytest.mark.parametrize("size", [100, 2 * MIB])
def test_wrong_digest_leaves_the_old_object(client, raw, bucket, size):
    client.put_object(Bucket=bucket, Key="k", Body=b"old")
    for headers in (
        {"content-md5": checksums.content_md5(b"other")},
        {"x-amz-checksum-sha256": checksums.checksum("SHA256", b"other")},
        {"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()},
    ):
        payload = headers.get("x-amz-content-sha256")
        reply = raw.put(f"/{bucket}/k", bytes(size), headers, payload=payload)
        assert reply.status == 400, reply
        assert read(client, bucket, "k") == b"old"


def test_client_that_does_not_read(client, raw, bucket):
    """It holds its own connection up, and nobody else's."""
    client.put_object(Bucket=bucket, Key="k", Body=pattern(32 * MIB))
    stuck = []
    for _ in range(8):
        connection = raw.connect()
        connection.send_head("GET", f"/{bucket}/k", raw.head("GET", f"/{bucket}/k"))
        stuck.append(connection)
    begin = time.monotonic()
    for turn in range(20):
        client.put_object(Bucket=bucket, Key=f"other-{turn}", Body=b"x")
        assert read(client, bucket, f"other-{turn}") == b"x"
    assert time.monotonic() - begin < 10
    for connection in stuck:
        connection.reset()


def test_reader_of_an_object_that_is_replaced(client, raw, bucket):
    """A download that has begun ends with the bytes it began with, whatever happens to the key."""
    old, new = pattern(16 * MIB, 1), pattern(16 * MIB, 2)
    client.put_object(Bucket=bucket, Key="k", Body=old)
    connections = []
    for _ in range(3):
        connection = raw.connect()
        connection.send_head("GET", f"/{bucket}/k", raw.head("GET", f"/{bucket}/k"))
        connection._fill()
        connections.append(connection)
    client.put_object(Bucket=bucket, Key="k", Body=new)
    client.delete_object(Bucket=bucket, Key="k")
    time.sleep(0.5)
    for connection in connections:
        assert connection.read_reply().body == old
        connection.close()


@pytest.mark.own_server
def test_stalled_body_times_out(own_server):
    """A client that stops in the middle of its body is let go after body_timeout."""
    server = own_server("--body-timeout", "1s")
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/stalled-bucket").status == 200
    connection = begin_put(raw, "/stalled-bucket/k", 1000)
    connection.send(b"x")
    begin = time.monotonic()
    connection.socket.settimeout(15)
    try:
        connection.read_reply("PUT").is_error(400, "RequestTimeout")
    except (EOFError, ConnectionResetError):
        pass
    assert time.monotonic() - begin < 10
    assert raw.get("/stalled-bucket/k").status == 404


@pytest.mark.own_server
def test_stalled_head_times_out(own_server):
    server = own_server("--head-timeout", "1s", "--idle-timeout", "1s")
    raw = Wire(server.endpoint, server.main)
    for data in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n"):
        with raw.connect(timeout=15) as connection:
            connection.send(data)
            try:
                assert connection.read_reply().status >= 400
            except (EOFError, ConnectionResetError):
                pass
    assert raw.get("/").status == 200


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


@pytest.fixture
def loaded(server, main_user, bucket):
    """A Load on the shared server."""
    server.main = main_user
    return lambda **more: Load(server, bucket, **more)


def test_200_clients(loaded):
    load = loaded(count=200, turns=25)
    load.run()
    load.join()
    assert load.check() > 500


@pytest.mark.own_server
@pytest.mark.durable
@pytest.mark.parametrize("round_number", range(3))
def test_kill_keeps_all_acknowledged(own_server, round_number):
    """SIGKILL in the middle of writes of all sizes, three times over the same data."""
    server = own_server()
    client = make_client(server.endpoint, server.main)
    client.create_bucket(Bucket="crash-bucket")
    kept = {}
    for turn in range(3):
        load = Load(server, "crash-bucket", count=12, turns=100_000, sizes=(0, 100, 5000, 200_000, 3 * MIB))
        load.acknowledged.update(kept)
        load.expect_break = True
        load.run()
        time.sleep(0.4 + 0.3 * turn + 0.2 * round_number)
        server.kill()
        load.stopping.set()
        load.join()
        begin = time.monotonic()
        server.start()
        assert time.monotonic() - begin < 15
        load.check()
        kept = settled(load)


def settled(load):
    """What the next round starts from: what is there, now that it has been checked."""
    client = make_client(load.server.endpoint, load.server.main)
    out = {key: body for key, body in load.acknowledged.items() if key not in load.uncertain}
    for key in load.uncertain:
        out[key] = read(client, load.bucket, key) if exists(client, load.bucket, key) else None
    return out


@pytest.mark.own_server
@pytest.mark.durable
def test_term_keeps_all_acknowledged(own_server):
    """SIGTERM in the middle: running requests finish, the end is clean, everything is there."""
    server = own_server()
    make_client(server.endpoint, server.main).create_bucket(Bucket="term-bucket")
    load = Load(server, "term-bucket", count=12, turns=100_000)
    load.expect_break = True
    load.run()
    time.sleep(1)
    server.stop()
    load.stopping.set()
    load.join()
    server.start()
    assert load.check() > 0


@pytest.mark.own_server
@pytest.mark.durable
def test_uploads_survive_a_kill(own_server):
    server = own_server()
    client = make_client(server.endpoint, server.main)
    client.create_bucket(Bucket="upload-bucket")
    upload = client.create_multipart_upload(Bucket="upload-bucket", Key="k", Metadata={"m": "1"})["UploadId"]
    arguments = {"Bucket": "upload-bucket", "Key": "k", "UploadId": upload}
    first = client.upload_part(**arguments, PartNumber=1, Body=pattern(5 * MIB))["ETag"]
    server.kill()
    server.start()
    (listed,) = client.list_parts(**arguments)["Parts"]
    assert (listed["PartNumber"], listed["ETag"], listed["Size"]) == (1, first, 5 * MIB)
    second = client.upload_part(**arguments, PartNumber=2, Body=b"end")["ETag"]
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    client.complete_multipart_upload(**arguments, MultipartUpload={"Parts": parts})
    server.kill()
    server.start()
    assert read(client, "upload-bucket", "k") == pattern(5 * MIB) + b"end"
    assert client.head_object(Bucket="upload-bucket", Key="k")["Metadata"] == {"m": "1"}


@pytest.mark.own_server
@pytest.mark.durable
def test_users_and_buckets_survive_a_kill(own_server):
    server = own_server()
    other = server.make_user("second")
    make_client(server.endpoint, other).create_bucket(Bucket="kept-bucket")
    server.kill()
    server.start()
    names = [one["Name"] for one in make_client(server.endpoint, other).list_buckets()["Buckets"]]
    assert names == ["kept-bucket"]


@pytest.mark.own_server
def test_term_lets_a_running_request_finish(own_server):
    server = own_server()
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/drain-bucket").status == 200
    connection = begin_put(raw, "/drain-bucket/k", 10)
    connection.send(b"01234")
    time.sleep(0.2)
    server.process.terminate()
    time.sleep(0.3)
    with pytest.raises((OSError, EOFError)), raw.connect(timeout=5) as late:
        late.send_head("GET", "/", raw.head("GET", "/"))
        late.read_reply()
    connection.send(b"56789")
    assert connection.read_reply("PUT").status == 200
    connection.close()
    assert server.process.wait(30) == 0


@pytest.mark.own_server
@pytest.mark.durable
def test_second_server_on_the_same_folder(own_server):
    server = own_server()
    done = subprocess.run(
        [server.binary, "serve", "--data-dir", server.data, "--listen", "127.0.0.1:0", "--console-listen", "127.0.0.1:0"]
        + ["--access-key", ROOT_KEYS["access_key"], "--secret-key", ROOT_KEYS["secret_key"]],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode not in (0, None)
    assert server.data in done.stderr + done.stdout, "the message names the folder"
    assert Wire(server.endpoint, server.main).get("/").status == 200


def used_bytes(folder):
    """What the files take on the disk, as far as they can be seen while they come and go."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def settles_below(folder, limit, seconds=20):
    deadline = time.monotonic() + seconds
    while used_bytes(folder) > limit:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.own_server
@pytest.mark.durable
def test_space_comes_back(own_server):
    """Of uploads that broke off, of parts that were aborted, of objects deleted and overwritten."""
    server = own_server()
    raw = Wire(server.endpoint, server.main)
    client = make_client(server.endpoint, server.main)
    client.create_bucket(Bucket="space-bucket")
    client.put_object(Bucket="space-bucket", Key="warm", Body=pattern(2 * MIB))
    client.delete_object(Bucket="space-bucket", Key="warm")
    time.sleep(0.5)
    limit = used_bytes(server.data) + 6 * MIB
    for _ in range(2):
        connection = begin_put(raw, "/space-bucket/k", 32 * MIB)
        connection.send(bytes(20 * MIB))
        connection.close()
    assert settles_below(server.data, limit), "broken uploads"
    upload = client.create_multipart_upload(Bucket="space-bucket", Key="k")["UploadId"]
    arguments = {"Bucket": "space-bucket", "Key": "k", "UploadId": upload}
    for number in (1, 2, 3):
        client.upload_part(**arguments, PartNumber=number, Body=pattern(8 * MIB, number))
    client.abort_multipart_upload(**arguments)
    assert settles_below(server.data, limit), "an aborted upload"
    for turn in range(3):
        client.put_object(Bucket="space-bucket", Key="k", Body=pattern(8 * MIB, turn))
    assert settles_below(server.data, limit + 9 * MIB), "overwritten objects"
    client.copy_object(Bucket="space-bucket", Key="copy", CopySource="space-bucket/k")
    client.delete_object(Bucket="space-bucket", Key="k")
    time.sleep(1)
    assert read(client, "space-bucket", "copy") == pattern(8 * MIB, 2)
    client.delete_object(Bucket="space-bucket", Key="copy")
    assert settles_below(server.data, limit), "deleted objects"


@pytest.mark.own_server
@pytest.mark.durable
def test_space_of_a_crash_comes_back(own_server):
    server = own_server()
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/orphan-bucket").status == 200
    limit = used_bytes(server.data) + 6 * MIB
    connection = begin_put(raw, "/orphan-bucket/k", 64 * MIB)
    connection.send(bytes(40 * MIB))
    time.sleep(0.3)
    server.kill()
    connection.close()
    server.start()
    assert settles_below(server.data, limit)


def flip_everywhere(folder, marker):
    """Changes a byte of every copy of `marker` in the files below; returns how many there were."""
    count = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                data = file.read()
            at = data.find(marker)
            while at >= 0:
                with open(path, "r+b") as file:
                    file.seek(at)
                    file.write(bytes([data[at] ^ 0x10]))
                count += 1
                at = data.find(marker, at + 1)
    return count


@pytest.mark.own_server
@pytest.mark.durable
@pytest.mark.parametrize("size", [200, 50_000, 3 * MIB])
def test_damage_is_never_served(own_server, size):
    """Bits that flip on the disk are an error, not wrong bytes; other objects are not touched by it."""
    server = own_server()
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/damage-bucket").status == 200
    marker = b"<<the-bytes-that-will-be-damaged>>"
    body = pattern(size - len(marker) - 40) + marker + b"-" * 40
    assert raw.put("/damage-bucket/bad", body).status == 200
    assert raw.put("/damage-bucket/good", pattern(size)).status == 200
    assert raw.get("/damage-bucket/bad").body == body
    assert flip_everywhere(server.data, marker) >= 1
    try:
        reply = raw.get("/damage-bucket/bad")
        assert reply.status >= 500, reply.status
    except EOFError:
        pass  # cut off where the damage begins
    assert raw.get("/damage-bucket/good").body == pattern(size)
    assert server.running()


def stream_put(raw, target, total, watch):
    """PUTs `total` bytes piece by piece, calling `watch` now and then."""
    piece = pattern(4 * MIB)
    connection = begin_put(raw, target, total)
    for turn in range(total // len(piece)):
        connection.send(piece)
        if turn % 8 == 0:
            watch()
    reply = connection.read_reply("PUT")
    connection.close()
    return reply


def check_memory(server, raw, bucket, total, limit):
    """The peak of anonymous memory over an upload and a download of `total` bytes stays within `limit` of the start."""
    raw.put(f"/{bucket}/warm", pattern(8 * MIB))
    raw.get(f"/{bucket}/warm")
    start, peak = server.rss_bytes(), [0]

    def watch():
        peak[0] = max(peak[0], server.rss_bytes())

    assert stream_put(raw, f"/{bucket}/k", total, watch).status == 200
    with raw.connect() as connection:
        connection.send_head("GET", f"/{bucket}/k", raw.head("GET", f"/{bucket}/k"))
        got = 0
        while got < total:
            data = connection.socket.recv(4 * MIB)
            assert data
            got += len(data)
            if got % (64 * MIB) < len(data):
                watch()
    assert peak[0] - start < limit, (start, peak[0])


@pytest.mark.own_server
@pytest.mark.durable
def test_memory_over_256_mib(own_server):
    server = own_server("--io-buffers", "64MiB")
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/memory-bucket").status == 200
    check_memory(server, raw, "memory-bucket", 256 * MIB, 96 * MIB)


@pytest.mark.slow
@pytest.mark.own_server
@pytest.mark.durable
def test_memory_over_1_gib(own_server):
    server = own_server("--io-buffers", "64MiB")
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/memory-bucket").status == 200
    check_memory(server, raw, "memory-bucket", 1024 * MIB, 96 * MIB)


@pytest.mark.own_server
def test_memory_over_many_small_requests(own_server):
    """Nothing is kept of a request that is over."""
    server = own_server()
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/leak-bucket").status == 200

    def rounds(count):
        with raw.connect() as connection:
            for turn in range(count):
                for method, body in (("PUT", b"x" * 1000), ("GET", b""), ("DELETE", b""), ("GET", b"")):
                    target = f"/leak-bucket/{turn % 7}"
                    connection.send_head(method, target, raw.head(method, target, body))
                    connection.send(body)
                    connection.read_reply(method)

    rounds(400)
    start = server.rss_bytes()
    rounds(1200)
    assert server.rss_bytes() - start < 24 * MIB


@pytest.mark.own_server
def test_idle_connections_cost_little(own_server):
    """A thousand that say nothing: bounded memory, and others are served."""
    server = own_server()
    raw = Wire(server.endpoint, server.main)
    raw.get("/")
    start = server.rss_bytes()
    idle = [socket.create_connection(raw.address) for _ in range(900)]
    time.sleep(0.5)
    assert raw.get("/").status == 200
    assert server.rss_bytes() - start < 64 * MIB
    for one in idle:
        one.close()
