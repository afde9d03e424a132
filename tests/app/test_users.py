"""Aim: users and keys come, work and go, over the CLI and the admin API alike; a revoked key is refused at once, also on a
connection that used it a moment ago; and nobody but root administers."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from program import Reply, exchange, send, signed_headers


@pytest.fixture
def running(program):
    return program.start()


def ask(program, sock, method, target, body=None, keys=None, **signing):
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    url = program.url(program.admin) + target
    headers = signed_headers(keys or program.keys, method, url, data, **signing)
    return exchange(sock, method, target, headers, data)


def error_of(client, *arguments, **more):
    with pytest.raises(ClientError) as caught:
        client(*arguments, **more)
    return caught.value.response["Error"]["Code"]


# ---- Life cycle ----


def test_life_of_a_key(running, s3):
    user = running.ask("user", "create", "alice", "--display-name", "Alice A.", "--email", "alice@example.org")
    assert (user["name"], user["display_name"], user["email"]) == ("alice", "Alice A.", "alice@example.org")
    assert len(user["canonical_id"]) == 64
    key = running.ask("key", "create", "alice", "--description", "laptop")
    assert key["access_key"].startswith("pail-") and len(key["secret_key"]) == 40
    listed = running.ask("key", "list", "alice")["keys"]
    assert [row["access_key"] for row in listed] == [key["access_key"]] and "secret_key" not in listed[0]
    alice = s3(key["access_key"], key["secret_key"])
    alice.create_bucket(Bucket="alices-bucket")
    owner = alice.list_buckets()["Owner"]
    assert (owner["ID"], owner["DisplayName"]) == (user["canonical_id"], "Alice A.")
    assert error_of(s3(key["access_key"], "wrong-secret").list_buckets) == "SignatureDoesNotMatch"

    stays = running.run("user", "remove", "alice", root=True)
    assert stays.returncode == 1 and "alices-bucket" in stays.stderr
    alice.delete_bucket(Bucket="alices-bucket")
    running.ask("key", "revoke", key["access_key"])
    assert error_of(alice.list_buckets) == "InvalidAccessKeyId"
    running.ask("user", "remove", "alice")
    assert running.ask("user", "list") == {"users": []}


def test_removed_user_loses_its_keys(running, s3):
    running.ask("user", "create", "bob")
    key = running.ask("key", "create", "bob")
    bob = s3(key["access_key"], key["secret_key"])
    bob.list_buckets()
    running.ask("user", "remove", "bob")
    assert error_of(bob.list_buckets) == "InvalidAccessKeyId"
    assert running.ask("key", "list") == {"keys": []}


def test_users_survive_a_restart(program, s3):
    program.start(engine="local")
    program.ask("user", "create", "carol")
    key = program.ask("key", "create", "carol", "--access-key", "CAROLKEY", "--secret-key", "carols own secret")
    assert (key["access_key"], key["secret_key"]) == ("CAROLKEY", "carols own secret")
    s3("CAROLKEY", "carols own secret").create_bucket(Bucket="carols-bucket")
    program.stop()
    program.start(engine="local")
    assert [row["Name"] for row in s3("CAROLKEY", "carols own secret").list_buckets()["Buckets"]] == ["carols-bucket"]
    program.ask("key", "revoke", "CAROLKEY")
    program.stop()
    program.start(engine="local")
    assert error_of(s3("CAROLKEY", "carols own secret").list_buckets) == "InvalidAccessKeyId"


def test_revocation_is_in_force_on_open_connections(running):
    running.ask("user", "create", "dave")
    key = running.ask("key", "create", "dave")
    keys = (key["access_key"], key["secret_key"])
    url = running.url(running.s3) + "/"
    socks = [running.connect() for _ in range(4)]
    for sock in socks:
        assert exchange(sock, "GET", "/", signed_headers(keys, "GET", url)).status == 200
    running.ask("key", "revoke", key["access_key"])
    for sock in socks:
        reply = exchange(sock, "GET", "/", signed_headers(keys, "GET", url))
        assert reply.status == 403 and b"InvalidAccessKeyId" in reply.body


def test_key_expires(running):
    from datetime import datetime, timedelta, timezone

    running.ask("user", "create", "erin")
    until = (datetime.now(timezone.utc) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    key = running.ask("key", "create", "erin", "--expires", until)
    keys = (key["access_key"], key["secret_key"])
    sock, url = running.connect(), running.url(running.s3) + "/"
    assert exchange(sock, "GET", "/", signed_headers(keys, "GET", url)).status == 200
    time.sleep(2.1)
    assert exchange(sock, "GET", "/", signed_headers(keys, "GET", url)).status == 403


def test_key_under_the_same_name_with_another_secret(running):
    """Signing keys are cached; the cache must not let the former secret in."""
    running.ask("user", "create", "frank")
    sock, url = running.connect(), running.url(running.s3) + "/"
    for secret, former in (("secret-number-1", None), ("secret-number-2", "secret-number-1")):
        running.ask("key", "create", "frank", "--access-key", "FRANKKEY", "--secret-key", secret)
        assert exchange(sock, "GET", "/", signed_headers(("FRANKKEY", secret), "GET", url)).status == 200
        if former:
            reply = exchange(sock, "GET", "/", signed_headers(("FRANKKEY", former), "GET", url))
            assert reply.status == 403 and b"SignatureDoesNotMatch" in reply.body
        running.ask("key", "revoke", "FRANKKEY")


# ---- The CLI's failures ----


@pytest.mark.parametrize(
    "words, code, told",
    [
        (["user"], 2, "--help"),
        (["user", "crate", "x"], 2, 'did you mean "create"'),
        (["user", "create"], 2, "pail user create NAME"),
        (["user", "create", "a", "b"], 2, "pail user create NAME"),
        (["user", "create", "a", "--emial", "x"], 2, "did you mean --email"),
        (["user", "create", "a", "--email"], 2, "wants a value"),
        (["user", "list", "--json=yes"], 2, "takes no value"),
        (["user", "create", "two words"], 1, "a user name has"),
        (["user", "create", "root"], 1, "root"),
        (["user", "create", "a", "--email", "nowhere"], 1, "e-mail"),
        (["user", "create", "a", "--canonical-id", "123"], 1, "canonical id"),
        (["user", "remove", "nobody"], 1, 'no user "nobody"'),
        (["key", "create", "nobody"], 1, 'no user "nobody"'),
        (["key", "list", "nobody"], 1, 'no user "nobody"'),
        (["key", "revoke", "nokey"], 1, 'no access key "nokey"'),
        (["key", "create", "nobody", "--expires", "tomorrow"], 1, "2030-01-31"),
        (["key", "create", "nobody", "--expires", "2001-01-01"], 1, "passed"),
        (["key", "create", "nobody", "--secret-key", "short"], 1, "secret key"),
    ],
)
def test_failures_of_the_commands(running, words, code, told):
    # The flags that find server and keys go first, so that the words under test end the line.
    before = ["--endpoint", running.url(running.admin), "--data-dir", running.data]
    done = running.run(words[0], *before, *words[1:])
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert told in done.stderr


def test_commands_without_a_server(program):
    root = {"PAIL_ROOT_ACCESS_KEY": "someroot", "PAIL_ROOT_SECRET_KEY": "somesecret"}
    nobody = program.run("user", "list", "--endpoint", "http://127.0.0.1:1", environment=root)
    assert nobody.returncode == 1 and "is the server running" in nobody.stderr
    no_keys = program.run("user", "list")
    assert no_keys.returncode == 2 and "--data-dir" in no_keys.stderr
    no_file = program.run("user", "list", "--data-dir", program.folder)
    assert no_file.returncode == 1 and "root-keys" in no_file.stderr
    half = program.run("user", "list", environment={"PAIL_ROOT_ACCESS_KEY": "someroot"})
    assert half.returncode == 2 and "PAIL_ROOT_SECRET_KEY" in half.stderr


def test_commands_at_the_wrong_door(running):
    done = running.run("user", "list", "--endpoint", running.url(running.s3), "--data-dir", running.data)
    assert done.returncode == 1 and "admin address" in done.stderr
    wrong = {"PAIL_ROOT_ACCESS_KEY": running.keys[0], "PAIL_ROOT_SECRET_KEY": "not-the-secret"}
    done = running.run("user", "list", "--endpoint", running.url(running.admin), environment=wrong)
    assert done.returncode == 1 and "root keys" in done.stderr


# ---- The admin API ----


def test_answers_of_the_admin_api(running):
    sock = running.connect(running.admin)
    cases = [
        ("POST", "/admin/v1/users", {"name": "alice"}, 201, None),
        ("POST", "/admin/v1/users", {"name": "alice"}, 409, "USER_EXISTS"),
        ("POST", "/admin/v1/users", {"name": "bob", "email": 7}, 400, "BAD_ARGUMENT"),
        ("POST", "/admin/v1/users", {"name": "bob", "shoe_size": "43"}, 400, "BAD_ARGUMENT"),
        ("POST", "/admin/v1/users", {}, 400, "BAD_ARGUMENT"),
        ("POST", "/admin/v1/users", ["bob"], 400, "BAD_INPUT"),
        ("POST", "/admin/v1/users", b"{", 400, "BAD_INPUT"),
        ("POST", "/admin/v1/users", b"", 400, "MISSING_BODY"),
        ("POST", "/admin/v1/users", b" " * 70000, 413, "TOO_LARGE"),
        ("GET", "/admin/v1/users", None, 200, None),
        ("PUT", "/admin/v1/users", None, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/admin/v1/users/alice", None, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/admin/v1/users/al%69ce", None, 204, None),
        ("DELETE", "/admin/v1/users/alice", None, 404, "NO_SUCH_USER"),
        ("DELETE", "/admin/v1/users/a%zz", None, 400, "BAD_URI"),
        ("DELETE", "/admin/v1/users/", None, 404, "NOT_FOUND"),
        ("DELETE", "/admin/v1/users/a/b", None, 404, "NOT_FOUND"),
        ("POST", "/admin/v1/keys", {"user": "alice"}, 404, "NO_SUCH_USER"),
        ("DELETE", "/admin/v1/keys/nokey", None, 404, "NO_SUCH_ACCESS_KEY"),
        ("DELETE", f"/admin/v1/keys/{running.keys[0]}", None, 400, "BAD_ARGUMENT"),
        ("GET", "/admin/v1/info", None, 200, None),
        ("GET", "/admin/v1/settings", None, 200, None),
        ("GET", "/admin/v2/info", None, 404, "NOT_FOUND"),
        ("GET", "/", None, 404, "NOT_FOUND"),
    ]
    for method, target, body, status, code in cases:
        reply = ask(running, sock, method, target, body)
        told = reply.json.get("error", {}).get("code") if reply.body else None
        assert (reply.status, told) == (status, code), (method, target, body, reply.body)
        if status == 413:
            sock = running.connect(running.admin)
    assert ask(running, sock, "PUT", "/admin/v1/users").headers["allow"] == "GET, POST"


def test_info_and_settings(running):
    sock = running.connect(running.admin)
    info = ask(running, sock, "GET", "/admin/v1/info").json
    assert info["version"].startswith("0.") and info["region"] == "us-east-1"
    assert info["resident_bytes"] > 1 << 20 and info["draining"] is False and info["engine"]["read_only"] is False
    settings = {row["name"]: row for row in ask(running, sock, "GET", "/admin/v1/settings").json["settings"]}
    assert settings["engine"]["value"] == "mem" and settings["engine"]["where"] == "--engine"


def test_only_root_administers(running):
    running.ask("user", "create", "alice")
    key = running.ask("key", "create", "alice")
    alice, root = (key["access_key"], key["secret_key"]), running.keys
    target, url = "/admin/v1/users", running.url(running.admin) + "/admin/v1/users"
    body = b'{"name": "mallory"}'
    good = signed_headers(root, "POST", url, body)
    cases = [
        ("nobody", {}, body, 403, "ACCESS_DENIED"),
        ("a user", signed_headers(alice, "POST", url, body), body, 403, "ACCESS_DENIED"),
        ("a stranger", signed_headers(("stranger", "x" * 20), "POST", url, body), body, 403, None),
        ("a wrong secret", signed_headers((root[0], "x" * 20), "POST", url, body), body, 403, "SIGNATURE_MISMATCH"),
        ("another method", signed_headers(root, "GET", url), b"", 403, "SIGNATURE_MISMATCH"),
        ("another path", signed_headers(root, "POST", url + "x", body), body, 403, "SIGNATURE_MISMATCH"),
        ("another body", good, body.replace(b"mallory", b"malloty"), 400, "PAYLOAD_MISMATCH"),
        ("an unsigned body", signed_headers(root, "POST", url, body, payload="UNSIGNED-PAYLOAD"), body, 403, "ACCESS_DENIED"),
        ("another service", signed_headers(root, "POST", url, body, service="sts"), body, 400, "BAD_AUTH_HEADER"),
        ("an old request", {**good, "x-amz-date": "20200101T000000Z"}, body, None, None),
        ("no signature", {**good, "authorization": "Basic cm9vdDpyb290"}, body, 400, "BAD_ARGUMENT"),
    ]
    for who, headers, data, status, code in cases:
        reply = exchange(running.connect(running.admin), "POST", target, headers, data)
        assert reply.status in ((status,) if status else (400, 403)), (who, reply.body)
        if code:
            assert reply.json["error"]["code"] == code, (who, reply.body)
    assert [user["name"] for user in running.ask("user", "list")["users"]] == ["alice"]
    signed_for_pail = signed_headers(root, "GET", url, service="pail", region="anywhere-1")
    assert exchange(running.connect(running.admin), "GET", target, signed_for_pail).status == 200


def test_presigned_links_do_not_administer(running):
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(method="GET", url=running.url(running.admin) + "/admin/v1/users")
    S3SigV4QueryAuth(Credentials(*running.keys), "s3", "us-east-1", expires=60).add_auth(request)
    target = request.url[len(running.url(running.admin)) :]
    reply = exchange(running.connect(running.admin), "GET", target)
    assert reply.status == 403 and "presigned" in reply.json["error"]["detail"]


def test_refused_request_costs_no_body(running):
    sock = running.connect(running.admin)
    send(sock, "POST", "/admin/v1/users", {"expect": "100-continue", "content-length": "1000"})
    assert Reply(sock).status == 403


def test_chunked_body(running):
    body = b'{"name": "chunky"}'
    headers = signed_headers(running.keys, "POST", running.url(running.admin) + "/admin/v1/users", body)
    sock = running.connect(running.admin)
    lines = ["POST /admin/v1/users HTTP/1.1", "transfer-encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n5\r\n" + body[:5] + b"\r\nd\r\n" + body[5:] + b"\r\n0\r\n\r\n")
    assert Reply(sock).status == 201
