"""Listings: V1, V2 and versions with every parameter, and random ones against a naive model (lib/listing_model.py)."""

import random
from urllib.parse import unquote_plus

import pytest

from lib import checksums, listing_model
from lib.clients import keys_of, prefixes_of

KEYS = ["a", "a/b", "a/c", "a/d/e", "a//x", "ab", "b", "b/", "b/c", "c", "d/e/f", "d/e/g", "d/h", "e", "é", "z"]


@pytest.fixture(scope="module")
def filled(client, shared_bucket):
    """A bucket that holds KEYS."""
    for key in KEYS:
        client.put_object(Bucket=shared_bucket, Key=key, Body=key.encode())
    return shared_bucket


def in_order(keys):
    return sorted(keys, key=lambda key: key.encode())


# prefix and delimiter
CUTS = [
    ("", ""),
    ("", "/"),
    ("a", ""),
    ("a", "/"),
    ("a/", "/"),
    ("a/", ""),
    ("a//", "/"),
    ("b/", "/"),
    ("d/", "/"),
    ("d/e/", "/"),
    ("d/e", "/"),
    ("none", "/"),
    ("", "e"),
    ("", "/e"),
    ("", "//"),
    ("", "é"),
    ("", "missing"),
    ("", "a"),
    ("z", "z"),
    ("d/e/f", "/"),
]


@pytest.mark.parametrize("prefix, delimiter", CUTS)
def test_cut(client, filled, prefix, delimiter):
    expected = listing_model.entries(KEYS, prefix, delimiter)
    keys = [text for text, rolled in expected if not rolled]
    prefixes = [text for text, rolled in expected if rolled]
    cut = {"Bucket": filled, "Prefix": prefix, "Delimiter": delimiter}
    for page in (client.list_objects(**cut), client.list_objects_v2(**cut)):
        assert (keys_of(page), prefixes_of(page)) == (keys, prefixes)
        assert page["IsTruncated"] is False and page["MaxKeys"] == 1000 and page["Name"] == filled
        assert page["Prefix"] == prefix
        assert page.get("Delimiter", "") == delimiter
    assert client.list_objects_v2(**cut)["KeyCount"] == len(expected)
    page = client.list_object_versions(**cut)
    assert [one["Key"] for one in page.get("Versions", [])] == keys
    assert prefixes_of(page) == prefixes


@pytest.mark.parametrize("prefix, delimiter", CUTS[:13])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages(client, filled, prefix, delimiter, size):
    """Pages of any size give the same entries, none twice and none left out, common prefixes across pages too."""
    expected = listing_model.entries(KEYS, prefix, delimiter)
    for walk in (walk_v1, walk_v2, walk_versions):
        got = walk(client, size, Bucket=filled, Prefix=prefix, Delimiter=delimiter)
        assert got == expected, walk.__name__


def page_entries(page, contents="Contents"):
    """The entries of a page in one order, as the model has them."""
    out = [(one["Key"], False) for one in page.get(contents, [])]
    out += [(one["Prefix"], True) for one in page.get("CommonPrefixes", [])]
    return sorted(out, key=lambda entry: entry[0].encode())


def take(out, page, size, contents="Contents"):
    entries = page_entries(page, contents)
    assert len(entries) <= size
    assert len(entries) == size or not page["IsTruncated"], "a page that is not the last is full"
    out += entries
    assert len(out) < 5000


def walk_v1(client, size, **cut):
    """Follows NextMarker, or the last key where there is none, as the reference says."""
    out, marker = [], None
    while True:
        page = client.list_objects(MaxKeys=size, **cut, **({"Marker": marker} if marker is not None else {}))
        assert page.get("Marker", "") == (marker or "")
        take(out, page, size)
        if not page["IsTruncated"]:
            assert "NextMarker" not in page
            return out
        if cut.get("Delimiter"):
            assert page["NextMarker"] == out[-1][0]
        marker = page.get("NextMarker", out[-1][0])


