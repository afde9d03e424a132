"""SigV4 by header: what is accepted, and every way to get it wrong; bodies whose chunks are signed one by one."""

import datetime
import hashlib

import pytest

from lib import sigv4
from lib.clients import pattern
from lib.wire import Wire


def shifted(seconds):
    return sigv4.utc_now() + datetime.timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def stored(client, shared_bucket):
    client.put_object(Bucket=shared_bucket, Key="k", Body=b"signed")
    return f"/{shared_bucket}/k"


@pytest.mark.parametrize("payload", [None, sigv4.UNSIGNED])
def test_payload_kinds(raw, bucket, payload):
    assert raw.put(f"/{bucket}/k", b"body", payload=payload).status == 200
    assert raw.get(f"/{bucket}/k", payload=payload).body == b"body"


@pytest.mark.parametrize("seconds, good", [(-14 * 60, True), (14 * 60, True), (-16 * 60, False), (16 * 60, False)])
def test_clock(raw, stored, seconds, good):
    reply = raw.get(stored, moment=shifted(seconds))
    if good:
        assert reply.status == 200
    else:
        error = reply.is_error(403, "RequestTimeTooSkewed").xml
        assert error.findtext("RequestTime") and error.findtext("ServerTime")


def test_wrong_secret(server, main_user, stored):
    wrong = Wire(server.endpoint, {**main_user, "secret_key": main_user["secret_key"] + "x"})
    error = wrong.get(stored).is_error(403, "SignatureDoesNotMatch").xml
    assert error.findtext("AWSAccessKeyId") == main_user["access_key"]
    assert error.findtext("StringToSign").startswith("AWS4-HMAC-SHA256\n")
    assert error.findtext("CanonicalRequest").startswith("GET\n")
    assert wrong.request("HEAD", stored).status == 403


@pytest.mark.parametrize("access_key", ["AKIANOSUCHKEY", "pail-0000000000", "x" * 128])
def test_unknown_access_key(server, stored, access_key):
    unknown = Wire(server.endpoint, {"access_key": access_key, "secret_key": "x"})
    error = unknown.get(stored).is_error(403, "InvalidAccessKeyId").xml
    assert error.findtext("AWSAccessKeyId") == access_key


def test_changed_after_signing(raw, stored):
    """A change anywhere in what is signed."""
    head = raw.head("GET", stored, headers={"x-amz-meta-a": "1"})
    for method, target, changed in (
        ("GET", stored + "2", {}),
        ("GET", stored + "?x=1", {}),
        ("HEAD", stored, {}),
        ("DELETE", stored, {}),
        ("GET", stored, {"x-amz-meta-a": "2"}),
        ("GET", stored, {"host": "other"}),
        ("GET", stored, {"x-amz-date": sigv4.timestamp(shifted(-60))}),
    ):
        reply = raw.plain(method, target, headers={**head, **changed})
        assert reply.status == 403, (method, target, changed, reply)
        assert method == "HEAD" or reply.code == "SignatureDoesNotMatch", (method, target, changed, reply)
    assert raw.plain("GET", stored, headers=head).status == 200


def test_unsigned_header(raw, stored):
    """An x-amz- header beside the signature is refused, since nobody vouches for it."""
    head = raw.head("GET", stored)
    reply = raw.plain("GET", stored, headers={**head, "x-amz-meta-added": "1"})
    error = reply.is_error(403, "AccessDenied").xml
    assert "x-amz-meta-added" in (error.findtext("HeadersNotSigned") or "")
    assert raw.plain("GET", stored, headers={**head, "x-other": "1"}).status == 200


def test_host_must_be_signed(raw, stored):
    reply = raw.get(stored, unsigned=("host",))
    assert reply.status in (400, 403), reply


def test_another_body(client, raw, bucket):
    """The body is compared with its hash before it counts."""
    for size in (10, 300_000):
        head = raw.head("PUT", f"/{bucket}/k", b"x" * size)
        reply = raw.plain("PUT", f"/{bucket}/k", b"y" * size, head)
        error = reply.is_error(400, "XAmzContentSHA256Mismatch").xml
        assert error.findtext("ClientComputedContentSHA256") == hashlib.sha256(b"x" * size).hexdigest()
        assert error.findtext("S3ComputedContentSHA256") == hashlib.sha256(b"y" * size).hexdigest()
        assert raw.get(f"/{bucket}/k").status == 404


