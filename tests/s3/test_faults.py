"""What may go wrong with clients: they vanish, stall, send bodies that do not fit, and come in crowds.

A request that fails leaves nothing, the old object stays whole, and others are not held up.
"""

import hashlib
import socket
import time

import pytest

from lib import checksums, sigv4
from lib.clients import exists, keys_of, pattern, read
from lib.load import Load
from lib.wire import Wire

MIB = 1024 * 1024


@pytest.mark.parametrize("before", [None, b"old"])
@pytest.mark.parametrize("length, sent", [(1000, 0), (1000, 999), (8 * MIB, 100), (8 * MIB, 5 * MIB), (8 * MIB, 8 * MIB - 1)])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_gone(client, raw, bucket, before, length, sent, how):
    if before:
        client.put_object(Bucket=bucket, Key="k", Body=before)
    connection = raw.begin_put(f"/{bucket}/k", length)
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
    connection = raw.begin_put(f"/{bucket}/k", 1000)
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
    connection = raw.begin_put(f"/{bucket}/k", 10)
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
    connection = raw.begin_put("/stalled-bucket/k", 1000)
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


@pytest.fixture
def loaded(server, main_user, bucket):
    """A Load on the shared server."""
    server.main = main_user
    return lambda **more: Load(server, bucket, **more)


def test_200_clients(loaded):
    load = loaded(count=200, turns=15)
    load.run()
    load.join()
    assert load.check() > 300
