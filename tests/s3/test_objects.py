"""Objects: put, get, head and delete, with their metadata, content headers and overrides."""

import datetime
import email.utils

import pytest

from lib import checksums, sigv4
from lib.clients import exists, pattern, read, refused

CONTENT_HEADERS = {
    "CacheControl": "max-age=60, private",
    "ContentDisposition": 'attachment; filename="a b.txt"',
    "ContentEncoding": "gzip",
    "ContentLanguage": "de, en",
    "ContentType": "text/plain; charset=utf-8",
}
OVERRIDES = {
    "ResponseCacheControl": ("CacheControl", "no-store"),
    "ResponseContentDisposition": ("ContentDisposition", "inline; filename=\"x+y & z.txt\""),
    "ResponseContentEncoding": ("ContentEncoding", "identity"),
    "ResponseContentLanguage": ("ContentLanguage", "fr"),
    "ResponseContentType": ("ContentType", "application/x-test"),
}


@pytest.mark.parametrize("body", [b"", b"\0", b"hello", bytes(range(256)), pattern(100_000)], ids=len)
def test_round_trip(client, bucket, body):
    put = client.put_object(Bucket=bucket, Key="k", Body=body)
    assert put["ETag"] == checksums.etag(body)
    got = client.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body
    assert (got["ETag"], got["ContentLength"]) == (put["ETag"], len(body))
    head = client.head_object(Bucket=bucket, Key="k")
    assert (head["ETag"], head["ContentLength"]) == (put["ETag"], len(body))
    assert head["LastModified"] == got["LastModified"]


def test_default_headers(raw, bucket):
    raw.put(f"/{bucket}/k", b"abc")
    for method in ("GET", "HEAD"):
        reply = raw.request(method, f"/{bucket}/k")
        assert reply.status == 200
        assert reply.headers["content-type"] == "binary/octet-stream"
        assert reply.headers["content-length"] == "3"
        assert reply.headers["accept-ranges"] == "bytes"
        assert reply.headers["etag"] == checksums.etag(b"abc")
        assert reply.headers["x-amz-request-id"]
        modified = email.utils.parsedate_to_datetime(reply.headers["last-modified"])
        assert abs((datetime.datetime.now(datetime.timezone.utc) - modified).total_seconds()) < 60
        assert reply.headers["last-modified"].endswith(" GMT")
        for absent in ("content-encoding", "cache-control", "x-amz-storage-class", "x-amz-version-id", "content-range"):
            assert absent not in reply.headers


def test_put_answer(raw, bucket):
    reply = raw.put(f"/{bucket}/k", b"abc")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["etag"] == checksums.etag(b"abc")
    assert "x-amz-version-id" not in reply.headers


def test_overwrite_replaces_everything(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"first", Metadata={"a": "1"}, ContentType="text/plain")
    client.put_object(Bucket=bucket, Key="k", Body=b"2")
    got = client.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (b"2", {}, "binary/octet-stream")


def test_delete(client, raw, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = raw.request("DELETE", f"/{bucket}/k")
    assert (reply.status, reply.body) == (204, b"")
    assert "x-amz-delete-marker" not in reply.headers
    refused(404, "404", client.head_object, Bucket=bucket, Key="k")
    assert raw.request("DELETE", f"/{bucket}/k").status == 204


def test_missing_key(client, raw, bucket):
    error = refused(404, "NoSuchKey", client.get_object, Bucket=bucket, Key="no/such key")["Error"]
    assert error["Key"] == "no/such key"
    reply = raw.request("HEAD", f"/{bucket}/missing")
    assert (reply.status, reply.body) == (404, b"")


@pytest.mark.parametrize("name", list(CONTENT_HEADERS))
def test_content_header(client, bucket, name):
    client.put_object(Bucket=bucket, Key="k", Body=b"x", **{name: CONTENT_HEADERS[name]})
    assert client.head_object(Bucket=bucket, Key="k")[name] == CONTENT_HEADERS[name]
    assert client.get_object(Bucket=bucket, Key="k")[name] == CONTENT_HEADERS[name]


def test_expires(client, raw, bucket):
    moment = datetime.datetime(2031, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
    client.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=moment)
    assert raw.get(f"/{bucket}/k").headers["expires"] == "Mon, 03 Feb 2031 04:05:06 GMT"


def test_expires_is_kept_as_it_came(raw, bucket):
    raw.put(f"/{bucket}/k", b"x", {"expires": "never"})
    assert raw.get(f"/{bucket}/k").headers["expires"] == "never"


@pytest.mark.parametrize(
    "sent, kept", [("aws-chunked,gzip", "gzip"), ("gzip, aws-chunked", "gzip"), ("aws-chunked", None), ("br", "br"), (None, None)]
)
def test_aws_chunked_is_no_content_encoding(raw, bucket, sent, kept):
    """It names the transfer; what else stands in the header is the object's."""
    headers = {"content-encoding": sent}
    reply = raw.stream(f"/{bucket}/k", sigv4.stream_unsigned(b"x"), 1, sigv4.STREAM_UNSIGNED_TRAILER, headers)
    assert reply.status == 200, reply
    assert raw.get(f"/{bucket}/k").body == b"x"
    assert raw.get(f"/{bucket}/k").headers.get("content-encoding") == kept


def test_metadata(client, bucket):
    metadata = {
        "plain": "value",
        "with-hyphen": "a b  c",
        "under_score": "1",
        "empty": "",
        "punctuation": "!#$%&'()*+,/:;=?@[]~`{}|\\^\"<>",
        "n" * 128: "long name",
    }
    client.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=metadata)
    assert client.head_object(Bucket=bucket, Key="k")["Metadata"] == metadata
    assert client.get_object(Bucket=bucket, Key="k")["Metadata"] == metadata


