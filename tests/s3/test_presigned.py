"""Presigned requests (SigV4 in the query), and what anonymous ones may do: nothing, unless the server says so."""

import datetime

import pytest
import requests
from botocore import UNSIGNED

from lib import sigv4
from lib.clients import make_client, read, refused
from lib.wire import Wire

WEEK = 7 * 24 * 3600


def shifted(seconds):
    return sigv4.utc_now() + datetime.timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def stored(client, shared_bucket):
    client.put_object(Bucket=shared_bucket, Key="a key", Body=b"presigned", ContentType="text/plain")
    return f"/{shared_bucket}/a%20key"


@pytest.mark.parametrize("expires", [1, 60, 3600, WEEK])
def test_get(raw, stored, expires):
    assert raw.presigned("GET", stored, expires=expires).body == b"presigned"


def test_boto3(client, bucket):
    """Each kind of URL that the SDK makes, fetched by a plain HTTP client."""
    where = {"Bucket": bucket, "Key": "sp ace/ü+&?.txt"}
    put = requests.put(client.generate_presigned_url("put_object", Params=where), data=b"by url", timeout=30)
    assert put.status_code == 200, put.text
    url = client.generate_presigned_url("get_object", Params=where)
    assert requests.get(url, timeout=30).content == b"by url"
    head = requests.head(client.generate_presigned_url("head_object", Params=where), timeout=30)
    assert (head.status_code, head.headers["Content-Length"]) == (200, "6")
    assert requests.head(url, timeout=30).status_code == 403, "the method is signed"
    listing = requests.get(client.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket}), timeout=30)
    assert "<KeyCount>1</KeyCount>" in listing.text
    gone = requests.delete(client.generate_presigned_url("delete_object", Params=where), timeout=30)
    assert gone.status_code == 204


def test_put_with_a_signed_type(client, bucket):
    url = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k", "ContentType": "a/b"})
    assert requests.put(url, data=b"x", headers={"Content-Type": "c/d"}, timeout=30).status_code == 403
    assert requests.put(url, data=b"x", headers={"Content-Type": "a/b"}, timeout=30).status_code == 200
    assert client.head_object(Bucket=bucket, Key="k")["ContentType"] == "a/b"


def test_put_with_signed_metadata(raw, bucket):
    reply = raw.presigned("PUT", f"/{bucket}/k", b"x", signed={"x-amz-meta-a": "1"})
    assert reply.status == 200
    assert raw.get(f"/{bucket}/k").headers["x-amz-meta-a"] == "1"


