"""Aim: a number from outside is never taken for a size of memory. Every place where a client names a length or a count is given absurd ones; each is
answered at once or refused, and the server's memory stays what it was."""

import re

import pytest

from program import Reply, exchange, signed_headers

ABSURD = ["-1", "1e9", "0x7fffffff", "2147483648", "4294967296", "9223372036854775807", "18446744073709551615", "18446744073709551616", "9" * 60]
POSSIBLE = ["2147483648", "4294967296"]  # as the length of a body
MEMORY_BYTES = 64 << 20  # more than all of the requests below may take together
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAM = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@pytest.fixture
def server(program):
    program.start(engine="local")
    assert ask(program, "PUT", "/box").status == 200
    assert ask(program, "PUT", "/box/key", body=b"x" * 1000).status == 200
    before = resident(program)
    yield program
    assert resident(program) - before < MEMORY_BYTES
    assert ask(program, "GET", "/box/key").body == b"x" * 1000


def resident(program):
    """The most that it ever was."""
    with open(f"/proc/{program.process.pid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) << 10


def ask(program, method, path, body=b"", headers=None, payload=UNSIGNED):
    signed = signed_headers(program.keys, method, program.url(program.s3) + path, payload=payload, headers=headers)
    return exchange(program.connect(), method, path, signed, body)


def upload_id(program):
    reply = ask(program, "POST", "/box/many?uploads=")
    return re.search(rb"<UploadId>([^<]+)", reply.body).group(1).decode()


PAGES = ["list-type=2&max-keys={}", "max-keys={}", "max-uploads={}&uploads=", "max-keys={}&versions="]  # sorted, as the signer wants them


def test_pages(server):
    for number in ABSURD:
        for query in PAGES:
            reply = ask(server, "GET", "/box?" + query.format(number))
            assert reply.status == 200 or (reply.status, b"InvalidArgument" in reply.body) == (400, True), number


def test_parts(server):
    upload = upload_id(server)
    for number in ABSURD:
        assert ask(server, "PUT", f"/box/many?partNumber={number}&uploadId={upload}", b"x").status == 400
        assert ask(server, "GET", f"/box/many?max-parts={number}&uploadId={upload}").status in (200, 400)
        assert ask(server, "GET", f"/box/many?part-number-marker={number}&uploadId={upload}").status in (200, 400)
        assert ask(server, "GET", f"/box/key?partNumber={number}").status in (400, 416)
        part = f"<Part><PartNumber>{number}</PartNumber><ETag>\"x\"</ETag></Part>"
        xml = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
        assert ask(server, "POST", f"/box/many?uploadId={upload}", xml).status == 400


def test_ranges(server):
    upload = upload_id(server)
    for number in ABSURD:
        for text in (f"bytes=0-{number}", f"bytes={number}-", f"bytes=-{number}", f"bytes={number}-{number}"):
            assert ask(server, "GET", "/box/key", headers={"range": text}).status in (200, 206, 416), text
        headers = {"x-amz-copy-source": "/box/key", "x-amz-copy-source-range": f"bytes=0-{number}"}
        assert ask(server, "PUT", f"/box/many?partNumber=1&uploadId={upload}", headers=headers).status in (400, 416)


def status_of(server, method, path, fields, sent):
    """None: the server waits for more."""
    headers = signed_headers(server.keys, method, server.url(server.s3) + path, payload=UNSIGNED)
    lines = [f"{name}: {value}" for name, value in {**headers, **fields}.items()]
    with server.connect(timeout=0.3) as sock:
        sock.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *lines]).encode() + b"\r\n\r\n" + sent)
        try:
            return Reply(sock).status
        except TimeoutError:
            return None


def test_lengths_of_bodies(server):
    """What is announced is not believed: it is refused, or waited for without room being made."""
    for number in ABSURD:
        for method, path in (("PUT", "/box/body"), ("POST", "/box?delete=")):
            status = status_of(server, method, path, {"content-length": number}, b"some of it")
            assert status in (400, 411, 413, 501) or (status is None and number in POSSIBLE), number


def test_decoded_lengths(server):
    for number in ABSURD:
        headers = {"x-amz-decoded-content-length": number, "content-encoding": "aws-chunked"}
        assert ask(server, "PUT", "/box/chunked", b"3\r\nabc\r\n0\r\n\r\n", headers, STREAM).status in (400, 411, 413), number


def test_sizes_of_chunks(server):
    for size in ("7fffffff", "ffffffff", "7fffffffffffffff", "ffffffffffffffff", "10000000000000000", "f" * 60, "-1"):
        headers = {"x-amz-decoded-content-length": "3", "content-encoding": "aws-chunked"}
        assert ask(server, "PUT", "/box/chunked", size.encode() + b"\r\nabc", headers, STREAM).status in (400, 413), size
        fields = {"transfer-encoding": "chunked"}
        assert status_of(server, "PUT", "/box/framed", fields, size.encode() + b"\r\nabc") in (400, 411, 413, 501, None), size


def test_expiry(server):
    for number in ABSURD:
        reply = exchange(server.connect(), "GET", f"/box/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires={number}")
        assert reply.status in (400, 403), number