def test_metadata_names_are_lower_case(raw, bucket):
    raw.put(f"/{bucket}/k", b"x", {"X-Amz-Meta-MiXed": "Value"})
    assert raw.get(f"/{bucket}/k").headers["x-amz-meta-mixed"] == "Value"


def test_metadata_beyond_ascii(raw, bucket):
    """Kept byte for byte, or answered in the form of RFC 2047 as AWS does."""
    raw.put(f"/{bucket}/k", b"x", {"x-amz-meta-name": "Grüße"})
    got = raw.get(f"/{bucket}/k").headers["x-amz-meta-name"]
    if got.startswith("=?"):
        text, charset = email.header.decode_header(got)[0]
        assert text.decode(charset) == "Grüße"
    else:
        assert got.encode("latin-1").decode("utf-8") == "Grüße"


@pytest.mark.parametrize("size, good", [(2047, True), (2048, True), (2049, False)])
def test_metadata_limit(client, bucket, size, good):
    """2 KB: the bytes of names, without their prefix, and values."""
    metadata = {"name": "v" * (size - 100 - 4), "other": "w" * (100 - 5)}
    if good:
        client.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=metadata)
        assert client.head_object(Bucket=bucket, Key="k")["Metadata"] == metadata
    else:
        refused(400, "MetadataTooLarge", client.put_object, Bucket=bucket, Key="k", Body=b"x", Metadata=metadata)
        assert not exists(client, bucket, "k")


@pytest.mark.parametrize("name", list(OVERRIDES))
def test_override(client, bucket, name):
    field, value = OVERRIDES[name]
    client.put_object(Bucket=bucket, Key="k", Body=b"x", **CONTENT_HEADERS)
    assert client.get_object(Bucket=bucket, Key="k", **{name: value})[field] == value
    assert client.head_object(Bucket=bucket, Key="k", **{name: value})[field] == value
    assert client.get_object(Bucket=bucket, Key="k")[field] == CONTENT_HEADERS[field]


def test_override_of_expires(raw, bucket):
    raw.put(f"/{bucket}/k", b"x")
    reply = raw.get(f"/{bucket}/k?response-expires=Mon%2C%2003%20Feb%202031%2004%3A05%3A06%20GMT")
    assert reply.headers["expires"] == "Mon, 03 Feb 2031 04:05:06 GMT"


def test_override_cannot_split_the_answer(raw, bucket):
    """A line break in an override must not become a header."""
    raw.put(f"/{bucket}/k", b"x")
    reply = raw.get(f"/{bucket}/k?response-content-type=a%0D%0Ax-injected%3A%201")
    assert "x-injected" not in reply.headers


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY", "GLACIER_IR"])
def test_storage_class_is_kept(client, bucket, storage_class):
    client.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass=storage_class)
    assert client.head_object(Bucket=bucket, Key="k")["StorageClass"] == storage_class
    assert client.get_object(Bucket=bucket, Key="k")["StorageClass"] == storage_class
    assert client.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == storage_class