def test_put_with_headers_in_the_query(raw, bucket):
    """The SDK for JavaScript puts x-amz- headers there, which the signature covers. They count, except for checksums: it
    signs before it knows the body, so what it says of that is of an empty one."""
    query = "?x-amz-meta-a=b%20c&x-amz-storage-class=STANDARD_IA"
    query += "&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32"
    reply = raw.presigned("PUT", f"/{bucket}/k{query}", b"a body")
    assert reply.status == 200, reply
    head = raw.request("HEAD", f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"}).headers
    assert (head["x-amz-meta-a"], head["x-amz-storage-class"]) == ("b c", "STANDARD_IA")
    assert "x-amz-checksum-crc64nvme" in head
    got = raw.presigned("GET", f"/{bucket}/k?x-amz-checksum-mode=ENABLED")
    assert got.headers["x-amz-checksum-crc64nvme"] == head["x-amz-checksum-crc64nvme"]


def test_unsigned_amz_header(raw, bucket):
    """It cannot be added to a URL that somebody else signed."""
    reply = raw.presigned("PUT", f"/{bucket}/k", b"x", headers={"x-amz-meta-a": "1"})
    reply.is_error(403, "AccessDenied")


def test_expired(raw, stored):
    error = raw.presigned("GET", stored, expires=60, moment=shifted(-120)).is_error(403, "AccessDenied").xml
    assert "expired" in error.findtext("Message").lower()
    assert error.findtext("X-Amz-Expires") == "60" and error.findtext("Expires") and error.findtext("ServerTime")


def test_from_the_past_but_valid(raw, stored):
    assert raw.presigned("GET", stored, expires=WEEK, moment=shifted(-WEEK + 600)).status == 200


def test_from_the_future(raw, stored):
    raw.presigned("GET", stored, moment=shifted(3600)).is_error(403, "AccessDenied")
    assert raw.presigned("GET", stored, moment=shifted(600)).status == 200, "within the clocks' difference"


@pytest.mark.parametrize("expires", ["0", "-1", str(WEEK + 1), "x", "", "1.5", "99999999999999999999"])
def test_bad_expiry(raw, stored, expires):
    raw.presigned("GET", stored, expires=expires).is_error(400, "AuthorizationQueryParametersError")


@pytest.mark.parametrize("name", ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders"])
def test_missing_parameter(raw, stored, name):
    reply = raw.presigned("GET", stored, **{name: None})
    reply.is_error(400, "AuthorizationQueryParametersError")


@pytest.mark.parametrize(
    "name, value",
    [
        ("Algorithm", "AWS4-HMAC-SHA1"),
        ("Credential", "nonsense"),
        ("Credential", "a/20200101/us-east-1/s3/aws4"),
        ("Date", "yesterday"),
        ("SignedHeaders", ""),
    ],
)
def test_bad_parameter(raw, stored, name, value):
    reply = raw.presigned("GET", stored, **{name: value})
    assert reply.status in (400, 403), reply
    assert reply.code in ("AuthorizationQueryParametersError", "AccessDenied", "SignatureDoesNotMatch"), reply


def test_tampered(raw, stored):
    target = raw.signer.presign("GET", stored, {"host": raw.host})
    last = "1" if target[-1] == "0" else "0"
    for changed in (
        target[:-1] + last,
        target.replace("a%20key", "b%20key"),
        target.replace("X-Amz-Expires=900", "X-Amz-Expires=901"),
        target + "&response-content-type=text/html",
        target + "&versionId=null",
    ):
        raw.plain("GET", changed).is_error(403, "SignatureDoesNotMatch")
    assert raw.plain("GET", target).status == 200


def test_unknown_access_key(server, stored):
    other = Wire(server.endpoint, {"access_key": "nobody", "secret_key": "x"})
    other.presigned("GET", stored).is_error(403, "InvalidAccessKeyId")


def test_another_region(server, main_user, stored):
    other = Wire(server.endpoint, main_user)
    other.signer.region = "mars-north-1"
    other.presigned("GET", stored).is_error(400, "AuthorizationQueryParametersError")


def test_overrides(raw, stored):
    target = stored + "?response-content-type=text%2Fhtml&response-content-disposition=inline%3B%20filename%3D%22a.txt%22"
    reply = raw.presigned("GET", target)
    assert reply.headers["content-type"] == "text/html"
    assert reply.headers["content-disposition"] == 'inline; filename="a.txt"'


def test_range_and_conditions(raw, stored):
    """Headers that are not x-amz- need no signature."""
    assert raw.presigned("GET", stored, headers={"range": "bytes=0-2"}).body == b"pre"
    assert raw.presigned("GET", stored, headers={"if-none-match": "*"}).status == 304


def test_lower_case_parameters_are_not_the_signature(raw, stored):
    target = raw.signer.presign("GET", stored, {"host": raw.host})
    reply = raw.plain("GET", target.replace("X-Amz-", "x-amz-"))
    assert reply.status in (400, 403), reply


def test_a_user_who_is_not_allowed(server, other_user, stored):
    Wire(server.endpoint, other_user).presigned("GET", stored).is_error(403, "AccessDenied")


# Anonymous


@pytest.mark.parametrize(
    "method, target",
    [
        ("GET", "/"),
        ("GET", "{bucket}"),
        ("GET", "{bucket}?list-type=2"),
        ("GET", "{bucket}?versions"),
        ("GET", "{bucket}?uploads"),
        ("GET", "{bucket}/k"),
        ("GET", "{bucket}/missing"),
        ("PUT", "{bucket}/k"),
        ("DELETE", "{bucket}/k"),
        ("POST", "{bucket}?delete"),
        ("POST", "{bucket}/k?uploads"),
        ("PUT", "/a-new-bucket-of-nobody"),
        ("DELETE", "{bucket}"),
    ],
)
def test_anonymous_is_refused(raw, client, bucket, method, target):
    """A missing key is hidden too."""
    client.put_object(Bucket=bucket, Key="k", Body=b"private")
    reply = raw.plain(method, target.format(bucket="/" + bucket), b"x" if method in ("PUT", "POST") else b"")
    reply.is_error(403, "AccessDenied")
    assert read(client, bucket, "k") == b"private"


def test_anonymous_head_is_refused(raw, bucket):
    for target in (f"/{bucket}", f"/{bucket}/k"):
        reply = raw.plain("HEAD", target)
        assert (reply.status, reply.body) == (403, b"")


def test_anonymous_and_a_missing_bucket(raw):
    raw.plain("GET", "/no-such-bucket-anywhere").is_error(404, "NoSuchBucket")


@pytest.mark.own_server
def test_anonymous_mode(own_server):
    """--anonymous: everybody may do everything, but a signature that is given has to be right."""
    server = own_server("--anonymous")
    wire = Wire(server.endpoint, None)
    assert wire.put("/open-bucket").status == 200
    assert wire.put("/open-bucket/k", b"x").status == 200
    assert wire.get("/open-bucket/k").body == b"x"
    assert [one.text for one in wire.get("/open-bucket?list-type=2").xml.iter("Key")] == ["k"]
    signed = make_client(server.endpoint, server.main)
    assert read(signed, "open-bucket", "k") == b"x"
    unsigned = make_client(server.endpoint, None, signature_version=UNSIGNED)
    assert read(unsigned, "open-bucket", "k") == b"x"
    wrong = make_client(server.endpoint, {**server.main, "secret_key": "wrong"})
    refused(403, "SignatureDoesNotMatch", wrong.get_object, Bucket="open-bucket", Key="k")
    assert wire.request("DELETE", "/open-bucket/k").status == 204
    assert wire.request("DELETE", "/open-bucket").status == 204