def walk_v2(client, size, **cut):
    out, token = [], {}
    while True:
        page = client.list_objects_v2(MaxKeys=size, **cut, **token)
        assert page.get("ContinuationToken") == token.get("ContinuationToken")
        assert page["KeyCount"] == len(page_entries(page))
        take(out, page, size)
        if not page["IsTruncated"]:
            assert "NextContinuationToken" not in page
            return out
        token = {"ContinuationToken": page["NextContinuationToken"]}


def walk_versions(client, size, **cut):
    out, marker = [], {}
    while True:
        page = client.list_object_versions(MaxKeys=size, **cut, **marker)
        take(out, page, size, "Versions")
        if not page["IsTruncated"]:
            assert "NextKeyMarker" not in page and "NextVersionIdMarker" not in page
            return out
        marker = {"KeyMarker": page["NextKeyMarker"]}
        if "NextVersionIdMarker" in page:
            marker["VersionIdMarker"] = page["NextVersionIdMarker"]


@pytest.mark.parametrize("marker", ["", "a", "a/", "a/b", "aa", "b/", "d/e/f", "e", "zz", "\U0010ffff"])
def test_start_after(client, filled, marker):
    """The marker itself is left out; it need not exist."""
    expected = [key for key in in_order(KEYS) if key.encode() > marker.encode()]
    page = client.list_objects(Bucket=filled, Marker=marker)
    assert (keys_of(page), page.get("Marker", "")) == (expected, marker)
    page = client.list_objects_v2(Bucket=filled, StartAfter=marker)
    assert (keys_of(page), page.get("StartAfter", "")) == (expected, marker)
    page = client.list_object_versions(Bucket=filled, KeyMarker=marker)
    assert [one["Key"] for one in page.get("Versions", [])] == expected
    assert page["KeyMarker"] == marker


def test_start_after_a_common_prefix(client, filled):
    """A marker that is a common prefix has it behind."""
    page = client.list_objects(Bucket=filled, Marker="a/", Delimiter="/")
    assert (keys_of(page)[0], prefixes_of(page)) == ("ab", ["b/", "d/"])
    page = client.list_objects_v2(Bucket=filled, StartAfter="b/c", Delimiter="/")
    assert (keys_of(page), prefixes_of(page)) == (["c", "e", "z", "é"], ["d/"])


def test_token_wins_over_start_after(client, filled):
    first = client.list_objects_v2(Bucket=filled, MaxKeys=3, StartAfter="a/b")
    second = client.list_objects_v2(
        Bucket=filled, MaxKeys=3, StartAfter="a/b", ContinuationToken=first["NextContinuationToken"]
    )
    expected = [key for key in in_order(KEYS) if key.encode() > b"a/b"]
    assert keys_of(first) + keys_of(second) == expected[:6]


@pytest.mark.parametrize("token", ["", "x", "%00", "A"])
def test_bad_token(raw, filled, token):
    raw.get(f"/{filled}?list-type=2&continuation-token={token}").is_error(400, "InvalidArgument")


@pytest.mark.parametrize("query", ["", "list-type=2&", "versions&"])
@pytest.mark.parametrize("size", ["-1", "x", "1.5", "2147483648", "99999999999999999999"])
def test_bad_page_size(raw, filled, query, size):
    raw.get(f"/{filled}?{query}max-keys={size}").is_error(400, "InvalidArgument")


@pytest.mark.parametrize("query", ["", "list-type=2&", "versions&"])
@pytest.mark.parametrize("size, shown", [("1000", "1000"), ("1001", "1000"), ("2147483647", "1000"), ("", "1000")])
def test_page_size_above_the_limit(raw, filled, query, size, shown):
    root = raw.get(f"/{filled}?{query}max-keys={size}").xml
    assert root.findtext("MaxKeys") == shown


@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_page_size_zero(client, filled, call):
    """An empty page that says it is complete, as AWS does."""
    page = getattr(client, call)(Bucket=filled, MaxKeys=0)
    assert page["MaxKeys"] == 0 and page["IsTruncated"] is False
    assert not {"Contents", "Versions", "CommonPrefixes"} & set(page)


@pytest.mark.parametrize("query", ["list-type=1", "list-type=3", "list-type=x"])
def test_bad_list_type(raw, filled, query):
    raw.get(f"/{filled}?{query}").is_error(400, "InvalidArgument")


