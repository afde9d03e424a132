"""Fixtures of the tests of the program itself: PAIL_BINARY names it (else the newest build is taken)."""

import glob
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from program import Program  # noqa: E402

SOURCE_ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


@pytest.fixture(scope="session")
def binary():
    named = os.environ.get("PAIL_BINARY")
    found = [named] if named else glob.glob(os.path.join(SOURCE_ROOT, "build*", "pail"))
    found = [os.path.abspath(path) for path in found if os.path.isfile(path)]
    if not found:
        pytest.exit("there is no pail binary: build it, or name it in PAIL_BINARY", returncode=1)
    return max(found, key=os.path.getmtime)


@pytest.fixture
def make_program(binary, tmp_path):
    made = []

    def make(name="one"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        made.append(Program(binary, folder))
        return made[-1]

    yield make
    for program in made:
        program.settle()


@pytest.fixture
def program(make_program):
    return make_program()


@pytest.fixture
def s3(program):
    """s3() is a boto3 client of the running program, as root; s3(access_key, secret_key) as somebody else."""
    import boto3
    from botocore.config import Config

    def client(access_key=None, secret_key=None, verify=None):
        keys = (access_key, secret_key) if access_key else program.keys
        return boto3.client(
            "s3",
            endpoint_url=program.url(program.s3),
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            region_name="us-east-1",
            verify=verify,
            config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    return client
