"""If-* conditions on GET, HEAD, PUT, COPY, DELETE and CompleteMultipartUpload; and that a race has one winner.

GET and HEAD follow RFC 9110 section 13.2.2; the writes follow the S3 User Guide, "Conditional requests".
"""

import datetime
import email.utils
import threading

import pytest

from lib import checksums
from lib.clients import exists, make_client, read
from lib.wire import Wire

GOOD, BAD = checksums.etag(b"body"), checksums.etag(b"another")


@pytest.fixture(scope="module")
def stored(client, shared_bucket):
    """(bucket, moment the object was modified) of the object `k` that reads are tried on."""
    client.put_object(Bucket=shared_bucket, Key="k", Body=b"body")
    return shared_bucket, client.head_object(Bucket=shared_bucket, Key="k")["LastModified"]


def http_date(moment):
    return email.utils.format_datetime(moment.astimezone(datetime.timezone.utc), usegmt=True)


# name → header; "same", "before" and "after" stand for times around the modification
READS = [
    ({"if-match": GOOD}, 200),
    ({"if-match": GOOD.strip('"')}, 200),
    ({"if-match": BAD}, 412),
    ({"if-match": "*"}, 200),
    ({"if-none-match": GOOD}, 304),
    ({"if-none-match": GOOD.strip('"')}, 304),
    ({"if-none-match": BAD}, 200),
    ({"if-none-match": "*"}, 304),
    ({"if-modified-since": "before"}, 200),
    ({"if-modified-since": "same"}, 304),
    ({"if-modified-since": "after"}, 200),  # a time in the future is no condition
    ({"if-modified-since": "no date"}, 200),
    ({"if-unmodified-since": "before"}, 412),
    ({"if-unmodified-since": "same"}, 200),
    ({"if-unmodified-since": "after"}, 200),
    ({"if-unmodified-since": "no date"}, 200),
    # an entity tag decides, and the time beside it is not looked at
    ({"if-match": GOOD, "if-unmodified-since": "before"}, 200),
    ({"if-match": BAD, "if-unmodified-since": "after"}, 412),
    ({"if-none-match": GOOD, "if-modified-since": "before"}, 304),
    ({"if-none-match": BAD, "if-modified-since": "same"}, 200),
    # both kinds: the refusal comes first
    ({"if-match": GOOD, "if-none-match": GOOD}, 304),
    ({"if-match": BAD, "if-none-match": BAD}, 412),
    ({"if-match": GOOD, "if-none-match": BAD}, 200),
]


def with_times(headers, modified):
    steps = {"before": -3600, "same": 0, "after": 3600}
    return {
        name: http_date(modified + datetime.timedelta(seconds=steps[value])) if value in steps else value
        for name, value in headers.items()
    }


@pytest.mark.parametrize("headers, status", READS)
def test_read(raw, stored, headers, status):
    bucket, modified = stored
    headers = with_times(headers, modified)
    got = raw.get(f"/{bucket}/k", headers=headers)
    assert got.status == status, got
    head = raw.request("HEAD", f"/{bucket}/k", headers=headers)
    assert (head.status, head.body) == (status, b"")
    if status == 412:
        assert got.code == "PreconditionFailed"
        assert got.xml.findtext("Condition") in ("If-Match", "If-Unmodified-Since")
    else:
        assert got.headers["etag"] == head.headers["etag"] == GOOD
    if status == 304:
        assert got.body == b"" and got.headers.get("content-length", "0") in ("0", "4")
        assert got.headers["last-modified"]
    if status == 200:
        assert got.body == b"body"


def test_a_condition_on_a_missing_key(raw, bucket):
    for headers in ({"if-match": GOOD}, {"if-none-match": "*"}, {"if-modified-since": http_date(datetime.datetime.now(datetime.timezone.utc))}):
        raw.get(f"/{bucket}/missing", headers=headers).is_error(404, "NoSuchKey")


def test_a_condition_and_a_range(raw, stored):
    bucket, _ = stored
    raw.get(f"/{bucket}/k", headers={"if-match": BAD, "range": "bytes=0-1"}).is_error(412, "PreconditionFailed")
    assert raw.get(f"/{bucket}/k", headers={"if-match": GOOD, "range": "bytes=0-1"}).status == 206
    assert raw.get(f"/{bucket}/k", headers={"if-none-match": GOOD, "range": "bytes=9-"}).status == 304