@pytest.mark.parametrize("query", ["", "list-type=2&", "versions&", "uploads&"])
def test_bad_encoding_type(raw, filled, query):
    for value in ("base64", ""):
        raw.get(f"/{filled}?{query}encoding-type={value}").is_error(400, "InvalidArgument")


def test_version_marker_needs_a_key_marker(raw, filled):
    raw.get(f"/{filled}?versions&version-id-marker=null").is_error(400, "InvalidArgument")


def test_owner(client, filled, main_user):
    """V1 and versions always show it, V2 when asked."""
    for contents in (
        client.list_objects(Bucket=filled)["Contents"],
        client.list_objects_v2(Bucket=filled, FetchOwner=True)["Contents"],
        client.list_object_versions(Bucket=filled)["Versions"],
    ):
        owners = {one["Owner"]["ID"] for one in contents}
        assert len(owners) == 1 and (owners == {main_user["canonical_id"]} or not main_user["canonical_id"])
    for page in (client.list_objects_v2(Bucket=filled), client.list_objects_v2(Bucket=filled, FetchOwner=False)):
        assert all("Owner" not in one for one in page["Contents"])


def test_fields_of_an_object(client, bucket):
    client.put_object(Bucket=bucket, Key="k", Body=b"fields", ChecksumAlgorithm="SHA1")
    head = client.head_object(Bucket=bucket, Key="k")
    for page in (client.list_objects(Bucket=bucket), client.list_objects_v2(Bucket=bucket)):
        (one,) = page["Contents"]
        assert one["ETag"] == checksums.etag(b"fields")
        assert (one["Size"], one["StorageClass"]) == (6, "STANDARD")
        assert one["LastModified"].replace(microsecond=0) == head["LastModified"]
        assert one["ChecksumAlgorithm"] == ["SHA1"] and one["ChecksumType"] == "FULL_OBJECT"
    (version,) = client.list_object_versions(Bucket=bucket)["Versions"]
    assert (version["VersionId"], version["IsLatest"], version["Size"]) == ("null", True, 6)


def test_time_has_milliseconds_and_z(raw, bucket):
    raw.put(f"/{bucket}/k", b"x")
    text = raw.get(f"/{bucket}?list-type=2").xml.find("Contents").findtext("LastModified")
    assert len(text) == len("2026-01-02T03:04:05.678Z") and text.endswith("Z") and text[19] == "."


def test_empty_bucket(raw, bucket):
    for query in ("", "list-type=2", "versions", "uploads"):
        root = raw.get(f"/{bucket}?{query}").xml
        assert root.findtext("IsTruncated") == "false"
        assert not [child.tag for child in root if child.tag in ("Contents", "Version", "Upload", "CommonPrefixes")]


@pytest.mark.parametrize(
    "query, root",
    [
        ("", "ListBucketResult"),
        ("list-type=2", "ListBucketResult"),
        ("versions", "ListVersionsResult"),
        ("uploads", "ListMultipartUploadsResult"),
    ],
)
def test_document(raw, filled, query, root):
    reply = raw.get(f"/{filled}?{query}")
    assert reply.headers["content-type"] == "application/xml"
    assert reply.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    assert f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'.encode() in reply.body


