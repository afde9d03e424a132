"""Buckets: made, named, listed, looked at, deleted, and each the owner's own."""

import pytest

from lib.clients import bucket_name, make_client, refused

GOOD_NAMES = [
    "abc",
    "a" * 63,
    "3com",
    "with-hyphen",
    "with.period",
    "a1.b2-c3",
    "1.2.3.4.5",
    "256-1-1-1",
    "x--y",
]
BAD_NAMES = [
    "ab",
    "a" * 64,
    "Upper",
    "under_score",
    "-begins",
    "ends-",
    ".begins",
    "ends.",
    "two..periods",
    "period.-hyphen",
    "hyphen-.period",
    "192.168.5.4",
    "xn--abc",
    "sthree-abc",
    "amzn-s3-demo-abc",
    "abc-s3alias",
    "abc--ol-s3",
    "abc.mrap",
    "abc--x-s3",
    "sp%20ace",
    "uml%C3%A4ut",
]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_name(raw, client, name):
    """Names at the edges of the rules; unlike those of other tests they are fixed, so they are deleted at once."""
    assert raw.put("/" + name).status == 200
    client.delete_bucket(Bucket=name)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_name(raw, name):
    raw.put("/" + name).is_error(400, "InvalidBucketName")


def test_create_answers_with_location(raw, client):
    name = bucket_name()
    reply = raw.put("/" + name)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["location"] == "/" + name
    client.delete_bucket(Bucket=name)


def test_trailing_slash_names_the_bucket(raw, client):
    name = bucket_name()
    assert raw.put(f"/{name}/").status == 200
    assert raw.request("HEAD", f"/{name}/").status == 200
    assert raw.request("DELETE", f"/{name}/").status == 204
    refused(404, "404", client.head_bucket, Bucket=name)


def test_create_again_by_the_owner_keeps_what_is_in_it(client, bucket):
    """us-east-1 answers 200 to the owner's second create; every other region BucketAlreadyOwnedByYou."""
    client.put_object(Bucket=bucket, Key="kept", Body=b"1")
    client.create_bucket(Bucket=bucket)
    assert client.head_object(Bucket=bucket, Key="kept")["ContentLength"] == 1


def test_create_of_anothers_bucket(other_client, bucket):
    refused(409, "BucketAlreadyExists", other_client.create_bucket, Bucket=bucket)


@pytest.mark.parametrize(
    "body, code",
    [
        (b"<", "MalformedXML"),
        (b"<Other/>", "MalformedXML"),
        (b"<CreateBucketConfiguration><LocationConstraint>", "MalformedXML"),
        (
            b"<CreateBucketConfiguration><LocationConstraint>no such place!</LocationConstraint>"
            b"</CreateBucketConfiguration>",
            "InvalidLocationConstraint",
        ),
    ],
)
def test_create_with_a_bad_body(raw, client, body, code):
    name = bucket_name()
    raw.put("/" + name, body).is_error(400, code)
    refused(404, "404", client.head_bucket, Bucket=name)


def test_location_of_the_first_region_is_empty(client, raw, bucket):
    assert client.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    root = raw.get(f"/{bucket}?location").xml
    assert (root.tag, root.text) == ("LocationConstraint", None)


def test_head(client, bucket):
    answer = client.head_bucket(Bucket=bucket)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
    assert answer["BucketRegion"] == "us-east-1"


def test_missing_bucket(client):
    name = bucket_name("missing")
    refused(404, "404", client.head_bucket, Bucket=name)
    refused(404, "NoSuchBucket", client.list_objects, Bucket=name)
    refused(404, "NoSuchBucket", client.list_objects_v2, Bucket=name)
    refused(404, "NoSuchBucket", client.list_object_versions, Bucket=name)
    refused(404, "NoSuchBucket", client.list_multipart_uploads, Bucket=name)
    refused(404, "NoSuchBucket", client.get_bucket_location, Bucket=name)
    refused(404, "NoSuchBucket", client.put_object, Bucket=name, Key="k", Body=b"")
    refused(404, "NoSuchBucket", client.get_object, Bucket=name, Key="k")
    refused(404, "404", client.head_object, Bucket=name, Key="k")
    refused(404, "NoSuchBucket", client.delete_object, Bucket=name, Key="k")
    refused(404, "NoSuchBucket", client.delete_objects, Bucket=name, Delete={"Objects": [{"Key": "k"}]})
    refused(404, "NoSuchBucket", client.create_multipart_upload, Bucket=name, Key="k")
    error = refused(404, "NoSuchBucket", client.delete_bucket, Bucket=name)["Error"]
    assert error["BucketName"] == name


@pytest.mark.parametrize(
    "operation, arguments",
    [
        ("list_objects", {}),
        ("list_objects_v2", {}),
        ("list_object_versions", {}),
        ("list_multipart_uploads", {}),
        ("get_bucket_location", {}),
        ("put_object", {"Key": "k", "Body": b"x"}),
        ("get_object", {"Key": "k"}),
        ("delete_object", {"Key": "k"}),
        ("create_multipart_upload", {"Key": "k"}),
        ("delete_bucket", {}),
    ],
)
def test_anothers_bucket_is_closed(client, other_client, bucket, operation, arguments):
    client.put_object(Bucket=bucket, Key="k", Body=b"mine")
    refused(403, "AccessDenied", getattr(other_client, operation), Bucket=bucket, **arguments)
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"mine"


