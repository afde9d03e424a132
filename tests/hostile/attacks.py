"""Ways to be a bad client: each attack is a function of a Foe, makes one or a few connections, and ends by itself in a second or so.

An attack that must be answered in a certain way returns what was wrong, else None. How a server ends a connection that broke the
rules (an error, a close, a reset) is its own matter; that it does is not, and what the next request on it is answered."""

import random
import socket
import ssl
import struct
import time

from lib import sigv4
from lib.wire import Wire

PATIENCE = 20  # seconds in which a server that closes late enough to be a fault would
BIG = 3 << 20  # an object in a file of its own
ENDS = (b"", b"\r\n", b"\r\n\r\n")


class Foe:
    """One attacker: its chance, and the ways to the server."""

    def __init__(self, endpoint, keys, seed, context=None):
        self.chance = random.Random(seed)
        self.name = f"{seed:08x}"
        self.wire = Wire(endpoint, keys)
        self.context = context  # of TLS, if the server speaks it
        self.bodies = self.chance.randbytes(BIG)
        self.number = 0

    def raw(self):
        """A connection without TLS, whatever the server speaks."""
        plain = socket.create_connection(self.wire.address, timeout=PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def open(self):
        plain = self.raw()
        return self.context.wrap_socket(plain, server_hostname="localhost") if self.context else plain

    def head(self, method, target, length=None, headers=None, **signing):
        sent = {"content-length": str(length)} if length is not None else {}
        sent.update(headers or {})
        return self.text(method, target, self.wire.head(method, target, b"", sent, payload=sigv4.UNSIGNED, **signing))

    @staticmethod
    def text(method, target, headers):
        lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")

    def target(self):
        self.number += 1
        return f"/hostile/{self.name}-{self.number}"

    def leave(self, connection):
        """Closes, or resets, or says that no more will come and waits for the end."""
        way = self.chance.randrange(3)
        if way == 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way == 1 and not self.context:
            connection.shutdown(socket.SHUT_WR)
            drain(connection)
        connection.close()


def push(connection, data):
    """Sends what the server takes; False when it has closed."""
    try:
        connection.sendall(data)
        return True
    except (OSError, ssl.SSLError):
        return False


def drain(connection, most=1 << 20):
    """All that comes until the server closes; raises socket.timeout when it does not."""
    parts, size = [], 0
    while size < most:
        try:
            data = connection.recv(1 << 16)
        except socket.timeout:
            raise
        except (OSError, ssl.SSLError):
            break
        if not data:
            break
        parts.append(data)
        size += len(data)
    return b"".join(parts)


# ---- Before there is a request ----


def scan(foe):
    with foe.raw() as connection:
        foe.leave(connection)


def crowd(foe):
    """Many at once, none of which says a word."""
    crowd = [foe.raw() for _ in range(foe.chance.randrange(10, 60))]
    for connection in crowd:
        foe.chance.random() < 0.1 and push(connection, b"G")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def other_protocol(foe):
    """TLS, SSH, SMB and others on the wrong port; on a TLS port, half a handshake."""
    words = (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + foe.chance.randbytes(300), b"SSH-2.0-OpenSSH_9.2\r\n",
             b"\x00\x00\x00\x85\xffSMBr\x00\x00\x00\x00\x18\x53\xc8", b"*1\r\n$4\r\nPING\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
             b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03", b"EHLO there\r\n", b"\x04\x01\x00\x50")
    with foe.raw() as connection:
        push(connection, foe.chance.choice(words))
        foe.leave(connection)


def garbage(foe):
    with foe.open() as connection:
        for _ in range(foe.chance.randrange(1, 4)):
            push(connection, foe.chance.randbytes(foe.chance.choice((1, 10, 1000, 70_000))) + foe.chance.choice(ENDS))
        foe.leave(connection)


# ---- Heads ----


def half_head(foe):
    head = foe.head("GET", "/hostile/there")
    with foe.open() as connection:
        push(connection, head[: foe.chance.randrange(len(head))])
        foe.leave(connection)


def slow_head(foe):
    """Byte by byte, more slowly than is allowed: the server must close."""
    head = foe.head("GET", "/hostile/there")
    with foe.open() as connection:
        for i in range(len(head)):
            if not push(connection, head[i : i + 1]):
                return None
            time.sleep(0.02)
        return None if b" 200 " not in drain(connection) else "a head that took too long was served"


def huge_head(foe):
    ways = (lambda: b"GET /" + b"a" * foe.chance.randrange(60_000, 300_000), lambda: b"GET / HTTP/1.1\r\n" + b"x" * 200_000,
            lambda: b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"h%d: v\r\n" % i for i in range(3000)),
            lambda: b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"\t " * 60_000)
    with foe.open() as connection:
        push(connection, foe.chance.choice(ways)() + b"\r\n\r\n")
        reply = drain(connection)
        return "a huge head was served" if b"HTTP/1.1 2" in reply else None


def odd_target(foe):
    targets = ("/hostile/%", "/hostile/%zz", "/../../etc/passwd", "/hostile/../../x", "/hostile/%00", "/hostile/" + "%C3" * 400, "*",
               "http://[::1/", "/hostile?" + "&".join(f"a{i}" for i in range(500)), "/hostile?prefix=%ff&list-type=2", "/hostile?max-keys=-1",
               "/hostile/k?partNumber=99999999999999999999&uploadId=x", "/hostile/k?uploadId=" + "A" * 3000, "/" + "a" * 5000)
    method = foe.chance.choice(("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "BREW", "get", "CONNECT", "TRACE"))
    with foe.open() as connection:
        push(connection, foe.text(method, foe.chance.choice(targets), {"Host": "a", "Content-Length": "0", "Connection": "close"}))
        reply = drain(connection)
        return f"an odd target is an error of the server: {reply[:200]!r}" if b"HTTP/1.1 500" in reply else None


SMUGGLED = b"GET /hostile/there HTTP/1.1\r\nHost: smuggled\r\n\r\n"
SMUGGLING = (
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: 5, 6",
    b"Content-Length: +5",
    b"Content-Length: 0x5",
    b"Content-Length: 5 5",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999999",
    b"Content-Length : 5",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding:\r\n chunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\x00",
    b"Host: b\r\nContent-Length: 0",
)


def smuggle(foe):
    """A second request hidden in a body whose end is told in two ways: it may not be answered."""
    field = foe.chance.choice(SMUGGLING)
    with foe.open() as connection:
        push(connection, b"POST /hostile/k HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
        if not foe.context:
            connection.shutdown(socket.SHUT_WR)
        reply = drain(connection)
    if reply.count(b"HTTP/1.1 ") > 1 or b"HTTP/1.1 2" in reply:
        return f"{field!r} let something through: {reply[:300]!r}"
    return None


def pipelined_garbage(foe):
    """The good request in front is answered, what follows it ends the connection."""
    with foe.open() as connection:
        push(connection, foe.head("GET", "/hostile/there") + foe.chance.randbytes(foe.chance.choice((20, 5000))) + b"\r\n\r\n")
        reply = drain(connection)
        return None if b"HTTP/1.1 200" in reply else f"the request in front of garbage was not answered: {reply[:200]!r}"


# ---- Bodies ----


def aborted_upload(foe):
    """Gone at any moment of an upload: behind the head, in the body, before its last byte; of an object or of a part."""
    size = foe.chance.choice((1, 1000, 130_000, 400_000, BIG))
    target = foe.target()
    if foe.chance.random() < 0.3 and foe.upload:
        target = f"{foe.upload}&partNumber={foe.chance.randrange(1, 100)}"
    sent = foe.chance.choice((0, size - 1, foe.chance.randrange(size)))
    headers = {"expect": "100-continue"} if foe.chance.random() < 0.2 else {}
    with foe.open() as connection:
        push(connection, foe.head("PUT", target, size, headers) + foe.bodies[:sent])
        if foe.chance.random() < 0.3:
            time.sleep(0.01)
        foe.leave(connection)


def slow_body(foe):
    target = foe.target()
    with foe.open() as connection:
        push(connection, foe.head("PUT", target, foe.chance.choice((1000, BIG))))
        for _ in range(200):
            if not push(connection, b"x"):
                return None
            time.sleep(0.05)
    return "a body that came more slowly than is allowed was waited for"


def wrong_length(foe):
    """Fewer or more bytes than were announced, also chunked: nothing of it may be stored."""
    target, short = foe.target(), foe.chance.random() < 0.5
    with foe.open() as connection:
        if short:
            push(connection, foe.head("PUT", target, 5000) + foe.bodies[:4000])
        else:
            push(connection, foe.head("PUT", target, None, {"transfer-encoding": "chunked", "content-length": None})
                 + foe.chance.choice((b"5\r\nhell", b"zz\r\n", b"5\r\nhelloX\r\n", b"ffffffffffffffffff\r\n", b"-1\r\n", b"5;" + b"a" * 9000)))
        if not foe.context:
            connection.shutdown(socket.SHUT_WR)
            drain(connection)
    return None if foe.wire.context_get(target).status == 404 else f"{target} is there although its body was wrong"


def bad_digest(foe):
    target, body = foe.target(), foe.bodies[:3000]
    headers = foe.chance.choice(({"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, {"x-amz-checksum-crc32": "AAAAAA=="}, {"content-md5": "x"}))
    with foe.open() as connection:
        push(connection, foe.head("PUT", target, len(body), {**headers, "connection": "close"}) + body)
        reply = drain(connection)
    return None if b"HTTP/1.1 400" in reply else f"{headers} was answered {reply[:100]!r}"


def bad_chunks(foe):
    """Signed chunks of which one signature is wrong, at a random place."""
    target, body, moment = foe.target(), foe.bodies[:200_000], sigv4.utc_now()
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(body)), "connection": "close"}
    plain = len(sigv4.stream_signed(foe.wire.signer, moment, "0" * 64, body))
    head = foe.wire.head("PUT", target, b"", {**headers, "content-length": str(plain)}, payload=sigv4.STREAM_SIGNED, moment=moment)
    seed = head["authorization"].rpartition("Signature=")[2]
    with foe.open() as connection:
        push(connection, foe.text("PUT", target, head) + sigv4.stream_signed(foe.wire.signer, moment, seed, body, spoil=foe.chance.randrange(5)))
        reply = drain(connection)
    return "a wrong chunk signature was accepted" if b"HTTP/1.1 200" in reply else None


DOCUMENTS = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><Delete>&c;</Delete>',
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>',
    b"<a>" * 20_000,
    b"<Delete>" + b"<Object><Key>k</Key></Object>" * 5000 + b"</Delete>",
    b"<Delete><Object><Key>" + b"k" * 100_000 + b"</Key></Object></Delete>",
    b"<CompleteMultipartUpload>" + b"<Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>" * 12_000 + b"</CompleteMultipartUpload>",
    b"<CompleteMultipartUpload><Part><PartNumber>-1</PartNumber><ETag></ETag></Part></CompleteMultipartUpload>",
    b"\xff\xfe<\x00a\x00>\x00",
    b"<a b='" + b"c" * 100_000 + b"'/>",
    b"<a " + b" ".join(b"x%d=''" % i for i in range(20_000)) + b"/>",
    b"\x00" * 1000,
    b"<Delete>" * 3 + b"]]>&#0;&#xFFFFFFFF;",
    b"<!--" + b"-" * 2_500_000,
)


def absurd_xml(foe):
    import base64
    import hashlib

    body = foe.chance.choice(DOCUMENTS)
    method, target = foe.chance.choice((("POST", "/hostile?delete"), ("POST", foe.upload or "/hostile/k?uploadId=x"), ("PUT", "/hostile-other")))
    headers = {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode(), "connection": "close"}
    with foe.open() as connection:
        push(connection, foe.head(method, target, len(body), headers) + body)
        reply = drain(connection)
    return f"{body[:60]!r} was answered {reply[:100]!r}" if b"HTTP/1.1 500" in reply else None


# ---- Signatures ----


def bad_signature(foe):
    """Up to four bytes of the header are others than they were."""
    head = foe.wire.head("GET", "/hostile/there", b"", {"connection": "close"}, payload=sigv4.UNSIGNED)
    right = head["authorization"]
    value = list(right)
    for at in foe.chance.sample(range(5, len(value)), foe.chance.randrange(1, 5)):
        value[at] = foe.chance.choice([c for c in "abcdef0123456789/=,;" if c != value[at]])
    head["authorization"] = "".join(value)
    with foe.open() as connection:
        push(connection, foe.text("GET", "/hostile/there", head))
        reply = drain(connection)
    return f"{head['authorization']} was accepted for {right}" if b"HTTP/1.1 200" in reply else None


def anonymous(foe):
    method = foe.chance.choice(("GET", "PUT", "DELETE", "POST"))
    with foe.open() as connection:
        push(connection, foe.text(method, foe.chance.choice(("/", "/hostile/there", "/hostile?delete")),
                                  {"Host": "a", "Content-Length": "0", "Connection": "close"}))
        reply = drain(connection)
    return "a stranger was served" if b"HTTP/1.1 2" in reply else None


# ---- Replies ----


def aborted_download(foe):
    with foe.open() as connection:
        push(connection, foe.head("GET", "/hostile/big"))
        connection.recv(foe.chance.choice((1, 1000, 100_000)))
        foe.leave(connection) if foe.chance.random() < 0.5 else connection.close()


def slow_reader(foe):
    """Asks for much and reads nothing: the server must not wait for ever."""
    with foe.raw() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection = foe.context.wrap_socket(plain, server_hostname="localhost") if foe.context else plain
        push(connection, foe.head("GET", "/hostile/big"))
        time.sleep(1.5)
        connection.close()


def good(foe):
    """Between all of it, an honest client."""
    target, body = foe.target(), foe.bodies[: foe.chance.choice((0, 100, 140_000, 1_000_000))]
    for method, sent, wanted in (("PUT", body, b""), ("GET", b"", body), ("DELETE", b"", b"")):
        with foe.open() as connection:
            if not push(connection, foe.head(method, target, len(sent), {"connection": "close"}) + sent):
                return f"an honest {method} was refused"
            reply = drain(connection, 1 << 30)
        head, _, got = reply.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            return f"an honest {method} was answered {reply[:300]!r}"
        if got != wanted:
            return f"an honest {method} got {len(got)} bytes, not those {len(wanted)} that it had put"
    return None


# Function: how often, relative to the others. What waits is rarer.
ATTACKS = {scan: 30, crowd: 4, other_protocol: 12, garbage: 12, half_head: 14, slow_head: 1, huge_head: 6, odd_target: 14, smuggle: 20,
           pipelined_garbage: 8, aborted_upload: 24, slow_body: 1, wrong_length: 10, bad_digest: 6, bad_chunks: 5, absurd_xml: 6, bad_signature: 14,
           anonymous: 8, aborted_download: 10, slow_reader: 1, good: 6}

# Those after which something may be stored, or half stored. The others leave the store's files and its index alone.
STORING = {aborted_upload, slow_body, wrong_length, bad_digest, bad_chunks, absurd_xml, good}