def test_payload_header_missing(raw, stored):
    head = raw.head("GET", stored)
    del head["x-amz-content-sha256"]
    raw.plain("GET", stored, headers=head).is_error(400, "InvalidRequest")


@pytest.mark.parametrize("value", ["nonsense", "UNSIGNED", "e3b0", "g" * 64, "STREAMING-AWS4-HMAC-SHA512-PAYLOAD"])
def test_payload_header_of_a_bad_form(raw, stored, value):
    raw.get(stored, payload=value).is_error(400, "InvalidArgument")


@pytest.mark.parametrize(
    "value, status, code",
    [
        ("", 400, "InvalidArgument"),
        ("Basic dXNlcjpwYXNz", 400, "InvalidArgument"),
        ("Bearer token", 400, "InvalidArgument"),
        ("AWS4-HMAC-SHA256", 400, "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 nonsense", 400, "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature=00", 400, "AuthorizationHeaderMalformed"),
        ("AWS AKIA:c2lnbmF0dXJl", 400, "InvalidRequest"),
    ],
)
def test_authorization_of_a_bad_form(raw, stored, value, status, code):
    head = raw.head("GET", stored)
    reply = raw.plain("GET", stored, headers={**head, "authorization": value})
    if value == "":
        assert reply.status in (400, 403), reply
    else:
        reply.is_error(status, code)


@pytest.mark.parametrize("missing", ["Credential", "SignedHeaders", "Signature"])
def test_authorization_lacks_a_component(raw, stored, missing):
    head = raw.head("GET", stored)
    scheme, _, rest = head["authorization"].partition(" ")
    rest = ",".join(part for part in rest.split(",") if not part.startswith(missing + "="))
    reply = raw.plain("GET", stored, headers={**head, "authorization": f"{scheme} {rest}"})
    reply.is_error(400, "AuthorizationHeaderMalformed")


def test_spaces_in_authorization(raw, stored):
    """Some clients put spaces after the commas, some none."""
    head = raw.head("GET", stored)
    head["authorization"] = head["authorization"].replace(",", ", ")
    assert raw.plain("GET", stored, headers=head).status == 200


def test_another_region(server, main_user, stored):
    other = Wire(server.endpoint, main_user)
    other.signer.region = "mars-north-1"
    error = other.get(stored).is_error(400, "AuthorizationHeaderMalformed").xml
    assert error.findtext("Region") == "us-east-1"


def test_another_service(server, main_user, stored):
    other = Wire(server.endpoint, main_user)
    other.signer.service = "ec2"
    other.get(stored).is_error(400, "AuthorizationHeaderMalformed")


def test_date_of_the_scope(raw, stored):
    """The scope's day is the day of the request."""
    head = raw.head("GET", stored)
    day = sigv4.utc_now().strftime("%Y%m%d")
    head["authorization"] = head["authorization"].replace(f"/{day}/", "/20200101/")
    assert raw.plain("GET", stored, headers=head).status in (400, 403)


def test_no_date_at_all(raw, stored):
    head = raw.head("GET", stored)
    del head["x-amz-date"]
    raw.plain("GET", stored, headers=head).is_error(403, "AccessDenied")


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_date_header_instead(raw, stored, zone):
    """Old clients send Date, in the forms that mail has for it, and sign its time."""
    moment = sigv4.utc_now()
    head = raw.head("GET", stored, moment=moment)
    del head["x-amz-date"], head["authorization"]
    head["date"] = moment.strftime("%a, %d %b %Y %H:%M:%S ") + zone
    signed = sorted(head)
    signature = raw.signer.request_signature(moment, "GET", stored, head, signed, head["x-amz-content-sha256"])
    head["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={raw.signer.access_key}/{raw.signer.scope(moment)},"
        f"SignedHeaders={';'.join(signed)},Signature={signature}"
    )
    assert raw.plain("GET", stored, headers=head).body == b"signed"


