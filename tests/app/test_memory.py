"""Aim: promise 6 (docs/reliability.md): memory is bounded by settings, not by traffic or object sizes. However many clients stall in the middle
of a large body, the server holds what --io-buffers allows, and little for each connection."""

import select
import socket
import time

import pytest

from program import exchange, send, signed_headers

MIB = 1 << 20
IO_BUFFERS = 16 * MIB  # as few as may be set
UPLOAD, DOWNLOAD = 64 << 10, 32 << 10  # for each connection: what was received and waits, the state of its request
OTHER = 12 * MIB  # what does not follow the load: caches that fill, threads that start
BODY = bytes(range(256)) * (4 * MIB >> 8)
SENT = MIB + MIB // 2  # of BODY, before an upload stalls: more than the largest buffer
CLIENTS = 300
QUIET_SECONDS, WATCH_SECONDS, SECONDS = 1.5, 3, 30  # two looks at slow clients are two seconds

# What was freed counts as used while the address sanitizer keeps it back.
FREED_IS_FREE = {"ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=64:allocator_release_to_os_interval_ms=100"}


@pytest.fixture
def served(program):
    program.start("--io-buffers", "16MiB", "--body-timeout", "10m", "--body-min-rate", "0", "--threads", "1", engine="local", environment=FREED_IS_FREE)
    assert ask(program, "PUT", "/box").status == 200
    assert ask(program, "PUT", "/box/large", BODY).status == 200  # what is made once is made
    assert ask(program, "GET", "/box/large").body == BODY
    program.sockets = []
    yield program
    for sock in program.sockets:
        sock.close()


def headers(program, method, path):
    return signed_headers(program.keys, method, program.url(program.s3) + path, payload="UNSIGNED-PAYLOAD")


def ask(program, method, path, body=b""):
    with program.connect() as sock:
        return exchange(sock, method, path, headers(program, method, path), body)


def connect(program):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(SECONDS)
    sock.connect(program.s3[1:])
    program.sockets.append(sock)
    return sock


def begin_uploads(program):
    uploads = [connect(program) for _ in range(CLIENTS)]
    for number, sock in enumerate(uploads):
        path = f"/box/stalled-{number}"
        send(sock, "PUT", path, {**headers(program, "PUT", path), "content-length": str(len(BODY))})
        sock.setblocking(False)
    return uploads


def begin_downloads(program):
    """Clients that read nothing of their answers; all at once, before the server has looked who is slow."""
    head = headers(program, "GET", "/box/large")
    for sock in [connect(program) for _ in range(CLIENTS)]:
        send(sock, "GET", "/box/large", head)


def push(sock, left):
    try:
        return left - sock.send(BODY[:left])
    except BlockingIOError:
        return left


class Peak:
    def __init__(self, program):
        self.program, self.bytes = program, 0

    def look(self):
        self.bytes = max(self.bytes, self.program.anonymous_bytes())


def feed(uploads, peak):
    """Each sends until the server takes no more of it, or SENT bytes."""
    left = dict.fromkeys(uploads, SENT)
    quiet_since = deadline = time.monotonic()
    deadline += SECONDS
    while left and time.monotonic() < min(deadline, quiet_since + QUIET_SECONDS):
        ready = select.select([], list(left), [], 0.1)[1]
        for sock in ready:
            left[sock] = push(sock, left[sock])
        left = {sock: bytes_left for sock, bytes_left in left.items() if bytes_left > 0}
        if ready:
            quiet_since = time.monotonic()
        peak.look()


def watch(peak, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        peak.look()
        time.sleep(0.05)


def assert_bounded(idle, peak, connection):
    allowed = idle + IO_BUFFERS + CLIENTS * connection + OTHER
    assert peak.bytes < allowed, f"{peak.bytes / MIB:.1f} MiB with {CLIENTS} clients, {idle / MIB:.1f} without, {allowed / MIB:.1f} allowed"


def test_stalled_uploads(served):
    idle, peak = served.anonymous_bytes(), Peak(served)
    feed(begin_uploads(served), peak)
    watch(peak, WATCH_SECONDS)
    assert_bounded(idle, peak, UPLOAD)


def test_unread_downloads(served):
    idle, peak = served.anonymous_bytes(), Peak(served)
    begin_downloads(served)
    watch(peak, WATCH_SECONDS)
    assert_bounded(idle, peak, DOWNLOAD)