def test_url_encoding(raw, bucket):
    """Keys, prefixes, markers and delimiter are encoded, and the answer says so."""
    keys = ["a b/c+d", "a b/ü", "a b/x%2F", "q&a/<>"]
    for key in keys:
        assert raw.put(f"/{bucket}/" + key.replace("%", "%25").replace(" ", "%20").replace("+", "%2B").replace("ü", "%C3%BC").replace("<>", "%3C%3E").replace("&", "%26"), b"").status == 200
    root = raw.get(f"/{bucket}?list-type=2&encoding-type=url&start-after=a%20&fetch-owner=true").xml
    assert root.findtext("EncodingType") == "url"
    assert [unquote_plus(one.text) for one in root.iter("Key")] == in_order(keys)
    texts = [one.text for one in root.iter("Key")]
    assert all(" " not in text and "<" not in text and "&" not in text for text in texts)
    assert all("/" in text for text in texts), "the slash stays as it is"
    assert "a+b/c%2Bd" in texts or "a%20b/c%2Bd" in texts
    assert unquote_plus(root.findtext("StartAfter")) == "a "
    root = raw.get(f"/{bucket}?encoding-type=url&delimiter=%20&prefix=a&marker=a").xml
    assert unquote_plus(root.findtext("Delimiter")) == " " and root.findtext("Delimiter") != " "
    assert [unquote_plus(one.findtext("Prefix")) for one in root.iter("CommonPrefixes")] == ["a "]
    plain = raw.get(f"/{bucket}?list-type=2").xml
    assert plain.find("EncodingType") is None
    assert [one.text for one in plain.iter("Key")] == in_order(keys)


def test_unknown_parameters_are_passed_over(raw, filled):
    reply = raw.get(f"/{filled}?list-type=2&x-id=ListObjectsV2&colour=blue")
    assert reply.status == 200


def test_a_page_of_a_thousand(client, raw, bucket):
    """1,001 keys: the first page has 1,000, the second one."""
    with raw.connect() as connection:
        for number in range(1001):
            target = f"/{bucket}/{number:05d}"
            connection.send_head("PUT", target, raw.head("PUT", target))
            assert connection.read_reply("PUT").status == 200
    page = client.list_objects_v2(Bucket=bucket)
    assert (page["KeyCount"], page["IsTruncated"]) == (1000, True)
    rest = client.list_objects_v2(Bucket=bucket, ContinuationToken=page["NextContinuationToken"])
    assert (keys_of(rest), rest["IsTruncated"]) == (["01000"], False)
    page = client.list_objects(Bucket=bucket)
    assert (len(page["Contents"]), page["IsTruncated"], page.get("NextMarker")) == (1000, True, None)
    assert keys_of(client.list_objects(Bucket=bucket, Marker="00999")) == ["01000"]
    whole = client.list_objects_v2(Bucket=bucket, MaxKeys=1000, Prefix="00")
    assert (whole["KeyCount"], whole["IsTruncated"]) == (1000, False)
    for begin in (0, 500, 1000):
        names = [{"Key": f"{number:05d}"} for number in range(begin, min(begin + 500, 1001))]
        client.delete_objects(Bucket=bucket, Delete={"Objects": names, "Quiet": True})


def random_key(chance):
    alphabet = ["a", "b", "/", "/", "-", "//", "é", "😀", " ", "+", "%", "0"]
    return "".join(chance.choice(alphabet) for _ in range(chance.randint(1, 7)))


@pytest.mark.parametrize("seed", range(4))
def test_random_listings_are_as_the_model_says(client, make_bucket, seed):
    """Random keys from a few letters, so that prefixes collide, and random questions about them."""
    chance = random.Random(seed)
    name = make_bucket()
    keys = {random_key(chance) for _ in range(60)}
    for key in keys:
        client.put_object(Bucket=name, Key=key, Body=b"")
    for removed in chance.sample(sorted(keys), 10):
        client.delete_object(Bucket=name, Key=removed)
        keys.discard(removed)
    for _ in range(25):
        some = chance.choice(sorted(keys))
        prefix = chance.choice(["", some[:1], some[:2], some[:3]])
        delimiter = chance.choice(["", "/", "/", "//", "a", "é", "a/", " "])
        size = chance.randint(1, 20)
        cut = {"Bucket": name, "Prefix": prefix, "Delimiter": delimiter}
        expected = listing_model.entries(keys, prefix, delimiter)
        for walk in (walk_v1, walk_v2, walk_versions):
            assert walk(client, size, **cut) == expected, (walk.__name__, seed, cut, size)
        marker = chance.choice([some, some + "!", random_key(chance)])
        if listing_model.ambiguous(expected, marker):
            continue
        behind = listing_model.after(expected, marker)
        for page in (client.list_objects(Marker=marker, **cut), client.list_objects_v2(StartAfter=marker, **cut)):
            assert page_entries(page) == behind, (seed, cut, marker)