# (what is there before: None or a body, header, status, code)
WRITES = [
    (None, {"if-none-match": "*"}, 200, ""),
    (b"body", {"if-none-match": "*"}, 412, "PreconditionFailed"),
    (b"body", {"if-match": GOOD}, 200, ""),
    (b"body", {"if-match": GOOD.strip('"')}, 200, ""),
    (b"body", {"if-match": BAD}, 412, "PreconditionFailed"),
    (None, {"if-match": GOOD}, 404, "NoSuchKey"),
    (b"body", {"if-none-match": GOOD}, 501, "NotImplemented"),
    (None, {"if-none-match": GOOD}, 501, "NotImplemented"),
    (b"body", {"if-match": "*"}, 501, "NotImplemented"),
    (b"body", {"if-match": GOOD, "if-none-match": "*"}, 501, "NotImplemented"),
]


def set_before(client, bucket, before):
    if before is not None:
        client.put_object(Bucket=bucket, Key="k", Body=before)


def check_after(client, bucket, before, status, written):
    """A refused write leaves what was there, or nothing."""
    if status == 200:
        assert read(client, bucket, "k") == written
    elif before is None:
        assert not exists(client, bucket, "k")
    else:
        assert read(client, bucket, "k") == before


@pytest.mark.parametrize("before, headers, status, code", WRITES)
def test_put(client, raw, bucket, before, headers, status, code):
    set_before(client, bucket, before)
    reply = raw.put(f"/{bucket}/k", b"new", headers)
    assert (reply.status, reply.code) == (status, code), reply
    if status == 412:
        assert [reply.xml.findtext("Condition").lower()] == list(headers)
    if status == 501:
        assert reply.xml.findtext("Header")
    check_after(client, bucket, before, status, b"new")


@pytest.mark.parametrize("before, headers, status, code", WRITES)
def test_put_of_a_large_body(client, raw, bucket, before, headers, status, code):
    """Bodies too large for the commit itself take another way, with the same rules."""
    body = b"L" * (1 << 20)
    set_before(client, bucket, before)
    reply = raw.put(f"/{bucket}/k", body, headers)
    assert (reply.status, reply.code) == (status, code), reply
    check_after(client, bucket, before, status, body)


@pytest.mark.parametrize("before, headers, status, code", WRITES)
def test_complete(client, raw, bucket, before, headers, status, code):
    set_before(client, bucket, before)
    upload = client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = client.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"new")["ETag"]
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{part}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    reply = raw.request("POST", f"/{bucket}/k?uploadId={upload}", body, headers)
    assert (reply.status, reply.code) == (status, code), reply
    check_after(client, bucket, before, status, b"new")
    if status != 200:
        client.complete_multipart_upload(
            Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
        )
        assert read(client, bucket, "k") == b"new", "a refused Complete can be tried again"


@pytest.mark.parametrize("before, headers, status, code", WRITES)
def test_copy_onto_a_condition(client, raw, bucket, before, headers, status, code):
    """The destination's conditions; the source's are below."""
    client.put_object(Bucket=bucket, Key="source", Body=b"new")
    set_before(client, bucket, before)
    reply = raw.put(f"/{bucket}/k", headers={"x-amz-copy-source": f"/{bucket}/source", **headers})
    assert (reply.status, reply.code) == (status, code), reply
    check_after(client, bucket, before, status, b"new")


# of a copy's source: (headers without their prefix, status)
SOURCES = [
    ({"if-match": GOOD}, 200),
    ({"if-match": BAD}, 412),
    ({"if-none-match": BAD}, 200),
    ({"if-none-match": GOOD}, 412),
    ({"if-modified-since": "before"}, 200),
    ({"if-modified-since": "same"}, 412),
    ({"if-modified-since": "after"}, 200),
    ({"if-unmodified-since": "same"}, 200),
    ({"if-unmodified-since": "before"}, 412),
    ({"if-match": GOOD, "if-unmodified-since": "before"}, 200),
    ({"if-none-match": GOOD, "if-modified-since": "before"}, 412),
]


@pytest.mark.parametrize("headers, status", SOURCES)
def test_copy_source(client, raw, stored, headers, status):
    bucket, modified = stored
    headers = {"x-amz-copy-source-" + name: value for name, value in with_times(headers, modified).items()}
    reply = raw.put(f"/{bucket}/copied", headers={"x-amz-copy-source": f"{bucket}/k", **headers})
    assert (reply.status, reply.code) == (status, "PreconditionFailed" if status == 412 else ""), reply
    assert exists(client, bucket, "copied") == (status == 200)
    client.delete_object(Bucket=bucket, Key="copied")


