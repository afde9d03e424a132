"""Tags of objects, of their versions, and of buckets."""

import pytest

from lib.clients import read, refused, upload


def tag_set(**tags):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags_of(answer):
    return {one["Key"]: one["Value"] for one in answer["TagSet"]}


def object_tags(client, bucket, key="k", **more):
    return tags_of(client.get_object_tagging(Bucket=bucket, Key=key, **more))


# ---- Objects ----


@pytest.mark.parametrize("body", [b"x", b"", b"large" * 60_000])
def test_put_get_delete(client, bucket, body):
    client.put_object(Bucket=bucket, Key="k", Body=body, Metadata={"m": "1"})
    before = client.head_object(Bucket=bucket, Key="k")
    assert object_tags(client, bucket) == {}
    client.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(a="1", b=""))
    assert object_tags(client, bucket) == {"a": "1", "b": ""}
    client.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(c="3"))
    assert object_tags(client, bucket) == {"c": "3"}
    got = client.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body and got["TagCount"] == 1
    for same in ("ETag", "LastModified", "Metadata"):
        assert got[same] == before[same]
    client.delete_object_tagging(Bucket=bucket, Key="k")
    assert object_tags(client, bucket) == {}
    assert "TagCount" not in client.get_object(Bucket=bucket, Key="k")


def test_header_of_writes(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=two+words&c=%C3%A9")
    assert object_tags(client, bucket) == {"a": "1", "b": "two words", "c": "é"}
    client.put_object(Bucket=bucket, Key="k", Body=b"y")
    assert object_tags(client, bucket) == {}, "a new object has its own tags"
    upload(client, bucket, "m", [b"part"], Tagging="from=upload")
    assert object_tags(client, bucket, "m") == {"from": "upload"}


def test_copies(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")
    source = {"Bucket": bucket, "Key": "k"}
    client.copy_object(Bucket=bucket, Key="same", CopySource=source)
    client.copy_object(Bucket=bucket, Key="new", CopySource=source, TaggingDirective="REPLACE", Tagging="b=2")
    client.copy_object(Bucket=bucket, Key="none", CopySource=source, TaggingDirective="REPLACE")
    assert [object_tags(client, bucket, key) for key in ("same", "new", "none")] == [{"a": "1"}, {"b": "2"}, {}]


def test_versions_have_their_own(client, bucket):
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="a=1")["VersionId"]
    second = client.put_object(Bucket=bucket, Key="k", Body=b"2")["VersionId"]
    answer = client.put_object_tagging(Bucket=bucket, Key="k", VersionId=first, Tagging=tag_set(a="changed"))
    assert answer["VersionId"] == first
    assert client.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(b="2"))["VersionId"] == second
    assert object_tags(client, bucket, VersionId=first) == {"a": "changed"}
    assert object_tags(client, bucket) == {"b": "2"}
    assert read(client, bucket, "k", VersionId=first) == b"1" and read(client, bucket, "k") == b"2"
    client.delete_object_tagging(Bucket=bucket, Key="k", VersionId=first)
    assert (object_tags(client, bucket, VersionId=first), object_tags(client, bucket)) == ({}, {"b": "2"})
    marker = client.delete_object(Bucket=bucket, Key="k")["VersionId"]
    refused(404, "NoSuchKey", client.get_object_tagging, Bucket=bucket, Key="k")
    refused(405, "MethodNotAllowed", client.get_object_tagging, Bucket=bucket, Key="k", VersionId=marker)
    refused(405, "MethodNotAllowed", client.put_object_tagging, Bucket=bucket, Key="k", VersionId=marker, Tagging=tag_set(a="1"))


def test_what_is_not_there(client, bucket):
    refused(404, "NoSuchKey", client.get_object_tagging, Bucket=bucket, Key="k")
    refused(404, "NoSuchKey", client.put_object_tagging, Bucket=bucket, Key="k", Tagging=tag_set(a="1"))
    refused(404, "NoSuchKey", client.delete_object_tagging, Bucket=bucket, Key="k")


BAD_TAGS = [
    ([("k" * 129, "v")], "InvalidTag"),
    ([("k", "v" * 257)], "InvalidTag"),
    ([("a", "1"), ("a", "2")], "InvalidTag"),
    ([("aws:own", "1")], "InvalidTag"),
    ([("a{b", "1")], "InvalidTag"),
    ([("a", "1\n")], "InvalidTag"),
    ([(f"k{number}", "v") for number in range(11)], "BadRequest"),
]


