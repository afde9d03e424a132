"""Keys are 1 to 1024 bytes of UTF-8 and any bytes of it: no key is special, none is cleaned up."""

from urllib.parse import quote, unquote_plus

import pytest

from lib import checksums
from lib.clients import exists, keys_of, read, refused

AWKWARD = [
    "a",
    "a/b",
    "a//b",
    "a/",
    "a/b/",
    "/",
    "//",
    "/leading",
    "//leading",
    "trailing/",
    ".",
    "..",
    "./x",
    "../x",
    "a/../b",
    "a/./b",
    "a/..",
    "%2F",
    "%2f",
    "%",
    "%%",
    "%zz",
    "%00",
    "a%2Fb",
    "a+b",
    "a b",
    " ",
    "  leading space",
    "trailing space ",
    "a&b=c",
    "a?b",
    "a#b",
    "a;b",
    "a:b",
    "a=b",
    "a,b",
    "a@b",
    "a$b",
    "a!b",
    "a*b",
    "a'b",
    'a"b',
    "a(b)",
    "a[b]",
    "a{b}",
    "a<b>",
    "a|b",
    "a\\b",
    "a^b",
    "a`b",
    "a~b",
    "a_b",
    "a\tb",
    "a&amp;b",
    "<![CDATA[x]]>",
    "uploads",
    "?uploads",
    "bucket",
    "soap",
    "umläut",
    "uml\u0061\u0308ut",
    "日本語/キー",
    "😀",
    "a\u200bb",
    "\u00a0",
    "\uffee",
    "\U0010ffff",
    "a\u0085b",
    "\ufeffbom",
    "con",
    "x" * 255,
    "x" * 256,
    "y/" * 511 + "yy",
    "z" * 1024,
    "ü" * 512,
    "😀" * 256,
]
# Not allowed in an XML document at all, so listings show them only with encoding-type=url.
CONTROL = ["a\x01b", "a\x02", "a\x08b", "a\x0bb", "a\x1fb", "\ufffe", "a\uffffb"]
# Allowed in XML, but changed by a parser unless they are written as character references.
NORMALISED = ["a\nb", "a\rb", "a\r\nb", "\n", "\r", "\t", "a\x7fb"]


@pytest.mark.parametrize("key", AWKWARD + NORMALISED + CONTROL, ids=lambda key: ascii(key)[:40])
def test_key(client, shared_bucket, key):
    body = key.encode()
    assert client.put_object(Bucket=shared_bucket, Key=key, Body=body)["ETag"] == checksums.etag(body)
    assert read(client, shared_bucket, key) == body
    assert client.head_object(Bucket=shared_bucket, Key=key)["ContentLength"] == len(body)
    # The first version never encodes the prefix in its answer, so one that XML cannot hold is not asked for.
    stem = "" if key in CONTROL else key
    assert keys_of(client.list_objects(Bucket=shared_bucket, Prefix=stem)) == [key]
    page = client.list_objects_v2(Bucket=shared_bucket, Prefix=key)
    assert (keys_of(page), page["Prefix"]) == ([key], key)
    versions = client.list_object_versions(Bucket=shared_bucket, Prefix=key)["Versions"]
    assert [one["Key"] for one in versions] == [key]
    copied = "copy/" + key[:900]
    if len(copied.encode()) <= 1024:
        client.copy_object(Bucket=shared_bucket, Key=copied, CopySource={"Bucket": shared_bucket, "Key": key})
        assert read(client, shared_bucket, copied) == body
        client.delete_object(Bucket=shared_bucket, Key=copied)
    client.delete_object(Bucket=shared_bucket, Key=key)
    assert not exists(client, shared_bucket, key)