def test_storage_class_standard_is_not_shown(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD")
    assert "StorageClass" not in client.head_object(Bucket=bucket, Key="k")
    assert client.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == "STANDARD"


def test_storage_class_unknown(client, bucket):
    refused(400, "InvalidStorageClass", client.put_object, Bucket=bucket, Key="k", Body=b"x", StorageClass="QUICK")
    assert not exists(client, bucket, "k")


@pytest.mark.parametrize("location, good", [("/other", True), ("https://example.com/x", True), ("example.com", False)])
def test_website_redirect(client, bucket, location, good):
    arguments = {"Bucket": bucket, "Key": "k", "Body": b"x", "WebsiteRedirectLocation": location}
    if good:
        client.put_object(**arguments)
        assert client.head_object(Bucket=bucket, Key="k")["WebsiteRedirectLocation"] == location
    else:
        refused(400, "InvalidRedirectLocation", client.put_object, **arguments)


def test_reads_follow_writes(client, bucket):
    """Each read sees the write before it, on whichever connection."""
    for turn in range(40):
        body = b"%d" % turn
        client.put_object(Bucket=bucket, Key="k", Body=body)
        assert read(client, bucket, "k") == body
        assert client.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == checksums.etag(body)
        client.delete_object(Bucket=bucket, Key="k")
        assert not exists(client, bucket, "k")
        assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_version_id_of_a_bucket_without_versions(client, bucket):
    """"null" names the only version; anything else is refused."""
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert read(client, bucket, "k", VersionId="null") == b"x"
    refused(400, "InvalidArgument", client.get_object, Bucket=bucket, Key="k", VersionId="no-such-form")
    client.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert not exists(client, bucket, "k")


def test_get_object_attributes(client, bucket):
    body = b"attributes"
    client.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm="SHA256")
    got = client.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    )
    assert got["ETag"] == checksums.etag(body).strip('"')
    assert got["ObjectSize"] == len(body)
    assert got["StorageClass"] == "STANDARD"
    assert got["Checksum"]["ChecksumSHA256"] == checksums.checksum("SHA256", body)
    assert "ObjectParts" not in got
    assert got["LastModified"] == client.head_object(Bucket=bucket, Key="k")["LastModified"]


def test_get_object_attributes_only_what_is_asked(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    got = client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert got["ObjectSize"] == 1
    assert not {"ETag", "Checksum", "StorageClass"} & set(got)


@pytest.mark.parametrize("value", ["Colour", "ETag,Colour", "", None])
def test_get_object_attributes_of_a_bad_name(raw, bucket, value):
    raw.put(f"/{bucket}/k", b"x")
    raw.get(f"/{bucket}/k?attributes", headers={"x-amz-object-attributes": value}).is_error(400, "InvalidArgument")


def test_get_object_attributes_of_a_missing_key(client, bucket):
    refused(404, "NoSuchKey", client.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=["ETag"])


def test_chunked_transfer_encoding_without_a_length(raw, bucket):
    """AWS asks for the length; the object must not be made."""
    head = raw.head("PUT", f"/{bucket}/k", b"", {"transfer-encoding": "chunked", "content-length": None}, payload="UNSIGNED-PAYLOAD")
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/k", head)
        connection.send(b"5\r\nhello\r\n0\r\n\r\n")
        connection.read_reply().is_error(411, "MissingContentLength")
    assert raw.get(f"/{bucket}/k").status == 404


def test_expect_continue(raw, bucket):
    """100 comes before the body is sent, for a request that may go on."""
    body = b"after the hundred"
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/k", raw.head("PUT", f"/{bucket}/k", body, {"expect": "100-continue"}))
        assert connection.read_reply(interim=True).status == 100
        connection.send(body)
        assert connection.read_reply("PUT").status == 200
    assert raw.get(f"/{bucket}/k").body == body


def test_expect_continue_of_a_refused_request(raw, bucket):
    """The refusal comes instead of 100, so no body is paid for. The connection ends, because it is not known whether
    a body follows; clients go by the header."""
    head = raw.head("PUT", f"/{bucket}/k", b"x" * 1000, {"expect": "100-continue"}, sign=False)
    with raw.connect() as connection:
        connection.send_head("PUT", f"/{bucket}/k", head)
        reply = connection.read_reply("PUT", interim=True).is_error(403, "AccessDenied")
        assert reply.headers["connection"] == "close"
        with pytest.raises((EOFError, ConnectionResetError)):
            connection.read_reply()


def test_expect_continue_of_an_empty_body(raw, bucket):
    """100 comes all the same: the AWS CLI takes any other first answer for a refusal, and then misreads the next."""
    with raw.connect() as connection:
        for _ in range(2):
            head = raw.head("PUT", f"/{bucket}/k", b"", {"expect": "100-continue"})
            connection.send_head("PUT", f"/{bucket}/k", head)
            assert connection.read_reply("PUT", interim=True).status == 100
            assert connection.read_reply("PUT").status == 200


def test_many_requests_on_one_connection(raw, bucket):
    with raw.connect() as connection:
        for turn in range(20):
            body = b"%d" % turn * 1000
            connection.send_head("PUT", f"/{bucket}/k", raw.head("PUT", f"/{bucket}/k", body))
            connection.send(body)
            assert connection.read_reply("PUT").status == 200
            connection.send_head("GET", f"/{bucket}/k", raw.head("GET", f"/{bucket}/k"))
            assert connection.read_reply().body == body


def test_pipelined_requests_are_answered_in_order(raw, bucket):
    for number in range(5):
        raw.put(f"/{bucket}/{number}", b"%d" % number)
    with raw.connect() as connection:
        for number in range(5):
            connection.send_head("GET", f"/{bucket}/{number}", raw.head("GET", f"/{bucket}/{number}"))
        assert [connection.read_reply().body for _ in range(5)] == [b"%d" % number for number in range(5)]
