"""Checksums: five algorithms, as header and as trailer, right and wrong, kept and shown, composite and of the whole."""

import pytest

from lib import checksums, sigv4
from lib.checksums import ALGORITHMS, checksum, composite, header
from lib.clients import exists, pattern, read, refused

MIB = 1024 * 1024
PART = 5 * MIB
BODY = b"The quick brown fox" * 100
CRCS = ["CRC32", "CRC32C", "CRC64NVME"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("body", [b"", b"a", BODY, pattern(300_000)], ids=len)
def test_header(raw, bucket, algorithm, body):
    value = checksum(algorithm, body)
    put = raw.put(f"/{bucket}/k", body, {header(algorithm): value})
    assert put.status == 200, put
    assert put.headers[header(algorithm)] == value
    assert put.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    for method in ("GET", "HEAD"):
        reply = raw.request(method, f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"})
        assert reply.headers[header(algorithm)] == value
        assert reply.headers["x-amz-checksum-type"] == "FULL_OBJECT"
        assert header(algorithm) not in raw.request(method, f"/{bucket}/k").headers


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [10, 300_000])
def test_wrong_header(client, raw, bucket, algorithm, size):
    """BadDigest, and the old object stays."""
    client.put_object(Bucket=bucket, Key="k", Body=b"old")
    wrong = checksum(algorithm, b"something else")
    raw.put(f"/{bucket}/k", pattern(size), {header(algorithm): wrong}).is_error(400, "BadDigest")
    assert read(client, bucket, "k") == b"old"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("value", ["", "x", "AAAA", "not base64!", "A" * 200])
def test_malformed_header(raw, bucket, algorithm, value):
    raw.put(f"/{bucket}/k", BODY, {header(algorithm): value}).is_error(400, "InvalidRequest")
    assert raw.get(f"/{bucket}/k").status == 404


def test_two_headers(raw, bucket):
    both = {header("CRC32"): checksum("CRC32", BODY), header("SHA1"): checksum("SHA1", BODY)}
    raw.put(f"/{bucket}/k", BODY, both).is_error(400, "InvalidRequest")


def test_algorithm_without_a_value(raw, bucket):
    """x-amz-sdk-checksum-algorithm announces a header or a trailer that is not there."""
    raw.put(f"/{bucket}/k", BODY, {"x-amz-sdk-checksum-algorithm": "CRC32"}).is_error(400, "InvalidRequest")


def test_algorithm_beside_another_value(raw, bucket):
    """The header that is there decides over the announcement only when they agree."""
    sent = {"x-amz-sdk-checksum-algorithm": "SHA256", header("CRC32"): checksum("CRC32", BODY)}
    raw.put(f"/{bucket}/k", BODY, sent).is_error(400, "InvalidRequest")


def test_unknown_algorithm(raw, bucket):
    sent = {"x-amz-sdk-checksum-algorithm": "MD4", "x-amz-checksum-md4": "AAAA"}
    raw.put(f"/{bucket}/k", BODY, sent).is_error(400, "InvalidRequest")


@pytest.mark.parametrize("size", [10, 300_000])
def test_content_md5(client, raw, bucket, size):
    body = pattern(size)
    assert raw.put(f"/{bucket}/k", body, {"content-md5": checksums.content_md5(body)}).status == 200
    raw.put(f"/{bucket}/k", b"x" * size, {"content-md5": checksums.content_md5(body)}).is_error(400, "BadDigest")
    assert read(client, bucket, "k") == body


@pytest.mark.parametrize("value", ["x", "AAAA", "not base64 at all!!!!!!!", "1B2M2Y8AsgTpgAmY7PhCfg", ""])
def test_malformed_content_md5(raw, bucket, value):
    raw.put(f"/{bucket}/k", BODY, {"content-md5": value}).is_error(400, "InvalidDigest")
    assert raw.get(f"/{bucket}/k").status == 404


def test_checksum_and_md5_together(raw, bucket):
    good = {"content-md5": checksums.content_md5(BODY), header("SHA256"): checksum("SHA256", BODY)}
    assert raw.put(f"/{bucket}/k", BODY, good).status == 200
    raw.put(f"/{bucket}/k", BODY, {**good, header("SHA256"): checksum("SHA256", b"")}).is_error(400, "BadDigest")


def test_default_checksum(raw, bucket):
    """An object sent without one has a CRC-64/NVME, as on AWS since the end of 2024."""
    put = raw.put(f"/{bucket}/k", BODY)
    assert put.headers[header("CRC64NVME")] == checksum("CRC64NVME", BODY)
    got = raw.get(f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert got.headers[header("CRC64NVME")] == checksum("CRC64NVME", BODY)


@pytest.mark.parametrize("text, shown", [("bytes=0-9", False), ("bytes=1-", False), ("bytes=0-", True), ("bytes=0-99999", True)])
def test_checksum_with_a_range(raw, bucket, text, shown):
    """It is of the whole object, so a part of it comes without, and a range that is all of it with it."""
    raw.put(f"/{bucket}/k", BODY, {header("CRC32"): checksum("CRC32", BODY)})
    headers = {"x-amz-checksum-mode": "ENABLED", "range": text}
    for method in ("GET", "HEAD"):
        got = raw.request(method, f"/{bucket}/k", headers=headers)
        assert got.status == 206 and (header("CRC32") in got.headers) == shown


def test_announced_by_another_header(raw, bucket):
    """x-amz-checksum-algorithm belongs to other operations; PUT takes no notice of it."""
    put = raw.put(f"/{bucket}/k", BODY, {"x-amz-checksum-algorithm": "SHA256"})
    assert put.status == 200 and put.headers[header("CRC64NVME")] == checksum("CRC64NVME", BODY)


def trailer_of(algorithm, body):
    return [(header(algorithm), checksum(algorithm, body))]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 300_000])
