"""The servers that are compared: pail, and nginx over the same bytes as static files. Both are started on free ports of the
loopback and ended by their process ids."""

import http.client
import os
import resource
import signal
import socket
import subprocess
import time

import process

ACCESS_KEY = "benchbenchbench"
SECRET_KEY = "secret-of-the-benchmark-0123456789"
START_SECONDS = 120
DESCRIPTORS_MAX = 131072

NGINX_CONF = """
{user}
worker_processes {workers};
worker_rlimit_nofile {descriptors};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{
    worker_connections 16384;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    open_file_cache max={cached} inactive=1h;
    open_file_cache_valid 1h;
    client_body_temp_path {folder}/body;
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {root};
    }}
}}
"""


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def first_answer(port):
    """Whether the server on the port answers a request, whatever it says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except OSError:
        return False
    finally:
        connection.close()


def clean_environment(more):
    """Without PAIL_ variables, which are settings of the server: a benchmark measures what it says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAIL_")}
    return {**kept, **(more or {})}


class Server:
    """What is common: an endpoint, processes whose CPU counts, an end."""

    name = None

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = None
        os.makedirs(folder, exist_ok=True)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def spawn(self, words, environment=None):
        """Returns the seconds until the first answer."""
        began = time.monotonic()
        with open(os.path.join(self.folder, f"{self.name}.log"), "ab") as log:
            self.process = subprocess.Popen(
                words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=clean_environment(environment)
            )

        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}; see {self.folder}/{self.name}.log")
            return first_answer(self.port)

        process.wait_until(answers, START_SECONDS, f"start of {self.name}")
        return time.monotonic() - began

    def pids(self):
        return [self.process.pid] + process.children(self.process.pid)

    def cpu_seconds(self):
        return process.cpu_seconds(self.pids())

    def stop(self, number=signal.SIGTERM):
        if self.process is not None:
            process.stop(self.process, number)
            self.process = None


class Nginx(Server):
    """A good static server: sendfile, cached descriptors, no log, a worker a core as pail has a loop a core."""

    name = "nginx"

    def __init__(self, folder, root):
        super().__init__(folder)
        self.root = root

    def start(self):
        conf = os.path.join(self.folder, "nginx.conf")
        # As root its workers would become nobody, who may not see the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        # With more files cached than it may open it answers 500.
        descriptors = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], DESCRIPTORS_MAX)
        with open(conf, "w", encoding="utf-8") as file:
            file.write(
                NGINX_CONF.format(
                    user=user,
                    workers=os.cpu_count(),
                    folder=self.folder,
                    port=self.port,
                    root=self.root,
                    descriptors=descriptors,
                    cached=descriptors * 3 // 4,
                )
            )
        return self.spawn(["nginx", "-c", conf, "-e", os.path.join(self.folder, "error.log")])


class Pail(Server):
    """`pail serve` with its defaults, durable, and with what is given beside them."""

    name = "pail"

    def __init__(self, folder, binary, settings=()):
        super().__init__(folder)
        self.binary = binary
        self.settings = list(settings)

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def start(self):
        words = [self.binary, "serve", "--data-dir", self.data, "--listen", f"127.0.0.1:{self.port}"]
        words += ["--admin-listen", "127.0.0.1:0", "--access-key", ACCESS_KEY, "--log-level", "warn"]
        return self.spawn(words + self.settings, {"PAIL_SECRET_KEY": SECRET_KEY})

    def memory_bytes(self, field="VmRSS"):
        return process.memory_bytes(self.process.pid, field)
