"""Versions: what each write leaves behind, delete markers, suspended buckets, the null version, and lists of all versions."""

import random

import pytest

from lib import checksums
from lib.clients import exists, keys_of, make_client, pattern, prefixes_of, read, refused, upload

MIB = 1024 * 1024
ABSENT = "0006000000000000aaaaaaaaaaaaaaaa"  # of the form of a version id


def set_versioning(client, bucket, status):
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


@pytest.fixture
def versioned(client, bucket):
    set_versioning(client, bucket, "Enabled")
    return bucket


def put(client, bucket, key, body, **more):
    return client.put_object(Bucket=bucket, Key=key, Body=body, **more).get("VersionId")


def versions_of(client, bucket, **more):
    """(key, version id, is latest, is marker) of every version, in the list's order, joined from one page after another."""
    found, marker = [], {}
    while True:
        page = client.list_object_versions(Bucket=bucket, **marker, **more)
        here = [(one["Key"], one["VersionId"], one["IsLatest"], False) for one in page.get("Versions", [])]
        here += [(one["Key"], one["VersionId"], one["IsLatest"], True) for one in page.get("DeleteMarkers", [])]
        found += here
        if not page["IsTruncated"]:
            return found
        assert here, "a page that leads nowhere"
        marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


# ---- The bucket's setting ----


def test_setting(client, bucket):
    assert "Status" not in client.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended", "Enabled", "Enabled"):
        set_versioning(client, bucket, status)
        assert client.get_bucket_versioning(Bucket=bucket)["Status"] == status


BAD_DOCUMENTS = [
    (b"<VersioningConfiguration/>", 400, "IllegalVersioningConfigurationException"),
    (b"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", 400, "MalformedXML"),
    (b"<VersioningConfiguration><Status/></VersioningConfiguration>", 400, "MalformedXML"),
    (b"<Versioning><Status>Enabled</Status></Versioning>", 400, "MalformedXML"),
    (b"<VersioningConfiguration><Status>Enabled", 400, "MalformedXML"),
    (b"", 400, "MissingRequestBodyError"),
    (
        b"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>",
        501,
        "NotImplemented",
    ),
]


@pytest.mark.parametrize("document, status, code", BAD_DOCUMENTS)
def test_bad_setting(client, raw, bucket, document, status, code):
    raw.put(f"/{bucket}?versioning", document).is_error(status, code)
    assert "Status" not in client.get_bucket_versioning(Bucket=bucket)


def test_setting_of_another(other_client, client, bucket):
    setting = {"Status": "Enabled"}
    refused(403, "AccessDenied", other_client.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=setting)
    refused(403, "AccessDenied", other_client.get_bucket_versioning, Bucket=bucket)
    missing = bucket + "-none"
    refused(404, "NoSuchBucket", client.put_bucket_versioning, Bucket=missing, VersioningConfiguration=setting)


# ---- Writes and reads ----


def test_overwrites_are_kept(client, versioned):
    bodies = [b"one", b"", pattern(300_000), b"four"]
    ids = [put(client, versioned, "k", body) for body in bodies]
    assert len(set(ids)) == 4 and all(ids)
    for number, body in zip(ids, bodies):
        got = client.get_object(Bucket=versioned, Key="k", VersionId=number)
        assert got["Body"].read() == body
        assert (got["VersionId"], got["ETag"]) == (number, checksums.etag(body))
        head = client.head_object(Bucket=versioned, Key="k", VersionId=number)
        assert (head["ContentLength"], head["VersionId"]) == (len(body), number)
    assert read(client, versioned, "k") == b"four"
    assert client.head_object(Bucket=versioned, Key="k")["VersionId"] == ids[3]
    assert keys_of(client.list_objects_v2(Bucket=versioned)) == ["k"]
    assert [one[1] for one in versions_of(client, versioned)] == ids[::-1]


def test_no_ids_without_versions(client, bucket):
    assert put(client, bucket, "k", b"x") is None
    assert "VersionId" not in client.head_object(Bucket=bucket, Key="k")
    assert "VersionId" not in client.delete_object(Bucket=bucket, Key="k")


def test_what_was_there_before_is_the_null_version(client, bucket):
    put(client, bucket, "k", b"before")
    set_versioning(client, bucket, "Enabled")
    assert client.head_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    newer = put(client, bucket, "k", b"after")
    assert read(client, bucket, "k", VersionId="null") == b"before"
    assert [one[1] for one in versions_of(client, bucket)] == [newer, "null"]