def test_header_and_query_at_once(raw, stored):
    target = raw.signer.presign("GET", stored, {"host": raw.host})
    head = raw.head("GET", target)
    raw.plain("GET", target, headers=head).is_error(400, "InvalidArgument")


@pytest.mark.parametrize(
    "query", ["a=1&b=2", "b=2&a=1", "a", "a=", "a=%20x", "a=b%2Bc", "A=1&a=1", "a=%E2%9C%93", "a=1&a=0", "x=/~-_."]
)
def test_query_is_signed(raw, stored, query):
    """Unknown parameters do nothing, but belong to the signature."""
    assert raw.get(f"{stored}?{query}").status == 200


def test_spaces_in_a_signed_header(raw, bucket):
    reply = raw.put(f"/{bucket}/k", b"x", {"x-amz-meta-a": "one  two   three"})
    assert reply.status == 200
    assert raw.get(f"/{bucket}/k").headers["x-amz-meta-a"] == "one  two   three"


# Chunks

SIZES = [0, 1, 8191, 8192, 65535, 65536, 65537, 200_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunk", [8192, 65536])
def test_signed_chunks(raw, bucket, size, chunk):
    body = pattern(size)
    reply = raw.stream(
        f"/{bucket}/k",
        lambda moment, seed: sigv4.stream_signed(raw.signer, moment, seed, body, chunk),
        size,
        sigv4.STREAM_SIGNED,
    )
    assert reply.status == 200, reply
    assert reply.headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = raw.get(f"/{bucket}/k")
    assert got.body == body
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("spoil", [0, 1, 3, 4])
def test_wrong_chunk_signature(client, raw, bucket, spoil):
    """Four chunks: the first, one inside, the last with data, and the empty one at the end."""
    client.put_object(Bucket=bucket, Key="k", Body=b"old")
    body = pattern(4 * 65536)
    reply = raw.stream(
        f"/{bucket}/k",
        lambda moment, seed: sigv4.stream_signed(raw.signer, moment, seed, body, spoil=spoil),
        len(body),
        sigv4.STREAM_SIGNED,
    )
    reply.is_error(403, "SignatureDoesNotMatch")
    assert raw.get(f"/{bucket}/k").body == b"old"


def test_changed_chunk(raw, bucket):
    """The signatures are right, a byte of the data is not."""
    body = pattern(100_000)

    def spoiled(moment, seed):
        encoded = bytearray(sigv4.stream_signed(raw.signer, moment, seed, body))
        encoded[50_000] ^= 1
        return bytes(encoded)

    raw.stream(f"/{bucket}/k", spoiled, len(body), sigv4.STREAM_SIGNED).is_error(403, "SignatureDoesNotMatch")


def test_wrong_trailer_signature(raw, bucket):
    from lib.checksums import checksum

    trailers = [("x-amz-checksum-crc32", checksum("CRC32", b"body"))]
    reply = raw.stream(
        f"/{bucket}/k",
        lambda moment, seed: sigv4.stream_signed(raw.signer, moment, seed, b"body", trailers=trailers, spoil="trailer"),
        4,
        sigv4.STREAM_SIGNED_TRAILER,
        {"x-amz-trailer": "x-amz-checksum-crc32"},
    )
    reply.is_error(403, "SignatureDoesNotMatch")
    assert raw.get(f"/{bucket}/k").status == 404


def test_chunks_left_out(raw, bucket):
    """Without its middle, the chain does not hold."""
    body = pattern(3 * 65536)

    def cut(moment, seed):
        encoded = sigv4.stream_signed(raw.signer, moment, seed, body)
        chunk = len(b"10000;chunk-signature=\r\n\r\n") + 64 + 65536
        return encoded[:chunk] + encoded[2 * chunk :]

    reply = raw.stream(f"/{bucket}/k", cut, 2 * 65536, sigv4.STREAM_SIGNED)
    reply.is_error(403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("stated", ["10", "6", "4", "3", "0"])
def test_decoded_length_is_wrong(raw, bucket, stated):
    reply = raw.stream(f"/{bucket}/k", sigv4.stream_unsigned(b"body!"), stated, sigv4.STREAM_UNSIGNED_TRAILER)
    reply.is_error(400, "IncompleteBody")
    assert raw.get(f"/{bucket}/k").status == 404


def test_decoded_length_is_missing(raw, bucket):
    reply = raw.stream(
        f"/{bucket}/k",
        sigv4.stream_unsigned(b"body"),
        4,
        sigv4.STREAM_UNSIGNED_TRAILER,
        {"x-amz-decoded-content-length": None},
    )
    reply.is_error(411, "MissingContentLength")


@pytest.mark.parametrize("stated", ["-1", "x", "1.5", "99999999999999999999"])
def test_decoded_length_of_a_bad_form(raw, bucket, stated):
    reply = raw.stream(f"/{bucket}/k", sigv4.stream_unsigned(b"body"), stated, sigv4.STREAM_UNSIGNED_TRAILER)
    assert reply.status in (400, 411), reply


BROKEN = [
    b"body",
    b"nonsense\r\nbody\r\n0\r\n\r\n",
    b"4\r\nbodyXX0\r\n\r\n",
    b"fffffffffffffffff\r\nbody\r\n0\r\n\r\n",
    b"-4\r\nbody\r\n0\r\n\r\n",
    b"4\r\nbody\r\n",
    b"4\r\nbod",
    b"4\nbody\n0\n\n",
    b"4\rbody\r0\r\r",
]


@pytest.mark.parametrize("encoded", BROKEN)
def test_broken_frames(raw, bucket, encoded):
    raw.stream(f"/{bucket}/k", encoded, 4, sigv4.STREAM_UNSIGNED_TRAILER).is_error(400, "IncompleteBody")
    assert raw.get(f"/{bucket}/k").status == 404


def test_chunks_behind_the_last(raw, bucket):
    """What follows the chunk of size 0 is no data. AWS finds the body short before it looks at the trailer."""
    encoded = b"2\r\nbo\r\n0\r\n\r\n2\r\ndy\r\n0\r\n\r\n"
    reply = raw.stream(f"/{bucket}/k", encoded, 4, sigv4.STREAM_UNSIGNED_TRAILER)
    assert reply.status == 400 and reply.code in ("IncompleteBody", "MalformedTrailerError"), reply
    assert raw.get(f"/{bucket}/k").status == 404


@pytest.mark.parametrize("encoded, code", [(b"4\r\nbody\r\n0\r\n\r\n", "IncompleteBody"), (b"4;chunk-signature=\r\nbody\r\n0;chunk-signature=\r\n\r\n", "IncompleteBody")])
def test_signed_chunks_without_signatures(raw, bucket, encoded, code):
    raw.stream(f"/{bucket}/k", encoded, 4, sigv4.STREAM_SIGNED).is_error(400, code)
    assert raw.get(f"/{bucket}/k").status == 404


def test_signed_chunks_that_are_too_small(raw, bucket):
    """Only the last may have less than 8 KiB: each costs a signature."""
    body = pattern(9000)
    reply = raw.stream(
        f"/{bucket}/k",
        lambda moment, seed: sigv4.stream_signed(raw.signer, moment, seed, body, 1000),
        len(body),
        sigv4.STREAM_SIGNED,
    )
    reply.is_error(403, "InvalidChunkSizeError")
    assert raw.get(f"/{bucket}/k").status == 404


def test_chunks_inside_transfer_encoding(raw, bucket):
    """x-amz-decoded-content-length stands for the length of a body that comes in HTTP's own chunks."""
    inner = sigv4.stream_unsigned(b"twice chunked")
    headers = {"transfer-encoding": "chunked", "content-length": None, "x-amz-decoded-content-length": "13"}
    head = raw.head("PUT", f"/{bucket}/k", b"", headers, payload=sigv4.STREAM_UNSIGNED_TRAILER)
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/k", head)
        connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner))
        assert connection.read_reply("PUT").status == 200
    assert raw.get(f"/{bucket}/k").body == b"twice chunked"


def test_hash_in_upper_case(raw, bucket):
    assert raw.put(f"/{bucket}/k", b"x", payload=hashlib.sha256(b"x").hexdigest().upper()).status == 200
