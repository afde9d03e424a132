"""Aim: clients that stall hold little and stop nobody, with as few I/O buffers as may be set: others are served within seconds,
and who stalled goes on where it was, without a wrong byte."""

import os
import re
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from program import Reply, exchange, send, signed_headers
from test_reload import make_certificate

MIB = 1 << 20
BODY = os.urandom(MIB) * 8
UPLOADS, DOWNLOADS = 24, 48  # at once, of 1 MiB and 256 KiB in 16 MiB of buffers they would be more than enough
MANY_UPLOADS = 80  # 128 KiB each is more than uploads may have of 16 MiB
SECONDS = 20  # two looks at slow clients are two seconds; this is for slow machines


@pytest.fixture(params=["plain", "tls"])
def stalls(program, request, tmp_path):
    """The program with few buffers, and a bucket."""
    words = ["--io-buffers", "16MiB", "--body-timeout", "120s", "--body-min-rate", "0", "--threads", "1"]
    program.trust = None
    if request.param == "tls":
        certificate, key = make_certificate(str(tmp_path), "one")
        program.trust = ssl.create_default_context(cafile=certificate)
        words += ["--tls-cert", certificate, "--tls-key", key]
    program.start(*words, engine="local")
    program.sockets = []
    assert ask(program, "PUT", "/box").status == 200
    yield program
    for sock in program.sockets:
        sock.close()


def connect(program, receive_buffer=None):
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(SECONDS)
    _, host, port = program.s3
    sock.connect((host, port))
    if program.trust:
        sock = program.trust.wrap_socket(sock, server_hostname=host)
    program.sockets.append(sock)
    return sock


def headers(program, method, path):
    return signed_headers(program.keys, method, program.url(program.s3) + path, payload="UNSIGNED-PAYLOAD")


def open_extents(program):
    """Files of extents/ that the server has open."""
    folder = f"/proc/{program.process.pid}/fd/"
    paths = []
    for name in os.listdir(folder):
        try:
            paths.append(os.readlink(folder + name))
        except FileNotFoundError:
            pass
    return [path for path in paths if re.search(r"/extents/../", path)]


def ask(program, method, path, body=b""):
    return exchange(connect(program), method, path, headers(program, method, path), body)


def stall_upload(program, number):
    """One and a half MiB of a body that is to be eight."""
    path = f"/box/stalled-{number}"
    sock = connect(program)
    fields = {**headers(program, "PUT", path), "content-length": str(len(BODY))}
    send(sock, "PUT", path, fields, BODY[: MIB + MIB // 2])
    return sock


def in_time(do, *words):
    begun = time.monotonic()
    reply = do(*words)
    assert time.monotonic() - begun < SECONDS
    assert reply.status == 200
    return reply


def test_stalled_uploads_stop_nobody(stalls):
    with ThreadPoolExecutor(UPLOADS) as pool:
        stalled = list(pool.map(lambda number: stall_upload(stalls, number), range(UPLOADS)))
    in_time(ask, stalls, "PUT", "/box/tiny", b"x")
    in_time(ask, stalls, "PUT", "/box/large", BODY)
    assert in_time(ask, stalls, "GET", "/box/tiny").body == b"x"
    assert in_time(ask, stalls, "GET", "/box/large").body == BODY
    stalled[0].sendall(BODY[MIB + MIB // 2 :])
    assert Reply(stalled[0]).status == 200
    assert ask(stalls, "GET", "/box/stalled-0").body == BODY


def test_so_many_stalled_uploads_that_nothing_is_left_are_ended(program):
    """They hold all of the memory that uploads may have, and would hold it for an hour. The least rate takes it from them: each is
    told, and an upload that had to wait for memory all that time, through no fault of its own, is served."""
    program.trust, program.sockets = None, []
    program.start("--io-buffers", "16MiB", "--body-timeout", "1h", "--body-rate-window", "3s", "--threads", "1", engine="local")
    assert ask(program, "PUT", "/box").status == 200
    with ThreadPoolExecutor(UPLOADS) as pool:
        stalled = list(pool.map(lambda number: stall_upload(program, number), range(MANY_UPLOADS)))
    in_time(ask, program, "PUT", "/box/large", BODY)
    replies = [Reply(sock) for sock in stalled]
    assert {reply.status for reply in replies} == {400}
    assert all(b"<Code>RequestTimeout</Code>" in reply.body for reply in replies)
    assert in_time(ask, program, "GET", "/box/large").body == BODY
    for sock in program.sockets:
        sock.close()


def test_unread_download_is_ended(program):
    """A client that reads nothing of its answer is let go after body_timeout, and with it the file that was read for it."""
    program.trust, program.sockets = None, []
    program.start("--body-timeout", "1s", "--threads", "1", engine="local")
    assert ask(program, "PUT", "/box").status == 200
    assert ask(program, "PUT", "/box/large", BODY).status == 200
    unread = connect(program, receive_buffer=4096)
    send(unread, "GET", "/box/large", headers(program, "GET", "/box/large"))
    program.wait_until(lambda: open_extents(program), "the download did not begin")
    program.wait_until(lambda: not open_extents(program), "the unread download keeps its extent open", SECONDS)


def test_unread_downloads_stop_nobody(stalls):
    assert ask(stalls, "PUT", "/box/large", BODY).status == 200
    unread = [connect(stalls, receive_buffer=4096) for _ in range(DOWNLOADS)]
    for sock in unread:
        send(sock, "GET", "/box/large", headers(stalls, "GET", "/box/large"))
    assert in_time(ask, stalls, "GET", "/box/large").body == BODY
    in_time(ask, stalls, "PUT", "/box/tiny", b"x")
    assert in_time(ask, stalls, "GET", "/box/tiny").body == b"x"
    # By now their buffers have been taken; with the small windows eight MiB would take long to read.
    for sock in unread[:2]:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert Reply(sock).body == BODY