def test_anothers_bucket_head(other_client, bucket):
    refused(403, "403", other_client.head_bucket, Bucket=bucket)
    refused(403, "403", other_client.head_object, Bucket=bucket, Key="missing")


def test_delete(client):
    name = bucket_name()
    client.create_bucket(Bucket=name)
    answer = client.delete_bucket(Bucket=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused(404, "NoSuchBucket", client.delete_bucket, Bucket=name)


def test_delete_of_a_bucket_that_holds_objects(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"")
    refused(409, "BucketNotEmpty", client.delete_bucket, Bucket=bucket)
    client.delete_object(Bucket=bucket, Key="k")
    client.delete_bucket(Bucket=bucket)


def test_a_bucket_made_again_is_empty(client, make_bucket):
    """Nothing of a deleted bucket comes back, an unfinished upload neither."""
    name = make_bucket()
    client.put_object(Bucket=name, Key="gone", Body=b"1")
    upload = client.create_multipart_upload(Bucket=name, Key="unfinished")["UploadId"]
    client.delete_object(Bucket=name, Key="gone")
    try:
        client.delete_bucket(Bucket=name)
    except client.exceptions.ClientError:
        client.abort_multipart_upload(Bucket=name, Key="unfinished", UploadId=upload)
        client.delete_bucket(Bucket=name)
    client.create_bucket(Bucket=name)
    assert "Contents" not in client.list_objects_v2(Bucket=name)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=name)
    refused(404, "NoSuchUpload", client.list_parts, Bucket=name, Key="unfinished", UploadId=upload)


def test_names_are_taken_by_bytes(client, make_bucket):
    """Bucket names that begin alike are different buckets."""
    stem = bucket_name()
    for name in (stem, stem + "a", stem + "-a", stem + ".a"):
        make_bucket(Bucket=name)
        client.put_object(Bucket=name, Key=name, Body=b"")
    for name in (stem, stem + "a", stem + "-a", stem + ".a"):
        assert [one["Key"] for one in client.list_objects_v2(Bucket=name)["Contents"]] == [name]


def test_list_shows_the_own_buckets_in_order(client, other_client, make_bucket, main_user):
    names = [make_bucket() for _ in range(5)]
    foreign = make_bucket(owner=other_client)
    answer = client.list_buckets()
    listed = [one["Name"] for one in answer["Buckets"]]
    assert set(names) <= set(listed) and foreign not in listed
    assert listed == sorted(listed)
    if main_user["canonical_id"]:
        assert answer["Owner"]["ID"] == main_user["canonical_id"]
    assert all(one["CreationDate"].tzinfo for one in answer["Buckets"])
    assert foreign in [one["Name"] for one in other_client.list_buckets()["Buckets"]]


def test_list_by_prefix_and_page(client, make_bucket):
    stem = bucket_name("page")
    names = sorted(make_bucket(Bucket=f"{stem}-{number}") for number in range(5))
    got, token, pages = [], {}, 0
    while True:
        answer = client.list_buckets(Prefix=stem, MaxBuckets=2, **token)
        assert answer["Prefix"] == stem
        assert len(answer["Buckets"]) <= 2
        got += [one["Name"] for one in answer["Buckets"]]
        pages += 1
        if "ContinuationToken" not in answer:
            break
        token = {"ContinuationToken": answer["ContinuationToken"]}
    assert (got, pages) == (names, 3)
    assert all(one["BucketRegion"] == "us-east-1" for one in answer["Buckets"])


def test_list_by_region(client, raw, bucket):
    """A filter that is accepted filters."""
    assert [one["Name"] for one in client.list_buckets(Prefix=bucket, BucketRegion="us-east-1")["Buckets"]] == [bucket]
    assert client.list_buckets(Prefix=bucket, BucketRegion="eu-west-1")["Buckets"] == []


@pytest.mark.parametrize("query", ["max-buckets=0", "max-buckets=10001", "max-buckets=x", "max-buckets=-1"])
def test_list_with_a_bad_page_size(raw, query):
    raw.get("/?" + query).is_error(400, "InvalidArgument")


def test_list_with_a_bad_token(raw):
    raw.get("/?continuation-token=not-a-token&max-buckets=1").is_error(400, "InvalidArgument")


def test_list_of_a_user_without_buckets(own_user_client):
    assert own_user_client.list_buckets()["Buckets"] == []


@pytest.fixture
def own_user_client(server, request):
    if server.engine == "foreign":
        pytest.skip("needs a user of its own")
    return make_client(server.endpoint, server.make_user("nobody-" + bucket_name()[-6:]))


def test_expected_owner(client, bucket):
    """A mismatch of x-amz-expected-bucket-owner is refused, never passed over."""
    refused(403, "AccessDenied", client.list_objects_v2, Bucket=bucket, ExpectedBucketOwner="000000000000")
    refused(403, "AccessDenied", client.put_object, Bucket=bucket, Key="k", ExpectedBucketOwner="000000000000")
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
