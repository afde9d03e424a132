"""Aim: SIGTERM ends the server without taking anything from those it serves: what runs finishes, what is idle is closed, and
the end comes within the limit whatever clients do."""

import os
import signal
import socket
import subprocess
import time

import pytest

from program import Collector, Reply, clean_environment, exchange, send, signed_headers

UNSIGNED = "UNSIGNED-PAYLOAD"


def begin_put(program, key, body, sent):
    target = f"/drain-bucket/{key}"
    headers = signed_headers(program.keys, "PUT", program.url(program.s3) + target, payload=UNSIGNED)
    lines = [f"PUT {target} HTTP/1.1", f"content-length: {len(body)}"] + [f"{n}: {v}" for n, v in headers.items()]
    sock = program.connect()
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body[:sent])
    return sock


def begin_get(program, key):
    target = f"/drain-bucket/{key}"
    sock = program.connect()
    send(sock, "GET", target, signed_headers(program.keys, "GET", program.url(program.s3) + target))
    return sock


def wait_for_drain(program):
    program.wait_until(lambda: "ending: no new connections" in program.log(), "SIGTERM was not taken")


@pytest.fixture
def bucket(program, s3):
    program.start("--drain-timeout", "20s", engine="local")
    s3().create_bucket(Bucket="drain-bucket")


def test_upload_finishes(program, bucket, s3):
    body = os.urandom(300000)
    sock = begin_put(program, "up", body, 150000)
    time.sleep(0.3)
    program.send_signal(signal.SIGTERM)
    wait_for_drain(program)
    sock.sendall(body[150000:])
    assert Reply(sock, "PUT").status == 200
    assert program.wait() == 0
    program.start(engine="local")
    assert s3().get_object(Bucket="drain-bucket", Key="up")["Body"].read() == body


def test_download_finishes(program, bucket, s3):
    body = os.urandom(12 << 20)
    s3().put_object(Bucket="drain-bucket", Key="down", Body=body)
    sock = begin_get(program, "down")
    begun = sock.recv(1000)
    program.send_signal(signal.SIGTERM)
    wait_for_drain(program)
    rest = Collector(sock)
    rest.join(30)
    got = begun + rest.data
    assert got[got.index(b"\r\n\r\n") + 4 :] == body
    assert program.wait() == 0


def test_idle_connections_are_closed(program, bucket):
    idle = [program.connect() for _ in range(20)]
    assert exchange(idle[0], "GET", "/health").status == 200
    begun = time.monotonic()
    program.send_signal(signal.SIGTERM)
    assert program.wait() == 0
    assert time.monotonic() - begun < 10
    for sock in idle:
        assert sock.recv(1) == b""


def test_nothing_new_is_accepted_and_readiness_ends(program, bucket):
    body = os.urandom(1000)
    sock = begin_put(program, "held", body, 500)
    admin = program.connect(program.admin)
    assert exchange(admin, "GET", "/health/ready").status == 200
    time.sleep(0.2)
    program.send_signal(signal.SIGTERM)
    wait_for_drain(program)
    assert exchange(admin, "GET", "/health/live").status == 200
    draining = exchange(admin, "GET", "/health/ready")
    assert (draining.status, draining.body) == (503, b"draining\n")
    with pytest.raises(OSError):
        program.connect(timeout=5)
    sock.sendall(body[500:])
    assert Reply(sock, "PUT").status == 200
    assert program.wait() == 0


def test_stuck_client_does_not_hold_the_end(program, s3):
    program.start("--drain-timeout", "1s", engine="local")
    s3().create_bucket(Bucket="drain-bucket")
    stuck = begin_put(program, "stuck", b"x" * 1000, 500)
    time.sleep(0.2)
    begun = time.monotonic()
    program.send_signal(signal.SIGTERM)
    assert program.wait() == 0
    assert 0.9 < time.monotonic() - begun < 10
    assert "drain_timeout" in program.log()
    stuck.close()
    program.start(engine="local")
    assert s3().list_objects_v2(Bucket="drain-bucket")["KeyCount"] == 0


def test_second_signal_ends_at_once(program, bucket):
    stuck = begin_put(program, "stuck", b"x" * 1000, 500)
    time.sleep(0.2)
    program.send_signal(signal.SIGTERM)
    wait_for_drain(program)
    begun = time.monotonic()
    program.send_signal(signal.SIGINT)
    assert program.wait() == 0
    assert time.monotonic() - begun < 5
    stuck.close()


def test_lost_reader_of_the_log_is_no_reason_to_end(program, tmp_path):
    """Standard error may be a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    out = tmp_path / "out"
    with open(out, "wb") as file:
        process = subprocess.Popen(program.words("--log-level", "debug"), stdout=file, stderr=writer, env=clean_environment())
    os.close(writer)
    for _ in range(500):
        if b"admin on" in out.read_bytes():
            break
        time.sleep(0.02)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_end_is_quick(program):
    program.start(engine="local")
    begun = time.monotonic()
    program.stop()
    assert time.monotonic() - begun < 5


def test_peer_that_is_gone(program, bucket):
    """A client that left in the middle is nothing to wait for."""
    sock = begin_put(program, "gone", b"x" * 1000, 500)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    begun = time.monotonic()
    program.stop()
    assert time.monotonic() - begun < 10