def test_metadata_belongs_to_a_version(client, versioned):
    first = put(client, versioned, "k", b"x", Metadata={"a": "1"}, ContentType="text/plain")
    put(client, versioned, "k", b"y", Metadata={"b": "2"})
    old = client.head_object(Bucket=versioned, Key="k", VersionId=first)
    assert (old["Metadata"], old["ContentType"]) == ({"a": "1"}, "text/plain")
    assert client.head_object(Bucket=versioned, Key="k")["Metadata"] == {"b": "2"}


def test_unknown_versions(client, versioned):
    put(client, versioned, "k", b"x")
    refused(404, "NoSuchVersion", client.get_object, Bucket=versioned, Key="k", VersionId=ABSENT)
    refused(404, "NoSuchVersion", client.get_object, Bucket=versioned, Key="k", VersionId="null")
    refused(404, "NoSuchVersion", client.get_object, Bucket=versioned, Key="other", VersionId=ABSENT)
    refused(400, "InvalidArgument", client.get_object, Bucket=versioned, Key="k", VersionId="no-such-form")
    refused(400, "InvalidArgument", client.delete_object, Bucket=versioned, Key="k", VersionId="no-such-form")
    assert client.delete_object(Bucket=versioned, Key="k", VersionId=ABSENT)["VersionId"] == ABSENT
    assert exists(client, versioned, "k")


def test_an_id_that_is_nearly_right(raw, client, versioned):
    """The place of a delete marker with another end: nothing is told of the marker."""
    put(client, versioned, "k", b"x")
    marker = client.delete_object(Bucket=versioned, Key="k")["VersionId"]
    other = marker[:-1] + ("0" if marker[-1] != "0" else "1")
    reply = raw.get(f"/{versioned}/k?versionId={other}").is_error(404, "NoSuchVersion")
    assert "x-amz-delete-marker" not in reply.headers


def test_a_version_of_another_key(client, versioned):
    number = put(client, versioned, "k", b"x")
    put(client, versioned, "other", b"y")
    refused(404, "NoSuchVersion", client.get_object, Bucket=versioned, Key="other", VersionId=number)
    client.delete_object(Bucket=versioned, Key="other", VersionId=number)
    assert read(client, versioned, "k") == b"x" and read(client, versioned, "other") == b"y"


def test_ranges_and_conditions_of_a_version(client, versioned):
    first = put(client, versioned, "k", b"0123456789")
    put(client, versioned, "k", b"other")
    assert read(client, versioned, "k", VersionId=first, Range="bytes=2-4") == b"234"
    etag = checksums.etag(b"0123456789")
    assert read(client, versioned, "k", VersionId=first, IfMatch=etag) == b"0123456789"
    refused(412, "PreconditionFailed", client.get_object, Bucket=versioned, Key="k", IfMatch=etag)


def test_attributes_of_a_version(client, versioned):
    first = put(client, versioned, "k", b"12345")
    put(client, versioned, "k", b"1")
    got = client.get_object_attributes(Bucket=versioned, Key="k", VersionId=first, ObjectAttributes=["ObjectSize"])
    assert (got["ObjectSize"], got["VersionId"]) == (5, first)


def test_multipart_makes_a_version(client, versioned):
    first = put(client, versioned, "k", b"small")
    parts = [pattern(5 * MIB, 1), b"end"]
    done = upload(client, versioned, "k", parts)
    assert client.head_object(Bucket=versioned, Key="k")["VersionId"] == done["VersionId"]
    assert read(client, versioned, "k", VersionId=done["VersionId"]) == b"".join(parts)
    assert read(client, versioned, "k", VersionId=first) == b"small"
    second = client.get_object(Bucket=versioned, Key="k", VersionId=done["VersionId"], PartNumber=2)
    assert second["Body"].read() == b"end"


# ---- Delete markers ----


def test_delete_hides(client, raw, versioned):
    first = put(client, versioned, "k", b"kept")
    gone = client.delete_object(Bucket=versioned, Key="k")
    assert gone["DeleteMarker"] is True and gone["VersionId"] not in (first, "null")
    for method in ("GET", "HEAD"):
        reply = raw.request(method, f"/{versioned}/k")
        assert reply.status == 404
        assert (reply.headers["x-amz-delete-marker"], reply.headers["x-amz-version-id"]) == ("true", gone["VersionId"])
        reply = raw.request(method, f"/{versioned}/k?versionId={gone['VersionId']}")
        assert (reply.status, reply.headers["x-amz-delete-marker"], reply.headers["allow"]) == (405, "true", "DELETE")
    raw.get(f"/{versioned}/k?versionId={gone['VersionId']}").is_error(405, "MethodNotAllowed")
    assert read(client, versioned, "k", VersionId=first) == b"kept"
    assert keys_of(client.list_objects_v2(Bucket=versioned)) == []
    assert versions_of(client, versioned) == [("k", first, False, False), ("k", gone["VersionId"], True, True)]


