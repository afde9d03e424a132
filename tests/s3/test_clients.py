"""Programs that people use: the AWS CLI, rclone, s3cmd, restic and curl, each doing what it is used for."""

import filecmp
import json
import os
import subprocess

import pytest

from lib.clients import keys_of, pattern, read

pytestmark = pytest.mark.clients
MIB = 1024 * 1024
TREE = {
    "a.txt": b"first",
    "empty": b"",
    "dir/b.bin": pattern(300_000),
    "dir/deep/er/c.bin": pattern(9 * MIB),
    "dir/with space+plus.txt": b"odd",
    "dir/ümläut.txt": "ü".encode(),
    "dir/100%.txt": b"percent",
}


@pytest.fixture
def tree(tmp_path):
    """A folder that holds TREE."""
    root = tmp_path / "tree"
    for name, body in TREE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return root


def same(left, right):
    """Whether two folders hold the same files."""
    diff = filecmp.dircmp(left, right)

    def alike(one):
        _, wrong, odd = filecmp.cmpfiles(one.left, one.right, one.common_files, shallow=False)
        return not (one.left_only or one.right_only or wrong or odd) and all(map(alike, one.subdirs.values()))

    return alike(diff)


def runner(environment):
    """A function that runs a command with these variables and returns what it prints; a failure shows everything."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_"))} | environment

    def run(*words, expect=0, **more):
        done = subprocess.run(
            [str(word) for word in words], env=environment, capture_output=True, timeout=120, check=False, **more
        )
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == expect, f"{words}: {done.returncode}\n{output}"
        return done.stdout.decode("utf-8", "replace")

    return run


# AWS CLI


@pytest.fixture
def aws(server, main_user, program, tmp_path):
    path = program("aws")
    settings = tmp_path / "aws-config"
    # Version 1 signs URLs with SigV2 unless it is told otherwise.
    settings.write_text("[default]\ns3 =\n    signature_version = s3v4\n    addressing_style = path\n")
    run = runner(
        {
            "AWS_ACCESS_KEY_ID": main_user["access_key"],
            "AWS_SECRET_ACCESS_KEY": main_user["secret_key"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(settings),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
        }
    )
    return lambda *words, **more: run(path, "--endpoint-url", server.endpoint, *words, **more)


def test_aws_s3(aws, client, make_bucket, tree, tmp_path):
    """mb, sync up and down, sync again, cp, mv, rm, presign, rb."""
    bucket = make_bucket()
    aws("s3", "sync", tree, f"s3://{bucket}/t")
    assert sorted(keys_of(client.list_objects_v2(Bucket=bucket))) == sorted("t/" + name for name in TREE)
    assert aws("s3", "sync", tree, f"s3://{bucket}/t").strip() == "", "nothing is left to do"
    aws("s3", "sync", f"s3://{bucket}/t", tmp_path / "back")
    assert same(tree, tmp_path / "back")
    aws("s3", "cp", f"s3://{bucket}/t/dir/deep/er/c.bin", f"s3://{bucket}/copy.bin")
    assert read(client, bucket, "copy.bin") == TREE["dir/deep/er/c.bin"]
    aws("s3", "mv", f"s3://{bucket}/copy.bin", tmp_path / "moved.bin")
    assert (tmp_path / "moved.bin").read_bytes() == TREE["dir/deep/er/c.bin"]
    (tree / "a.txt").unlink()
    aws("s3", "sync", "--delete", tree, f"s3://{bucket}/t")
    assert "t/a.txt" not in keys_of(client.list_objects_v2(Bucket=bucket))
    url = aws("s3", "presign", f"s3://{bucket}/t/dir/100%.txt").strip()
    assert runner({})("curl", "-sf", url) == "percent"
    aws("s3", "rm", "--recursive", f"s3://{bucket}")
    assert aws("s3", "ls", f"s3://{bucket}").strip() == ""


def test_aws_s3_streams(aws, client, bucket):
    """From standard input and to standard output; large enough for parts."""
    body = pattern(20 * MIB)
    aws("s3", "cp", "-", f"s3://{bucket}/stream", input=body)
    assert client.head_object(Bucket=bucket, Key="stream")["ETag"].endswith('-3"')
    assert read(client, bucket, "stream") == body
    assert aws("s3", "ls", f"s3://{bucket}").split()[2:] == [str(len(body)), "stream"]


def test_aws_s3api(aws, bucket, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"by s3api")
    put = json.loads(
        aws("s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", body, "--metadata", "a=1")
    )
    head = json.loads(aws("s3api", "head-object", "--bucket", bucket, "--key", "k"))
    assert (head["ETag"], head["Metadata"], head["ContentLength"]) == (put["ETag"], {"a": "1"}, 8)
    aws("s3api", "get-object", "--bucket", bucket, "--key", "k", "--range", "bytes=3-", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"s3api"
    listed = json.loads(aws("s3api", "list-objects-v2", "--bucket", bucket, "--query", "Contents[].Key"))
    assert listed == ["k"]
    aws("s3api", "put-object", "--bucket", bucket, "--key", "k", "--if-none-match", "*", expect=254 if is_v2(aws) else 255)
    aws("s3api", "delete-object", "--bucket", bucket, "--key", "k")


def is_v2(aws):
    return "aws-cli/2" in aws("--version")


# rclone


@pytest.fixture
def rclone(server, main_user, program, tmp_path):
    path = program("rclone")
    run = runner(
        {
            "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
            "RCLONE_CONFIG_PAIL_TYPE": "s3",
            "RCLONE_CONFIG_PAIL_PROVIDER": "Other",
            "RCLONE_CONFIG_PAIL_ENDPOINT": server.endpoint,
            "RCLONE_CONFIG_PAIL_REGION": "us-east-1",
            "RCLONE_CONFIG_PAIL_ACCESS_KEY_ID": main_user["access_key"],
            "RCLONE_CONFIG_PAIL_SECRET_ACCESS_KEY": main_user["secret_key"],
            "RCLONE_S3_UPLOAD_CUTOFF": "6M",
            "RCLONE_S3_CHUNK_SIZE": "5M",
            "RCLONE_RETRIES": "1",
            "RCLONE_LOW_LEVEL_RETRIES": "1",
        }
    )
    return lambda *words, **more: run(path, *words, **more)


def test_rclone(rclone, client, bucket, tree, tmp_path):
    """sync, check by content, list, copy on the server, sync with deletes, purge."""
    rclone("sync", tree, f"pail:{bucket}/t")
    rclone("check", "--download", tree, f"pail:{bucket}/t")
    rclone("check", tree, f"pail:{bucket}/t")
    assert sorted(rclone("lsf", "-R", "--files-only", f"pail:{bucket}/t").split("\n")[:-1]) == sorted(TREE)
    rclone("copy", f"pail:{bucket}/t", f"pail:{bucket}/u")
    rclone("check", f"pail:{bucket}/t", f"pail:{bucket}/u")
    rclone("sync", f"pail:{bucket}/u", tmp_path / "back")
    assert same(tree, tmp_path / "back")
    (tree / "a.txt").unlink()
    (tree / "empty").write_bytes(b"no longer")
    rclone("sync", tree, f"pail:{bucket}/t")
    rclone("check", "--download", tree, f"pail:{bucket}/t")
    assert rclone("cat", f"pail:{bucket}/t/dir/100%.txt") == "percent"
    rclone("rcat", f"pail:{bucket}/piped", input=b"piped")
    assert read(client, bucket, "piped") == b"piped"
    rclone("delete", f"pail:{bucket}")
    assert rclone("lsf", "-R", "--files-only", f"pail:{bucket}") == ""


def test_rclone_buckets(rclone, client):
    from lib.clients import bucket_name, drop_bucket

    name = bucket_name("rclone")
    rclone("mkdir", f"pail:{name}")
    assert name + "/" in rclone("lsf", "pail:").split("\n")
    rclone("rmdir", f"pail:{name}")
    assert name not in [one["Name"] for one in client.list_buckets()["Buckets"]]
    drop_bucket(client, name)


# s3cmd


@pytest.fixture
def s3cmd(server, main_user, program, tmp_path):
    path = program("s3cmd")
    host = server.endpoint.split("//")[1]
    settings = tmp_path / "s3cfg"
    settings.write_text(
        "[default]\n"
        f"access_key = {main_user['access_key']}\n"
        f"secret_key = {main_user['secret_key']}\n"
        f"host_base = {host}\n"
        f"host_bucket = {host}\n"
        "use_https = False\n"
        "signature_v2 = False\n"
        "multipart_chunk_size_mb = 5\n"
        "max_retries = 1\n"
    )
    run = runner({"LC_ALL": "C.UTF-8"})
    return lambda *words, **more: run(path, "-c", settings, *words, **more)


def test_s3cmd(s3cmd, client, bucket, tree, tmp_path):
    s3cmd("sync", f"{tree}/", f"s3://{bucket}/t/")
    assert sorted(keys_of(client.list_objects_v2(Bucket=bucket))) == sorted("t/" + name for name in TREE)
    back = tmp_path / "back"
    back.mkdir()
    s3cmd("sync", f"s3://{bucket}/t/", f"{back}/")
    assert same(tree, back)
    s3cmd("put", tree / "dir/deep/er/c.bin", f"s3://{bucket}/parts.bin")
    assert read(client, bucket, "parts.bin") == TREE["dir/deep/er/c.bin"]
    s3cmd("cp", f"s3://{bucket}/parts.bin", f"s3://{bucket}/copied.bin")
    s3cmd("get", f"s3://{bucket}/copied.bin", tmp_path / "copied.bin")
    assert (tmp_path / "copied.bin").read_bytes() == TREE["dir/deep/er/c.bin"]
    assert f"s3://{bucket}/parts.bin" in s3cmd("ls", f"s3://{bucket}")
    assert "MD5 sum" in s3cmd("info", f"s3://{bucket}/t/a.txt")
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}")
    assert s3cmd("ls", f"s3://{bucket}").strip() == ""


# restic


@pytest.fixture
def restic(server, main_user, program, bucket, tmp_path):
    path = program("restic")
    run = runner(
        {
            "AWS_ACCESS_KEY_ID": main_user["access_key"],
            "AWS_SECRET_ACCESS_KEY": main_user["secret_key"],
            "RESTIC_REPOSITORY": f"s3:{server.endpoint}/{bucket}/repository",
            "RESTIC_PASSWORD": "of the tests",
            "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
        }
    )
    return lambda *words, **more: run(path, *words, **more)


def test_restic(restic, tree, tmp_path):
    """init, two backups, check of all data, restore, forget with prune, check again."""
    restic("init")
    restic("backup", ".", cwd=tree)
    (tree / "later.bin").write_bytes(pattern(3 * MIB, 8))
    restic("backup", ".", cwd=tree)
    restic("check", "--read-data")
    restic("restore", "latest", "--target", tmp_path / "back")
    assert same(tree, tmp_path / "back")
    restic("forget", "--keep-last", "1", "--prune")
    restic("check", "--read-data")
    assert len(json.loads(restic("snapshots", "--json"))) == 1


# curl


@pytest.fixture
def curl(server, main_user, program):
    path, run = program("curl"), runner({})
    user = f"{main_user['access_key']}:{main_user['secret_key']}"

    def call(target, *words, **more):
        signing = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", user]
        return run(path, "-sS", "--fail-with-body", *signing, *words, server.endpoint + target, **more)

    return call


def test_curl(curl, bucket, tmp_path):
    """curl signs by itself."""
    unsigned = ["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
    body = tmp_path / "body"
    body.write_bytes(b"by curl")
    curl(f"/{bucket}/k", *unsigned, "-T", body)
    assert curl(f"/{bucket}/k", *unsigned) == "by curl"
    curl(f"/{bucket}/posted", "-X", "PUT", "-H", "content-type: a/b", "--data-binary", f"@{body}", *unsigned)
    assert "<Key>posted</Key>" in curl(f"/{bucket}?list-type=2", *unsigned)
    assert "HTTP/1.1 200" in curl(f"/{bucket}/k", "-I", *unsigned)
    curl(f"/{bucket}/k", "-X", "DELETE", *unsigned)
    assert "NoSuchKey" in curl(f"/{bucket}/k", *unsigned, expect=22)


def test_curl_of_a_large_body(curl, client, bucket, tmp_path):
    """With Expect: 100-continue, as curl sends it above 1 MiB."""
    body = tmp_path / "body"
    body.write_bytes(pattern(6 * MIB))
    curl(f"/{bucket}/k", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-H", "Expect: 100-continue", "-T", body)
    assert read(client, bucket, "k") == pattern(6 * MIB)
