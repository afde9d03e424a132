"""Through TLS, where the SDKs send bodies in another form: aws-chunked, unsigned, with the checksum as a trailer."""

import hashlib
import subprocess

import pytest
from boto3.s3.transfer import TransferConfig

from lib.checksums import checksum
from lib.clients import make_client, pattern, read, refused
from lib.server import Server

pytestmark = pytest.mark.own_server
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def secure(engine, binary, program, tmp_path_factory):
    """(client, bucket) of a server that speaks TLS only."""
    folder = tmp_path_factory.mktemp("tls-" + engine)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    settings = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    server = Server(binary, engine, folder / "server", settings, ca_file=certificate).start()
    client = make_client(server.endpoint, server.make_user("tester"), ca_file=str(certificate))
    client.create_bucket(Bucket="secure-bucket")
    yield client, "secure-bucket"
    server.stop()


@pytest.mark.parametrize("size", [0, 1, 1000, 65535, 65536, 300_000, 5 * MIB])
def test_put(secure, size):
    client, bucket = secure
    body = pattern(size)
    put = client.put_object(Bucket=bucket, Key="k", Body=body)
    assert put["ResponseMetadata"]["HTTPHeaders"]["x-amz-checksum-type"] == "FULL_OBJECT"
    assert put["ChecksumCRC32"] == checksum("CRC32", body)
    assert read(client, bucket, "k") == body
    assert "ContentEncoding" not in client.head_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums(secure, algorithm):
    client, bucket = secure
    body = pattern(100_000)
    client.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm=algorithm)
    got = client.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert got["Checksum" + algorithm] == checksum(algorithm, body)


def test_files_in_parts(secure, tmp_path):
    """upload_file and download_file, eight threads, five parts."""
    client, bucket = secure
    body = pattern(33 * MIB)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(body)
    parts = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=8)
    client.upload_file(str(source), bucket, "file", ExtraArgs={"Metadata": {"a": "1"}}, Config=parts)
    client.download_file(bucket, "file", str(target), Config=parts)
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(body).digest()
    head = client.head_object(Bucket=bucket, Key="file")
    assert head["ETag"].endswith('-5"') and head["Metadata"] == {"a": "1"}


def test_stream_without_a_known_length(secure, tmp_path):
    """upload_fileobj of something that cannot be rewound."""
    client, bucket = secure
    body = pattern(12 * MIB)
    path = tmp_path / "pipe"
    path.write_bytes(body)
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as cat:
        client.upload_fileobj(cat.stdout, bucket, "stream", Config=TransferConfig(multipart_chunksize=5 * MIB))
    assert read(client, bucket, "stream") == body


def test_errors(secure):
    client, bucket = secure
    refused(404, "NoSuchKey", client.get_object, Bucket=bucket, Key="missing")
    refused(404, "NoSuchBucket", client.put_object, Bucket="no-such-bucket-1", Key="k", Body=pattern(100_000))
