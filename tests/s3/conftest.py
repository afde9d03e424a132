"""Fixtures of the tests with real clients: a server for each engine, two users, clients for them, fresh buckets.

PAIL_BINARY   the server's binary (build*/src/app/pail and the like are looked for otherwise)
PAIL_ENGINE   engines to run on, "local,mem" by default
PAIL_ENDPOINT a server that runs already, instead (see lib/server.py)
"""

import glob
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lib import clients, server as servers, wire  # noqa: E402

SOURCE_ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FOREIGN = bool(os.environ.get("PAIL_ENDPOINT"))
ENGINES = ["foreign"] if FOREIGN else os.environ.get("PAIL_ENGINE", "local,mem").split(",")
STRICT = os.environ.get("CI") == "true" or os.environ.get("CHECK_STRICT") == "1"


def find_binary():
    named = os.environ.get("PAIL_BINARY")
    found = [named] if named else glob.glob(os.path.join(SOURCE_ROOT, "build*", "**", "pail"), recursive=True)
    found = [path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)]
    if not found:
        pytest.exit("there is no pail binary: build it, or name it in PAIL_BINARY", returncode=1)
    return max(found, key=os.path.getmtime)


def pytest_collection_modifyitems(config, items):
    """Leaves out the pairs of case and engine that mean nothing, and the slow cases unless they are asked for."""
    kept, dropped = [], []
    for item in items:
        engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
        meaningless = bool(
            (engine == "mem" and item.get_closest_marker("durable"))
            or (FOREIGN and item.get_closest_marker("own_server"))
        )
        unasked = item.get_closest_marker("slow") and config.option.markexpr != "slow"
        (dropped if meaningless or unasked else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.fixture(scope="session", params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="session")
def binary():
    return find_binary()


@pytest.fixture(scope="session")
def server(engine, tmp_path_factory):
    """The server that most tests share. Whether it ends cleanly is the last thing tested."""
    if FOREIGN:
        yield servers.ForeignServer()
        return
    folder = tmp_path_factory.mktemp("server-" + engine)
    started = servers.Server(find_binary(), engine, folder).start()
    yield started
    started.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_server(engine, tmp_path):
    """Starts servers of the test's own: own_server(*settings) returns one with the user `main` made."""
    started = []

    def start(*settings, name="own", **more):
        one = servers.Server(find_binary(), engine, tmp_path / name, settings, **more).start()
        started.append(one)
        one.main = one.make_user("tester")
        return one

    yield start
    for one in started:
        one.stop()
        shutil.rmtree(one.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def main_user(server):
    return server.make_user("tester")


@pytest.fixture(scope="session")
def other_user(server):
    return server.make_user("other")


@pytest.fixture(scope="session")
def client(server, main_user):
    return clients.make_client(server.endpoint, main_user)


@pytest.fixture(scope="session")
def other_client(server, other_user):
    return clients.make_client(server.endpoint, other_user)


@pytest.fixture(scope="session")
def raw(server, main_user):
    """Signed requests of any form; see lib/wire.py."""
    return wire.Wire(server.endpoint, main_user)


@pytest.fixture
def make_bucket(client):
    """make_bucket(owner=client, **CreateBucket arguments) returns a name; what it holds is deleted after the test."""
    made = []

    def make(owner=None, **arguments):
        owner = owner or client
        name = arguments.pop("Bucket", None) or clients.bucket_name()
        owner.create_bucket(Bucket=name, **arguments)
        made.append((owner, name))
        return name

    yield make
    for owner, name in made:
        clients.drop_bucket(owner, name)


@pytest.fixture
def bucket(make_bucket):
    return make_bucket()


@pytest.fixture(scope="module")
def shared_bucket(client):
    """A bucket for a whole file of cases that do not disturb each other."""
    name = clients.bucket_name("shared")
    client.create_bucket(Bucket=name)
    yield name
    clients.drop_bucket(client, name)


@pytest.fixture(autouse=True)
def server_alive(request):
    """A case after which the server is gone fails itself, not the next one."""
    yield
    if "server" in request.fixturenames:
        running = request.getfixturevalue("server")
        assert running.running(), "the server is gone:\n" + running.log()[-6000:]


@pytest.fixture(scope="session")
def program():
    """program("rclone") returns its path, or skips the test, loudly; in continuous integration it fails."""

    def find(name):
        # Clients written in Python are installed beside pytest.
        path = shutil.which(name, path=os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", ""))
        if path is None:
            message = f"{name} is not installed"
            pytest.fail(message) if STRICT else pytest.skip("SKIPPED: " + message)
        return path

    return find
