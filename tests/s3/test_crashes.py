"""Crashes and restarts: every acknowledged write is there, nothing else is half there, and damage is never served."""

import os
import subprocess
import time

import pytest

from lib.clients import make_client, pattern, read
from lib.load import Load
from lib.server import ROOT_KEYS, clean_environment
from lib.wire import Wire

pytestmark = [pytest.mark.own_server, pytest.mark.durable]
MIB = 1024 * 1024


@pytest.mark.parametrize("round_number", range(3))
def test_kill_keeps_all_acknowledged(own_server, round_number):
    """SIGKILL in the middle of writes of all sizes, three times over the same data."""
    server = own_server()
    client = make_client(server.endpoint, server.main)
    client.create_bucket(Bucket="crash-bucket")
    kept = {}
    for turn in range(3):
        load = Load(server, "crash-bucket", count=12, turns=100_000, sizes=(0, 100, 5000, 200_000, 3 * MIB))
        load.acknowledged.update(kept)
        load.expect_break = True
        load.run()
        time.sleep(0.4 + 0.3 * turn + 0.2 * round_number)
        server.kill()
        load.stopping.set()
        load.join()
        begin = time.monotonic()
        server.start()
        assert time.monotonic() - begin < 15
        load.check()
        kept = load.settled()


def test_term_keeps_all_acknowledged(own_server):
    """SIGTERM in the middle: running requests finish, the end is clean, everything is there."""
    server = own_server()
    make_client(server.endpoint, server.main).create_bucket(Bucket="term-bucket")
    load = Load(server, "term-bucket", count=12, turns=100_000)
    load.expect_break = True
    load.run()
    time.sleep(1)
    server.stop()
    load.stopping.set()
    load.join()
    server.start()
    assert load.check() > 0


def test_uploads_survive_a_kill(own_server):
    server = own_server()
    client = make_client(server.endpoint, server.main)
    client.create_bucket(Bucket="upload-bucket")
    upload = client.create_multipart_upload(Bucket="upload-bucket", Key="k", Metadata={"m": "1"})["UploadId"]
    arguments = {"Bucket": "upload-bucket", "Key": "k", "UploadId": upload}
    first = client.upload_part(**arguments, PartNumber=1, Body=pattern(5 * MIB))["ETag"]
    server.kill()
    server.start()
    (listed,) = client.list_parts(**arguments)["Parts"]
    assert (listed["PartNumber"], listed["ETag"], listed["Size"]) == (1, first, 5 * MIB)
    second = client.upload_part(**arguments, PartNumber=2, Body=b"end")["ETag"]
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    client.complete_multipart_upload(**arguments, MultipartUpload={"Parts": parts})
    server.kill()
    server.start()
    assert read(client, "upload-bucket", "k") == pattern(5 * MIB) + b"end"
    assert client.head_object(Bucket="upload-bucket", Key="k")["Metadata"] == {"m": "1"}


def test_users_and_buckets_survive_a_kill(own_server):
    server = own_server()
    other = server.make_user("second")
    make_client(server.endpoint, other).create_bucket(Bucket="kept-bucket")
    server.kill()
    server.start()
    names = [one["Name"] for one in make_client(server.endpoint, other).list_buckets()["Buckets"]]
    assert names == ["kept-bucket"]


def test_term_lets_a_running_request_finish(own_server):
    server = own_server()
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/drain-bucket").status == 200
    connection = raw.begin_put("/drain-bucket/k", 10)
    connection.send(b"01234")
    time.sleep(0.2)
    server.process.terminate()
    time.sleep(0.3)
    with pytest.raises((OSError, EOFError)), raw.connect(timeout=5) as late:
        late.send_head("GET", "/", raw.head("GET", "/"))
        late.read_reply()
    connection.send(b"56789")
    assert connection.read_reply("PUT").status == 200
    connection.close()
    assert server.process.wait(30) == 0


def test_second_server_on_the_same_folder(own_server):
    server = own_server()
    done = subprocess.run(
        [server.binary, "serve", "--data-dir", server.data, "--listen", "127.0.0.1:0", "--console-listen", "127.0.0.1:0"]
        + ["--access-key", ROOT_KEYS["access_key"], "--secret-key", ROOT_KEYS["secret_key"]],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode not in (0, None)
    assert server.data in done.stderr + done.stdout, "the message names the folder"
    assert Wire(server.endpoint, server.main).get("/").status == 200


def flip_everywhere(folder, marker):
    """Changes a byte of every copy of `marker` in the files below; returns how many there were."""
    count = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                data = file.read()
            at = data.find(marker)
            while at >= 0:
                with open(path, "r+b") as file:
                    file.seek(at)
                    file.write(bytes([data[at] ^ 0x10]))
                count += 1
                at = data.find(marker, at + 1)
    return count


@pytest.mark.parametrize("size", [200, 50_000, 3 * MIB])
def test_damage_is_never_served(own_server, size):
    """Bits that flip on the disk are an error, not wrong bytes; other objects are not touched by it."""
    server = own_server()
    raw = Wire(server.endpoint, server.main)
    assert raw.put("/damage-bucket").status == 200
    marker = b"<<the-bytes-that-will-be-damaged>>"
    body = pattern(size - len(marker) - 40) + marker + b"-" * 40
    assert raw.put("/damage-bucket/bad", body).status == 200
    assert raw.put("/damage-bucket/good", pattern(size)).status == 200
    assert raw.get("/damage-bucket/bad").body == body
    assert flip_everywhere(server.data, marker) >= 1
    try:
        reply = raw.get("/damage-bucket/bad")
        assert reply.status >= 500, reply.status
    except EOFError:
        pass  # cut off where the damage begins
    assert raw.get("/damage-bucket/good").body == pattern(size)
    assert server.running()