def test_unsigned_trailer(raw, bucket, algorithm, size):
    body = pattern(size)
    encoded = sigv4.stream_unsigned(body, trailers=trailer_of(algorithm, body))
    headers = {"x-amz-trailer": header(algorithm)}
    put = raw.stream(f"/{bucket}/k", encoded, size, sigv4.STREAM_UNSIGNED_TRAILER, headers)
    assert put.status == 200, put
    assert put.headers[header(algorithm)] == checksum(algorithm, body)
    got = raw.get(f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert got.body == body
    assert got.headers[header(algorithm)] == checksum(algorithm, body)
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 300_000])
def test_signed_trailer(raw, bucket, algorithm, size):
    body = pattern(size)

    def encoded(moment, seed):
        return sigv4.stream_signed(raw.signer, moment, seed, body, trailers=trailer_of(algorithm, body))

    headers = {"x-amz-trailer": header(algorithm)}
    put = raw.stream(f"/{bucket}/k", encoded, size, sigv4.STREAM_SIGNED_TRAILER, headers)
    assert put.status == 200, put
    assert put.headers[header(algorithm)] == checksum(algorithm, body)
    assert raw.get(f"/{bucket}/k").body == body


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [10, 300_000])
def test_wrong_unsigned_trailer(client, raw, bucket, algorithm, size):
    client.put_object(Bucket=bucket, Key="k", Body=b"old")
    body = pattern(size)
    encoded = sigv4.stream_unsigned(body, trailers=trailer_of(algorithm, b"another"))
    headers = {"x-amz-trailer": header(algorithm)}
    raw.stream(f"/{bucket}/k", encoded, size, sigv4.STREAM_UNSIGNED_TRAILER, headers).is_error(400, "BadDigest")
    assert read(client, bucket, "k") == b"old"