@pytest.mark.parametrize("tags, code", BAD_TAGS)
def test_bad_tags(client, bucket, tags, code):
    client.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="old=1")
    bad = {"TagSet": [{"Key": key, "Value": value} for key, value in tags]}
    refused(400, code, client.put_object_tagging, Bucket=bucket, Key="k", Tagging=bad)
    assert object_tags(client, bucket) == {"old": "1"}


def test_largest_tags(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    largest = {f"{number}" + "é" * 127: "ü" * 256 for number in range(10)}
    client.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(**largest))
    assert object_tags(client, bucket) == largest
    every = {"letters digits 0 +-=._:/@": "a+b-c=d.e_f:g/h@i j"}
    client.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(**every))
    assert object_tags(client, bucket) == every


@pytest.mark.parametrize(
    "header, code",
    [("a=1&a=2", "InvalidArgument"), ("a=%zz", "InvalidArgument"), ("=v", "InvalidTag"), ("a{b=1", "InvalidTag"),
     ("&".join(f"k{number}=v" for number in range(11)), "BadRequest"), ("k=" + "v" * 257, "InvalidTag")],
)
def test_bad_header(raw, bucket, header, code):
    raw.put(f"/{bucket}/k", b"x", {"x-amz-tagging": header}).is_error(400, code)
    raw.get(f"/{bucket}/k").is_error(404, "NoSuchKey")


BAD_DOCUMENTS = [b"<Tagging/>", b"<Tags><TagSet/></Tags>", b"<Tagging><TagSet>", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"]


@pytest.mark.parametrize("document", BAD_DOCUMENTS)
def test_bad_documents(client, raw, bucket, document):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    raw.put(f"/{bucket}/k?tagging", document).is_error(400, "MalformedXML")
    raw.put(f"/{bucket}?tagging", document).is_error(400, "MalformedXML")


def test_no_document(client, raw, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    raw.put(f"/{bucket}/k?tagging", b"").is_error(400, "MissingRequestBodyError")


# ---- Buckets ----


def test_bucket(client, bucket):
    refused(404, "NoSuchTagSet", client.get_bucket_tagging, Bucket=bucket)
    client.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(a="1", b="2"))
    assert tags_of(client.get_bucket_tagging(Bucket=bucket)) == {"a": "1", "b": "2"}
    client.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(**{f"k{number}": "v" for number in range(50)}))
    assert len(client.get_bucket_tagging(Bucket=bucket)["TagSet"]) == 50
    more = tag_set(**{f"k{number}": "v" for number in range(51)})
    refused(400, "BadRequest", client.put_bucket_tagging, Bucket=bucket, Tagging=more)
    client.delete_bucket_tagging(Bucket=bucket)
    client.delete_bucket_tagging(Bucket=bucket)
    refused(404, "NoSuchTagSet", client.get_bucket_tagging, Bucket=bucket)


def test_tags_go_with_their_bucket(client, make_bucket):
    bucket = make_bucket()
    client.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(a="1"))
    client.delete_bucket(Bucket=bucket)
    make_bucket(Bucket=bucket)
    refused(404, "NoSuchTagSet", client.get_bucket_tagging, Bucket=bucket)


def test_bucket_made_with_tags(client, make_bucket):
    bucket = make_bucket(CreateBucketConfiguration={"Tags": [{"Key": "a", "Value": "1"}]})
    assert tags_of(client.get_bucket_tagging(Bucket=bucket)) == {"a": "1"}
    bad = {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    refused(400, "InvalidTag", client.create_bucket, Bucket=bucket + "-2", CreateBucketConfiguration=bad)
    refused(404, "404", client.head_bucket, Bucket=bucket + "-2")


def test_buckets_and_objects_of_others(client, other_client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    refused(403, "AccessDenied", other_client.get_bucket_tagging, Bucket=bucket)
    refused(403, "AccessDenied", other_client.put_bucket_tagging, Bucket=bucket, Tagging=tag_set(a="1"))
    refused(403, "AccessDenied", other_client.get_object_tagging, Bucket=bucket, Key="k")
    refused(403, "AccessDenied", other_client.put_object_tagging, Bucket=bucket, Key="k", Tagging=tag_set(a="1"))
