"""Multipart uploads: parts in any order, what Complete demands, abort, and the lists of uploads and parts."""

import threading

import pytest

from lib import checksums
from lib.clients import exists, pattern, read, refused, send_parts, upload

MIB = 1024 * 1024
PART = 5 * MIB


@pytest.fixture
def begun(client, bucket):
    """(bucket, upload id) of an upload of the key `k`."""
    return bucket, client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]


def complete(client, begun, parts):
    return client.complete_multipart_upload(
        Bucket=begun[0], Key="k", UploadId=begun[1], MultipartUpload={"Parts": parts}
    )


def part(client, begun, number, body):
    etag = client.upload_part(Bucket=begun[0], Key="k", UploadId=begun[1], PartNumber=number, Body=body)["ETag"]
    assert etag == checksums.etag(body)
    return {"PartNumber": number, "ETag": etag}


def test_upload(client, raw, bucket):
    parts = [pattern(PART, 1), pattern(PART + 1, 2), b"last"]
    answer = upload(client, bucket, "a/k", parts, ContentType="text/plain", Metadata={"m": "1"})
    assert answer["ETag"] == checksums.multipart_etag(parts)
    assert (answer["Bucket"], answer["Key"]) == (bucket, "a/k")
    assert answer["Location"].endswith(f"/{bucket}/a/k") or answer["Location"].endswith(f"/{bucket}/a%2Fk")
    got = client.get_object(Bucket=bucket, Key="a/k")
    assert got["Body"].read() == b"".join(parts)
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (answer["ETag"], "text/plain", {"m": "1"})
    (listed,) = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert (listed["ETag"], listed["Size"]) == (answer["ETag"], sum(map(len, parts)))


def test_nothing_shows_before_complete(client, begun):
    bucket, _ = begun
    part(client, begun, 1, b"x")
    assert not exists(client, bucket, "k")
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_upload_replaces_only_when_complete(client, begun):
    bucket, _ = begun
    client.put_object(Bucket=bucket, Key="k", Body=b"old")
    done = part(client, begun, 1, b"new")
    assert read(client, bucket, "k") == b"old"
    complete(client, begun, [done])
    assert read(client, bucket, "k") == b"new"


def test_parts_sent_in_any_order(client, begun):
    bodies = {number: pattern(PART, number) for number in (1, 2, 3)}
    done = {number: part(client, begun, number, bodies[number]) for number in (3, 1, 2)}
    complete(client, begun, [done[1], done[2], done[3]])
    assert read(client, begun[0], "k") == bodies[1] + bodies[2] + bodies[3]


def test_gaps_in_the_numbers(client, begun):
    bodies = {3: pattern(PART, 3), 17: pattern(PART, 17), 10000: b"end"}
    done = [part(client, begun, number, body) for number, body in bodies.items()]
    complete(client, begun, done)
    assert read(client, begun[0], "k") == b"".join(bodies.values())
    for place, body in enumerate(bodies.values(), 1):
        got = client.get_object(Bucket=begun[0], Key="k", PartNumber=place)
        assert (got["Body"].read(), got["PartsCount"]) == (body, 3), "read by place, not by the number it was sent with"
    refused(416, "InvalidPartNumber", client.get_object, Bucket=begun[0], Key="k", PartNumber=17)


def test_only_the_named_parts_count(client, begun):
    first = part(client, begun, 1, pattern(PART))
    part(client, begun, 2, b"left out")
    last = part(client, begun, 3, b"z")
    complete(client, begun, [first, last])
    assert read(client, begun[0], "k") == pattern(PART) + b"z"


def test_a_part_sent_again_replaces_the_first(client, begun):
    old = part(client, begun, 1, b"old")
    new = part(client, begun, 1, b"newer")
    refused(400, "InvalidPart", complete, client=client, begun=begun, parts=[old])
    complete(client, begun, [new])
    assert read(client, begun[0], "k") == b"newer"


def test_one_small_part_is_enough(client, begun):
    answer = complete(client, begun, [part(client, begun, 1, b"x")])
    assert answer["ETag"] == checksums.multipart_etag([b"x"])


def test_an_empty_part(client, begun):
    complete(client, begun, [part(client, begun, 1, b"")])
    assert client.head_object(Bucket=begun[0], Key="k")["ContentLength"] == 0


