"""What the server takes, and gives back: room on the disk, memory, connections."""

import os
import socket
import time

import pytest

from lib.clients import make_client, pattern, read
from lib.wire import Wire

pytestmark = pytest.mark.own_server
MIB = 1024 * 1024


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
        connection = raw.begin_put("/space-bucket/k", 32 * MIB)
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


@pytest.mark.durable
def test_space_of_a_crash_comes_back(own_server):
    server = own_server()
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/orphan-bucket").status == 200
    limit = used_bytes(server.data) + 6 * MIB
    connection = raw.begin_put("/orphan-bucket/k", 64 * MIB)
    connection.send(bytes(40 * MIB))
    time.sleep(0.3)
    server.kill()
    connection.close()
    server.start()
    assert settles_below(server.data, limit)


def stream_put(raw, target, total, watch):
    """PUTs `total` bytes piece by piece, calling `watch` now and then."""
    piece = pattern(4 * MIB)
    connection = raw.begin_put(target, total)
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


@pytest.mark.durable
def test_memory_over_256_mib(own_server):
    server = own_server("--io-buffers", "64MiB")
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/memory-bucket").status == 200
    check_memory(server, raw, "memory-bucket", 256 * MIB, 96 * MIB)


@pytest.mark.slow
@pytest.mark.durable
def test_memory_over_1_gib(own_server):
    server = own_server("--io-buffers", "64MiB")
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/memory-bucket").status == 200
    check_memory(server, raw, "memory-bucket", 1024 * MIB, 96 * MIB)


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

    rounds(200)
    start = server.rss_bytes()
    rounds(600)
    assert server.rss_bytes() - start < 24 * MIB


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
