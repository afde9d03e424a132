"""Copies: what they keep, what they replace, where they are refused, and that they move no bytes."""

import time
from urllib.parse import quote

import pytest

from lib import checksums
from lib.clients import exists, pattern, read, refused, send_parts, upload

MIB = 1024 * 1024
FULL = {
    "ContentType": "text/plain",
    "CacheControl": "no-cache",
    "ContentDisposition": "inline",
    "ContentEncoding": "gzip",
    "ContentLanguage": "de",
    "Metadata": {"one": "1", "two": "2"},
}


def source(bucket, key):
    return {"Bucket": bucket, "Key": key}


@pytest.mark.parametrize("size", [0, 1, 1000, 200_000, 6 * MIB])
def test_copy(client, bucket, size):
    body = pattern(size)
    client.put_object(Bucket=bucket, Key="from", Body=body)
    result = client.copy_object(Bucket=bucket, Key="to", CopySource=source(bucket, "from"))["CopyObjectResult"]
    head = client.head_object(Bucket=bucket, Key="to")
    assert result["ETag"] == head["ETag"] == checksums.etag(body)
    assert result["LastModified"].replace(microsecond=0) == head["LastModified"]
    client.delete_object(Bucket=bucket, Key="from")
    assert read(client, bucket, "to") == body, "the copy does not hang on its source"


def test_to_another_bucket(client, bucket, make_bucket):
    other = make_bucket()
    client.put_object(Bucket=bucket, Key="k", Body=b"x", **FULL)
    client.copy_object(Bucket=other, Key="k", CopySource=source(bucket, "k"))
    assert read(client, other, "k") == b"x"
    client.delete_object(Bucket=bucket, Key="k")
    client.delete_bucket(Bucket=bucket)
    assert read(client, other, "k") == b"x"


def test_copy_keeps_the_metadata(client, bucket):
    """The directive COPY, the default, passes over what the request brings."""
    client.put_object(Bucket=bucket, Key="from", Body=b"x", **FULL)
    client.copy_object(
        Bucket=bucket, Key="to", CopySource=source(bucket, "from"), Metadata={"new": "3"}, ContentType="image/png"
    )
    head = client.head_object(Bucket=bucket, Key="to")
    assert {name: head[name] for name in FULL} == FULL


def test_replace_replaces_all_of_it(client, bucket):
    client.put_object(Bucket=bucket, Key="from", Body=b"x", **FULL)
    client.copy_object(
        Bucket=bucket,
        Key="to",
        CopySource=source(bucket, "from"),
        MetadataDirective="REPLACE",
        Metadata={"new": "3"},
        ContentType="image/png",
    )
    head = client.head_object(Bucket=bucket, Key="to")
    assert (head["Metadata"], head["ContentType"]) == ({"new": "3"}, "image/png")
    assert not {"CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage"} & set(head)


def test_replace_with_nothing(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x", **FULL)
    client.copy_object(Bucket=bucket, Key="k", CopySource=source(bucket, "k"), MetadataDirective="REPLACE")
    head = client.head_object(Bucket=bucket, Key="k")
    assert (head["Metadata"], head["ContentType"]) == ({}, "binary/octet-stream")


def test_unknown_directive(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    refused(
        400,
        "InvalidArgument",
        client.copy_object,
        Bucket=bucket,
        Key="to",
        CopySource=source(bucket, "k"),
        MetadataDirective="KEEP",
    )
    assert not exists(client, bucket, "to")


def test_onto_itself(client, bucket):
    """Allowed only when it changes something."""
    client.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "1"})
    itself = {"Bucket": bucket, "Key": "k", "CopySource": source(bucket, "k")}
    refused(400, "InvalidRequest", client.copy_object, **itself)
    client.copy_object(**itself, MetadataDirective="REPLACE", Metadata={"b": "2"})
    got = client.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["Metadata"]) == (b"x", {"b": "2"})
    client.copy_object(**itself, StorageClass="STANDARD_IA")
    assert client.head_object(Bucket=bucket, Key="k")["StorageClass"] == "STANDARD_IA"


