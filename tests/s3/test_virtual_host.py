"""Virtual-host style: the bucket in the host's name, with --domain."""

import pytest

from lib.wire import Wire

pytestmark = pytest.mark.own_server
DOMAIN = "s3.pail.test"


@pytest.fixture(scope="module")
def hosts(engine, binary, tmp_path_factory):
    """(a function that makes a Wire for a host name, the path-style Wire) of a server with a domain."""
    from lib.server import Server

    server = Server(binary, engine, tmp_path_factory.mktemp("domain"), ["--domain", DOMAIN]).start()
    user = server.make_user("tester")

    def wire(host):
        made = Wire(server.endpoint, user)
        made.host = host
        return made

    path_style = Wire(server.endpoint, user)
    for name in ("vhost-bucket", "dotted.bucket"):
        assert path_style.put("/" + name).status == 200
    yield wire, path_style
    server.stop()


@pytest.mark.parametrize("bucket", ["vhost-bucket", "dotted.bucket"])
def test_object(hosts, bucket):
    wire, path_style = hosts
    virtual = wire(f"{bucket}.{DOMAIN}")
    assert virtual.put("/a/k", b"virtual").status == 200
    assert virtual.get("/a/k").body == b"virtual"
    assert path_style.get(f"/{bucket}/a/k").body == b"virtual"
    assert [one.text for one in virtual.get("/?list-type=2").xml.iter("Key")] == ["a/k"]
    assert virtual.presigned("GET", "/a/k").body == b"virtual"
    assert virtual.request("DELETE", "/a/k").status == 204


@pytest.mark.parametrize("host", ["VHost-Bucket." + DOMAIN.upper(), f"vhost-bucket.{DOMAIN}:9000"])
def test_case_and_port(hosts, host):
    """Neither changes the name."""
    wire, _ = hosts
    assert wire(host).get("/?list-type=2").status == 200


def test_bucket_made_by_host(hosts):
    wire, path_style = hosts
    assert wire(f"made-by-host.{DOMAIN}").put("/").status == 200
    assert path_style.request("HEAD", "/made-by-host").status == 200
    assert wire(f"made-by-host.{DOMAIN}").request("DELETE", "/").status == 204


def test_first_segment_is_part_of_the_key(hosts):
    wire, path_style = hosts
    virtual = wire(f"vhost-bucket.{DOMAIN}")
    assert virtual.put("/vhost-bucket/k", b"x").status == 200
    assert path_style.get("/vhost-bucket/vhost-bucket/k").body == b"x"
    assert virtual.put("//double", b"y").status == 200
    assert path_style.get("/vhost-bucket//double").body == b"y"
    for key in ("vhost-bucket/k", "/double"):
        assert path_style.request("DELETE", "/vhost-bucket/" + key).status == 204


def test_the_domain_itself_and_others_are_path_style(hosts):
    wire, _ = hosts
    for host in (DOMAIN, "localhost", "127.0.0.1", "[::1]", f"x{DOMAIN}", "vhost-bucket.elsewhere.test"):
        names = [one.text for one in wire(host).get("/").xml.iter("Name")]
        assert {"vhost-bucket", "dotted.bucket"} <= set(names), host
        assert wire(host).get("/vhost-bucket?list-type=2").status == 200


def test_missing_bucket(hosts):
    wire, _ = hosts
    wire(f"no-such-bucket.{DOMAIN}").get("/k").is_error(404, "NoSuchBucket")
