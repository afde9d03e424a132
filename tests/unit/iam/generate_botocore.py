#!/usr/bin/env python3
"""Writes vectors/botocore.txt: awkward requests, signed by botocore's S3 signers, at a fixed time.

A differential test: botocore is an independent implementation that AWS itself maintains. Run it by hand where botocore is
installed; the result is committed, so the tests need no Python:

    python3 tests/unit/iam/generate_botocore.py > tests/unit/iam/vectors/botocore.txt
"""

import datetime
import hashlib
import re
from unittest import mock
from urllib.parse import quote

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 3, 1, 12, 30, 45, tzinfo=datetime.timezone.utc)
ACCESS_KEY = "pail-ABCDEFGHIJ"
SECRET = "tYq3/W+kU9=example secret 0123456789"
TOKEN = "session/token+with=odd chars"
REGION = "eu-central-1"
HOST = "objects.example.org:9000"

# Keys with every class of bytes. Each is percent-encoded as botocore does it before sending.
KEYS = [
    "plain", "a/b/c", "a//b", "/leading", "trailing/", "..", "../up", "a/./b", "a/../b", ".", "~tilde~", "-._~",
    "space in key", "  two  spaces  ", "plus+plus", "percent%", "percent%20encoded", "%2F", "%", "100%25",
    "question?mark", "hash#hash", "and&and", "equals=equals", "semi;colon", "co:lon", "comma,comma", "dollar$", "at@at",
    "quote'quote", 'double"quote', "back\\slash", "paren()paren", "[brackets]", "{braces}", "<angles>", "pipe|pipe",
    "caret^", "back`tick", "bang!", "star*", "tab\ttab", "newline\nnewline", "return\rreturn", "nul\x01\x1f\x7f",
    "umlaut-äöü", "日本語/キー", "emoji-\U0001f4e6", "combining-e\u0301", "nbsp\u00a0", "rtl-\u202e", "\ufeffbom",
    "long-" + "x" * 900, "all-" + "".join(chr(c) for c in range(0x20, 0x7F)),
]

# Query parameters: decoded names and values.
QUERIES = [
    [], [("uploads", "")], [("acl", "")], [("prefix", "")], [("prefix", "a b")], [("prefix", "a+b")],
    [("prefix", "a/b/"), ("delimiter", "/")], [("prefix", "~-._")], [("prefix", "%20")], [("prefix", "a=b&c=d")],
    [("list-type", "2"), ("max-keys", "1000"), ("encoding-type", "url"), ("continuation-token", "1/ab+cd==")],
    [("partNumber", "1"), ("uploadId", "2~abc.def_ghi-")], [("versionId", "null")],
    [("tag", "b"), ("tag", "a"), ("tag", "")], [("a-b", "1"), ("a", "2"), ("a.b", "3"), ("aB", "4"), ("A", "5")],
    [("prefix", "日本語"), ("marker", "äöü"), ("delimiter", "\U0001f4e6")], [("x", "\x00\x7f\n\r\t")],
    [("Z", "1"), ("a", "1"), ("_", "1"), ("~", "1"), ("%", "1"), (" ", "1")],
    [("response-content-disposition", 'attachment; filename="a b+c.txt"')],
]

HEADERS = [
    {}, {"Range": "bytes=0-9"}, {"x-amz-meta-spaces": "a  b   c"}, {"x-amz-meta-edges": "  a  "},
    {"x-amz-meta-empty": ""}, {"X-AMZ-META-CASE": "MiXeD"}, {"x-amz-meta-quoted": '"a  b"'},
    {"x-amz-copy-source": "/bucket/key%20with%2Bodd?versionId=3"}, {"x-amz-tagging": "a=b&c=d%20e"},
    {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache,  no-store", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="},
    {"x-amz-meta-a": "1", "x-amz-meta-ab": "2", "x-amz-meta-a-b": "3", "x-amz-acl": "private"},
    {"x-amz-meta-comma": "a,b, c ,d"}, {"x-amz-meta-long": "v" * 1900},
]

PAYLOADS = ["hash", "empty", "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]


def escape(text):
    """The data file's form: what is not printable ASCII as \\xNN of its UTF-8."""
    out = []
    for byte in text.encode("utf-8"):
        out.append(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else "\\x%02x" % byte)
    return "".join(out)


def encode_query(params):
    return "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in params)


def loosen(raw, choice):
    """Other spellings of the same target, which a client may send after signing the plain one."""
    if choice == 1:
        return raw.replace("%20", "+")
    if choice == 2:
        return raw.replace("~", "%7e").replace("%2F", "/")
    if choice == 3:
        return re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), raw)
    return raw


def emit(name, method, path, query, headers):
    print(f"case {name}")
    print(f"secret {SECRET}")
    print(f"now {int(NOW.timestamp() * 1000)}")
    print(f"method {method}")
    print(f"path {path}")
    if query:
        print(f"query {query}")
    for header, value in headers:
        print(f"header {header}: {escape(value)}")
    print()


class Signer(botocore.auth.S3SigV4Auth):
    """Remembers the payload line that was asked for, which botocore otherwise derives from its own settings."""

    line = None

    def payload(self, request):
        return self.line


def sign(cls, request, token, line=None, **extra):
    signer = cls(Credentials(ACCESS_KEY, SECRET, token), "s3", REGION, **extra)
    if line:
        signer.line = line
    with mock.patch("botocore.auth.get_current_datetime", lambda: NOW):
        signer.add_auth(request)


def payload_line(kind):
    if kind == "hash":
        return hashlib.sha256(b"body").hexdigest()
    return hashlib.sha256(b"").hexdigest() if kind == "empty" else kind


def by_header(name, method, path, params, headers, payload, token=None, spelling=0):
    query = encode_query(params)
    request = AWSRequest(method, f"http://{HOST}{path}" + (f"?{query}" if query else ""),
                         headers=dict(headers, **{"User-Agent": "unsigned", "Expect": "100-continue"}))
    sign(Signer, request, token, payload_line(payload))
    sent = [("Host", HOST)] + list(request.headers.items())
    emit(name, method, path, loosen(query, spelling), sent)


def by_query(name, method, path, params, headers, token=None, spelling=0):
    query = encode_query(params)
    request = AWSRequest(method, f"http://{HOST}{path}" + (f"?{query}" if query else ""), headers=headers)
    sign(botocore.auth.S3SigV4QueryAuth, request, token, expires=3600)
    query = request.url.split("?", 1)[1]
    emit(name, method, path, loosen(query, spelling), [("Host", HOST)] + list(headers.items()))


def main():
    print(f"# Made by generate_botocore.py with botocore {botocore.__version__}; do not edit.")
    print()
    for i, key in enumerate(KEYS):
        path = "/bucket/" + quote(key, safe="/~")
        by_header(f"key {i}, headers", "GET", path, [], {}, "empty")
        if i % 3 == 0:
            by_query(f"key {i}, presigned", "GET", path, [], {})
    for i, params in enumerate(QUERIES):
        by_header(f"query {i}, headers", "GET", "/bucket", params, {}, "empty", spelling=i % 4)
        by_query(f"query {i}, presigned", "GET", "/bucket/key", params, {}, spelling=(i + 1) % 4)
    for i, headers in enumerate(HEADERS):
        by_header(f"headers {i}", "PUT", "/bucket/key", [], headers, PAYLOADS[i % len(PAYLOADS)],
                  token=TOKEN if i % 2 else None)
    for i in range(3):
        by_query(f"presigned {i}", "PUT", "/bucket/key", QUERIES[i], {"Content-Type": "text/plain"}, token=TOKEN)


if __name__ == "__main__":
    main()