GOOD = f"x-amz-checksum-crc32:{checksum('CRC32', BODY)}"
WRONG = f"x-amz-checksum-crc32:{checksum('CRC32', b'other')}"
# (announced, what stands behind the chunk of size 0, code; empty: accepted)
TRAILERS = [
    ("x-amz-checksum-crc32", f"{GOOD}\r\n\r\n", ""),
    ("x-amz-checksum-crc32", f"{GOOD.replace(':', ': ')}\r\n\r\n", ""),
    ("x-amz-checksum-crc32", f"X-Amz-Checksum-CRC32:{checksum('CRC32', BODY)}\r\n\r\n", ""),
    ("X-Amz-Checksum-Crc32", f"{GOOD}\r\n\r\n", ""),
    ("x-amz-checksum-crc32,", f"{GOOD}\r\n\r\n", ""),
    (None, "\r\n", ""),
    ("x-amz-checksum-crc32", f"{WRONG}\r\n{GOOD}\r\n\r\n", ""),
    ("x-amz-checksum-crc32", f"{GOOD}\r\n{WRONG}\r\n\r\n", "BadDigest"),
    ("x-amz-checksum-crc32", "\r\n", "MalformedTrailerError"),
    ("x-amz-checksum-crc32", "x-amz-checksum-sha1:AAAA\r\n\r\n", "MalformedTrailerError"),
    ("x-amz-checksum-crc32", f"{GOOD}\r\nbonus: trailer\r\n\r\n", "MalformedTrailerError"),
    ("x-amz-checksum-crc32", f"\r\n{GOOD}\r\n\r\n", "MalformedTrailerError"),
    ("x-amz-checksum-crc32c", f"{GOOD}\r\n\r\n", "MalformedTrailerError"),
    ("x-amz-checksum-crc32", "x-amz-checksum-crc32:not-base-64\r\n\r\n", "InvalidRequest"),
    ("x-amz-checksum-crc32", "x-amz-checksum-crc32:\r\n\r\n", "InvalidRequest"),
    ("x-amz-checksum-crc32", f"{GOOD}\n\n", "IncompleteBody"),
    ("x-amz-checksum-crc32", GOOD, "IncompleteBody"),
    ("x-amz-checksum-bad", f"{GOOD}\r\n\r\n", "InvalidRequest"),
    ("content-md5", "content-md5:x\r\n\r\n", "InvalidRequest"),
    ("x-amz-meta-late", "x-amz-meta-late:1\r\n\r\n", "InvalidRequest"),
    ("x-amz-checksum-crc32, x-amz-checksum-sha1", f"{GOOD}\r\n\r\n", "InvalidRequest"),
    ("x-amz-checksum-crc32, x-amz-foo", f"{GOOD}\r\nx-amz-foo:1\r\n\r\n", "InvalidRequest"),
]


@pytest.mark.parametrize("announced, text, code", TRAILERS)
def test_form_of_the_trailer(raw, bucket, announced, text, code):
    """The trailer that x-amz-trailer announces, and no other, has to come, and well-formed."""
    encoded = b"%x\r\n%s\r\n0\r\n%s" % (len(BODY), BODY, text.encode())
    headers = {"x-amz-trailer": announced}
    reply = raw.stream(f"/{bucket}/k", encoded, len(BODY), sigv4.STREAM_UNSIGNED_TRAILER, headers)
    if code:
        reply.is_error(400, code)
        assert raw.get(f"/{bucket}/k").status == 404
    else:
        assert reply.status == 200, reply
        assert raw.get(f"/{bucket}/k").body == BODY


def test_trailer_of_a_body_without_chunks(raw, bucket):
    headers = {"x-amz-trailer": header("CRC32"), "x-amz-sdk-checksum-algorithm": "CRC32"}
    raw.put(f"/{bucket}/k", BODY, headers).is_error(400, "MalformedTrailerError")


def test_checksum_in_a_header_of_a_chunked_body(raw, bucket):
    headers = {header("CRC32"): checksum("CRC32", BODY)}
    encoded = sigv4.stream_unsigned(BODY)
    assert raw.stream(f"/{bucket}/k", encoded, len(BODY), sigv4.STREAM_UNSIGNED_TRAILER, headers).status == 200
    headers = {header("CRC32"): checksum("CRC32", b"other")}
    raw.stream(f"/{bucket}/k", encoded, len(BODY), sigv4.STREAM_UNSIGNED_TRAILER, headers).is_error(400, "BadDigest")


def test_checksum_in_header_and_trailer(raw, bucket):
    encoded = sigv4.stream_unsigned(BODY, trailers=trailer_of("CRC32", BODY))
    headers = {"x-amz-trailer": header("CRC32"), header("SHA1"): checksum("SHA1", BODY)}
    raw.stream(f"/{bucket}/k", encoded, len(BODY), sigv4.STREAM_UNSIGNED_TRAILER, headers).is_error(400, "InvalidRequest")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256", "CRC32C", "CRC64NVME"])
