"""Aim: a person whose disk has gone bad learns what is damaged and whose objects are hit (pail verify, pail fsck), gets back what can be
got back (--repair), and never gets a wrong byte."""

import hashlib
import json
import os
import re
import shutil

import pytest

COUNT = 40  # small objects
LARGE = hashlib.shake_128(b"large").digest(2_000_000)


def body_of(index):
    return hashlib.shake_128(b"%d" % index).digest(3000 + index)


BODIES = {**{f"small/{i:03}": body_of(i) for i in range(COUNT)}, "inline": b"i" * 100_000, "large/1": LARGE, "large/2": LARGE[::-1]}


@pytest.fixture
def stored(program, s3):
    """A store at rest, ended in good order, so that its index is on the disk."""
    program.start(engine="local")
    client = s3()
    client.create_bucket(Bucket="photos")
    for key, body in BODIES.items():
        client.put_object(Bucket="photos", Key=key, Body=body)
    program.ask("user", "create", "alice")
    program.ask("key", "create", "alice")
    program.stop()
    return program


def files(folder, part, ending=""):
    found = []
    for root, _, names in os.walk(os.path.join(folder, part)):
        found += [os.path.join(root, name) for name in names if name.endswith(ending)]
    return sorted(found, key=lambda path: (-os.path.getsize(path), path))


def flip(path, offset, length=1):
    with open(path, "r+b") as file:
        file.seek(offset)
        before = file.read(length)
        assert len(before) == length, f"{path} ends before {offset + length}"
        file.seek(offset)
        file.write(bytes(byte ^ 0x55 for byte in before))


def file_with(folder, part, needle):
    """The file that holds those bytes, and where."""
    for path in files(folder, part):
        with open(path, "rb") as file:
            at = file.read().find(needle)
        if at >= 0:
            return path, at
    raise AssertionError(f"no file in {part}/ has it")


def fsck(program, *flags):
    done = program.run("fsck", "--data-dir", program.data, "--json", *flags)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    report = json.loads(done.stdout)
    kinds = {kind: [one for one in report["findings"] if one["kind"] == kind] for kind in ("damage", "hit", "note", "repair")}
    return done.returncode, report["state"], kinds


def lost_after_start(program, s3):
    """Starts the store; the keys that cannot be read. What is read must be right."""
    program.start(engine="local")
    client, lost = s3(), set()
    for key, body in BODIES.items():
        try:
            got = client.get_object(Bucket="photos", Key=key)["Body"].read()
        except Exception:  # pylint: disable=broad-except  # an error answer, or a reply that is cut short
            lost.add(key)
            continue
        assert got == body, f"wrong bytes of {key}"
    program.stop()
    return lost


def test_sound_store_is_clean(stored):
    code, state, kinds = fsck(stored)
    assert (code, state) == (0, "clean") and not kinds["damage"] and not kinds["hit"]
    assert fsck(stored, "--repair")[:2] == (0, "clean")


def test_large_body_is_named_with_its_object_and_others_stay(stored, s3):
    victim, _ = file_with(stored.data, "extents", LARGE[:64])
    flip(victim, 1_000_000)
    code, state, kinds = fsck(stored)
    assert (code, state) == (1, "damaged")
    assert os.path.relpath(victim, stored.data) in kinds["damage"][0]["what"]
    assert [(hit["bucket"], hit["key"]) for hit in kinds["hit"]] == [("photos", "large/1")]
    # Nobody has the bytes: the object stays, and answers an error.
    assert fsck(stored, "--repair")[1] == "damaged"
    assert lost_after_start(stored, s3) == {"large/1"}


def test_lost_large_body_is_named(stored, s3):
    victim, _ = file_with(stored.data, "extents", LARGE[:64])
    os.unlink(victim)
    code, _, kinds = fsck(stored)
    assert code == 1 and [hit["key"] for hit in kinds["hit"]] == ["large/1"]
    assert lost_after_start(stored, s3) == {"large/1"}


