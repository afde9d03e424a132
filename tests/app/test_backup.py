"""Aim: a person backs up a running server, or a folder that is at rest, and gets it back whole: objects, users and keys. What cannot be
done is refused with a sentence, what was broken off leaves nothing, and what is damaged is named. That backups under load are
consistent is for tests/crash/oracle_backup.py."""

import hashlib
import json
import os
import signal
import subprocess
import time

import pytest

from program import Program, clean_environment, exchange, signed_headers

BODIES = {"empty": b"", "small": b"hello", "inline": b"i" * 100_000, "large": hashlib.shake_128(b"large").digest(3_000_000)}


@pytest.fixture
def running(program):
    return program.start(engine="local")


def fill(client, bucket="photos"):
    client.create_bucket(Bucket=bucket)
    for name, body in BODIES.items():
        client.put_object(Bucket=bucket, Key=name, Body=body, Metadata={"name": name})


def check(client, bucket="photos"):
    listed = client.list_objects_v2(Bucket=bucket)
    assert [entry["Key"] for entry in listed["Contents"]] == sorted(BODIES)
    for name, body in BODIES.items():
        reply = client.get_object(Bucket=bucket, Key=name)
        assert reply["Body"].read() == body and reply["Metadata"] == {"name": name}


def back_up(program, name, *flags):
    target = os.path.join(program.folder, name)
    return target, program.ask("backup", "--to", target, *flags)


def restore(program, target, name, *flags):
    folder = os.path.join(program.folder, name)
    done = program.run("restore", "--from", target, "--data-dir", folder, *flags)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def serve(make_program, folder, keys):
    other = make_program("restored")
    other.data, other.keys = folder, keys
    return other.start(engine="local")


def ask_job(program, method, body=None, target="/admin/v1/jobs/backup"):
    data = json.dumps(body).encode() if body is not None else b""
    with program.connect(program.admin) as sock:
        return exchange(sock, method, target, signed_headers(program.keys, method, program.url(program.admin) + target, data), data)


def wait_for_job(program):
    deadline = time.monotonic() + 60
    while True:
        job = ask_job(program, "GET").json
        if job["state"] != "running":
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


# ---- What a person does ----


def test_backup_of_a_running_server_is_restored_whole(running, s3, make_program):
    fill(s3())
    running.ask("user", "create", "alice")
    key = running.ask("key", "create", "alice")
    target, job = back_up(running, "backup")
    s3().put_object(Bucket="photos", Key="later", Body=b"later")
    assert job["state"] == "done" and job["damage_count"] == 0
    assert job["results"]["to"] == target and job["results"]["linked_files"] == 0
    assert not os.path.exists(os.path.join(target, "unfinished"))
    assert os.stat(target).st_mode & 0o777 == 0o700
    assert os.stat(os.path.join(target, "master-key")).st_mode & 0o777 == 0o600
    folder, said = restore(running, target, "again")
    assert "objects  4, " in said and "log record" in said
    other = serve(make_program, folder, running.keys)
    check(other_client(other, other.keys))
    # Secrets can be opened: the master key came along.
    alice = other_client(other, (key["access_key"], key["secret_key"]))
    alice.create_bucket(Bucket="alices")
    assert [user["name"] for user in other.ask("user", "list")["users"]] == ["alice"]