def test_boto3(client, bucket, algorithm):
    """The SDK computes it, sends it as a trailer, and checks it when it reads."""
    body = pattern(100_000)
    field = "Checksum" + algorithm
    put = client.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm=algorithm)
    assert put[field] == checksum(algorithm, body)
    got = client.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert (got[field], got["ChecksumType"]) == (put[field], "FULL_OBJECT")


# Multipart: what each algorithm may be
TYPES = [(algorithm, "COMPOSITE") for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256")]
TYPES += [(algorithm, "FULL_OBJECT") for algorithm in CRCS]
DEFAULTS = [(algorithm, kind) for algorithm, kind in TYPES if (algorithm == "CRC64NVME") == (kind == "FULL_OBJECT")]


def start(client, bucket, algorithm, kind=None):
    more = {"ChecksumType": kind} if kind else {}
    return client.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, **more)


def send(client, bucket, upload_id, algorithm, bodies):
    done = []
    for number, body in enumerate(bodies, 1):
        sent = client.upload_part(
            Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm
        )
        assert sent["Checksum" + algorithm] == checksum(algorithm, body)
        done.append(
            {"PartNumber": number, "ETag": sent["ETag"], "Checksum" + algorithm: sent["Checksum" + algorithm]}
        )
    return done


def whole_checksum(algorithm, kind, bodies):
    return composite(algorithm, bodies) if kind == "COMPOSITE" else checksum(algorithm, b"".join(bodies))


@pytest.mark.parametrize(
    "algorithm, kind, explicit", [row + (True,) for row in TYPES] + [row + (False,) for row in DEFAULTS]
)
def test_multipart(client, bucket, algorithm, kind, explicit):
    """Two parts, the type stated or left to the default of the algorithm."""
    bodies = [bytes(PART) if explicit else pattern(PART), b"tail"]
    begun = start(client, bucket, algorithm, kind if explicit else None)
    assert begun["ChecksumAlgorithm"] == algorithm
    assert begun["ChecksumType"] == kind
    done = send(client, bucket, begun["UploadId"], algorithm, bodies)
    listed = client.list_parts(Bucket=bucket, Key="k", UploadId=begun["UploadId"])
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (algorithm, kind)
    assert [one["Checksum" + algorithm] for one in listed["Parts"]] == [one["Checksum" + algorithm] for one in done]
    (shown,) = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert (shown["ChecksumAlgorithm"], shown["ChecksumType"]) == (algorithm, kind)
    answer = client.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=begun["UploadId"], MultipartUpload={"Parts": done}
    )
    expected = whole_checksum(algorithm, kind, bodies)
    assert (answer["Checksum" + algorithm], answer["ChecksumType"]) == (expected, kind)
    head = client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head["Checksum" + algorithm], head["ChecksumType"]) == (expected, kind)
    part = client.get_object(Bucket=bucket, Key="k", PartNumber=2, ChecksumMode="ENABLED")
    assert part["Body"].read() == bodies[1]
    if kind == "COMPOSITE":
        assert part["Checksum" + algorithm] == checksum(algorithm, bodies[1]), "a part's own"
    else:
        assert "Checksum" + algorithm not in part
    got = client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum"])["Checksum"]
    assert got["Checksum" + algorithm] == expected.partition("-")[0]
    assert got["ChecksumType"] == kind
    (listed,) = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ([algorithm], kind)


@pytest.mark.parametrize("algorithm, kind", [("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")])
def test_types_that_do_not_go_together(client, bucket, algorithm, kind):
    refused(400, "InvalidRequest", start, client=client, bucket=bucket, algorithm=algorithm, kind=kind)


def test_type_without_an_algorithm(raw, bucket):
    reply = raw.request("POST", f"/{bucket}/k?uploads", headers={"x-amz-checksum-type": "FULL_OBJECT"})
    reply.is_error(400, "InvalidRequest")


def test_multipart_wrong_part_checksum(client, raw, bucket):
    begun = start(client, bucket, "CRC32")["UploadId"]
    target = f"/{bucket}/k?partNumber=1&uploadId={begun}"
    raw.put(target, b"x", {header("CRC32"): checksum("CRC32", b"y")}).is_error(400, "BadDigest")
    assert "Parts" not in client.list_parts(Bucket=bucket, Key="k", UploadId=begun)


