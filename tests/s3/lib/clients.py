"""boto3 clients, buckets that clean up after themselves, and the assertion that a call is refused."""

import itertools
import os
import uuid
from urllib.parse import unquote_plus

import boto3
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
_numbers = itertools.count()


def make_client(endpoint, keys, ca_file=None, **config):
    """A client that tells every failure at once: no retries, path-style."""
    settings = {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "connect_timeout": 10,
        "read_timeout": 120,
        "max_pool_connections": 64,
    }
    settings.update(config)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=keys["access_key"] if keys else None,
        aws_secret_access_key=keys["secret_key"] if keys else None,
        config=Config(**settings),
        verify=ca_file,
    )


def refused(status, code, call, **arguments):
    """Asserts that the call fails with this HTTP status and S3 code, and returns the parsed answer. For HEAD, whose
    errors have no body, the code is the status as text."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    got = (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"])
    assert got == (status, code), f"{got}: {answer['Error'].get('Message')}"
    return answer


def bucket_name(tag="t"):
    return f"{tag}-{uuid.uuid4().hex[:12]}-{os.getpid()}-{next(_numbers)}"


def empty_bucket(client, bucket):
    """Aborts every upload and deletes every version, whatever the keys look like."""
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, EncodingType="url"):
        for begun in page.get("Uploads", []):
            key = unquote_plus(begun["Key"])
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=begun["UploadId"])
    while True:
        page = client.list_object_versions(Bucket=bucket)
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if not found:
            return
        for one in found:
            client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])


def drop_bucket(client, bucket):
    try:
        client.delete_bucket(Bucket=bucket)
        return
    except ClientError as problem:
        code = problem.response["Error"]["Code"]
        if code == "NoSuchBucket":
            return
        if code != "BucketNotEmpty":
            raise
    empty_bucket(client, bucket)
    client.delete_bucket(Bucket=bucket)


def read(client, bucket, key, **more):
    return client.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def exists(client, bucket, key):
    try:
        client.head_object(Bucket=bucket, Key=key)
        return True
    except ClientError as problem:
        assert problem.response["Error"]["Code"] == "404", problem
        return False


def keys_of(page):
    return [one["Key"] for one in page.get("Contents", [])]


def prefixes_of(page):
    return [one["Prefix"] for one in page.get("CommonPrefixes", [])]


def upload(client, bucket, key, parts, **create):
    """A whole multipart upload; returns Complete's answer."""
    begun = client.create_multipart_upload(Bucket=bucket, Key=key, **create)
    done = send_parts(client, bucket, key, begun["UploadId"], parts)
    return client.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=begun["UploadId"], MultipartUpload={"Parts": done}
    )


def send_parts(client, bucket, key, upload_id, parts, first=1):
    """Sends the parts, numbered from `first`, and returns the list that Complete takes."""
    return [
        {
            "PartNumber": number,
            "ETag": client.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in enumerate(parts, first)
    ]


def pattern(size, seed=0):
    """`size` bytes of which no two neighbouring blocks are alike, quickly made."""
    unit = bytes((at * 7 + seed * 13 + (at >> 8) * 31) & 255 for at in range(65521))
    return (unit * (size // len(unit) + 1))[:size]
