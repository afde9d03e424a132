"""Aim: a start either works and says what a person or a script needs, or stops with a sentence that tells what to do."""

import json
import os
import stat

import pytest

from program import KEYS, clean_environment


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_keys_are_printed_once(program):
    program.start(engine="local")
    first = program.keys
    assert first and "aws --endpoint-url" in program.out()
    program.stop()
    program.start(engine="local")
    assert not KEYS.search(program.out())
    with open(os.path.join(program.data, "root-keys"), encoding="ascii") as file:
        text = file.read()
    assert f"PAIL_ROOT_ACCESS_KEY={first[0]}\n" in text and f"PAIL_ROOT_SECRET_KEY={first[1]}\n" in text
    assert program.ask("user", "list") == {"users": []}


def test_secrets_are_for_their_owner_alone(program):
    program.start(engine="local")
    assert mode_of(program.data) == 0o700
    for name in ("root-keys", "master-key"):
        assert mode_of(os.path.join(program.data, name)) == 0o600
    assert program.keys[1] not in program.log()


def test_given_keys_are_used_and_not_written(program):
    program.start("--access-key", "chosenroot", "--secret-key", "chosensecret", engine="local")
    assert not KEYS.search(program.out()) and "chosensecret" not in program.out() + program.log()
    assert not os.path.exists(os.path.join(program.data, "root-keys"))
    environment = {"PAIL_ROOT_ACCESS_KEY": "chosenroot", "PAIL_ROOT_SECRET_KEY": "chosensecret"}
    done = program.run("user", "list", "--endpoint", program.url(program.admin), environment=environment)
    assert done.returncode == 0, done.stderr


def test_keys_do_not_go_to_a_journal(program):
    program.start(engine="local", environment={"JOURNAL_STREAM": "8:1"})
    assert not KEYS.search(program.out()) and "root-keys" in program.out()


def test_start_in_json(program):
    program.start("--log-format", "json")
    lines = [json.loads(line) for line in program.out().splitlines()]
    by_service = {line["service"]: line for line in lines if line["event"] == "listening"}
    assert set(by_service) == {"s3", "admin"}
    assert by_service["s3"]["url"] == f"http://127.0.0.1:{by_service['s3']['port']}"
    keys = [line for line in lines if line["event"] == "root-keys"]
    assert len(keys) == 1 and keys[0]["access_key"].startswith("pailroot")


def test_ready_is_told_to_the_service_manager(program, tmp_path):
    import socket

    path = str(tmp_path / "notify")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(20)
    program.start(environment={"NOTIFY_SOCKET": path})
    assert manager.recv(100) == b"READY=1"
    program.stop()
    assert manager.recv(100) == b"STOPPING=1"


def test_second_instance_is_refused(program):
    program.start(engine="local")
    second = program.run(*program.words(engine="local")[1:])
    assert second.returncode == 1
    assert "in use by process" in second.stderr and str(program.process.pid) in second.stderr
    # And the first one goes on.
    assert program.ask("user", "list") == {"users": []}


def test_taken_port(program, make_program):
    program.start()
    other = make_program("other")
    done = other.run(*other.words("--listen", "127.0.0.1:{}".format(program.s3[2]))[1:])
    assert done.returncode == 1
    assert "listen" in done.stderr and str(program.s3[2]) in done.stderr


@pytest.mark.parametrize(
    "settings, told",
    [
        (["--no-such-setting", "1"], "no-such-setting"),
        (["--log-levle", "debug"], "--log-level?"),
        (["--engine", "floppy"], "floppy"),
        (["--threads", "many"], "many"),
        (["--listen", "nonsense"], "nonsense"),
        (["--access-key", "onlythis"], "secret_key"),
        (["--tls-cert", "a.pem"], "tls_key"),
        (["--config", "/nonexistent/pail.toml"], "/nonexistent/pail.toml"),
    ],
)
def test_wrong_setting_stops_the_start(program, settings, told):
    done = program.run(*program.words(*settings)[1:])
    assert done.returncode in (1, 2) and told in done.stderr, done.stderr
    assert done.stdout == ""
    assert not os.path.exists(os.path.join(program.data, "root-keys"))


