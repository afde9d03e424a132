"""The program as a person or a service manager runs it: `Program` starts `pail serve`, reads what it prints, and ends it."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

START_SECONDS = 60
END_SECONDS = 60
LISTENS = re.compile(r"^pail: (S3|admin) on (https?)://(\S+):(\d+)$", re.M)
KEYS = re.compile(r"^pail:   access key  (\S+)\npail:   secret key  (\S+)$", re.M)


def clean_environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAIL_", "AWS_"))}
    return {**kept, **more}


class Program:
    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = str(folder)
        self.data = os.path.join(self.folder, "data")
        self.process = None
        self.keys = None
        self.runs = 0
        self.prefix = []  # of the command that starts the server

    # ---- The server ----

    def words(self, *settings, engine="mem"):
        words = [*self.prefix, self.binary, "serve", "--engine", engine, "--data-dir", self.data]
        return words + ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", *settings]

    def start(self, *settings, engine="mem", environment=None):
        self.runs += 1
        self.out_path = os.path.join(self.folder, f"out-{self.runs}")
        self.log_path = os.path.join(self.folder, f"log-{self.runs}")
        with open(self.out_path, "wb") as out, open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self.words(*settings, engine=engine),
                stdout=out,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=clean_environment(**(environment or {})),
            )
        self.wait_until(lambda: "admin" in self.out(), "the server did not say where it listens")
        self.read_start()
        return self

    def read_start(self):
        found = {name: (scheme, host, int(port)) for name, scheme, host, port in LISTENS.findall(self.out())}
        if found:
            self.s3, self.admin = found["S3"], found["admin"]
        keys = KEYS.search(self.out())
        if keys:
            self.keys = keys.groups()

    def out(self):
        with open(self.out_path, encoding="utf-8") as file:
            return file.read()

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def events(self):
        return [json.loads(line) for line in self.log().splitlines()]

    def wait_until(self, holds, what, seconds=START_SECONDS):
        deadline = time.monotonic() + seconds
        while not holds():
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log()}"
            assert time.monotonic() < deadline, f"{what}\n{self.out()}{self.log()}"
            time.sleep(0.02)

    def anonymous_bytes(self):
        """Memory in use; pages of files do not count."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["RssAnon"].split()[0]) * 1024

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=END_SECONDS):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not end:\n" + self.log()) from None

    def stop(self):
        if self.process and self.process.poll() is None:
            self.send_signal(signal.SIGTERM)
            code = self.wait()
            assert code == 0, f"the server ended with {code}:\n{self.log()[-8000:]}"

    def settle(self):
        """After a test: ends what runs; a sanitizer's finding shows in the exit code."""
        if self.process and self.process.poll() is None:
            self.stop()
        assert not self.process or "ERROR: AddressSanitizer" not in self.log()

    # ---- Talking to it ----

    @staticmethod
    def url(listener):
        return "{}://{}:{}".format(*listener)

    def connect(self, listener=None, timeout=20):
        _, host, port = listener or self.s3
        return socket.create_connection((host, port), timeout)

    # ---- Commands ----

    def run(self, *words, environment=None, root=False, timeout=60):
        """Runs a command; with root=True as one that finds server and keys by flags. Returns the finished process."""
        words = [self.binary, *words]
        if root:
            words += ["--endpoint", self.url(self.admin), "--data-dir", self.data]
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env=clean_environment(**(environment or {})),
            check=False,
        )

    def ask(self, *words):
        done = self.run(*words, "--json", root=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


class Reply:
    """One HTTP/1.1 reply read from a socket: status, headers, body."""

    def __init__(self, sock, method="GET"):
        head = b""
        while b"\r\n\r\n" not in head:
            more = sock.recv(1)
            assert more, f"the connection ended in the head: {head!r}"
            head += more
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:] if line)}
        length = 0 if method == "HEAD" or self.status == 204 else int(self.headers.get("content-length", 0))
        self.body = b""
        while len(self.body) < length:
            more = sock.recv(min(length - len(self.body), 1 << 16))
            assert more, f"the connection ended after {len(self.body)} of {length} bytes"
            self.body += more

    @property
    def json(self):
        return json.loads(self.body)


def send(sock, method, target, headers=None, body=b""):
    lines = [f"{method} {target} HTTP/1.1"]
    fields = {"host": "{}:{}".format(*sock.getpeername()[:2]), "content-length": str(len(body)), **(headers or {})}
    lines += [f"{name}: {value}" for name, value in fields.items()]
    sock.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def exchange(sock, method, target, headers=None, body=b""):
    send(sock, method, target, headers, body)
    return Reply(sock, method)


def signed_headers(keys, method, url, body=b"", service="s3", region="us-east-1", payload=None, headers=None):
    """What AWS' own signer makes of the request."""
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    class Signer(S3SigV4Auth):
        def payload(self, request):
            return payload if payload is not None else SigV4Auth.payload(self, request)

    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers or {}))
    Signer(Credentials(*keys), service, region).add_auth(request)
    host = urllib.parse.urlsplit(url).netloc
    return {"host": host, **{name.lower(): value for name, value in request.headers.items() if name.lower() != "content-length"}}


class Collector(threading.Thread):
    """Reads a socket to its end in the background."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.data, self.error = sock, b"", None
        self.start()

    def run(self):
        try:
            while more := self.sock.recv(1 << 16):
                self.data += more
        except OSError as error:
            self.error = error