def other_client(program, keys):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=program.url(program.s3),
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        region_name="us-east-1",
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def test_daily_backup_costs_what_has_changed(running, s3):
    fill(s3())
    first, _ = back_up(running, "monday")
    s3().put_object(Bucket="photos", Key="new", Body=b"n" * 500_000)
    second, job = back_up(running, "tuesday", "--base", first)
    assert job["results"]["linked_bytes"] >= 3_000_000
    assert job["results"]["bytes"] - job["results"]["linked_bytes"] < 2_000_000
    done = running.run("restore", "--from", second, "--verify-only", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["objects"] == len(BODIES) + 1
    # Each stands for itself: without the first one the second is whole.
    subprocess.run(["rm", "-r", first], check=True)
    done = running.run("restore", "--from", second, "--verify-only")
    assert done.returncode == 0 and "is whole" in done.stdout


def test_folder_at_rest_is_backed_up_without_a_server(running, s3, make_program):
    fill(s3())
    running.stop()
    done = running.run("backup", "--data-dir", running.data, "--to", "resting", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "done"
    folder, _ = restore(running, os.path.join(running.folder, "resting"), "again")
    check(other_client(serve(make_program, folder, running.keys), running.keys))


def test_keys_are_found_where_the_environment_says(running, s3):
    fill(s3())
    keys = {"PAIL_ROOT_ACCESS_KEY": running.keys[0], "PAIL_ROOT_SECRET_KEY": running.keys[1]}
    target = os.path.join(running.folder, "backup")
    done = running.run("backup", "--endpoint", running.url(running.admin), "--to", target, environment=keys)
    assert done.returncode == 0 and "pail restore --verify-only" in done.stdout, done.stderr


# ---- What is refused ----


@pytest.mark.parametrize(
    "words",
    [
        ["backup"],
        ["backup", "--to"],
        ["backup", "--to", "x", "--rate", "fast"],
        ["backup", "--to", "x", "y"],
        ["restore"],
        ["restore", "--from", "x"],
        ["restore", "--from", "x", "--data-dir", "y", "--verify-only"],
        ["restore", "--from", "x", "--data-dir", "y", "--scratch", "z"],
        ["restore", "--data-dir", "y"],
    ],
)
def test_wrong_words_end_with_two(program, words):
    done = program.run(*words)
    assert done.returncode == 2 and done.stderr.startswith("pail: ") and not done.stdout


def test_a_server_takes_no_relative_path(running):
    done = running.run("backup", "--to", "here", root=True)
    assert done.returncode == 2 and "absolute" in done.stderr
    for body in ({"to": "here"}, {"to": ""}, {}, {"to": 1}, {"to": "/x", "base": "y"}, {"to": "/x", "rate": 0}, {"to": "/x", "rate": "1"}, {"into": "/x"}):
        assert ask_job(running, "POST", body).status == 400, body


def test_places_that_hold_something_are_left_alone(running, s3):
    fill(s3())
    target, _ = back_up(running, "backup")
    photos = os.path.join(running.folder, "pictures")
    os.mkdir(photos)
    with open(os.path.join(photos, "cat.jpg"), "wb") as file:
        file.write(b"miau")
    for place in (photos, target, running.data):
        done = running.run("backup", "--to", place, root=True)
        assert done.returncode == 1 and "not empty" in done.stderr
        done = running.run("restore", "--from", target, "--data-dir", place)
        assert done.returncode == 1 and "not empty" in done.stderr
    assert os.listdir(photos) == ["cat.jpg"]
    inside = os.path.join(running.data, "backup")
    done = running.run("backup", "--to", inside, root=True)
    assert done.returncode == 1 and "data folder" in done.stderr and not os.path.exists(inside)
    done = running.run("backup", "--to", os.path.join(running.folder, "second"), "--base", photos, root=True)
    assert done.returncode == 1 and "manifest" in done.stderr


def test_an_engine_without_a_folder_says_so(program):
    program.start(engine="mem")
    done = program.run("backup", "--to", os.path.join(program.folder, "backup"), root=True)
    assert done.returncode == 1 and "engine local" in done.stderr


def test_strangers_start_no_backup(running):
    target = os.path.join(running.folder, "stolen")
    body = json.dumps({"to": target}).encode()
    with running.connect(running.admin) as sock:
        assert exchange(sock, "POST", "/admin/v1/jobs/backup", {}, body).status in (401, 403)
    assert not os.path.exists(target)


# ---- What is broken off ----


def begin_slow(running, s3, name="slow"):
    fill(s3())
    target = os.path.join(running.folder, name)
    assert ask_job(running, "POST", {"to": target, "rate": 65536}).status == 202
    return target


def test_cancelled_backup_leaves_nothing(running, s3):
    target = begin_slow(running, s3)
    busy = ask_job(running, "POST", {"to": target + "2"})
    assert busy.status == 409
    assert ask_job(running, "DELETE").status == 204
    assert wait_for_job(running)["state"] == "cancelled"
    assert not os.path.exists(target) and not os.path.exists(target + "2")
    back_up(running, "slow")


def test_server_that_ends_breaks_its_backup_off(running, s3):
    target = begin_slow(running, s3)
    running.stop()
    assert not os.path.exists(target)


def test_killed_server_leaves_no_backup_and_the_place_can_be_used(running, s3):
    target = begin_slow(running, s3)
    time.sleep(0.3)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert os.path.exists(os.path.join(target, "unfinished"))
    done = running.run("restore", "--from", target, "--verify-only")
    assert done.returncode == 1 and "manifest" in done.stderr
    running.start(engine="local")
    assert not [name for name in os.listdir(os.path.join(running.data, "tmp")) if name.startswith("kept-")]
    back_up(running, "slow")
    restore(running, target, "again")


def test_interrupted_command_cancels_the_servers_job(running, s3):
    fill(s3())
    target = os.path.join(running.folder, "slow")
    words = [running.binary, "backup", "--to", target, "--rate", "64KiB", "--endpoint", running.url(running.admin), "--data-dir", running.data]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=clean_environment())
    running.wait_until(lambda: os.path.exists(target), "the backup did not begin")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "cancelled" in said
    assert not os.path.exists(target)


# ---- What is damaged ----


def files_of(target):
    for at, _, names in os.walk(target):
        for name in names:
            yield os.path.join(at, name)


def test_damaged_backup_is_named_and_not_restored(running, s3):
    fill(s3())
    target, _ = back_up(running, "backup")
    for path in files_of(target):
        with open(path, "r+b") as file:
            data = file.read()
            file.seek(len(data) // 2)
            file.write(bytes([data[len(data) // 2] ^ 4]))
        done = running.run("restore", "--from", target, "--data-dir", "again")
        assert done.returncode == 1 and os.path.basename(path) in done.stderr, path
        assert not os.path.exists(os.path.join(running.folder, "again"))
        done = running.run("restore", "--from", target, "--verify-only")
        assert done.returncode == 1 and os.path.basename(path) in done.stderr, path
        with open(path, "r+b") as file:
            file.write(data)
    restore(running, target, "again")


def test_damaged_store_is_named_and_not_backed_up(running, s3):
    fill(s3())
    [extent] = [path for path in files_of(os.path.join(running.data, "extents")) if not path.endswith("limit")]
    with open(extent, "r+b") as file:
        file.seek(1_000_000)
        file.write(b"\0\0\0\0\0\0\0\0")
    target = os.path.join(running.folder, "backup")
    done = running.run("backup", "--to", target, root=True)
    assert done.returncode == 1 and os.path.basename(extent) in done.stderr and not os.path.exists(target)


def test_help_tells_what_there_is(program):
    assert isinstance(program, Program)
    for command, flag in (("backup", "--base"), ("restore", "--verify-only")):
        done = program.run(command, "--help")
        assert done.returncode == 0 and flag in done.stdout
        assert f"  {command}" in program.run("help").stdout