def test_lost_master_key(program):
    """A new master key would make every user's secret unreadable: the start says so, and leaves no wrong key behind."""
    program.start(engine="local")
    program.stop()
    path = os.path.join(program.data, "master-key")
    with open(path, encoding="ascii") as file:
        key = file.read()
    os.unlink(path)
    done = program.run(*program.words(engine="local")[1:])
    assert done.returncode == 1 and "master-key" in done.stderr
    assert not os.path.exists(path)
    with open(path, "w", encoding="ascii") as file:
        file.write(key)
    program.start(engine="local")


@pytest.mark.parametrize("name, content", [("master-key", "short\n"), ("root-keys", "PAIL_ROOT_ACCESS_KEY=x\n")])
def test_damaged_key_file(program, name, content):
    os.makedirs(program.data)
    with open(os.path.join(program.data, name), "w", encoding="ascii") as file:
        file.write(content)
    done = program.run(*program.words()[1:])
    assert done.returncode == 1 and name in done.stderr


def test_folder_that_cannot_be_made(program):
    with open(program.data, "w", encoding="ascii") as file:
        file.write("a file is in the way")
    program.data += "/below"
    done = program.run(*program.words(engine="local")[1:])
    assert done.returncode == 1 and "data" in done.stderr


# ---- Commands ----


def test_no_command(program):
    done = program.run()
    assert done.returncode == 2 and "serve" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("written, meant", [("serv", "serve"), ("sevre", "serve"), ("usr", "user"), ("xyzzy", None)])
def test_unknown_command(program, written, meant):
    done = program.run(written)
    assert done.returncode == 2 and written in done.stderr
    assert (f'did you mean "{meant}"' in done.stderr) == (meant is not None)


def test_every_command_has_help(program):
    overview = program.run("help")
    assert overview.returncode == 0
    names = [line.split()[0] for line in overview.stdout.splitlines() if line.startswith("  ") and line.strip()]
    assert {"serve", "user", "key", "config", "bench", "version", "help"} <= set(names)
    for name in names:
        by_flag, by_name = program.run(name, "--help"), program.run("help", name)
        assert by_flag.returncode == by_name.returncode == 0
        assert by_flag.stdout == by_name.stdout and len(by_flag.stdout) > 20


def test_version(program):
    for words in (["version"], ["--version"]):
        done = program.run(*words)
        assert done.returncode == 0 and done.stdout.startswith("pail 0.")


def test_config_show(program):
    environment = {"PAIL_REGION": "eu-test-1", "PAIL_ROOT_SECRET_KEY": "not-to-be-seen", "PAIL_ROOT_ACCESS_KEY": "seen"}
    words = ["config", "show", "--json", "--data-dir", "x", "--threads", "3"]
    done = program.run(*words, environment=environment)
    assert done.returncode == 0, done.stderr
    values = {row["name"]: row for row in json.loads(done.stdout)["settings"]}
    assert values["region"]["value"] == "eu-test-1" and values["region"]["where"] == "PAIL_REGION"
    assert values["threads"]["where"] == "--threads"
    assert "not-to-be-seen" not in done.stdout


def test_rebuilt_index(program, s3):
    program.start(engine="local")
    client = s3()
    client.create_bucket(Bucket="keeps")
    client.put_object(Bucket="keeps", Key="a", Body=b"kept")
    busy = program.run("rebuild-index", "--data-dir", program.data)
    assert busy.returncode == 1 and "in use" in busy.stderr
    program.stop()
    done = program.run("rebuild-index", "--data-dir", program.data)
    assert done.returncode == 0, done.stderr
    assert program.run("rebuild-index", "--data-dir", program.data + "-not").returncode == 2
    program.start(engine="local")
    assert s3().get_object(Bucket="keeps", Key="a")["Body"].read() == b"kept"


def test_environment_of_the_tests_is_clean():
    assert not [name for name in clean_environment() if name.startswith("PAIL_")]
