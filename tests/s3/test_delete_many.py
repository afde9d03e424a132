"""DeleteObjects: up to a thousand keys a request, guarded by a digest."""

import pytest

from lib import checksums
from lib.clients import exists, keys_of, refused


def document(keys, extra=""):
    rows = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    return f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rows}{extra}</Delete>'.encode()


def send(raw, bucket, body, **headers):
    return raw.request("POST", f"/{bucket}?delete", body, headers or {"content-md5": checksums.content_md5(body)})


def test_delete(client, bucket):
    for key in ("a", "b", "c/d", "kept"):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    names = [{"Key": key} for key in ("a", "b", "c/d", "missing")]
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": names})
    assert sorted(one["Key"] for one in answer["Deleted"]) == ["a", "b", "c/d", "missing"]
    assert "Errors" not in answer
    assert all(set(one) == {"Key"} for one in answer["Deleted"])
    assert keys_of(client.list_objects_v2(Bucket=bucket)) == ["kept"]


def test_quiet(client, bucket):
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}], "Quiet": True})
    assert "Deleted" not in answer and "Errors" not in answer
    assert not exists(client, bucket, "a")


def test_a_thousand(client, raw, bucket):
    """Of which the first, one between and the last are there."""
    keys = [f"{number:04d}" for number in range(1000)]
    for key in (keys[0], keys[500], keys[-1]):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    reply = send(raw, bucket, document(keys))
    assert reply.status == 200
    assert [one.findtext("Key") for one in reply.xml.iter("Deleted")] == keys
    assert keys_of(client.list_objects_v2(Bucket=bucket)) == []


def test_more_than_a_thousand(client, raw, bucket):
    client.put_object(Bucket=bucket, Key="0000", Body=b"x")
    send(raw, bucket, document(f"{number:04d}" for number in range(1001))).is_error(400, "MalformedXML")
    assert exists(client, bucket, "0000")


def test_no_objects(raw, bucket):
    send(raw, bucket, document([])).is_error(400, "MalformedXML")


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"<Delete><Object><Key>k</Key></Object>",
        b"<Delete><Object></Object></Delete>",
        b"<Delete><Thing>k</Thing></Delete>",
        b"<Remove><Object><Key>k</Key></Object></Remove>",
        b'<!DOCTYPE d [<!ENTITY k "k">]><Delete><Object><Key>&k;</Key></Object></Delete>',
    ],
)
def test_bad_document(client, raw, bucket, body):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    send(raw, bucket, body).is_error(400, "MalformedXML")
    assert exists(client, bucket, "k")


def test_a_digest_is_required(client, raw, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    raw.request("POST", f"/{bucket}?delete", document(["k"])).is_error(400, "InvalidRequest")
    assert exists(client, bucket, "k")


def test_a_wrong_digest(client, raw, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    body = document(["k"])
    wrong = {"content-md5": checksums.content_md5(b"other")}
    raw.request("POST", f"/{bucket}?delete", body, wrong).is_error(400, "BadDigest")
    raw.request("POST", f"/{bucket}?delete", body, {"content-md5": "nonsense"}).is_error(400, "InvalidDigest")
    assert exists(client, bucket, "k")


def test_without_namespace(client, raw, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert send(raw, bucket, b"<Delete><Object><Key>k</Key></Object></Delete>").status == 200
    assert not exists(client, bucket, "k")


def test_null_version(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": "null"}]})
    assert [(one["Key"], one["VersionId"]) for one in answer["Deleted"]] == [("k", "null")]
    assert not exists(client, bucket, "k")


def test_the_same_key_twice(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}, {"Key": "k"}]})
    assert {one["Key"] for one in answer["Deleted"]} == {"k"}


def test_anothers_bucket(client, other_client, bucket):
    """A refusal of the whole request, or of each key; in any case the object stays."""
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    try:
        answer = other_client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
        assert [one["Code"] for one in answer["Errors"]] == ["AccessDenied"]
    except other_client.exceptions.ClientError as problem:
        assert problem.response["Error"]["Code"] == "AccessDenied"
    assert exists(client, bucket, "k")


def test_keys_too_long_and_empty(client, raw, bucket):
    """A key that cannot be is told by itself; the others are deleted."""
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = send(raw, bucket, document(["k", "x" * 1025]))
    if reply.status == 200:
        assert [one.findtext("Code") for one in reply.xml.iter("Error")] == ["KeyTooLongError"]
        assert not exists(client, bucket, "k")
    else:
        assert reply.status == 400 and exists(client, bucket, "k")
    refused(400, "MalformedXML", client.delete_objects, Bucket=bucket, Delete={"Objects": []})