def test_multipart_another_algorithm(client, raw, bucket):
    """A part's checksum is of the algorithm that the upload was begun with."""
    begun = start(client, bucket, "CRC32")["UploadId"]
    target = f"/{bucket}/k?partNumber=1&uploadId={begun}"
    raw.put(target, b"x", {header("SHA1"): checksum("SHA1", b"x")}).is_error(400, "InvalidRequest")


def complete_with(client, bucket, algorithm, kind, change, **arguments):
    """An upload of one part whose list of parts is changed before Complete."""
    begun = start(client, bucket, algorithm, kind)["UploadId"]
    done = send(client, bucket, begun, algorithm, [BODY])
    change(done[0])
    return client.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=begun, MultipartUpload={"Parts": done}, **arguments
    )


@pytest.mark.parametrize("algorithm, kind", TYPES)
def test_complete_with_a_wrong_part_checksum(client, bucket, algorithm, kind):
    def change(part):
        part["Checksum" + algorithm] = checksum(algorithm, b"other")

    refused(
        400,
        "InvalidPart",
        complete_with,
        client=client,
        bucket=bucket,
        algorithm=algorithm,
        kind=kind,
        change=change,
    )
    assert not exists(client, bucket, "k")


def test_complete_composite_needs_the_parts_checksums(client, bucket):
    """Of a composite checksum; one of the whole object does without."""

    def forget(part):
        part.pop("ChecksumSHA256", None)
        part.pop("ChecksumCRC32", None)

    refused(
        400,
        "InvalidRequest",
        complete_with,
        client=client,
        bucket=bucket,
        algorithm="SHA256",
        kind="COMPOSITE",
        change=forget,
    )
    answer = complete_with(client, bucket, "CRC32", "FULL_OBJECT", forget)
    assert answer["ChecksumCRC32"] == checksum("CRC32", BODY)


@pytest.mark.parametrize("algorithm, kind", TYPES)
def test_complete_with_the_whole_checksum(client, bucket, algorithm, kind):
    """A checksum sent with Complete is compared with what the parts give."""
    field = "Checksum" + algorithm
    good = whole_checksum(algorithm, kind, [BODY])
    wrong = whole_checksum(algorithm, kind, [b"another"])
    refused(
        400,
        "BadDigest",
        complete_with,
        client=client,
        bucket=bucket,
        algorithm=algorithm,
        kind=kind,
        change=lambda part: None,
        **{field: wrong},
    )
    assert not exists(client, bucket, "k")
    answer = complete_with(client, bucket, algorithm, kind, lambda part: None, **{field: good})
    assert answer[field] == good


def test_complete_with_another_type(client, bucket):
    """The type stated at Complete is the one stated at the beginning."""
    refused(
        400,
        "InvalidRequest",
        complete_with,
        client=client,
        bucket=bucket,
        algorithm="CRC32",
        kind="COMPOSITE",
        change=lambda part: None,
        ChecksumType="FULL_OBJECT",
    )


def test_multipart_without_an_algorithm(client, raw, bucket):
    """Gets a CRC-64/NVME of the whole, as on AWS."""
    begun = raw.request("POST", f"/{bucket}/k?uploads").xml.findtext("UploadId")
    part = raw.put(f"/{bucket}/k?partNumber=1&uploadId={begun}", BODY).headers["etag"]
    client.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=begun, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    head = client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == (checksum("CRC64NVME", BODY), "FULL_OBJECT")


def test_delete_objects_by_each_algorithm(raw, bucket):
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    for algorithm in ALGORITHMS:
        raw.put(f"/{bucket}/k", b"x")
        reply = raw.request("POST", f"/{bucket}?delete", body, {header(algorithm): checksum(algorithm, body)})
        assert reply.status == 200 and reply.xml.find("Deleted") is not None
        assert raw.get(f"/{bucket}/k").status == 404
        wrong = checksum(algorithm, b"wrong")
        raw.request("POST", f"/{bucket}?delete", body, {header(algorithm): wrong}).is_error(400, "BadDigest")