def test_removing_the_marker_restores(client, versioned):
    put(client, versioned, "k", b"kept")
    marker = client.delete_object(Bucket=versioned, Key="k")["VersionId"]
    answer = client.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    assert (answer["DeleteMarker"], answer["VersionId"]) == (True, marker)
    assert read(client, versioned, "k") == b"kept"


def test_a_marker_for_what_never_was(client, versioned):
    assert client.delete_object(Bucket=versioned, Key="k")["DeleteMarker"] is True
    assert client.delete_object(Bucket=versioned, Key="k")["DeleteMarker"] is True
    assert [one[2:] for one in versions_of(client, versioned)] == [(True, True), (False, True)]


def test_removing_the_newest_uncovers_the_next(client, versioned):
    first, second = put(client, versioned, "k", b"1"), put(client, versioned, "k", b"2")
    answer = client.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert answer["VersionId"] == second and "DeleteMarker" not in answer
    assert (read(client, versioned, "k"), client.head_object(Bucket=versioned, Key="k")["VersionId"]) == (b"1", first)
    client.delete_object(Bucket=versioned, Key="k", VersionId=first)
    assert not exists(client, versioned, "k") and versions_of(client, versioned) == []


def test_a_hidden_object_does_not_exist_for_conditions(client, versioned):
    put(client, versioned, "k", b"1")
    refused(412, "PreconditionFailed", client.put_object, Bucket=versioned, Key="k", Body=b"2", IfNoneMatch="*")
    client.delete_object(Bucket=versioned, Key="k")
    refused(404, "NoSuchKey", client.put_object, Bucket=versioned, Key="k", Body=b"2", IfMatch=checksums.etag(b"1"))
    put(client, versioned, "k", b"3", IfNoneMatch="*")
    assert read(client, versioned, "k") == b"3"


def test_a_condition_on_a_deletion(client, versioned):
    put(client, versioned, "k", b"1")
    refused(412, "PreconditionFailed", client.delete_object, Bucket=versioned, Key="k", IfMatch='"00"')
    assert client.delete_object(Bucket=versioned, Key="k", IfMatch=checksums.etag(b"1"))["DeleteMarker"] is True


def test_a_bucket_with_markers_is_not_empty(client, make_bucket):
    bucket = make_bucket()
    set_versioning(client, bucket, "Enabled")
    number = put(client, bucket, "k", b"x")
    marker = client.delete_object(Bucket=bucket, Key="k")["VersionId"]
    refused(409, "BucketNotEmpty", client.delete_bucket, Bucket=bucket)
    client.delete_object(Bucket=bucket, Key="k", VersionId=number)
    refused(409, "BucketNotEmpty", client.delete_bucket, Bucket=bucket)
    client.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    client.delete_bucket(Bucket=bucket)


# ---- Suspended ----


def test_suspended_writes_replace_the_null_version(client, versioned):
    first = put(client, versioned, "k", b"1")
    set_versioning(client, versioned, "Suspended")
    assert put(client, versioned, "k", b"2") == "null"
    assert put(client, versioned, "k", b"3") == "null"
    assert [one[1] for one in versions_of(client, versioned)] == ["null", first]
    assert read(client, versioned, "k", VersionId="null") == b"3"
    set_versioning(client, versioned, "Enabled")
    second = put(client, versioned, "k", b"4")
    assert [one[1] for one in versions_of(client, versioned)] == [second, "null", first]


def test_suspended_deletions_replace_the_null_version(client, versioned):
    first = put(client, versioned, "k", b"1")
    set_versioning(client, versioned, "Suspended")
    put(client, versioned, "k", b"2")
    answer = client.delete_object(Bucket=versioned, Key="k")
    assert (answer["DeleteMarker"], answer["VersionId"]) == (True, "null")
    assert versions_of(client, versioned) == [("k", first, False, False), ("k", "null", True, True)]
    client.delete_object(Bucket=versioned, Key="k")
    assert len(versions_of(client, versioned)) == 2
    client.delete_object(Bucket=versioned, Key="k", VersionId="null")
    assert read(client, versioned, "k") == b"1"