def test_storage_class_is_not_copied(client, bucket):
    client.put_object(Bucket=bucket, Key="from", Body=b"x", StorageClass="STANDARD_IA")
    client.copy_object(Bucket=bucket, Key="to", CopySource=source(bucket, "from"))
    assert "StorageClass" not in client.head_object(Bucket=bucket, Key="to")


def test_website_redirect_is_not_copied(client, bucket):
    client.put_object(Bucket=bucket, Key="from", Body=b"x", WebsiteRedirectLocation="/there")
    client.copy_object(Bucket=bucket, Key="to", CopySource=source(bucket, "from"))
    assert "WebsiteRedirectLocation" not in client.head_object(Bucket=bucket, Key="to")


def test_missing_source(client, bucket):
    refused(404, "NoSuchKey", client.copy_object, Bucket=bucket, Key="to", CopySource=source(bucket, "missing"))
    refused(404, "NoSuchBucket", client.copy_object, Bucket=bucket, Key="to", CopySource="no-such-bucket-1/k")
    refused(404, "NoSuchBucket", client.copy_object, Bucket="no-such-bucket-1", Key="to", CopySource=f"{bucket}/k")
    assert not exists(client, bucket, "to")


@pytest.mark.parametrize("text", ["", "/", "nokey", "nokey/", "/nokey/"])
def test_bad_source(raw, bucket, text):
    raw.put(f"/{bucket}/to", headers={"x-amz-copy-source": text}).is_error(400, "InvalidArgument")


@pytest.mark.parametrize("key", ["a b", "a+b", "a%2Fb", "ü/ñ", "a?b", "a&b=c", "a//b", "../a", "😀", "a#b", "versionId"])
def test_special_characters_in_the_source(client, raw, bucket, key):
    """The header is percent-encoded, with or without a slash before the bucket."""
    client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for stem in ("", "/"):
        reply = raw.put(f"/{bucket}/to", headers={"x-amz-copy-source": stem + quote(f"{bucket}/{key}")})
        assert reply.status == 200, reply
        assert read(client, bucket, "to") == key.encode()
    reply = raw.put(f"/{bucket}/to", headers={"x-amz-copy-source": quote(f"{bucket}/{key}", safe="")})
    assert reply.status == 200, reply


def test_version_of_the_source(client, bucket):
    client.put_object(Bucket=bucket, Key="from", Body=b"x")
    client.copy_object(
        Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from", "VersionId": "null"}
    )
    assert read(client, bucket, "to") == b"x"


def test_a_question_mark_belongs_to_the_key_when_encoded(client, raw, bucket):
    client.put_object(Bucket=bucket, Key="from?versionId=null", Body=b"q")
    client.put_object(Bucket=bucket, Key="from", Body=b"plain")
    raw.put(f"/{bucket}/to", headers={"x-amz-copy-source": f"{bucket}/from%3FversionId=null"})
    assert read(client, bucket, "to") == b"q"
    raw.put(f"/{bucket}/to", headers={"x-amz-copy-source": f"{bucket}/from?versionId=null"})
    assert read(client, bucket, "to") == b"plain"


def test_anothers_object(client, other_client, bucket, make_bucket):
    client.put_object(Bucket=bucket, Key="secret", Body=b"x")
    own = make_bucket(owner=other_client)
    refused(403, "AccessDenied", other_client.copy_object, Bucket=own, Key="k", CopySource=source(bucket, "secret"))
    assert not exists(other_client, own, "k")
    other_client.put_object(Bucket=own, Key="mine", Body=b"y")
    refused(403, "AccessDenied", other_client.copy_object, Bucket=bucket, Key="k", CopySource=source(own, "mine"))
    assert not exists(client, bucket, "k")


def test_part_copy_of_anothers_object(client, other_client, bucket, make_bucket):
    client.put_object(Bucket=bucket, Key="secret", Body=b"x")
    own = make_bucket(owner=other_client)
    begun = other_client.create_multipart_upload(Bucket=own, Key="k")["UploadId"]
    refused(
        403,
        "AccessDenied",
        other_client.upload_part_copy,
        Bucket=own,
        Key="k",
        UploadId=begun,
        PartNumber=1,
        CopySource=source(bucket, "secret"),
    )


