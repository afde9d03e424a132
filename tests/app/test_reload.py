"""Aim: what may change while the server runs changes on SIGHUP, on POST /admin/v1/reload, or by itself, without a connection
noticing; a bad new value changes nothing."""

import os
import shutil
import signal
import ssl
import subprocess
import time

import pytest

from program import exchange, send, signed_headers
from program import Reply


def make_certificate(folder, name):
    """A self-signed pair for 127.0.0.1 in NAME.pem and NAME.key."""
    certificate, key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key


def connect_tls(program, trusted, listener=None):
    context = ssl.create_default_context(cafile=trusted)
    return context.wrap_socket(program.connect(listener), server_hostname="127.0.0.1")


def name_of(sock):
    return dict(part[0] for part in sock.getpeercert()["subject"])["commonName"]


@pytest.fixture
def secure(program, tmp_path):
    """The program with TLS: certificate `one` in use, `two` beside it, both trusted."""
    folder = str(tmp_path)
    pairs = {name: make_certificate(folder, name) for name in ("one", "two")}
    program.trusted = os.path.join(folder, "trusted.pem")
    with open(program.trusted, "wb") as trusted:
        for certificate, _ in pairs.values():
            with open(certificate, "rb") as file:
                trusted.write(file.read())
    program.used = (os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))

    def use(name):
        # Key first: between the two copies the pair does not match, which a server must survive.
        for source, target in zip(reversed(pairs[name]), reversed(program.used)):
            shutil.copy(source, target + ".new")
            os.rename(target + ".new", target)

    program.use = use
    use("one")
    program.start("--tls-cert", program.used[0], "--tls-key", program.used[1])
    assert program.s3[0] == "https"
    return program


def wait_for_certificate(program, name):
    def is_there():
        with connect_tls(program, program.trusted) as sock:
            return name_of(sock) == name

    program.wait_until(is_there, f"the certificate {name} is not in use", 40)


def test_certificate_is_exchanged_without_dropping_a_connection(secure):
    before = connect_tls(secure, secure.trusted)
    assert name_of(before) == "one" and exchange(before, "GET", "/health").status == 200
    # A request that is under way during the exchange.
    busy = connect_tls(secure, secure.trusted)
    url = secure.url(secure.s3) + "/"
    headers = signed_headers(secure.keys, "GET", url)
    busy.sendall(b"GET / HTTP/1.1\r\n")
    secure.use("two")
    secure.send_signal(signal.SIGHUP)
    wait_for_certificate(secure, "two")
    assert exchange(before, "GET", "/health").status == 200
    busy.sendall("".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n")
    assert Reply(busy).status == 200
    # The admin listener has it as well.
    with connect_tls(secure, secure.trusted, secure.admin) as sock:
        assert name_of(sock) == "two" and exchange(sock, "GET", "/health").status == 200


def test_certificate_is_found_without_a_signal(secure):
    secure.use("two")
    wait_for_certificate(secure, "two")


def test_bad_certificate_leaves_the_good_one(secure):
    with open(secure.used[0], "w", encoding="ascii") as file:
        file.write("no certificate\n")
    secure.send_signal(signal.SIGHUP)
    secure.wait_until(lambda: "everything stays as it was" in secure.log(), "the failure was not told")
    with connect_tls(secure, secure.trusted) as sock:
        assert name_of(sock) == "one"
    done = secure.run("user", "list", "--ca-file", secure.trusted, root=True)
    assert done.returncode == 0, done.stderr


def test_bad_certificate_is_told_once_and_its_end_too(secure):
    """Found by itself, every two seconds: the log must not fill with it."""
    with open(secure.used[0], "w", encoding="ascii") as file:
        file.write("no certificate\n")

    def told(what):
        return [event for event in secure.events() if event["area"] == "tls" and what in event["message"] + event.get("detail", "")]

    secure.wait_until(lambda: told("holds no usable certificate"), "the bad file was not told")
    time.sleep(5)
    assert len(told("holds no usable certificate")) == 1 and not told("works again")
    secure.use("two")
    secure.wait_until(lambda: told("works again"), "the good file was not told")
    wait_for_certificate(secure, "two")


def test_commands_check_the_certificate(secure):
    done = secure.run("user", "list", root=True)
    assert done.returncode == 1 and "certificate" in done.stderr


def test_bad_certificate_stops_the_start(program, tmp_path):
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    done = program.run(*program.words("--tls-cert", str(bad), "--tls-key", str(bad))[1:])
    assert done.returncode in (1, 2) and "bad.pem" in done.stderr


def write_settings(program, *lines):
    path = os.path.join(program.folder, "pail.toml")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    return path


def test_log_level(program):
    path = write_settings(program, 'log_level = "warn"')
    program.start("--config", path)
    program.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert "read again" not in program.log()
    write_settings(program, 'log_level = "info"')
    program.send_signal(signal.SIGHUP)
    program.wait_until(lambda: "read again" in program.log(), "the new level is not in force")


@pytest.mark.parametrize("line, told", [("log_level = loud", "pail.toml:1"), ('region = "moon-1"', "restart")])
def test_what_is_not_taken_over_is_told(program, line, told):
    path = write_settings(program, 'log_level = "info"')
    program.start("--config", path)
    write_settings(program, line)
    program.send_signal(signal.SIGHUP)
    program.wait_until(lambda: told in program.log(), "nothing was told")
    assert program.ask("user", "list") == {"users": []}


def test_rotated_access_log(program, s3):
    path = os.path.join(program.folder, "access.log")
    program.start("--access-log", path)
    s3().list_buckets()

    def lines_of(name):
        with open(name, encoding="utf-8") as file:
            return file.read().splitlines()

    program.wait_until(lambda: len(lines_of(path)) == 1, "no line was written")
    os.rename(path, path + ".1")
    s3().list_buckets()
    program.wait_until(lambda: len(lines_of(path + ".1")) == 2, "the renamed file is not written on")
    program.send_signal(signal.SIGHUP)
    program.wait_until(lambda: os.path.exists(path), "the file was not opened again")
    s3().list_buckets()
    program.wait_until(lambda: len(lines_of(path)) == 1, "the new file is not written")
    assert len(lines_of(path + ".1")) == 2


def test_reload_over_the_admin_api(program):
    program.start()
    sock = program.connect(program.admin)
    url = program.url(program.admin) + "/admin/v1/reload"
    reply = exchange(sock, "POST", "/admin/v1/reload", signed_headers(program.keys, "POST", url))
    assert reply.status == 204
    assert "read again" in program.log()


def test_service_manager_is_told(program, tmp_path):
    import socket

    path = str(tmp_path / "notify")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(20)
    program.start(environment={"NOTIFY_SOCKET": path})
    assert manager.recv(100) == b"READY=1"
    program.send_signal(signal.SIGHUP)
    assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert manager.recv(100) == b"READY=1"


def test_many_reloads_under_load(secure):
    """Requests on one connection, one after the other, while the certificate changes again and again."""
    sock = connect_tls(secure, secure.trusted)
    for turn in range(10):
        secure.use("two" if turn % 2 else "one")
        secure.send_signal(signal.SIGHUP)
        for _ in range(20):
            send(sock, "GET", "/health")
            assert Reply(sock).status == 200