def test_an_old_null_version_is_replaced_where_it_is(client, bucket):
    put(client, bucket, "k", b"null")
    set_versioning(client, bucket, "Enabled")
    ids = [put(client, bucket, "k", body) for body in (b"1", b"2")]
    set_versioning(client, bucket, "Suspended")
    put(client, bucket, "k", b"new null")
    assert [one[1] for one in versions_of(client, bucket)] == ["null", ids[1], ids[0]]
    assert read(client, bucket, "k", VersionId="null") == b"new null"


# ---- Copies ----


def test_copy_of_a_version(client, versioned):
    first = put(client, versioned, "k", b"old")
    put(client, versioned, "k", b"new")
    answer = client.copy_object(
        Bucket=versioned, Key="k", CopySource={"Bucket": versioned, "Key": "k", "VersionId": first}
    )
    assert answer["CopySourceVersionId"] == first and answer["VersionId"] not in (first, None)
    assert read(client, versioned, "k") == b"old" and len(versions_of(client, versioned)) == 3
    answer = client.copy_object(Bucket=versioned, Key="to", CopySource={"Bucket": versioned, "Key": "k"})
    assert answer["CopySourceVersionId"] == client.head_object(Bucket=versioned, Key="k")["VersionId"]


def test_copy_of_a_marker(client, versioned):
    put(client, versioned, "k", b"x")
    marker = client.delete_object(Bucket=versioned, Key="k")["VersionId"]
    source = {"Bucket": versioned, "Key": "k"}
    refused(404, "NoSuchKey", client.copy_object, Bucket=versioned, Key="to", CopySource=source)
    source["VersionId"] = marker
    refused(400, "InvalidRequest", client.copy_object, Bucket=versioned, Key="to", CopySource=source)
    source["VersionId"] = ABSENT
    refused(404, "NoSuchVersion", client.copy_object, Bucket=versioned, Key="to", CopySource=source)


def test_part_copy_of_a_version(client, versioned):
    body = pattern(6 * MIB)
    first = put(client, versioned, "k", body)
    put(client, versioned, "k", b"new")
    begun = client.create_multipart_upload(Bucket=versioned, Key="to")["UploadId"]
    answer = client.upload_part_copy(
        Bucket=versioned,
        Key="to",
        UploadId=begun,
        PartNumber=1,
        CopySource={"Bucket": versioned, "Key": "k", "VersionId": first},
        CopySourceRange="bytes=1-6000000",
    )
    assert answer["CopySourceVersionId"] == first
    client.complete_multipart_upload(
        Bucket=versioned,
        Key="to",
        UploadId=begun,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": answer["CopyPartResult"]["ETag"]}]},
    )
    assert read(client, versioned, "to") == body[1:6000001]


# ---- DeleteObjects ----


def test_delete_many(client, versioned):
    """More than one commit's worth, markers and versions side by side."""
    ids = {f"{number:03}": put(client, versioned, f"{number:03}", b"x") for number in range(70)}
    answer = client.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": key} for key in ids]})
    assert [one["Key"] for one in answer["Deleted"]] == list(ids)
    markers = {one["Key"]: one["DeleteMarkerVersionId"] for one in answer["Deleted"] if one["DeleteMarker"]}
    assert len(set(markers.values())) == 70
    assert client.list_objects_v2(Bucket=versioned)["KeyCount"] == 0
    named = [{"Key": key, "VersionId": markers[key]} for key in ids]
    answer = client.delete_objects(Bucket=versioned, Delete={"Objects": named})
    assert all(one["DeleteMarker"] and one["VersionId"] == one["DeleteMarkerVersionId"] for one in answer["Deleted"])
    assert client.list_objects_v2(Bucket=versioned)["KeyCount"] == 70
    named = [{"Key": key, "VersionId": number} for key, number in ids.items()]
    answer = client.delete_objects(Bucket=versioned, Delete={"Objects": named})
    assert all("DeleteMarker" not in one for one in answer["Deleted"])
    assert versions_of(client, versioned) == []


def test_the_same_key_twice(client, versioned):
    put(client, versioned, "k", b"x")
    answer = client.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "k"}, {"Key": "k"}]})
    assert len({one["DeleteMarkerVersionId"] for one in answer["Deleted"]}) == 2
    assert len(versions_of(client, versioned)) == 3


# ---- Lists ----


def test_markers_of_a_list(raw, client, versioned):
    put(client, versioned, "k", b"x")
    raw.get(f"/{versioned}?versions&key-marker=k&version-id-marker=no-such-form").is_error(400, "InvalidArgument")
    page = client.list_object_versions(Bucket=versioned, KeyMarker="k")
    assert "Versions" not in page
    page = client.list_object_versions(Bucket=versioned, KeyMarker="k", VersionIdMarker="null")
    assert "Versions" not in page and page["VersionIdMarker"] == "null"


