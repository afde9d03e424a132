#!/usr/bin/env python3
"""Runs raw HTTP scripts against the example service and compares what comes back, byte by byte.

    run.py PATH_OF_http_example [--tls] [SCRIPT...]

Without names, all of scripts/. With --tls the same scripts are spoken through TLS. The output is TAP.

A script is a list of lines:

    # text                   what the script is for; the first one is its aim, and a script without it is refused
    options --NAME VALUE     for the server; scripts with equal options share one, "options own" asks for one of its own
    plain only               not to be run through TLS
    > text                   send the text and CRLF              \\r \\n \\t \\0 \\\\ and \\xNN are understood
    >| text                  send the text as it is, without CRLF
    >* COUNT text            send the text that many times
    >1 text                  as >|, but one byte at a time
    < text                   a line that must come
    <| text                  bytes that must come
    <* COUNT text            the text that many times
    end                      the server closes, cleanly
    open                     nothing comes for a moment and the connection is open
    wait MILLISECONDS
    repeat COUNT             what stands between this line and the line "done" is done so many times
    shutdown                 close the own sending side
    close                    close and connect anew
    reset                    the same, with a reset

"Server" and "Date" are left out of the comparison when a reply has them, once each and well formed.
"""

import argparse
import concurrent.futures
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 10.0  # seconds that an expected byte may take: generous, because machines under test are slow
QUIET = 0.05
DATE = re.compile(rb"Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n")


class Failure(Exception):
    pass


def unescape(text):
    """Bytes of a script's text."""
    def one(match):
        code = match.group(1)
        if code[0] == "x":
            return chr(int(code[1:], 16))
        return {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}[code]
    return re.sub(r"\\(x[0-9a-fA-F]{2}|[rnt0\\])", one, text).encode("latin-1")


class Script:
    def __init__(self, path):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.aim = ""
        self.options = []
        self.is_own = False
        self.is_plain_only = False
        self.steps = []
        self._repeated = None  # (count, steps) inside of repeat ... done
        with open(path, encoding="latin-1", newline="\n") as file:
            for number, line in enumerate(file, 1):
                self._add(number, line.rstrip("\n"))
        if not self.aim or not self.steps:
            raise SystemExit(f"{path}: a script needs an aim and steps")

    def _add(self, number, line):
        if line.startswith("#"):
            self.aim = self.aim or line[1:].strip()
        elif line.startswith("options "):
            words = line.split()[1:]
            self.is_own = self.is_own or "own" in words
            self.options += [word for word in words if word != "own"]
        elif line == "plain only":
            self.is_plain_only = True
        elif line.startswith("repeat "):
            self._repeated = (int(line.split()[1]), self.steps)
            self.steps = []
        elif line == "done":
            count, before = self._repeated
            self.steps = before + self.steps * count
        elif line:
            verb, _, text = line.partition(" ")
            self.steps.append((number, verb, text))


