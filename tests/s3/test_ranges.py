"""Ranges in all their forms, and the parts of a multipart object by number."""

import pytest

from lib.clients import pattern, refused, upload

BODY = bytes(range(100))
MIB = 1024 * 1024

# (Range, first, last) of a body of 100 bytes; None: the header means nothing, so the whole body is answered with 200
FORMS = [
    ("bytes=0-0", 0, 0),
    ("bytes=0-99", 0, 99),
    ("bytes=10-19", 10, 19),
    ("bytes=99-99", 99, 99),
    ("bytes=50-", 50, 99),
    ("bytes=99-", 99, 99),
    ("bytes=-1", 99, 99),
    ("bytes=-100", 0, 99),
    ("bytes=-101", 0, 99),
    ("bytes=90-1000", 90, 99),
    ("bytes=90-18446744073709551615", 90, 99),
    ("bytes=0000000000000000000000005-6", 5, 6),
    ("Bytes=0-9", 0, 9),
    ("bytes=0-1,3-4", None, None),
    ("bytes=0-0,-1", None, None),
    ("bytes=5-2", None, None),
    ("bytes=a-b", None, None),
    ("bytes=", None, None),
    ("bytes=-", None, None),
    ("bytes=--1", None, None),
    ("bytes 0-1", None, None),
    ("chars=0-1", None, None),
    ("0-1", None, None),
    ("bytes=0x0-0x1", None, None),
]


@pytest.fixture(scope="module")
def stored(client, shared_bucket):
    client.put_object(Bucket=shared_bucket, Key="k", Body=BODY)
    client.put_object(Bucket=shared_bucket, Key="empty", Body=b"")
    return shared_bucket


@pytest.mark.parametrize("text, first, last", FORMS)
def test_form(raw, stored, text, first, last):
    got = raw.get(f"/{stored}/k", headers={"range": text})
    head = raw.request("HEAD", f"/{stored}/k", headers={"range": text})
    assert head.status == got.status
    assert head.headers["content-length"] == got.headers["content-length"]
    if first is None:
        assert (got.status, got.body) == (200, BODY)
        assert "content-range" not in got.headers
        return
    assert (got.status, got.body) == (206, BODY[first : last + 1])
    assert got.headers["content-range"] == head.headers["content-range"] == f"bytes {first}-{last}/100"
    assert got.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("text", ["bytes=100-", "bytes=100-200", "bytes=1000-1001", "bytes=-0"])
def test_past_the_end(raw, stored, text):
    error = raw.get(f"/{stored}/k", headers={"range": text}).is_error(416, "InvalidRange").xml
    assert error.findtext("ActualObjectSize") == "100"
    assert error.findtext("RangeRequested") == text
    assert raw.request("HEAD", f"/{stored}/k", headers={"range": text}).status == 416


@pytest.mark.parametrize("text", ["bytes=0-0", "bytes=0-", "bytes=-1", "bytes=1-"])
def test_of_an_empty_object(raw, stored, text):
    raw.get(f"/{stored}/empty", headers={"range": text}).is_error(416, "InvalidRange")


@pytest.fixture(scope="module")
def parted(client, shared_bucket):
    """(bucket, bodies) of a multipart object of three parts, `parted`; beside it `single`, of one."""
    parts = [pattern(5 * MIB, 1), pattern(5 * MIB + 17, 2), b"the last"]
    upload(client, shared_bucket, "parted", parts)
    upload(client, shared_bucket, "single", [b"only"])
    return shared_bucket, parts


def test_part_numbers(client, parted):
    bucket, parts = parted
    at, whole = 0, sum(map(len, parts))
    for number, part in enumerate(parts, 1):
        got = client.get_object(Bucket=bucket, Key="parted", PartNumber=number)
        assert got["Body"].read() == part
        assert got["ContentRange"] == f"bytes {at}-{at + len(part) - 1}/{whole}"
        assert got["PartsCount"] == 3
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        head = client.head_object(Bucket=bucket, Key="parted", PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"], head["ETag"]) == (len(part), 3, got["ETag"])
        at += len(part)


def test_part_number_of_a_single_part(client, parted):
    got = client.get_object(Bucket=parted[0], Key="single", PartNumber=1)
    assert (got["Body"].read(), got["PartsCount"]) == (b"only", 1)


def test_part_number_of_a_plain_object(client, stored):
    """It has one part, the whole, answered as a range, and does not tell a count."""
    for got in (
        client.get_object(Bucket=stored, Key="k", PartNumber=1),
        client.head_object(Bucket=stored, Key="k", PartNumber=1),
    ):
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert (got["ContentLength"], got["ContentRange"]) == (100, "bytes 0-99/100")
        assert "PartsCount" not in got
    error = refused(416, "InvalidPartNumber", client.get_object, Bucket=stored, Key="k", PartNumber=2)["Error"]
    assert error["ActualPartCount"] == "1"


def test_part_number_out_of_range(client, raw, parted):
    bucket, _ = parted
    error = refused(416, "InvalidPartNumber", client.get_object, Bucket=bucket, Key="parted", PartNumber=4)["Error"]
    assert error["ActualPartCount"] == "3" and error["PartNumberRequested"] == "4"
    refused(416, "416", client.head_object, Bucket=bucket, Key="parted", PartNumber=4)
    for number in ("0", "10001", "-1", "x", ""):
        raw.get(f"/{bucket}/parted?partNumber={number}").is_error(400, "InvalidArgument")


def test_part_number_and_range(client, parted):
    """One or the other."""
    refused(400, "InvalidRequest", client.get_object, Bucket=parted[0], Key="parted", PartNumber=1, Range="bytes=0-1")