@pytest.fixture(scope="module")
def history(client, shared_bucket):
    """A bucket with a past, and what its list of versions must be."""
    chance, past = random.Random(7), {}
    names = ["a", "a/b", "a/c", "a/c/d", "b", "b/x", "c", "é", "z"]
    for name in names[:5]:
        put(client, shared_bucket, name, b"null")
        past[name] = [("null", False)]
    set_versioning(client, shared_bucket, "Enabled")
    for _ in range(60):
        name = chance.choice(names)
        if chance.random() < 0.3:
            made = (client.delete_object(Bucket=shared_bucket, Key=name)["VersionId"], True)
        else:
            made = (put(client, shared_bucket, name, b"x"), False)
        past.setdefault(name, []).insert(0, made)
    return shared_bucket, past


def expected_versions(past, prefix=""):
    return [
        (name, number, at == 0, is_marker)
        for name in sorted(past, key=str.encode)
        if name.startswith(prefix)
        for at, (number, is_marker) in enumerate(past[name])
    ]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("prefix", ["", "a", "a/", "b", "none"])
def test_pages(client, history, prefix, page_size):
    bucket, past = history
    found = versions_of(client, bucket, Prefix=prefix, MaxKeys=page_size)
    expected = expected_versions(past, prefix)
    # Versions and markers stand in lists of their own in the SDK's answer: the order is each list's.
    for is_marker in (False, True):
        assert [one for one in found if one[3] is is_marker] == [one for one in expected if one[3] is is_marker]


def test_order_of_the_document(raw, history):
    """Versions and delete markers of a key stand in one order, newest first."""
    bucket, past = history
    root = raw.get(f"/{bucket}?versions").xml
    found = [
        (one.findtext("Key"), one.findtext("VersionId"), one.findtext("IsLatest") == "true", one.tag == "DeleteMarker")
        for one in root
        if one.tag in ("Version", "DeleteMarker")
    ]
    assert found == expected_versions(past)


@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_common_prefixes(client, history, page_size):
    bucket, past = history
    prefixes, found, marker = [], [], {}
    while True:
        page = client.list_object_versions(Bucket=bucket, Delimiter="/", MaxKeys=page_size, **marker)
        prefixes += prefixes_of(page)
        found += [one["VersionId"] for one in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"]}
        if "NextVersionIdMarker" in page:
            marker["VersionIdMarker"] = page["NextVersionIdMarker"]
    folders = {name for name in past if "/" in name}
    assert prefixes == sorted({name.split("/")[0] + "/" for name in folders})
    assert sorted(found) == sorted(number for name in set(past) - folders for number, _ in past[name])


def test_deleting_page_by_page(client, bucket):
    """As clients empty a bucket: what a page named is gone when the next page is asked for, the null versions too."""
    for name in ("a", "b"):
        put(client, bucket, name, b"null")
    set_versioning(client, bucket, "Enabled")
    for name in ("a", "b"):
        for _ in range(2):
            put(client, bucket, name, b"x")
    set_versioning(client, bucket, "Suspended")
    put(client, bucket, "a", b"null again")
    client.delete_object(Bucket=bucket, Key="b")
    marker, count = {}, 0
    while True:
        page = client.list_object_versions(Bucket=bucket, MaxKeys=1, **marker)
        for one in page.get("Versions", []) + page.get("DeleteMarkers", []):
            client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
            count += 1
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert count == 6 and versions_of(client, bucket) == []


# ---- Restart ----


@pytest.mark.own_server
@pytest.mark.durable
def test_versions_survive_a_kill(own_server):
    server = own_server()
    client = make_client(server.endpoint, server.main)
    client.create_bucket(Bucket="version-bucket")
    put(client, "version-bucket", "k", b"null")
    set_versioning(client, "version-bucket", "Enabled")
    first = put(client, "version-bucket", "k", pattern(3 * MIB))
    client.delete_object(Bucket="version-bucket", Key="k")
    before = versions_of(client, "version-bucket")
    server.kill()
    server.start()
    client = make_client(server.endpoint, server.main)
    assert client.get_bucket_versioning(Bucket="version-bucket")["Status"] == "Enabled"
    assert versions_of(client, "version-bucket") == before and len(before) == 3
    assert read(client, "version-bucket", "k", VersionId=first) == pattern(3 * MIB)
    assert read(client, "version-bucket", "k", VersionId="null") == b"null"
