"""`pail serve` as a process of the tests: started on a free port, ended by its process id, its users made by the CLI.

A server that ends badly (a sanitizer's finding, a crash, an exit code) fails the test run: `stop` asserts a clean end.
"""

import json
import os
import re
import signal
import subprocess
import time

ROOT_KEYS = {"access_key": "rootrootrootroot", "secret_key": "root-secret-of-the-tests-0123456789"}
# A small quarantine, so that the memory measured is the server's and not what the sanitizer keeps back.
SANITIZERS = {"ASAN_OPTIONS": "quarantine_size_mb=4:malloc_context_size=10:detect_leaks=1"}
START_SECONDS = 60
STOP_SECONDS = 60
LISTENS = re.compile(r"^pail: (S3|admin) on (https?://\S+)$", re.M)


def clean_environment():
    """Without PAIL_ variables: those that name this run's choices are also the server's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PAIL_")}


class Server:
    """One server on one data folder. `settings` are more words for `pail serve`; `ca_file` is what the CLI trusts."""

    def __init__(self, binary, engine, folder, settings=(), ca_file=None):
        self.binary = os.path.abspath(binary)
        self.engine = engine
        self.folder = str(folder)
        self.settings = list(settings)
        self.ca_file = ca_file
        self.listen = self.admin_listen = "127.0.0.1:0"
        self.process = None
        self.endpoint = self.admin = None
        os.makedirs(self.folder, exist_ok=True)
        self.log_path = os.path.join(self.folder, "server.log")

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def start(self):
        words = [self.binary, "serve", "--engine", self.engine, "--listen", self.listen]
        words += ["--console-listen", self.admin_listen]
        if self.engine != "mem":
            words += ["--data-dir", self.data]
        words += ["--access-key", ROOT_KEYS["access_key"], "--secret-key", ROOT_KEYS["secret_key"]] + self.settings
        with open(self.log_path, "ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                words,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={**clean_environment(), **SANITIZERS},
            )
        self.endpoint, self.admin = self._addresses(begin)
        # A restart keeps its addresses, as clients expect.
        self.listen = self.endpoint.split("//")[1]
        self.admin_listen = self.admin.split("//")[1]
        return self

    def log(self, begin=0):
        with open(self.log_path, "rb") as file:
            file.seek(begin)
            return file.read().decode("utf-8", "replace")

    def _addresses(self, begin):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = dict(LISTENS.findall(self.log(begin)))
            if len(found) == 2:
                return found["S3"], found["admin"]
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log(begin)}")
            time.sleep(0.02)
        self.kill()
        raise RuntimeError("the server did not say where it listens:\n" + self.log(begin))

    def stop(self):
        """SIGTERM, and a clean end."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end within {STOP_SECONDS} s of SIGTERM") from None
        assert code == 0, f"the server ended with {code}:\n{self.log()[-6000:]}"

    def kill(self):
        """SIGKILL: what a crash leaves."""
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.stop()
        self.start()

    def running(self):
        return self.process.poll() is None

    def rss_bytes(self):
        """Anonymous memory in use; pages of files do not count."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("no RssAnon")

    def cli(self, *words):
        """Runs a command of the CLI as root, and returns what it prints as JSON."""
        environment = {
            **clean_environment(),
            "PAIL_ROOT_ACCESS_KEY": ROOT_KEYS["access_key"],
            "PAIL_ROOT_SECRET_KEY": ROOT_KEYS["secret_key"],
        }
        command = [self.binary, *words, "--endpoint", self.admin, "--json"]
        command += ["--ca-file", str(self.ca_file)] if self.ca_file else []
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"pail {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def make_user(self, name):
        """Returns name, canonical_id, access_key and secret_key of a new user."""
        user = self.cli("user", "create", name)
        keys = self.cli("key", "create", name)
        return {**user, **keys, "name": name}


class ForeignServer:
    """A server that runs already, named by the environment: AWS itself, or another store to try the tests' own logic on.
    PAIL_ENDPOINT, PAIL_ACCESS_KEY and PAIL_SECRET_KEY, and the same with _ALT for a second user."""

    engine = "foreign"

    def __init__(self):
        self.endpoint = os.environ["PAIL_ENDPOINT"].rstrip("/")

    def make_user(self, name):
        suffix = "_ALT" if name == "other" else ""
        return {
            "name": name,
            "canonical_id": os.environ.get("PAIL_CANONICAL_ID" + suffix, ""),
            "access_key": os.environ["PAIL_ACCESS_KEY" + suffix],
            "secret_key": os.environ["PAIL_SECRET_KEY" + suffix],
        }

    def start(self):
        return self

    def stop(self):
        pass

    def running(self):
        return True
