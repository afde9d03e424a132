"""A full disk: writes are refused with 507 and leave nothing, reads and deletes go on, writes resume when there is room.

Runs on a small file system of its own in a loop-mounted file, so it needs root.
"""

import os
import subprocess
import time

import pytest

from lib.clients import make_client, pattern, read
from lib.server import Server
from lib.wire import Wire

pytestmark = [pytest.mark.own_server, pytest.mark.durable]
MIB = 1024 * 1024
DISK = 400 * MIB


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def small_disk(tmp_path):
    """The path of a mounted file system of DISK bytes."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED: mounting a small disk needs root")
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(DISK)
    made = run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
    mounted = run("mount", "-o", "loop", str(image), str(place)) if made.returncode == 0 else made
    if mounted.returncode != 0:
        pytest.skip("SKIPPED: no small disk can be mounted here: " + mounted.stderr.strip())
    yield place
    run("umount", "-l", str(place))


@pytest.fixture
def full(binary, small_disk):
    """(server, Wire, bodies by key) of a store that has been filled until it refused."""
    server = Server(binary, "local", small_disk / "pail").start()
    user = server.make_user("tester")
    raw = Wire(server.endpoint, user)
    assert raw.put("/full-bucket").status == 200
    kept, refused = {}, 0
    for number in range(1000):
        key, body = f"{number:04d}", pattern(4 * MIB, number)
        reply = raw.put(f"/full-bucket/{key}", body)
        if reply.status == 200:
            kept[key] = body
            continue
        reply.is_error(507, "InsufficientStorage")
        refused += 1
        if refused == 3:
            break
    assert refused == 3 and len(kept) > 10
    yield server, raw, kept, user
    server.stop()


def test_full(full):
    server, raw, kept, user = full
    # Small writes go into the log, which keeps some room for deletes; they too come to an end, or go on, but are true.
    small = {}
    for number in range(300):
        reply = raw.put(f"/full-bucket/small-{number}", b"s" * 100_000)
        if reply.status == 200:
            small[f"small-{number}"] = b"s" * 100_000
        else:
            reply.is_error(507, "InsufficientStorage")
            break
    client = make_client(server.endpoint, user)
    everything = {**kept, **small}
    listed = [one["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket="full-bucket") for one in page["Contents"]]
    assert listed == sorted(everything)
    for key, body in everything.items():
        assert read(client, "full-bucket", key) == body
    for key in sorted(kept)[: len(kept) // 2]:
        assert raw.request("DELETE", f"/full-bucket/{key}").status == 204
        del everything[key]
    deadline = time.monotonic() + 30
    while (reply := raw.put("/full-bucket/resumed", pattern(4 * MIB))).status != 200:
        reply.is_error(507, "InsufficientStorage")
        assert time.monotonic() < deadline, "writes do not resume"
        time.sleep(0.2)
    assert read(client, "full-bucket", "resumed") == pattern(4 * MIB)
    assert raw.put("/full-bucket/small", b"x").status == 200
    server.restart()
    for key, body in everything.items():
        assert read(client, "full-bucket", key) == body
