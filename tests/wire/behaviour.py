#!/usr/bin/env python3
"""What scripts of one connection cannot show: many connections, signals, certificates that change, slow readers.

    behaviour.py PATH_OF_http_example [NAME...]

Each function test_* is a test; its first line is its aim. The output is TAP.
"""

import collections
import os
import resource
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import time

import run

IDLE_COUNT = 2000
IDLE_BYTES_EACH = 6000  # 10,000 idle connections in less than 60 MB


class Http:
    """A keep-alive client of a few lines: request in, (status, fields, body) out."""

    def __init__(self, port, context=None):
        self.socket = socket.create_connection(("127.0.0.1", port), run.PATIENCE)
        if context:
            self.socket = context.wrap_socket(self.socket)
        self.buffer = b""

    def send(self, target, method="GET", fields=""):
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n".encode())

    def receive(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        length = int(fields.get("content-length", 0))
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(lines[0].split()[1]), fields, body

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise run.Failure(f"closed after {self.buffer!r}")
        self.buffer += data

    def get(self, target):
        self.send(target)
        return self.receive()

    def is_closed(self, timeout=run.PATIENCE):
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(1) == b""
        except (socket.timeout, ssl.SSLWantReadError):
            return False

    def close(self):
        self.socket.close()


def check(condition, text):
    if not condition:
        raise run.Failure(text)


def resident_bytes(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def is_sanitized(server):
    with open(f"/proc/{server.process.pid}/maps", encoding="ascii") as file:
        text = file.read()
    return "libasan" in text or "libtsan" in text or "libubsan" in text or resident_bytes(server) > 30 << 20


def wait_until(condition, text):
    deadline = time.monotonic() + run.PATIENCE
    while not condition():
        check(time.monotonic() < deadline, text)
        time.sleep(0.01)


def test_drain(start):
    """SIGTERM ends idle connections at once, lets running ones finish and takes no new ones; then the program ends with 0."""
    server = start()
    idle, busy, half = Http(server.port), Http(server.port), Http(server.port)
    idle.get("/bytes/1")
    busy.send("/late?ms=300")
    half.send("/echo", "PUT", "Content-Length: 3\r\n")
    time.sleep(0.05)
    server.process.send_signal(signal.SIGTERM)
    check(idle.is_closed(), "an idle connection stays open")
    try:
        Http(server.port)
        raise run.Failure("a new connection is taken")
    except ConnectionRefusedError:
        pass
    half.socket.sendall(b"abc")
    for client, body in ((half, b"abc"), (busy, b"late")):
        status, fields, got = client.receive()
        check((status, got) == (200, body), f"the running exchange got {status} {got!r}")
        check(fields.get("connection") == "close", "the client is not told that the connection closes")
        check(client.is_closed(), "the connection stays open")
    check(server.process.wait(run.PATIENCE) == 0, "the program did not end with 0")


def test_drain_of_unfinished_requests(start):
    """SIGTERM ends connections with a part of a head, or of a body that nobody wants, at once: no time-out is waited for."""
    server = start("--head_timeout_ms", "3600000", "--body_timeout_ms", "3600000", "--idle_timeout_ms", "3600000")
    new, kept, tail = (Http(server.port) for _ in range(3))
    new.socket.sendall(b"GET /by")
    kept.get("/bytes/1")
    kept.socket.sendall(b"GET /bytes/1 HTTP/1.1\r\nHost: h\r\n")
    tail.send("/refuse", "PUT", "Content-Length: 1000\r\n")
    check(tail.receive()[0] == 403, "not refused")
    tail.socket.sendall(b"only a part")
    time.sleep(0.05)
    server.process.send_signal(signal.SIGTERM)
    for client in (new, kept, tail):
        check(client.is_closed(), "an unfinished request keeps its connection open")
    check(server.process.wait(run.PATIENCE) == 0, "the program did not end with 0")


def test_drain_serves_what_was_sent(start):
    """A whole request that lay in the socket when SIGTERM came is served."""
    server = start()
    client, first = Http(server.port), Http(server.port)
    client.socket.sendall(b"GET /by")
    first.send("/late?ms=200")
    time.sleep(0.05)
    server.process.send_signal(signal.SIGSTOP)
    client.socket.sendall(b"tes/3 HTTP/1.1\r\nHost: h\r\n\r\n")
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGCONT)
    check(client.receive()[2] == b"abc", "a whole request was not served")
    check(first.receive()[2] == b"late", "a running request was not served")
    check(server.process.wait(run.PATIENCE) == 0, "the program did not end with 0")


def test_connection_limit(start):
    """Connections above the limit wait in the kernel and are served when one has gone."""
    server = start("--connection_max_count", "3")
    clients = [Http(server.port) for _ in range(5)]
    for client in clients:
        client.send("/bytes/1")
    for client in clients[:3]:
        check(client.receive()[0] == 200, "one within the limit is not served")
    clients[3].socket.settimeout(0.1)
    try:
        clients[3].socket.recv(1)
        raise run.Failure("one above the limit is served")
    except socket.timeout:
        clients[3].socket.settimeout(run.PATIENCE)
    clients[0].close()
    check(clients[3].receive()[0] == 200, "the fourth is not served when there is room")
    clients[1].close()
    check(clients[4].receive()[0] == 200, "the fifth is not served when there is room")


def test_no_descriptors(start):
    """Without descriptors for more connections the server neither spins nor stops: it goes on when some are free."""
    server = start()
    before = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (24, before[1]))
    clients = [Http(server.port) for _ in range(40)]
    for client in clients:
        client.send("/bytes/1")
    check(clients[0].receive()[0] == 200, "the first is not served")
    time.sleep(0.3)
    busy = cpu_seconds(server)
    time.sleep(1)
    check(cpu_seconds(server) - busy < 0.1, "it spins")
    for client in clients[:30]:
        client.close()
    for client in clients[30:]:
        check(client.receive()[0] == 200, "one is not served when descriptors are free again")


