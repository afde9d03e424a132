"""Aim: /metrics is what Prometheus reads, and its numbers are those of what was done; health says the truth to anybody who
asks, on both ports; the access log has one line an exchange."""

import json
import os

import pytest
from botocore.exceptions import ClientError

import prometheus
from program import exchange, signed_headers


def scrape(program):
    reply = exchange(program.connect(program.admin), "GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return prometheus.parse(reply.body.decode())


def test_numbers_are_those_of_what_was_done(program, s3):
    program.start()
    client = s3()
    client.create_bucket(Bucket="counted")
    for number in range(5):
        client.put_object(Bucket="counted", Key=f"k{number}", Body=b"x" * 1000)
    client.get_object(Bucket="counted", Key="k0")["Body"].read()
    with pytest.raises(ClientError):
        client.get_object(Bucket="counted", Key="none")
    client.delete_object(Bucket="counted", Key="k4")
    found = scrape(program)

    def value(name, **labels):
        return prometheus.value(found, name, **labels)

    assert value("pail_requests_total", operation="PutObject", status="200") == 5
    assert value("pail_requests_total", operation="GetObject", status="200") == 1
    assert value("pail_requests_total", operation="GetObject", status="404") == 1
    assert value("pail_request_body_bytes_total", operation="PutObject") >= 5000
    assert value("pail_reply_body_bytes_total", operation="GetObject") >= 1000
    assert value("pail_request_duration_seconds_count", operation="PutObject") == 5
    assert value("pail_request_duration_seconds_sum") >= value("pail_request_first_byte_seconds_sum") > 0
    assert value("pail_bucket_objects", bucket="counted") == 4
    assert value("pail_bucket_bytes", bucket="counted") == 4000
    assert value("pail_build_info") == 1 and value("pail_engine_read_only") == 0
    assert value("process_resident_memory_bytes") > 1 << 20 and value("process_open_fds") > 3


def test_numbers_of_a_fresh_server(program):
    program.start(engine="local")
    found = scrape(program)
    assert prometheus.value(found, "pail_disk_total_bytes") > prometheus.value(found, "pail_disk_free_bytes") > 0
    held = [program.connect() for _ in range(3)]
    assert [exchange(sock, "GET", "/health").status for sock in held] == [200] * 3
    assert prometheus.value(scrape(program), "pail_connections") == 3


def test_odd_bucket_names_do_not_break_the_text():
    text = '# HELP a b\n# TYPE a gauge\na{b="x\\"y\\\\z\\n"} 1\n'
    assert prometheus.value(prometheus.parse(text), "a") == 1
    for broken in ('a 1\n', text[:-1], text + 'a{b="x\\"y\\\\z\\n"} 2\n', text.replace("1\n", "one\n"), text + "c 1\n"):
        with pytest.raises((AssertionError, KeyError)):
            prometheus.parse(broken)


@pytest.mark.parametrize("port", ["s3", "admin"])
def test_health(program, port):
    program.start()
    sock = program.connect(getattr(program, port))
    for path in ("/health", "/health/live", "/health/ready", "/minio/health/live", "/minio/health/ready"):
        reply = exchange(sock, "GET", path)
        assert (reply.status, reply.body) == (200, b"ok\n")
        assert exchange(sock, "HEAD", path).status == 200
        # Only that: other methods and paths are somebody else's.
        assert exchange(sock, "PUT", path).status in (403, 404, 405)
        assert exchange(sock, "GET", path + "/more").status in (403, 404)


def test_bucket_called_health(program, s3):
    """On the S3 port the names are buckets' for whoever signs."""
    program.start()
    s3().create_bucket(Bucket="health")
    s3().put_object(Bucket="health", Key="live", Body=b"an object")
    assert s3().get_object(Bucket="health", Key="live")["Body"].read() == b"an object"
    assert s3().list_objects_v2(Bucket="health")["KeyCount"] == 1


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_access_log(program, s3, log_format):
    path = os.path.join(program.folder, "access.log")
    program.start("--access-log", path, "--log-format", log_format)
    if not program.keys:
        keys = [json.loads(line) for line in program.out().splitlines()]
        program.keys = next((line["access_key"], line["secret_key"]) for line in keys if line["event"] == "root-keys")
        program.s3 = next(tuple(line["url"].replace("://", ":").split(":")) for line in keys if line.get("service") == "s3")
    client = s3()
    client.create_bucket(Bucket="logged")
    client.put_object(Bucket="logged", Key='od"d\nname', Body=b"12345")
    link = client.generate_presigned_url("get_object", Params={"Bucket": "logged", "Key": "none"})
    target = link.split("/", 3)[3]
    assert exchange(program.connect(), "GET", "/" + target).status == 404
    program.stop()
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert "Signature=..." in text and link.split("Signature=")[1][:64] not in text
    lines = text.splitlines()
    assert len(lines) == 3
    if log_format == "text":
        assert " PutObject 200 - 5 0 " in lines[1] and " GetObject 404 NoSuchKey 0 " in lines[2]
        return
    put, get = json.loads(lines[1]), json.loads(lines[2])
    assert (put["operation"], put["bucket"], put["key"], put["status"]) == ("PutObject", "logged", 'od"d\nname', 200)
    assert put["bytes_in"] >= 5 and put["error"] == "" and put["access_key"] == program.keys[0] and put["complete"]
    assert (get["status"], get["error"], get["method"]) == (404, "NoSuchKey", "GET")


def test_access_log_that_cannot_be_written(program):
    done = program.run(*program.words("--access-log", "/nonexistent/folder/access.log")[1:])
    assert done.returncode == 1 and "access.log" in done.stderr


def test_unsigned_requests_count_as_well(program):
    program.start()
    sock = program.connect()
    assert exchange(sock, "GET", "/some-bucket/key").status in (403, 404)
    sock.sendall(b"NONSENSE\r\n\r\n")
    found = scrape(program)
    assert prometheus.value(found, "pail_requests_total", operation="GetObject") == 1
    signed = signed_headers(program.keys, "GET", program.url(program.s3) + "/")
    assert exchange(program.connect(), "GET", "/", signed).status == 200
