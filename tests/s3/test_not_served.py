"""Every operation of the S3 model is either served or answered 501 NotImplemented: none pretends.

The list of operations and their shapes comes from botocore's service model, so a new SDK brings its new operations here.
SERVED is the promise; an operation that comes to be served moves there with its own tests.
"""

import os

import botocore.session
import pytest
from botocore.exceptions import ClientError

from conftest import SOURCE_ROOT
from lib.clients import make_client

SERVED = set(
    """
    AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload DeleteBucket DeleteObject
    DeleteBucketTagging DeleteObjects DeleteObjectTagging GetBucketLocation GetBucketTagging GetBucketVersioning GetObject
    GetObjectAttributes GetObjectTagging HeadBucket HeadObject ListBuckets ListMultipartUploads ListObjects ListObjectsV2
    ListObjectVersions ListParts PutBucketTagging PutBucketVersioning PutObject PutObjectTagging UploadPart UploadPartCopy
    """.split()
)
# Asked at other addresses (S3 Object Lambda, the control endpoint of directory buckets), so this endpoint never sees them.
ELSEWHERE = {"ListDirectoryBuckets", "WriteGetObjectResponse"}
MODEL = botocore.session.get_session().get_service_model("s3")
NOT_SERVED = sorted(set(MODEL.operation_names) - SERVED - ELSEWHERE)


def example(shape, depth=0):
    """The smallest value of a shape: required members, the first of an enumeration."""
    if shape.type_name == "structure":
        required = {name: example(shape.members[name], depth + 1) for name in shape.required_members}
        return required or ({name: example(member, depth + 1) for name, member in list(shape.members.items())[:1]} if depth and depth < 5 else {})
    if shape.type_name == "list":
        return [example(shape.member, depth + 1)]
    if shape.type_name == "map":
        return {}
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "x"
    if shape.type_name in ("integer", "long"):
        return 1
    if shape.type_name == "boolean":
        return True
    if shape.type_name == "timestamp":
        return "2030-01-01T00:00:00Z"
    if shape.type_name == "blob":
        return b"x"
    return 1.0


def arguments_of(operation, bucket):
    given = example(MODEL.operation_model(operation).input_shape)
    known = {"Bucket": bucket, "Key": "k", "CopySource": f"{bucket}/k", "RenameSource": f"/{bucket}/k"}
    given.update({name: value for name, value in known.items() if name in given})
    return given


@pytest.fixture(scope="module")
def calls(server, main_user):
    """A client that asks the one endpoint for everything."""
    made = make_client(server.endpoint, main_user, inject_host_prefix=False, parameter_validation=False)
    return made


@pytest.fixture(scope="module")
def stored(client, shared_bucket):
    client.put_object(Bucket=shared_bucket, Key="k", Body=b"x")
    return shared_bucket


@pytest.mark.parametrize("operation", NOT_SERVED)
def test_not_served(calls, client, stored, operation):
    with pytest.raises(ClientError) as caught:
        calls._make_api_call(operation, arguments_of(operation, stored))
    answer = caught.value.response
    got = (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"])
    if got == (501, "501"):
        return  # an answer to HEAD, or one that this operation's parser does not read
    assert got == (501, "NotImplemented"), answer["Error"]
    assert answer["Error"]["Message"]
    assert client.head_object(Bucket=stored, Key="k")["ContentLength"] == 1, "it did nothing"


def test_the_model_has_what_is_served():
    assert SERVED <= set(MODEL.operation_names)


@pytest.mark.parametrize(
    "query",
    ["acl", "policy", "policyStatus", "tagging", "cors", "website", "lifecycle", "versioning", "replication", "logging",
     "notification", "encryption", "accelerate", "requestPayment", "object-lock", "publicAccessBlock",
     "ownershipControls", "analytics", "inventory", "metrics", "intelligent-tiering", "torrent", "retention",
     "legal-hold", "select", "restore", "metadataConfiguration", "metadataTable", "session", "abac"],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_sub_resource_is_never_passed_over(raw, client, stored, query, method):
    """PUT bucket?cors must not make a bucket, DELETE object?tagging must not delete the object."""
    for target in (f"/{stored}?{query}", f"/{stored}/k?{query}"):
        reply = raw.request(method, target, b"<x/>" if method in ("PUT", "POST") else b"")
        served = reply.status < 300 and (method == "GET" or (method, query) == ("DELETE", "tagging"))
        assert served or reply.status >= 400, (method, target, reply)
        assert client.head_object(Bucket=stored, Key="k")["ContentLength"] == 1
        if reply.status == 404:
            assert reply.code not in ("NoSuchKey", "NoSuchBucket"), (method, target, reply)


# Headers whose promise would be broken in silence if they were passed over.
PROMISES = [
    {"x-amz-server-side-encryption": "AES256"},
    {"x-amz-server-side-encryption": "aws:kms"},
    {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "x-amz-server-side-encryption-customer-key-md5": "hRasmdxgYDKV3nvbahU1MA==",
    },
    {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z"},
    {"x-amz-object-lock-legal-hold": "ON"},
    {"x-amz-acl": "public-read"},
    {"x-amz-grant-read": 'id="0"'},
    {"x-amz-tagging": "a=1"},
    {"x-amz-write-offset-bytes": "1"},
]
ECHOES = {"x-amz-server-side-encryption", "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold"}


@pytest.mark.parametrize("headers", PROMISES, ids=lambda headers: "+".join(headers))
def test_a_header_is_kept_or_refused(raw, bucket, headers):
    reply = raw.put(f"/{bucket}/promised", b"x", headers)
    if reply.status == 200:
        head = raw.request("HEAD", f"/{bucket}/promised").headers
        kept = [name for name in headers if name in ECHOES and head.get(name) == headers[name]]
        tags = "x-amz-tagging" in headers and head.get("x-amz-tagging-count") == "1"
        assert kept or tags, f"accepted, and not in force: {head}"
    else:
        assert reply.status in (400, 403, 501), reply
        assert raw.get(f"/{bucket}/promised").status == 404


def operations_of_the_document():
    """(served, not served) as docs/s3-compatibility.md lists them."""
    with open(os.path.join(SOURCE_ROOT, "docs", "s3-compatibility.md"), encoding="utf-8") as file:
        text = file.read()
    listed = {True: [], False: []}
    served = None
    for line in text.splitlines():
        if line.startswith("#"):
            served = {"### Served": True, "### Not served yet": False, "### Not served, and why": False}.get(line)
        elif served is not None and line.startswith("| ") and not line.startswith(("| operation", "| ---")):
            listed[served] += line.split("|")[1].replace(" ", "").split(",")
    return listed[True], listed[False]


def test_the_document_lists_every_operation_once():
    served, not_served = operations_of_the_document()
    assert sorted(served) == sorted(SERVED)
    assert sorted(not_served) == sorted(set(MODEL.operation_names) - SERVED)