@pytest.mark.parametrize("sizes, good", [((PART - 1, 1), False), ((PART, 1), True), ((PART, PART - 1, PART), False)])
def test_minimum_size(client, begun, sizes, good):
    """All but the last have 5 MiB; a refused upload can be mended and completed."""
    done = [part(client, begun, number, pattern(size)) for number, size in enumerate(sizes, 1)]
    if good:
        complete(client, begun, done)
        return
    error = refused(400, "EntityTooSmall", complete, client=client, begun=begun, parts=done)["Error"]
    assert error["MinSizeAllowed"] == str(PART) and error["ProposedSize"] == str(PART - 1)
    assert error["PartNumber"] == str(sizes.index(PART - 1) + 1)
    done = [part(client, begun, number, pattern(PART)) for number in range(1, len(sizes) + 1)]
    complete(client, begun, done)
    assert client.head_object(Bucket=begun[0], Key="k")["ContentLength"] == PART * len(sizes)


def test_wrong_order(client, begun):
    done = [part(client, begun, number, pattern(PART, number)) for number in (1, 2)]
    refused(400, "InvalidPartOrder", complete, client=client, begun=begun, parts=done[::-1])


def test_a_part_named_twice(client, begun):
    done = part(client, begun, 1, b"x")
    refused(400, "InvalidPartOrder", complete, client=client, begun=begun, parts=[done, done])


def test_wrong_etag(client, begun):
    part(client, begun, 1, b"x")
    wrong = {"PartNumber": 1, "ETag": checksums.etag(b"y")}
    error = refused(400, "InvalidPart", complete, client=client, begun=begun, parts=[wrong])["Error"]
    assert (error["PartNumber"], error["UploadId"]) == ("1", begun[1])
    assert not exists(client, begun[0], "k")


def test_missing_part(client, begun):
    done = part(client, begun, 1, pattern(PART))
    missing = {"PartNumber": 2, "ETag": done["ETag"]}
    refused(400, "InvalidPart", complete, client=client, begun=begun, parts=[done, missing])


def test_etag_without_quotes(client, begun):
    done = part(client, begun, 1, b"x")
    done["ETag"] = done["ETag"].strip('"')
    complete(client, begun, [done])


BAD_DOCUMENTS = [
    b"",
    b"nonsense",
    b"<CompleteMultipartUpload/>",
    b"<CompleteMultipartUpload></CompleteMultipartUpload>",
    b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
    b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>",
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>",
    b"<Delete/>",
    b'<!DOCTYPE x [<!ENTITY e "1">]><CompleteMultipartUpload><Part><PartNumber>&e;</PartNumber><ETag>a</ETag></Part>'
    b"</CompleteMultipartUpload>",
]


@pytest.mark.parametrize("document", BAD_DOCUMENTS)
def test_bad_document(client, raw, begun, document):
    bucket, upload_id = begun
    part(client, begun, 1, b"x")
    reply = raw.request("POST", f"/{bucket}/k?uploadId={upload_id}", document)
    if document == b"":
        assert reply.status == 400 and reply.code in ("MalformedXML", "InvalidRequest"), reply
    else:
        reply.is_error(400, "MalformedXML")
    assert not exists(client, bucket, "k")


def part_list(numbers, etag):
    rows = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number in numbers)
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()


def test_more_than_ten_thousand_parts(client, raw, begun):
    bucket, upload_id = begun
    done = part(client, begun, 1, b"x")
    reply = raw.request("POST", f"/{bucket}/k?uploadId={upload_id}", part_list(range(1, 10002), done["ETag"]))
    assert reply.status == 400 and reply.code in ("MalformedXML", "InvalidArgument", "InvalidPart"), reply
    assert not exists(client, bucket, "k")


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", "1.5", "", "4294967297"])
def test_bad_part_number(raw, begun, number):
    bucket, upload_id = begun
    raw.put(f"/{bucket}/k?partNumber={number}&uploadId={upload_id}", b"x").is_error(400, "InvalidArgument")