def test_a_body_is_no_copy(raw, bucket):
    """A copy has no body; one that comes is not stored as the object."""
    raw.put(f"/{bucket}/from", b"x")
    reply = raw.put(f"/{bucket}/to", b"a body", {"x-amz-copy-source": f"{bucket}/from"})
    assert reply.status in (200, 400)
    if reply.status == 200:
        assert raw.get(f"/{bucket}/to").body == b"x"


def test_checksum_of_a_copy(client, bucket):
    """Kept from the source, or computed anew when another algorithm is asked for."""
    client.put_object(Bucket=bucket, Key="from", Body=b"abc", ChecksumAlgorithm="SHA256")
    kept = client.copy_object(Bucket=bucket, Key="to", CopySource=source(bucket, "from"))["CopyObjectResult"]
    assert kept["ChecksumSHA256"] == checksums.checksum("SHA256", b"abc")
    anew = client.copy_object(
        Bucket=bucket, Key="to", CopySource=source(bucket, "from"), ChecksumAlgorithm="SHA1"
    )["CopyObjectResult"]
    assert anew["ChecksumSHA1"] == checksums.checksum("SHA1", b"abc")
    head = client.head_object(Bucket=bucket, Key="to", ChecksumMode="ENABLED")
    assert head["ChecksumSHA1"] == anew["ChecksumSHA1"] and "ChecksumSHA256" not in head


def test_of_a_multipart_object(client, bucket):
    parts = [pattern(5 * MIB), b"tail"]
    upload(client, bucket, "from", parts)
    result = client.copy_object(Bucket=bucket, Key="to", CopySource=source(bucket, "from"))["CopyObjectResult"]
    assert result["ETag"] == client.head_object(Bucket=bucket, Key="to")["ETag"]
    client.delete_object(Bucket=bucket, Key="from")
    assert read(client, bucket, "to") == b"".join(parts)


@pytest.mark.own_server
def test_a_copy_moves_no_bytes(server, client, bucket):
    """Twenty copies of 64 MiB take a small part of the time of as many uploads."""
    count = 20
    client.put_object(Bucket=bucket, Key="from", Body=b"warm")
    client.copy_object(Bucket=bucket, Key="warm", CopySource=source(bucket, "from"))
    body = pattern(64 * MIB)
    begin = time.monotonic()
    client.put_object(Bucket=bucket, Key="from", Body=body)
    one_upload = time.monotonic() - begin
    begin = time.monotonic()
    for number in range(count):
        client.copy_object(Bucket=bucket, Key=f"to-{number}", CopySource=source(bucket, "from"))
    copies = time.monotonic() - begin
    assert copies < one_upload * count / 4, (copies, one_upload)
    client.delete_object(Bucket=bucket, Key="from")
    assert read(client, bucket, f"to-{count - 1}", Range="bytes=1000-2000") == body[1000:2001]


# ranges of a source of 12 MiB
PART_RANGES = [
    ("bytes=0-0", 0, 0),
    ("bytes=0-5242879", 0, 5 * MIB - 1),
    ("bytes=1-5242881", 1, 5 * MIB + 1),
    ("bytes=5242879-5242881", 5 * MIB - 1, 5 * MIB + 1),
    ("bytes=12582911-12582911", 12 * MIB - 1, 12 * MIB - 1),
]


@pytest.fixture(scope="module")
def big(client, shared_bucket):
    """(bucket, body) of the source of part copies, `big`, itself made of parts."""
    body = pattern(12 * MIB, 5)
    upload(client, shared_bucket, "big", [body[: 5 * MIB], body[5 * MIB : 11 * MIB], body[11 * MIB :]])
    return shared_bucket, body


