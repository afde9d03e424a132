"""The shape of an error: an XML document with code, text and the request's id; and requests that make no sense."""

import pytest

from lib import checksums

ERRORS = [
    ("GET", "/no-such-bucket-xyz", 404, "NoSuchBucket"),
    ("GET", "{bucket}/missing", 404, "NoSuchKey"),
    ("PUT", "/Bad_Name", 400, "InvalidBucketName"),
    ("GET", "{bucket}?max-keys=x", 400, "InvalidArgument"),
    ("GET", "{bucket}/k?uploadId=none", 404, "NoSuchUpload"),
    ("POST", "{bucket}?delete", 400, "MalformedXML"),
    ("PATCH", "{bucket}/k", 405, "MethodNotAllowed"),
    ("POST", "{bucket}/k", 405, "MethodNotAllowed"),
    ("PUT", "/", 405, "MethodNotAllowed"),
    ("DELETE", "/", 405, "MethodNotAllowed"),
    ("POST", "/", 501, "NotImplemented"),
]


@pytest.mark.parametrize("method, target, status, code", ERRORS)
def test_shape(raw, bucket, method, target, status, code):
    body = b"<x/>" if target.endswith("?delete") else b""
    headers = {"content-md5": checksums.content_md5(body)} if body else {}
    reply = raw.request(method, target.format(bucket="/" + bucket), body, headers)
    root = reply.is_error(status, code).xml
    assert reply.headers["content-type"] == "application/xml"
    assert reply.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    assert b"<Error>" in reply.body, "no namespace"
    assert root.tag == "Error"
    assert root.findtext("Message").strip()
    assert root.findtext("RequestId") == reply.headers["x-amz-request-id"]
    assert root.find("HostId") is not None
    assert int(reply.headers["content-length"]) == len(reply.body)


@pytest.mark.parametrize("target, status", [("/no-such-bucket-xyz", 404), ("{bucket}/missing", 404), ("{bucket}/k?partNumber=0", 400)])
def test_head_has_no_body(raw, bucket, target, status):
    with raw.connect() as connection:
        target = target.format(bucket="/" + bucket)
        connection.send_head("HEAD", target, raw.head("HEAD", target))
        reply = connection.read_reply("HEAD")
        assert reply.status == status and reply.headers["x-amz-request-id"]
        # A body would be read as the start of the next answer.
        connection.send_head("GET", f"/{bucket}", raw.head("GET", f"/{bucket}"))
        assert connection.read_reply().status == 200


def test_resource_is_named(raw, bucket):
    assert raw.get(f"/{bucket}/a/b").xml.findtext("Key") == "a/b"
    assert raw.get("/no-such-bucket-xyz").xml.findtext("BucketName") == "no-such-bucket-xyz"


def test_what_is_named_is_escaped(raw, bucket):
    root = raw.get(f"/{bucket}/%3Ctag%3E%26%22").xml
    assert root.findtext("Key") == '<tag>&"'


def test_request_ids_differ(raw, bucket):
    seen = {raw.get(f"/{bucket}").headers["x-amz-request-id"] for _ in range(20)}
    assert len(seen) == 20


def test_every_answer_has_a_request_id(raw, bucket):
    for method, target in (("PUT", f"/{bucket}/k"), ("GET", f"/{bucket}/k"), ("HEAD", f"/{bucket}/k"), ("DELETE", f"/{bucket}/k"), ("GET", "/")):
        reply = raw.request(method, target)
        assert reply.status < 300 and reply.headers["x-amz-request-id"], (method, target)
        assert reply.headers["date"] and reply.headers["server"]


def exchange(raw, data):
    with raw.connect() as connection:
        connection.send(data)
        return connection.read_reply()


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_no_http(raw, data):
    """A 4xx, or a closed connection; the server goes on."""
    try:
        assert 400 <= exchange(raw, data).status < 600
    except (EOFError, ConnectionResetError):
        pass
    assert raw.get("/").status == 200


def test_request_smuggling(raw, bucket):
    """Length and chunks at once: never read as two requests."""
    head = (
        f"PUT /{bucket}/k HTTP/1.1\r\nHost: {raw.host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    with raw.connect() as connection:
        connection.send(head + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            assert connection.read_reply().status >= 400
            connection.read_reply()
            raise AssertionError("a second answer came")
        except (EOFError, ConnectionResetError):
            pass


def test_a_head_that_is_too_large(raw):
    try:
        reply = exchange(raw, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"x" * 200_000 + b"\r\n\r\n")
        assert 400 <= reply.status < 500
    except (EOFError, ConnectionResetError, BrokenPipeError):
        pass
    assert raw.get("/").status == 200


def test_too_many_headers(raw):
    lines = b"".join(b"x-h%d: 1\r\n" % number for number in range(2000))
    try:
        assert 400 <= exchange(raw, b"GET / HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n").status < 500
    except (EOFError, ConnectionResetError, BrokenPipeError):
        pass
    assert raw.get("/").status == 200


def test_xml_body_that_is_too_large(raw, bucket):
    """Above 2 MiB, refused without being read into memory."""
    body = b"<Delete>" + b" " * (3 << 20) + b"</Delete>"
    reply = raw.request("POST", f"/{bucket}?delete", body, {"content-md5": checksums.content_md5(body)})
    assert reply.status == 400 and reply.code in ("MalformedXML", "MaxMessageLengthExceeded", "EntityTooLarge"), reply


def test_an_object_above_the_limit(raw, bucket):
    """More than 5 GiB in one PUT is refused by its head alone."""
    target = f"/{bucket}/k"
    head = raw.head("PUT", target, b"", {"content-length": str((5 << 30) + 1)}, payload="UNSIGNED-PAYLOAD")
    with raw.connect() as connection:
        connection.send_head("PUT", target, head)
        connection.read_reply("PUT").is_error(400, "EntityTooLarge")
