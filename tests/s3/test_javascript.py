"""The AWS SDK for JavaScript (js/client.mjs); its packages are those of package-lock.json beside this file."""

import json
import os
import subprocess

import pytest

from conftest import STRICT
from lib.clients import bucket_name, drop_bucket

pytestmark = pytest.mark.clients
HERE = os.path.dirname(os.path.abspath(__file__))
CASES = """abort buckets checksums conditions copy delete_many errors listing presigned range round_trip
    stream_of_known_length upload_in_parts""".split()


@pytest.fixture(scope="module")
def results(server, client, main_user, program):
    """name → error text, empty for a case that passed, of one run of all cases."""
    node = program("node")
    if not os.path.isdir(os.path.join(HERE, "node_modules", "@aws-sdk")):
        message = "the JavaScript SDK is not installed (npm ci in tests/s3)"
        pytest.fail(message) if STRICT else pytest.skip("SKIPPED: " + message)
    bucket = bucket_name("js")
    client.create_bucket(Bucket=bucket)
    environment = {
        **os.environ,
        "S3_ENDPOINT": server.endpoint,
        "S3_ACCESS_KEY": main_user["access_key"],
        "S3_SECRET_KEY": main_user["secret_key"],
        "S3_BUCKET": bucket,
    }
    script = os.path.join(HERE, "js", "client.mjs")
    done = subprocess.run([node, script], env=environment, capture_output=True, text=True, timeout=120, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    yield {"": done.stderr, **{line["name"]: line["error"] for line in lines}}
    drop_bucket(client, bucket)


@pytest.mark.parametrize("case", CASES)
def test_case(results, case):
    assert case in results, results[""]
    assert results[case] == "", results[case]


def test_all_cases_are_listed(results):
    assert sorted(set(results) - {""}) == CASES