@pytest.mark.parametrize("upload_id", ["nonsense", "../..", "x" * 2000])
def test_unknown_upload(client, bucket, upload_id):
    known = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    refused(404, "NoSuchUpload", client.upload_part, **known, PartNumber=1, Body=b"x")
    refused(404, "NoSuchUpload", client.list_parts, **known)
    refused(404, "NoSuchUpload", client.abort_multipart_upload, **known)
    done = {"Parts": [{"PartNumber": 1, "ETag": checksums.etag(b"x")}]}
    error = refused(404, "NoSuchUpload", client.complete_multipart_upload, **known, MultipartUpload=done)["Error"]
    assert error["UploadId"] == upload_id


def test_an_upload_belongs_to_its_key(client, begun):
    bucket, upload_id = begun
    other = {"Bucket": bucket, "Key": "another", "UploadId": upload_id}
    refused(404, "NoSuchUpload", client.upload_part, **other, PartNumber=1, Body=b"x")
    refused(404, "NoSuchUpload", client.abort_multipart_upload, **other)


def test_abort(client, begun):
    bucket, upload_id = begun
    known = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    part(client, begun, 1, b"x")
    answer = client.abort_multipart_upload(**known)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused(404, "NoSuchUpload", client.abort_multipart_upload, **known)
    refused(404, "NoSuchUpload", client.upload_part, **known, PartNumber=1, Body=b"x")
    refused(404, "NoSuchUpload", client.list_parts, **known)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_complete_again_answers_alike(client, begun):
    """A client that lost the answer tries again, and must not be told that its upload is gone."""
    done = [part(client, begun, 1, b"x")]
    first, second = complete(client, begun, done), complete(client, begun, done)
    assert {name: first[name] for name in ("ETag", "Bucket", "Key", "Location")} == {
        name: second[name] for name in ("ETag", "Bucket", "Key", "Location")
    }


def test_complete_again_does_not_bring_back(client, begun):
    """After an overwrite or a delete, a late repetition changes nothing."""
    bucket, _ = begun
    done = [part(client, begun, 1, b"x")]
    complete(client, begun, done)
    refused(404, "NoSuchUpload", client.list_parts, Bucket=bucket, Key="k", UploadId=begun[1])
    client.put_object(Bucket=bucket, Key="k", Body=b"newer")
    try:
        complete(client, begun, done)
    except client.exceptions.ClientError as problem:
        assert problem.response["Error"]["Code"] == "NoSuchUpload"
    assert read(client, bucket, "k") == b"newer"
    client.delete_object(Bucket=bucket, Key="k")
    refused(404, "NoSuchUpload", complete, client=client, begun=begun, parts=done)
    assert not exists(client, bucket, "k")


def test_complete_at_the_same_time(client, begun):
    """Eight at once: all are answered alike, none fails half way."""
    done = [part(client, begun, 1, b"x")]
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(complete(client, begun, done)["ETag"])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [checksums.multipart_etag([b"x"])] * 8


@pytest.mark.parametrize("stated, good", [(PART + 1, True), (PART, False), (0, False)])
def test_stated_size(client, begun, stated, good):
    """x-amz-mp-object-size is checked against the parts."""
    done = send_parts(client, begun[0], "k", begun[1], [pattern(PART), b"x"])
    arguments = {"Bucket": begun[0], "Key": "k", "UploadId": begun[1], "MultipartUpload": {"Parts": done}}
    if good:
        client.complete_multipart_upload(**arguments, MpuObjectSize=stated)
    else:
        refused(400, "InvalidRequest", client.complete_multipart_upload, **arguments, MpuObjectSize=stated)
        assert not exists(client, begun[0], "k")


def test_part_with_a_wrong_digest(client, raw, begun):
    bucket, upload_id = begun
    target = f"/{bucket}/k?partNumber=1&uploadId={upload_id}"
    part(client, begun, 1, b"good")
    raw.put(target, b"x", {"content-md5": checksums.content_md5(b"y")}).is_error(400, "BadDigest")
    (kept,) = client.list_parts(Bucket=bucket, Key="k", UploadId=upload_id)["Parts"]
    assert kept["ETag"] == checksums.etag(b"good")


def test_metadata_and_headers_come_from_create(client, bucket):
    given = {
        "CacheControl": "no-store",
        "ContentDisposition": "inline",
        "ContentEncoding": "br",
        "ContentLanguage": "fr",
        "ContentType": "a/b",
        "Metadata": {"k": "v"},
        "StorageClass": "STANDARD_IA",
    }
    upload(client, bucket, "k", [b"x"], **given)
    head = client.head_object(Bucket=bucket, Key="k")
    assert {name: head[name] for name in given} == given


