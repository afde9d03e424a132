"""Bodies of the sizes at which the server changes its ways, put and read back whole and across every boundary."""

import hashlib

import pytest

from lib import checksums
from lib.clients import pattern, send_parts

KIB, MIB = 1024, 1024 * 1024
BOUNDARIES = [4 * KIB, 16 * KIB, 64 * KIB, 128 * KIB, 256 * KIB, MIB, 4 * MIB, 5 * MIB]
SIZES = [0, 1, 2, 15, 16, 17, 511, 512, 513]
SIZES += [boundary + step for boundary in BOUNDARIES for step in (-1, 0, 1)]
SIZES += [8 * MIB, 16 * MIB + 3]


def ranges_of(size):
    """(first, last) pairs around the ends, the middle and every boundary inside the body."""
    marks = {0, 1, size // 2, size - 1} | {boundary for boundary in BOUNDARIES if boundary < size}
    for mark in sorted(mark for mark in marks if 0 <= mark < size):
        yield mark, mark
        yield max(mark - 1, 0), min(mark + 1, size - 1)
        yield max(mark - 5000, 0), min(mark + 70000, size - 1)
    yield 0, size - 1


@pytest.mark.parametrize("size", SIZES)
def test_put_and_read_back(client, shared_bucket, size):
    body, key = pattern(size, size), f"size-{size}"
    assert client.put_object(Bucket=shared_bucket, Key=key, Body=body)["ETag"] == checksums.etag(body)
    got = client.get_object(Bucket=shared_bucket, Key=key)
    assert got["ContentLength"] == size
    assert got["Body"].read() == body
    if size:
        for first, last in ranges_of(size):
            part = client.get_object(Bucket=shared_bucket, Key=key, Range=f"bytes={first}-{last}")
            assert part["ContentRange"] == f"bytes {first}-{last}/{size}"
            assert part["Body"].read() == body[first : last + 1], (first, last)
    client.delete_object(Bucket=shared_bucket, Key=key)


def test_64_mib(client, shared_bucket):
    body = pattern(64 * MIB)
    client.put_object(Bucket=shared_bucket, Key="large", Body=body)
    got = client.get_object(Bucket=shared_bucket, Key="large")["Body"]
    digest = hashlib.sha256()
    for block in got.iter_chunks(MIB):
        digest.update(block)
    assert digest.digest() == hashlib.sha256(body).digest()
    for first, last in ((0, 0), (64 * MIB - 1, 64 * MIB - 1), (31 * MIB - 7, 33 * MIB + 7)):
        part = client.get_object(Bucket=shared_bucket, Key="large", Range=f"bytes={first}-{last}")
        assert part["Body"].read() == body[first : last + 1]
    client.delete_object(Bucket=shared_bucket, Key="large")


def test_ranges_across_parts(client, shared_bucket):
    """Parts of odd sizes; each boundary is read across."""
    sizes = [5 * MIB, 5 * MIB + 1, 6 * MIB - 7, 1]
    parts = [pattern(size, number) for number, size in enumerate(sizes)]
    whole = b"".join(parts)
    upload = client.create_multipart_upload(Bucket=shared_bucket, Key="parts")["UploadId"]
    done = send_parts(client, shared_bucket, "parts", upload, parts)
    answer = client.complete_multipart_upload(
        Bucket=shared_bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": done}
    )
    assert answer["ETag"] == checksums.multipart_etag(parts)
    assert client.get_object(Bucket=shared_bucket, Key="parts")["Body"].read() == whole
    at = 0
    for size in sizes:
        for first, last in ((at - 1, at), (at, at), (at - 3, at + size), (at + size - 1, at + size)):
            first, last = max(first, 0), min(last, len(whole) - 1)
            part = client.get_object(Bucket=shared_bucket, Key="parts", Range=f"bytes={first}-{last}")
            assert part["Body"].read() == whole[first : last + 1], (first, last)
        at += size