class Server:
    """The example service on a free port."""

    def __init__(self, program, options):
        self.process = subprocess.Popen(
            [program, "--listen", "127.0.0.1:0", *options], stdout=subprocess.PIPE, text=True, bufsize=1)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise SystemExit(f"the example service did not start: {line}")
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self):
        """Ends it as an operator would. Its exit status tells what the sanitizers found."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "it did not end after SIGTERM"
        return None if self.process.returncode == 0 else f"it ended with {self.process.returncode}"


class Client:
    """One connection, and what has been received on it but not been looked at."""

    def __init__(self, port, tls):
        self.port = port
        self.tls = tls
        self.connect()

    def connect(self):
        self.received = b""
        self.headers_seen = set()
        self.raw = self.socket = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            self.socket = self.tls.wrap_socket(self.raw)

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may close while we send; what it answered is what counts

    def more(self, timeout):
        """True when bytes came, False at the end; None when nothing came in time."""
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            return None
        except ConnectionResetError:
            raise Failure("reset by the server") from None
        self.received += data
        return bool(data)

    def need(self, is_there):
        while not is_there():
            came = self.more(PATIENCE)
            if came is None:
                raise Failure(f"nothing more came; received {self.received!r}")
            if not came:
                raise Failure(f"the server closed; received {self.received!r}")

    def line(self):
        self.need(lambda: b"\r\n" in self.received)
        line, self.received = self.received.split(b"\r\n", 1)
        return line + b"\r\n"

    def expect_line(self, wanted):
        line = self.line()
        while line.startswith((b"Server: ", b"Date: ")):
            name = line[:4]
            if name in self.headers_seen or (name == b"Date" and not DATE.fullmatch(line)):
                raise Failure(f"unexpected {line!r}")
            self.headers_seen.add(name)
            line = self.line()
        if line in (b"\r\n",) or line.startswith(b"HTTP/"):
            self.headers_seen.clear()
        is_same = line == wanted + b"\r\n"
        if not is_same:
            raise Failure(f"expected {wanted!r}, received {line!r}")

    def expect_bytes(self, wanted):
        self.need(lambda: len(self.received) >= len(wanted))
        got, self.received = self.received[: len(wanted)], self.received[len(wanted) :]
        if got != wanted:
            at = next(i for i in range(len(wanted)) if got[i] != wanted[i])
            raise Failure(f"differs at byte {at}: expected {wanted[at:at+40]!r}, received {got[at:at+40]!r}")

    def expect_end(self):
        came = self.more(PATIENCE) if not self.received else True
        if came is None:
            raise Failure("the connection stays open")
        if came:
            raise Failure(f"expected the end, received {self.received!r}")

    def expect_open(self):
        if self.received or self.more(QUIET) is not None:
            raise Failure(f"expected nothing yet, received {self.received!r}")


def times(text):
    count, _, rest = text.partition(" ")
    return unescape(rest) * int(count)


def one_by_one(client, text):
    for byte in unescape(text):
        client.send(bytes([byte]))
        time.sleep(0.001)


STEPS = {
    ">": lambda client, text: client.send(unescape(text) + b"\r\n"),
    ">|": lambda client, text: client.send(unescape(text)),
    ">*": lambda client, text: client.send(times(text)),
    ">1": one_by_one,
    "<": lambda client, text: client.expect_line(unescape(text)),
    "<|": lambda client, text: client.expect_bytes(unescape(text)),
    "<*": lambda client, text: client.expect_bytes(times(text)),
    "end": lambda client, text: client.expect_end(),
    "open": lambda client, text: client.expect_open(),
    "wait": lambda client, text: time.sleep(int(text) / 1000),
    "shutdown": lambda client, text: client.raw.shutdown(socket.SHUT_WR),
    "close": lambda client, text: (client.close(), client.connect()),
    "reset": lambda client, text: (client.reset(), client.connect()),
}


def run_script(script, port, tls):
    """None, or what went wrong."""
    client = None
    try:
        client = Client(port, tls)
        for number, verb, text in script.steps:
            try:
                STEPS[verb](client, text)
            except (Failure, OSError) as failure:
                return f"line {number}: {verb} {text[:60]}: {failure}"
    except OSError as failure:
        return f"cannot connect: {failure}"
    finally:
        if client:
            client.close()
    return None


def make_pair(folder, name="localhost", stem="pair"):
    """A certificate signed by itself, and its key; paths."""
    certificate, key = os.path.join(folder, stem + ".crt"), os.path.join(folder, stem + ".key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return certificate, key


def client_context(certificate):
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    return context


def run_all(program, scripts, tls_options, tls):
    """Results in the order of the scripts. Scripts wait a lot, so they run side by side."""
    servers, own = {}, []
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        futures = []
        for script in scripts:
            key = tuple(script.options)
            if script.is_own:
                server = Server(program, [*key, *tls_options])
                own.append(server)
            else:
                server = servers[key] = servers.get(key) or Server(program, [*key, *tls_options])
            futures.append(pool.submit(run_script, script, server.port, tls))
        results = [future.result() for future in futures]
    ends = [server.stop() for server in [*servers.values(), *own]]
    return results, [end for end in ends if end]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("scripts", nargs="*")
    arguments = parser.parse_args()
    folder = os.path.join(HERE, "scripts")
    paths = arguments.scripts or sorted(os.path.join(folder, name) for name in os.listdir(folder))
    scripts = [Script(path) for path in paths]
    with tempfile.TemporaryDirectory() as temporary:
        options, tls = [], None
        if arguments.tls:
            certificate, key = make_pair(temporary)
            options, tls = ["--certificate", certificate, "--key", key], client_context(certificate)
            scripts = [script for script in scripts if not script.is_plain_only]
        results, ends = run_all(arguments.program, scripts, options, tls)
    print(f"1..{len(scripts) + 1}")
    for number, (script, result) in enumerate(zip(scripts, results), 1):
        print(f"{'not ok' if result else 'ok'} {number} - {script.name}: {script.aim}")
        if result:
            print(f"# {result}")
    print(f"{'not ok' if ends else 'ok'} {len(scripts) + 1} - the servers end cleanly")
    for end in ends:
        print(f"# {end}")
    return 1 if ends or any(results) else 0


if __name__ == "__main__":
    sys.exit(main())
