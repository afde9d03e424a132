"""A plain HTTP/1.1 client over sockets that sends exactly the bytes a test asks for, and the reply it reads.

`Connection` speaks over one socket; `Wire` adds signatures and makes one connection a request. Nothing is corrected:
a wrong length, a broken header or a half body goes out as it is.
"""

import hashlib
import socket
import xml.etree.ElementTree as ElementTree

from . import sigv4

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Reply:
    """Status, headers (lower-case names) and body of an answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def xml(self):
        """The body's root element, names without their namespace."""
        root = ElementTree.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    @property
    def code(self):
        """The error code of the body; empty for an answer that has none."""
        if not self.body.lstrip().startswith(b"<") or b"<Error" not in self.body:
            return ""
        return self.xml.findtext("Code") or ""

    def is_error(self, status, code):
        assert (self.status, self.code) == (status, code), self
        return self

    def __repr__(self):
        return f"<Reply {self.status} {self.code} {self.headers} {self.body[:600]!r}>"


class Connection:
    """One connection to (host, port). Raises EOFError when the server closes instead of answering."""

    def __init__(self, address, timeout=60):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with RST, as a client that is gone does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_head(self, method, target, headers):
        lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8"))

    def _fill(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise EOFError("the server closed the connection")
        self.pending += data

    def _line(self):
        while b"\r\n" not in self.pending:
            self._fill()
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line.decode("latin-1")

    def _exactly(self, count):
        parts, have = [self.pending], len(self.pending)
        while have < count:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError(f"the body ends after {have} of {count} bytes")
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.pending = whole[count:]
        return whole[:count]

    def _chunked(self):
        body = b""
        while True:
            size = int(self._line().split(";")[0], 16)
            body += self._exactly(size)
            if size == 0:
                while self._line():
                    pass
                return body
            self._line()

    def read_reply(self, method="GET", interim=False):
        """The next answer. Interim ones (1xx) are passed over unless asked for."""
        status = int(self._line().split(" ")[1])
        headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if 100 <= status < 200:
            return Reply(status, headers, b"") if interim else self.read_reply(method)
        if method == "HEAD" or status in (204, 304):
            return Reply(status, headers, b"")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return Reply(status, headers, self._chunked())
        return Reply(status, headers, self._exactly(int(headers.get("content-length", "0"))))


class Wire:
    """Sends single requests to `endpoint` ("http://host:port"), signed for `keys` (None: never signed)."""

    def __init__(self, endpoint, keys):
        self.endpoint = endpoint
        self.host = endpoint.split("//", 1)[1]
        name, _, port = self.host.rpartition(":")
        self.address = (name.strip("[]"), int(port))
        self.keys = keys
        self.signer = sigv4.Signer(keys) if keys else None

    def connect(self, timeout=60):
        return Connection(self.address, timeout)

    def head(self, method, target, body=b"", headers=None, sign=True, payload=None, **signing):
        """The headers of a request, complete and signed. A header given as None is left out."""
        out = {"host": self.host}
        if body or method in ("PUT", "POST"):
            out["content-length"] = str(len(body))
        out.update({name.lower(): value for name, value in (headers or {}).items()})
        out = {name: value for name, value in out.items() if value is not None}
        if sign and self.signer:
            out = self.signer.authorize(method, target, out, payload or hashlib.sha256(body).hexdigest(), **signing)
        return out

    def request(self, method, target, body=b"", headers=None, **signing):
        """Signs, sends and reads one request. `target` is the raw path and query. Takes what `head` takes."""
        with self.connect() as connection:
            connection.send_head(method, target, self.head(method, target, body, headers, **signing))
            try:
                connection.send(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the body was read: the answer tells why
            return connection.read_reply(method)

    def plain(self, method, target, body=b"", headers=None):
        """The same without a signature."""
        return self.request(method, target, body, headers, sign=False)

    def begin_put(self, target, length, headers=None):
        """Sends the head of a PUT of `length` bytes; returns the connection, for the body."""
        connection = self.connect()
        sent = {"content-length": str(length), **(headers or {})}
        connection.send_head("PUT", target, self.head("PUT", target, b"", sent, payload=sigv4.UNSIGNED))
        return connection

    def get(self, target, **more):
        return self.request("GET", target, **more)

    def put(self, target, body=b"", headers=None, **more):
        return self.request("PUT", target, body, headers, **more)

    def presigned(self, method, target, body=b"", headers=None, signed=None, **more):
        """Sends a presigned request: `signed` headers go into the signature, `headers` beside it."""
        signed = {"host": self.host, **(signed or {})}
        target = self.signer.presign(method, target, signed, **more)
        return self.plain(method, target, body, {**signed, **(headers or {})})

    def stream(self, target, encoded, decoded_length, payload, headers=None, moment=None):
        """PUTs an aws-chunked body. `encoded` is bytes, or a function of (moment, seed signature) that makes them."""
        moment = moment or sigv4.utc_now()
        sent = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(decoded_length)}
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        if callable(encoded):
            # The length of the encoded body is known before its signatures are.
            sent["content-length"] = str(len(encoded(moment, "0" * 64)))
        else:
            sent["content-length"] = str(len(encoded))
        head = self.head("PUT", target, b"", sent, payload=payload, moment=moment)
        if callable(encoded):
            encoded = encoded(moment, head["authorization"].rpartition("Signature=")[2])
        with self.connect() as connection:
            connection.send_head("PUT", target, head)
            try:
                connection.send(encoded)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return connection.read_reply("PUT")