def test_small_body_in_the_log_is_named_and_the_rest_is_kept(stored, s3):
    path, at = file_with(stored.data, "log", BODIES["small/017"])
    flip(path, at + 100, 3)
    code, _, kinds = fsck(stored)
    assert code == 1 and kinds["damage"]
    assert lost_after_start(stored, s3) <= {"small/017"}
    fsck(stored, "--repair")
    assert lost_after_start(stored, s3) <= {"small/017"}


# Of the index, the files that answers come from. The others are words for people, and nothing is read from them.
VITAL = re.compile(r"^(\d+\.sst|MANIFEST-\d+|CURRENT)$")


def flipped_copy(stored, path, offset):
    """The folder with one byte turned in that file."""
    copy = stored.data + "-copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(stored.data, copy)
    flip(os.path.join(copy, os.path.relpath(path, stored.data)), offset)
    return copy


def test_index_is_made_again(stored, s3):
    kept, kinds_of_files = stored.data, set()
    for path in files(kept, "index"):
        name, size = os.path.basename(path), os.path.getsize(path)
        if size == 0:
            continue
        is_vital = bool(VITAL.match(name))
        for offset in (0, size // 2, size - 1) if is_vital else (size // 2,):
            stored.data = flipped_copy(stored, path, offset)
            assert fsck(stored)[:2] == ((1, "damaged") if is_vital else (0, "clean")), (name, offset)
            assert fsck(stored, "--repair")[:2] == ((1, "repaired") if is_vital else (0, "clean")), (name, offset)
            assert fsck(stored)[:2] == (0, "clean"), (name, offset)
            assert lost_after_start(stored, s3) == set(), (name, offset)
            stored.data = kept
        kinds_of_files |= {re.sub(r"\d+", "", name)} if is_vital else set()
    assert kinds_of_files == {".sst", "MANIFEST-", "CURRENT"}


@pytest.mark.parametrize("name, offset", [("format", 3), ("extents/limit", 0), ("extents/limit", 16)])
def test_small_files_are_made_again(stored, s3, name, offset):
    flip(os.path.join(stored.data, name), offset)
    code, _, kinds = fsck(stored)
    assert code == 1 and any(name in one["what"] for one in kinds["damage"])
    assert fsck(stored, "--repair")[1] == "repaired"
    assert fsck(stored)[:2] == (0, "clean")
    assert lost_after_start(stored, s3) == set()


def test_master_key_that_has_changed_is_named(stored):
    flip(os.path.join(stored.data, "master-key"), 5)
    code, state, kinds = fsck(stored)
    assert (code, state) == (1, "damaged") and [one["where"] for one in kinds["damage"]] == ["master-key"]


def test_running_server_verifies(program, s3):
    program.start(engine="local")
    client = s3()
    client.create_bucket(Bucket="photos")
    client.put_object(Bucket="photos", Key="large", Body=LARGE)
    done = program.run("verify", root=True)
    assert done.returncode == 0 and "as it was written" in done.stdout, done.stderr
    refused = program.run("fsck", "--data-dir", program.data)
    assert refused.returncode == 3 and "in use by process" in refused.stderr
    victim = files(program.data, "extents")[0]
    flip(victim, 700_000)
    done = program.run("verify", "--rate", "256MiB", root=True)
    assert done.returncode == 1 and os.path.relpath(victim, program.data) in done.stderr
    job = program.run("verify", "--json", root=True)
    assert job.returncode == 1 and json.loads(job.stdout)["damage_count"] == 1
    assert os.path.basename(victim) in program.log()


def test_wrong_usage(program):
    for words in (["fsck"], ["fsck", "--data-dir", "nothing"], ["verify", "--rate", "quick"], ["verify", "word"]):
        done = program.run(*words)
        assert done.returncode == 2 and done.stderr, words
    foreign = os.path.join(program.folder, "foreign")
    os.mkdir(foreign)
    with open(os.path.join(foreign, "file"), "w", encoding="ascii") as file:
        file.write("somebody else's")
    done = program.run("serve", "--data-dir", foreign, "--listen", "127.0.0.1:0")
    assert done.returncode != 0 and foreign in done.stderr
    assert os.listdir(foreign) == ["file"]