def test_list_parts(client, begun, main_user):
    bucket, upload_id = begun
    bodies = {1: b"one", 2: b"two2", 5: b"five5"}
    for number, body in bodies.items():
        part(client, begun, number, body)
    page = client.list_parts(Bucket=bucket, Key="k", UploadId=upload_id)
    assert [(one["PartNumber"], one["Size"], one["ETag"]) for one in page["Parts"]] == [
        (number, len(body), checksums.etag(body)) for number, body in bodies.items()
    ]
    assert (page["Bucket"], page["Key"], page["UploadId"]) == (bucket, "k", upload_id)
    assert (page["StorageClass"], page["IsTruncated"], page["MaxParts"]) == ("STANDARD", False, 1000)
    if main_user["canonical_id"]:
        assert page["Owner"]["ID"] == page["Initiator"]["ID"] == main_user["canonical_id"]
    assert all(one["LastModified"] for one in page["Parts"])


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_list_parts_by_pages(client, begun, size):
    bucket, upload_id = begun
    numbers = [1, 2, 3, 7, 8, 10000]
    for number in numbers:
        part(client, begun, number, b"x")
    got, marker = [], 0
    while True:
        page = client.list_parts(Bucket=bucket, Key="k", UploadId=upload_id, MaxParts=size, PartNumberMarker=marker)
        assert (page["MaxParts"], page["PartNumberMarker"]) == (size, marker)
        got += [one["PartNumber"] for one in page.get("Parts", [])]
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
        assert marker == got[-1]
    assert got == numbers


@pytest.mark.parametrize("query", ["max-parts=-1", "max-parts=x", "part-number-marker=x", "part-number-marker=-1"])
def test_list_parts_with_bad_arguments(raw, begun, query):
    bucket, upload_id = begun
    raw.get(f"/{bucket}/k?uploadId={upload_id}&{query}").is_error(400, "InvalidArgument")


KEYS = ["a", "a", "a", "b/c", "b/d", "b/d", "e", "é"]


@pytest.fixture(scope="module")
def uploads(client, shared_bucket):
    """(bucket, [(key, id)]) of unfinished uploads, several of a key, in the order they are listed."""
    made = []
    for key in KEYS:
        made.append((key, client.create_multipart_upload(Bucket=shared_bucket, Key=key)["UploadId"]))
    return shared_bucket, made


def found(page):
    return [(one["Key"], one["UploadId"]) for one in page.get("Uploads", [])]


def test_list_uploads(client, uploads, main_user):
    """In the order of keys and then of time."""
    bucket, made = uploads
    page = client.list_multipart_uploads(Bucket=bucket)
    assert found(page) == made
    assert (page["Bucket"], page["MaxUploads"], page["IsTruncated"]) == (bucket, 1000, False)
    for one in page["Uploads"]:
        assert one["StorageClass"] == "STANDARD" and one["Initiated"]
        if main_user["canonical_id"]:
            assert one["Owner"]["ID"] == one["Initiator"]["ID"] == main_user["canonical_id"]


@pytest.mark.parametrize("prefix", ["", "a", "b/", "b/d", "none"])
@pytest.mark.parametrize("delimiter", ["", "/", "d"])
def test_list_uploads_by_prefix(client, uploads, prefix, delimiter):
    bucket, made = uploads
    page = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix, Delimiter=delimiter)
    keys, prefixes = [], []
    for key, upload_id in made:
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        if not key.startswith(prefix):
            continue
        if at < 0:
            keys.append((key, upload_id))
        elif key[: at + len(delimiter)] not in prefixes:
            prefixes.append(key[: at + len(delimiter)])
    assert found(page) == keys
    assert [one["Prefix"] for one in page.get("CommonPrefixes", [])] == prefixes


