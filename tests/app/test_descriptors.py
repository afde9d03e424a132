"""Aim: clients that have many files opened for them, over many connections, use up no descriptor that the store needs: what is too much
is refused, small objects are written and read all the time, and everything works again when they are gone."""

import os
import socket

from program import exchange, send, signed_headers

FILES = 256
READERS = 110  # at once; each has a connection, and wants a file
BODY = os.urandom(4 << 20)


def ask(program, method, path, body=b"", sock=None):
    headers = signed_headers(program.keys, method, program.url(program.s3) + path, payload="UNSIGNED-PAYLOAD")
    return exchange(sock or program.connect(), method, path, headers, body)


def begin_reading(program, path):
    """A client that reads nothing of its answer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    sock.connect(program.s3[1:])
    send(sock, "GET", path, signed_headers(program.keys, "GET", program.url(program.s3) + path))
    return sock


def descriptors(program):
    return [int(name) for name in os.listdir(f"/proc/{program.process.pid}/fd")]


def is_served(sock):
    """The file is opened for the first bytes of the body, and the head waits for them: a refusal is a connection that ends."""
    try:
        return sock.recv(12) == b"HTTP/1.1 200"
    except ConnectionResetError:
        return False


def test_readers_leave_descriptors_to_the_store(program):
    program.prefix = ["prlimit", f"--nofile={FILES}:{FILES}"]
    program.start("--body-timeout", "10m", "--threads", "1", engine="local")
    assert ask(program, "PUT", "/box").status == 200
    assert ask(program, "PUT", "/box/large", BODY).status == 200
    writer = program.connect()
    readers = [begin_reading(program, "/box/large") for _ in range(READERS)]
    served = [is_served(sock) for sock in readers]
    assert 0 < served.count(True) < READERS
    for number in range(50):
        assert ask(program, "PUT", f"/box/small-{number}", b"x" * 1000, writer).status == 200
        assert ask(program, "GET", f"/box/small-{number}", b"", writer).body == b"x" * 1000
    refused = ask(program, "PUT", "/box/large-2", BODY, writer)
    assert (refused.status, b"<Code>SlowDown</Code>" in refused.body) == (503, True)
    assert max(descriptors(program)) < FILES * 3 // 4
    for sock in readers:
        sock.close()
    program.wait_until(lambda: ask(program, "PUT", "/box/large-2", BODY).status == 200, "large objects are refused for ever")
    assert ask(program, "GET", "/box/large-2").body == BODY
    assert ask(program, "GET", "/box/large").body == BODY