@pytest.mark.parametrize("key", ["a//b", "../up", "plus+and space", "%2F", "üñí", "line\nbreak", "return\rbreak"], ids=ascii)
def test_key_of_an_upload(client, bucket, key):
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)
    assert upload["Key"] == key
    assert [one["Key"] for one in client.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [key]
    encoded = client.list_multipart_uploads(Bucket=bucket, EncodingType="url")["Uploads"]
    assert [unquote_plus(one["Key"]) for one in encoded] == [key]
    part = client.upload_part(Bucket=bucket, Key=key, UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
    done = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"], MultipartUpload=done)
    assert read(client, bucket, key) == b"x"


def test_all_side_by_side(client, bucket):
    """Every awkward key at once: each keeps its own body, and the list is in the order of their bytes."""
    keys = sorted(set(AWKWARD + NORMALISED), key=lambda key: key.encode())
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode()[::-1])
    assert keys_of(client.list_objects_v2(Bucket=bucket)) == keys
    assert keys_of(client.list_objects(Bucket=bucket)) == keys
    for key in keys:
        assert read(client, bucket, key) == key.encode()[::-1]
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert sorted(one["Key"] for one in answer["Deleted"]) == sorted(keys)
    assert keys_of(client.list_objects_v2(Bucket=bucket)) == []


def test_every_single_byte_key(raw, bucket):
    """All 127 ASCII characters but NUL, each as a key of its own."""
    keys = [chr(code) for code in range(1, 128)]
    for key in keys:
        assert raw.put(f"/{bucket}/{quote(key, safe='')}", key.encode()).status == 200, ascii(key)
    for key in keys:
        assert raw.get(f"/{bucket}/{quote(key, safe='')}").body == key.encode(), ascii(key)
    listed = raw.get(f"/{bucket}?list-type=2&encoding-type=url").xml
    assert [unquote_plus(one.text) for one in listed.iter("Key")] == keys


@pytest.mark.parametrize("size, good", [(1023, True), (1024, True), (1025, False), (3000, False)])
@pytest.mark.parametrize("letter", ["k", "ü"])
def test_length_limit(client, raw, bucket, size, good, letter):
    """1024 bytes, however many characters."""
    width = len(letter.encode())
    key = letter * (size // width) + "_" * (size % width)
    if good:
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
        assert keys_of(client.list_objects_v2(Bucket=bucket)) == [key]
        return
    error = refused(400, "KeyTooLongError", client.put_object, Bucket=bucket, Key=key, Body=b"x")["Error"]
    assert error["MaxSizeAllowed"] == "1024" and error["Size"] == str(size)
    refused(400, "KeyTooLongError", client.create_multipart_upload, Bucket=bucket, Key=key)
    refused(400, "KeyTooLongError", client.get_object, Bucket=bucket, Key=key)
    assert raw.request("HEAD", f"/{bucket}/{quote(key)}").status == 400


@pytest.mark.parametrize("target", ["%ff", "a%c3", "%c0%af", "%ed%a0%80"])
def test_key_that_is_no_utf8(raw, bucket, target):
    assert raw.put(f"/{bucket}/{target}", b"x").status == 400
    assert raw.get(f"/{bucket}?list-type=2").xml.find("Contents") is None


@pytest.mark.parametrize("target", ["%", "%4", "%zz", "a%2"])
def test_broken_escape(raw, bucket, target):
    """The signature is not reached: the target has no meaning."""
    reply = raw.put(f"/{bucket}/{target}", b"x")
    reply.is_error(400, "InvalidURI")


def test_slashes_are_never_merged(raw, bucket):
    """What a proxy would clean up, sent raw."""
    targets = ["a//b", "a///b", "//a", "./a", "../a", "a/./b", "a/../b", "a/b/.."]
    for target in targets:
        assert raw.put(f"/{bucket}/{target}", target.encode()).status == 200
    for target in targets:
        assert raw.get(f"/{bucket}/{target}").body == target.encode()
    listed = [one.text for one in raw.get(f"/{bucket}?list-type=2").xml.iter("Key")]
    assert listed == sorted(targets)


def test_plus_in_a_path_is_a_plus(raw, bucket):
    raw.put(f"/{bucket}/a+b", b"plus")
    raw.put(f"/{bucket}/a%20b", b"space")
    assert raw.get(f"/{bucket}/a%2Bb").body == b"plus"
    assert raw.get(f"/{bucket}/a%20b").body == b"space"


def test_control_character_without_url_encoding(raw, bucket):
    """Whatever is answered, it is no success with a document that hides or mangles the key."""
    raw.put(f"/{bucket}/a%01b", b"x")
    reply = raw.get(f"/{bucket}?list-type=2")
    if reply.status == 200:
        assert b"a&#x1;b" in reply.body or b"a&#1;b" in reply.body, reply
    listed = raw.get(f"/{bucket}?list-type=2&encoding-type=url").xml
    assert [one.text for one in listed.iter("Key")] == ["a%01b"]
