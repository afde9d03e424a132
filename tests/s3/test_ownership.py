"""A right is a right to one bucket: not to another that got its name since, nor to one that another spelling names."""

import os
import time

import pytest

from lib import sigv4
from lib.clients import bucket_name, drop_bucket, exists, make_client, read, refused


def test_an_upload_ends_in_no_other_bucket_of_that_name(client, other_client, raw):
    """The bucket is deleted, and made anew by somebody else, while the body is on its way."""
    name = bucket_name()
    client.create_bucket(Bucket=name)
    target, body = f"/{name}/index.html", b"planted by the former owner"
    connection = raw.connect()
    head = raw.head("PUT", target, b"", {"content-length": str(len(body))}, payload=sigv4.UNSIGNED)
    connection.send_head("PUT", target, head)
    connection.send(body[:4])
    time.sleep(0.3)
    client.delete_bucket(Bucket=name)
    other_client.create_bucket(Bucket=name)
    try:
        connection.send(body[4:])
        connection.read_reply().is_error(404, "NoSuchBucket")
        assert not exists(other_client, name, "index.html")
    finally:
        connection.close()
        drop_bucket(other_client, name)


def test_a_target_names_no_other_host_than_the_signed_one(client, bucket, raw):
    """Host is signed; the authority of an absolute target is not, so it must be the same."""
    client.put_object(Bucket=bucket, Key="k", Body=b"content")
    target = f"/{bucket}/k"
    head = raw.head("GET", target, b"", {}, payload=sigv4.UNSIGNED)
    with raw.connect() as connection:
        connection.send_head("GET", "http://elsewhere.test" + target, head)
        assert connection.read_reply().status == 400
    host = next(value for name, value in head.items() if name.lower() == "host")
    with raw.connect() as connection:
        connection.send_head("GET", f"http://{host}" + target, head)
        reply = connection.read_reply()
        assert (reply.status, reply.body) == (200, b"content")


def extents_of(server):
    folder = os.path.join(server.data, "extents")
    return sum(len(files) for path, _, files in os.walk(folder) if path != folder)


@pytest.mark.own_server
def test_a_refused_part_copy_leaves_no_bytes(own_server):
    """A small source is written to an extent of its own before the commit, which may refuse."""
    server = own_server()
    client = make_client(server.endpoint, server.main)
    name = bucket_name()
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="small", Body=b"x" * 1000)
    upload = client.create_multipart_upload(Bucket=name, Key="k")["UploadId"]
    part = {"Bucket": name, "Key": "k", "UploadId": upload, "PartNumber": 1, "CopySource": f"{name}/small"}
    before = extents_of(server) if os.path.isdir(server.data) else 0
    for _ in range(5):
        refused(412, "PreconditionFailed", client.upload_part_copy, CopySourceIfMatch="0" * 32, **part)
    assert extents_of(server) == before
    client.upload_part_copy(**part)
    client.complete_multipart_upload(
        Bucket=name,
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": client.list_parts(Bucket=name, Key="k", UploadId=upload)["Parts"][0]["ETag"]}]},
    )
    assert read(client, name, "k") == b"x" * 1000