@pytest.mark.parametrize("headers, status", SOURCES)
def test_part_copy_source(client, raw, stored, headers, status):
    bucket, modified = stored
    headers = {"x-amz-copy-source-" + name: value for name, value in with_times(headers, modified).items()}
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    reply = raw.put(
        f"/{bucket}/parts?partNumber=1&uploadId={upload}", headers={"x-amz-copy-source": f"{bucket}/k", **headers}
    )
    assert (reply.status, reply.code) == (status, "PreconditionFailed" if status == 412 else ""), reply
    client.abort_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload)


@pytest.mark.parametrize(
    "headers, status, gone",
    [({"if-match": GOOD}, 204, True), ({"if-match": BAD}, 412, False), ({"if-match": "*"}, 204, True)],
)
def test_delete(client, raw, bucket, headers, status, gone):
    client.put_object(Bucket=bucket, Key="k", Body=b"body")
    reply = raw.request("DELETE", f"/{bucket}/k", headers=headers)
    assert reply.status == status, reply
    assert exists(client, bucket, "k") != gone


@pytest.mark.parametrize("name", ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"])
def test_delete_conditions_of_directory_buckets(client, raw, bucket, name):
    """General purpose buckets do not serve them; above all they must not be passed over."""
    client.put_object(Bucket=bucket, Key="k", Body=b"body")
    reply = raw.request("DELETE", f"/{bucket}/k", headers={name: "999"})
    reply.is_error(501, "NotImplemented")
    assert exists(client, bucket, "k")


def test_delete_objects_with_entity_tags(client, bucket):
    client.put_object(Bucket=bucket, Key="good", Body=b"body")
    client.put_object(Bucket=bucket, Key="bad", Body=b"body")
    answer = client.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "good", "ETag": GOOD}, {"Key": "bad", "ETag": BAD}]}
    )
    assert [one["Key"] for one in answer["Deleted"]] == ["good"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("bad", "PreconditionFailed")]
    assert exists(client, bucket, "bad") and not exists(client, bucket, "good")


def race(count, act):
    """Runs act(number) on `count` threads that start together; returns what each returned."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(number):
        barrier.wait()
        results[number] = act(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def race_of_puts(server, main_user, bucket, headers, bodies):
    wire = Wire(server.endpoint, main_user)
    return race(len(bodies), lambda number: wire.put(f"/{bucket}/k", bodies[number], headers).status)


@pytest.mark.parametrize("size", [10, 300_000])
def test_64_writers_that_want_nothing_there(server, client, main_user, bucket, size):
    """Exactly one wins, and what it wrote is what stays."""
    bodies = [b"%04d" % number * (size // 4) for number in range(64)]
    statuses = race_of_puts(server, main_user, bucket, {"if-none-match": "*"}, bodies)
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 409, 412}
    assert read(client, bucket, "k") == bodies[statuses.index(200)]


@pytest.mark.parametrize("size", [10, 300_000])
def test_64_writers_that_replace_the_same(server, client, main_user, bucket, size):
    client.put_object(Bucket=bucket, Key="k", Body=b"body")
    bodies = [b"%04d" % number * (size // 4) for number in range(64)]
    statuses = race_of_puts(server, main_user, bucket, {"if-match": GOOD}, bodies)
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 409, 412}
    assert read(client, bucket, "k") == bodies[statuses.index(200)]


def test_16_completes_that_want_nothing_there(server, client, main_user, bucket):
    uploads = []
    for number in range(16):
        upload = client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        part = client.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"%d" % number)
        uploads.append((upload, part["ETag"]))
    wire = Wire(server.endpoint, main_user)

    def complete(number):
        upload, etag = uploads[number]
        body = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        return wire.request("POST", f"/{bucket}/k?uploadId={upload}", body.encode(), {"if-none-match": "*"}).status

    statuses = race(16, complete)
    assert statuses.count(200) == 1, statuses
    assert read(client, bucket, "k") == b"%d" % statuses.index(200)


def test_counter_by_compare_and_swap(server, client, main_user, bucket):
    """Eight clients add one, ten times each, by If-Match: no step is lost."""
    client.put_object(Bucket=bucket, Key="counter", Body=b"0")

    def add_ten(_):
        own = make_client(server.endpoint, main_user)
        done = 0
        while done < 10:
            got = own.get_object(Bucket=bucket, Key="counter")
            value = int(got["Body"].read())
            try:
                own.put_object(Bucket=bucket, Key="counter", Body=b"%d" % (value + 1), IfMatch=got["ETag"])
                done += 1
            except own.exceptions.ClientError as problem:
                assert problem.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412)
        return done

    assert sum(race(8, add_ten)) == 80
    assert read(client, bucket, "counter") == b"80"