@pytest.mark.parametrize("size", [1, 2, 3, 8])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_list_uploads_by_pages(client, uploads, size, delimiter):
    bucket, made = uploads
    got, prefixes, marker = [], [], {}
    while True:
        page = client.list_multipart_uploads(Bucket=bucket, MaxUploads=size, Delimiter=delimiter, **marker)
        rolled = [one["Prefix"] for one in page.get("CommonPrefixes", [])]
        assert len(found(page)) + len(rolled) <= size
        got, prefixes = got + found(page), prefixes + rolled
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"]}
        if page.get("NextUploadIdMarker"):
            marker["UploadIdMarker"] = page["NextUploadIdMarker"]
    if delimiter:
        assert (got, prefixes) == ([one for one in made if "/" not in one[0]], ["b/"])
    else:
        assert got == made


def test_list_uploads_behind_a_key(client, uploads):
    """A key marker alone passes over every upload of that key."""
    bucket, made = uploads
    assert found(client.list_multipart_uploads(Bucket=bucket, KeyMarker="a")) == made[3:]
    second = made[1][1]
    page = client.list_multipart_uploads(Bucket=bucket, KeyMarker="a", UploadIdMarker=second)
    assert found(page) == made[2:]


@pytest.mark.parametrize("query", ["max-uploads=-1", "max-uploads=x"])
def test_list_uploads_with_bad_arguments(raw, uploads, query):
    raw.get(f"/{uploads[0]}?uploads&{query}").is_error(400, "InvalidArgument")


def test_get_object_attributes(client, bucket):
    parts = [pattern(PART, 1), pattern(PART, 2), b"end"]
    begun = client.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    done = []
    for number, body in enumerate(parts, 1):
        sent = client.upload_part(
            Bucket=bucket, Key="k", UploadId=begun, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
        )
        done.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]})
    client.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=begun, MultipartUpload={"Parts": done})
    names = ["ETag", "ObjectParts", "ObjectSize", "Checksum"]
    got = client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=names)
    assert got["ETag"] == checksums.multipart_etag(parts).strip('"')
    assert got["Checksum"]["ChecksumSHA256"] == checksums.composite("SHA256", parts).partition("-")[0]
    assert got["ObjectParts"]["TotalPartsCount"] == 3
    assert [(one["PartNumber"], one["Size"], one["ChecksumSHA256"]) for one in got["ObjectParts"]["Parts"]] == [
        (number, len(body), checksums.checksum("SHA256", body)) for number, body in enumerate(parts, 1)
    ]
    page = client.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=1, PartNumberMarker=1
    )["ObjectParts"]
    assert [one["PartNumber"] for one in page["Parts"]] == [2]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["MaxParts"]) == (True, 2, 1)


def test_get_object_attributes_without_checksums(client, bucket):
    """Of parts without a checksum only the count is told."""
    upload(client, bucket, "k", [b"x"])
    got = client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"])
    assert got["ObjectParts"] == {"TotalPartsCount": 1}


def test_concurrent_parts(client, begun):
    """Sixteen parts from eight connections."""
    bodies = {number: pattern(PART, number) for number in range(1, 17)}
    done, failures = {}, []

    def send(numbers):
        try:
            for number in numbers:
                done[number] = part(client, begun, number, bodies[number])
        except Exception as problem:  # told by the assertion below, on the main thread
            failures.append(problem)

    threads = [threading.Thread(target=send, args=(range(1 + lane, 17, 8),)) for lane in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    complete(client, begun, [done[number] for number in range(1, 17)])
    assert read(client, begun[0], "k") == b"".join(bodies.values())


def test_whole_checksum_that_cannot_be_told(client, raw, bucket):
    """Parts that were copied have no checksum, so none of the whole is known: one that the client gives is not taken unseen."""
    client.put_object(Bucket=bucket, Key="source", Body=pattern(PART))
    upload_id = raw.request("POST", f"/{bucket}/k?uploads").xml.findtext("UploadId")
    copied = raw.put(
        f"/{bucket}/k?partNumber=1&uploadId={upload_id}", b"", {"x-amz-copy-source": f"{bucket}/source"}
    ).xml.findtext("ETag")
    document = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{copied}</ETag></Part></CompleteMultipartUpload>"
    wrong = {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}
    raw.request("POST", f"/{bucket}/k?uploadId={upload_id}", document.encode(), wrong).is_error(400, "InvalidRequest")
    assert raw.request("POST", f"/{bucket}/k?uploadId={upload_id}", document.encode()).status == 200