@pytest.mark.parametrize("text, first, last", PART_RANGES)
def test_part_copy_of_a_range(client, big, text, first, last):
    bucket, body = big
    begun = client.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    result = client.upload_part_copy(
        Bucket=bucket, Key="to", UploadId=begun, PartNumber=1, CopySource=source(bucket, "big"), CopySourceRange=text
    )["CopyPartResult"]
    piece = body[first : last + 1]
    assert result["LastModified"]
    (listed,) = client.list_parts(Bucket=bucket, Key="to", UploadId=begun)["Parts"]
    assert (listed["ETag"], listed["Size"]) == (result["ETag"], len(piece))
    client.complete_multipart_upload(
        Bucket=bucket,
        Key="to",
        UploadId=begun,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": result["ETag"]}]},
    )
    assert read(client, bucket, "to") == piece
    client.delete_object(Bucket=bucket, Key="to")


def test_part_copy_of_a_whole_object_has_its_etag(client, bucket):
    client.put_object(Bucket=bucket, Key="from", Body=b"whole")
    begun = client.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    result = client.upload_part_copy(
        Bucket=bucket, Key="to", UploadId=begun, PartNumber=1, CopySource=source(bucket, "from")
    )["CopyPartResult"]
    assert result["ETag"] == checksums.etag(b"whole")


@pytest.mark.parametrize(
    "text", ["bytes=0-12582912", "bytes=5-2", "bytes=0-", "bytes=-5", "0-5", "bytes=a-b", "bytes=0-1,3-4"]
)
def test_part_copy_of_a_bad_range(client, big, text):
    """Only first-last, and inside the source."""
    bucket, _ = big
    begun = client.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    arguments = {"Bucket": bucket, "Key": "to", "UploadId": begun, "PartNumber": 1}
    refused(
        400,
        "InvalidArgument",
        client.upload_part_copy,
        **arguments,
        CopySource=source(bucket, "big"),
        CopySourceRange=text,
    )
    client.abort_multipart_upload(Bucket=bucket, Key="to", UploadId=begun)


@pytest.mark.parametrize("text", ["bytes=12582912-12582912", "bytes=99999999-100000000"])
def test_part_copy_behind_the_end(client, big, text):
    bucket, _ = big
    begun = client.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    arguments = {"Bucket": bucket, "Key": "to", "UploadId": begun, "PartNumber": 1, "CopySourceRange": text}
    refused(400, "InvalidRequest", client.upload_part_copy, **arguments, CopySource=source(bucket, "big"))
    client.abort_multipart_upload(Bucket=bucket, Key="to", UploadId=begun)


def test_a_range_is_no_part_of_a_copy(raw, bucket):
    """A Range header beside x-amz-copy-source is refused: it would be passed over."""
    raw.put(f"/{bucket}/from", b"0123456789")
    headers = {"x-amz-copy-source": f"{bucket}/from", "range": "bytes=0-2"}
    raw.put(f"/{bucket}/to", headers=headers).is_error(400, "InvalidArgument")


def test_part_copies_beside_parts(client, big):
    bucket, body = big
    begun = client.create_multipart_upload(Bucket=bucket, Key="mixed")["UploadId"]
    whole = client.upload_part_copy(
        Bucket=bucket, Key="mixed", UploadId=begun, PartNumber=2, CopySource=source(bucket, "big")
    )["CopyPartResult"]
    done = send_parts(client, bucket, "mixed", begun, [pattern(5 * MIB, 9)])
    done.append({"PartNumber": 2, "ETag": whole["ETag"]})
    done += send_parts(client, bucket, "mixed", begun, [b"end"], first=3)
    client.complete_multipart_upload(Bucket=bucket, Key="mixed", UploadId=begun, MultipartUpload={"Parts": done})
    client.delete_object(Bucket=bucket, Key="to")
    assert read(client, bucket, "mixed") == pattern(5 * MIB, 9) + body + b"end"
    client.delete_object(Bucket=bucket, Key="mixed")


def test_part_copy_of_a_missing_source(client, bucket):
    begun = client.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    arguments = {"Bucket": bucket, "Key": "to", "UploadId": begun, "PartNumber": 1}
    refused(404, "NoSuchKey", client.upload_part_copy, **arguments, CopySource=source(bucket, "missing"))
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    arguments["UploadId"] = "nonsense"
    refused(404, "NoSuchUpload", client.upload_part_copy, **arguments, CopySource=source(bucket, "k"))