def test_descriptors_for_others(start):
    """Connections leave the descriptors from a number on to others: those above are closed, and the server goes on below."""
    server = start("--fd_max", "24")
    folder = f"/proc/{server.process.pid}/fd"
    clients = [Http(server.port) for _ in range(40)]
    for client in clients:
        client.send("/bytes/1")
    check(clients[0].receive()[0] == 200, "the first is not served")
    wait_until(lambda: is_refused(clients[-1]), "the last is not closed")
    check(max(int(name) for name in os.listdir(folder)) < 24, "descriptors above the limit are in use")
    for client in clients:
        client.close()
    wait_until(lambda: is_served(server), "nobody is served when descriptors are free again")


def is_refused(client):
    try:
        return client.is_closed(0.1)
    except ConnectionResetError:
        return True


def is_served(server):
    try:
        return Http(server.port).get("/bytes/1")[0] == 200
    except (OSError, run.Failure):
        return False


def cpu_seconds(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_slow_reader(start):
    """A client that does not read its answer loses the connection after the time-out; others are served meanwhile."""
    server = start("--body_timeout_ms", "400")
    slow, other = Http(server.port), Http(server.port)
    slow.send("/source/60000000")
    begun = time.monotonic()
    while time.monotonic() - begun < 0.3:
        check(other.get("/bytes/10")[0] == 200, "another client is not served")
    wait_until(lambda: b"complete=0" in other.get("/outcomes")[2], "the slow reader keeps its connection")
    line = [line for line in other.get("/outcomes")[2].decode().split("\n") if "complete=0" in line][0]
    sent = int(line.split("out=")[1].split()[0])
    check(0 < sent < 60000000, f"sent {sent}")
    try:
        while slow.socket.recv(1 << 20):
            pass
    except ConnectionResetError:
        pass


def test_slow_but_steady_reader(start):
    """A client that reads slowly, but does, gets everything."""
    server = start("--body_timeout_ms", "400")
    client = Http(server.port)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.send("/file/8000000")
    received = 0
    while b"\r\n\r\n" not in client.buffer:
        client._more()
    received = len(client.buffer.split(b"\r\n\r\n", 1)[1])
    while received < 8000000:
        data = client.socket.recv(200000)
        check(data, f"closed after {received}")
        received += len(data)
        time.sleep(0.002)


def test_idle_memory(start):
    """Idle connections, also those with half a head, hold no buffers."""
    server = start()
    Http(server.port).get("/bytes/1")
    before = resident_bytes(server)
    clients = [Http(server.port) for _ in range(IDLE_COUNT)]
    for client in clients:
        client.send("/bytes/100")
    for client in clients:
        check(client.receive()[0] == 200, "one is not served")
    for client in clients:
        client.socket.sendall(b"GET /bytes/1 HTTP/1.1\r\nHo")
    check(Http(server.port).get("/bytes/1")[0] == 200, "not served")
    each = (resident_bytes(server) - before) / IDLE_COUNT
    check(is_sanitized(server) or each < IDLE_BYTES_EACH, f"{each:.0f} bytes each")
    for client in clients:
        client.socket.sendall(b"st: h\r\n\r\n")
    for client in clients:
        check(client.receive()[0] == 200, "one is not served after its pause")


def test_balance(start):
    """Two loops share the connections out evenly, however they come."""
    server = start("--loops", "2")
    for pause in (0, 0.002):
        clients = []
        for _ in range(32):
            clients.append(Http(server.port))
            time.sleep(pause)
        loops = collections.Counter(client.get("/loop")[2].split()[0] for client in clients)
        check(loops[b"0"] == loops[b"1"] == 16, f"{dict(loops)}")
        for client in clients:
            client.close()
        wait_until(lambda: int(Http(server.port).get("/loop")[2].split()[1]) <= 2, "connections are not closed")


def test_certificate_reload(start):
    """SIGHUP takes a new certificate for new connections; running ones go on; a broken pair is told and changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (run.make_pair(folder, name, name) for name in ("first", "second"))
        pair = [os.path.join(folder, name) for name in ("crt", "key")]

        def install(files):
            for source, target in zip(files, pair):
                shutil.copy(source, target + ".new")
                os.rename(target + ".new", target)

        def name_of(context):
            client = Http(server.port, context)
            check(client.get("/bytes/1")[0] == 200, "not served")
            return client.socket.getpeercert()["subjectAltName"][0][1]

        install(first)
        server = start("--certificate", pair[0], "--key", pair[1])
        running = Http(server.port, run.client_context(first[0]))
        check(running.get("/bytes/3")[2] == b"abc", "not served")
        install(second)
        check(name_of(run.client_context(first[0])) == "first", "reloaded without being asked")
        server.process.send_signal(signal.SIGHUP)
        check(server.process.stdout.readline() == "reloaded\n", "not reloaded")
        check(name_of(run.client_context(second[0])) == "second", "the old certificate is still used")
        check(running.get("/bytes/3")[2] == b"abc", "the running connection was dropped")
        install((first[0], second[1]))
        server.process.send_signal(signal.SIGHUP)
        line = server.process.stdout.readline()
        check("does not belong to the certificate" in line, f"the mismatch was not told: {line}")
        check(name_of(run.client_context(second[0])) == "second", "the pair in use was lost")


def test_tls_strangers(start):
    """A client that speaks no TLS, one that stops inside the handshake and one that leaves do no harm to others."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = run.make_pair(folder)
        server = start("--certificate", certificate, "--key", key, "--idle_timeout_ms", "1000")
        plain, silent = Http(server.port), Http(server.port)
        plain.send("/bytes/1")
        silent.socket.sendall(b"\x16\x03\x01")
        Http(server.port).close()
        client = Http(server.port, run.client_context(certificate))
        check(client.get("/bytes/3")[2] == b"abc", "not served")
        data = plain.socket.recv(100)
        check(not data.startswith(b"HTTP"), "answered in plain text")
        check(silent.is_closed(), "an unfinished handshake is kept for ever")


def main():
    program, names = sys.argv[1], sys.argv[2:]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * IDLE_COUNT), hard))
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_") and (not names or name in names)]
    print(f"1..{len(tests)}")
    failed = False
    for number, (name, test) in enumerate(tests, 1):
        servers = []

        def start(*options):
            servers.append(run.Server(program, list(options)))
            return servers[-1]

        result = None
        try:
            test(start)
        except (run.Failure, OSError) as failure:
            result = f"{type(failure).__name__}: {failure}"
        for server in servers:
            result = result or (server.process.poll() is None and server.stop()) or None
        failed = failed or bool(result)
        print(f"{'not ok' if result else 'ok'} {number} - {name[5:]}: {test.__doc__}", flush=True)
        if result:
            print(f"# {result}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
