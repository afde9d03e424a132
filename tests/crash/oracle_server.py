"""The server under test, and the disk that it lies on."""

import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

LISTENS = re.compile(r"^pail: (S3|admin) on http://\S+:(\d+)$", re.M)
START_SECONDS = 180  # of a busy machine
END_SECONDS = 60
FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
SHUTDOWN_NO_LOG_FLUSH = 2
PR_SET_PDEATHSIG = 1
CLONE_NEWNS = 0x00020000


class Died(Exception):
    """The server ended before it was ready."""


class Server:
    def __init__(self, binary, folder, data):
        self.binary, self.folder, self.data = binary, folder, data
        self.process = None
        self.order = None  # the writing end of the shim's pipe
        self.segment = "64MiB"
        self.starts = 0
        self.slowest_start = 0.0

    def spawn(self, environment=None, words=None):
        """`words`: another command than that of the server."""
        self.starts += 1
        self.out_path = os.path.join(self.folder, f"out-{self.starts % 4}")
        self.log_path = os.path.join(self.folder, f"log-{self.starts % 4}")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PAIL_")}
        words = words or self.serve_words()
        reading, self.order = os.pipe() if "LD_PRELOAD" in (environment or {}) else (None, None)
        if reading is not None:
            environment = {**environment, "CRASH_SHIM_FD": str(reading)}
        with open(self.out_path, "wb") as out, open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [self.binary, *words],
                stdout=out,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={**kept, **(environment or {})},
                preexec_fn=die_with_parent,
                pass_fds=[] if reading is None else [reading],
            )
        if reading is not None:
            os.close(reading)
        return self

    def serve_words(self):
        words = ["serve", "--data-dir", self.data, "--anonymous", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        return words + ["--log-segment-max", self.segment]

    def ports(self):
        """{name: port} of what listens; None until all does."""
        with open(self.out_path, encoding="utf-8") as file:
            ports = {name: int(port) for name, port in LISTENS.findall(file.read())}
        return ports if "S3" in ports and "admin" in ports else None

    def wait_ready(self):
        """Returns the seconds since the call."""
        began = time.monotonic()
        while True:
            ports = self.ports()
            if ports:
                break
            if self.process.poll() is not None:
                raise Died(f"the server ended at start with {self.process.returncode}: {self.log()[-1500:]}")
            if time.monotonic() - began > START_SECONDS:
                raise AssertionError(f"not ready after {START_SECONDS} s: {self.log()[-1500:]}")
            time.sleep(0.005)
        self.port, self.admin_port = ports["S3"], ports["admin"]
        try:
            ready = self.get(self.port, "/health/ready")
        except (OSError, http.client.HTTPException):
            self.process.wait(5)
            raise Died("the server ended right after its start") from None
        assert ready == "ok\n" or ready == "ok", ready
        seconds = time.monotonic() - began
        self.slowest_start = max(self.slowest_start, seconds)
        return seconds

    @staticmethod
    def get(port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def run(self, *words):
        """Another command of the binary, while no server runs."""
        run(self.binary, *words)

    def has_ended(self, within, until_ready=False):
        """Whether it ends by itself in so many seconds; not waited for any longer when it is ready."""
        deadline = time.monotonic() + within
        while self.process.poll() is None:
            if time.monotonic() >= deadline or (until_ready and self.ports()):
                return False
            time.sleep(min(0.005, max(deadline - time.monotonic(), 0)))
        return True

    def is_at_point(self):
        """Whether the shim has ended it where it was told to."""
        return "crash_shim: at the point\n" in self.log()

    def fsck(self, *flags):
        """Of a folder that no server has: (exit status, what it reports), or why it cannot be."""
        words = [self.binary, "fsck", "--data-dir", self.data, "--json", *flags]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=START_SECONDS)
        try:
            return done.returncode, {**json.loads(done.stdout), "said": done.stderr[-600:]}
        except ValueError:
            raise AssertionError(f"fsck ends with {done.returncode}: {done.stdout[-600:]}{done.stderr[-600:]}") from None

    def count_from_now(self):
        """The shim's passes."""
        if self.order is not None:
            os.write(self.order, b"!")

    def set_faulty(self, is_faulty):
        """The shim's disk. Of a server that has ended, its end tells."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.order, b"f" if is_faulty else b"o")

    def metrics(self):
        return self.get(self.admin_port, "/metrics")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        """With the shim, by the shim, so that its disk can forget."""
        if self.order is not None:
            os.close(self.order)
            self.order = None
        elif self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        try:
            if self.process:
                self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            raise AssertionError("the shim did not end the server") from None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def die_with_parent():
    """No server outlives an oracle that was itself killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def leave_mount_namespace():
    """A view of mounts that this process alone has. Otherwise somebody else's copy of it could keep a file system alive, shut
    down as it is, past its unmounting; and what is mounted here goes when the oracle does, however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")


class Folder:
    """A folder of the machine's own disk: kills, but no power cuts."""

    def __init__(self, folder):
        self.data = os.path.join(folder, "data")

    def close(self):
        pass


class Disk:
    """A file system of its own, in a file, whose power can be cut: what was not synced is lost."""

    def __init__(self, folder, kind, size=2 << 30):
        self.image = os.path.join(folder, "disk.img")
        self.mountpoint = os.path.join(folder, "disk")
        self.data = os.path.join(self.mountpoint, "data")
        self.is_mounted = False
        os.mkdir(self.mountpoint)
        with open(self.image, "wb") as file:
            file.truncate(size)
        run("mkfs." + kind, "-q", self.image)
        # One device for the whole run: a mount that makes its own may find the last one, half detached.
        self.device = run("losetup", "--find", "--show", self.image)
        try:
            self.mount()
        except AssertionError:
            run("losetup", "--detach", self.device)
            raise

    def mount(self):
        run("mount", self.device, self.mountpoint)
        self.is_mounted = True
        os.listdir(self.mountpoint)  # an error here: it is still the one that was shut down

    def cut(self):
        descriptor = os.open(self.mountpoint, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, FS_IOC_SHUTDOWN, struct.pack("I", SHUTDOWN_NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", self.mountpoint], capture_output=True, check=False).returncode == 0:
                self.is_mounted = False
                return
            time.sleep(0.05)
        run("umount", self.mountpoint)

    def remount(self):
        """The power comes back: the file system replays its own journal."""
        self.unmount()
        self.mount()

    def close(self):
        if self.is_mounted:
            self.unmount()
        run("losetup", "--detach", self.device)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def why_no_disk(kind):
    """Why a file system of this kind cannot be made and mounted here, or None."""
    if os.geteuid() != 0:
        return "only root can mount a file system"
    if not shutil.which("mkfs." + kind):
        return f"mkfs.{kind} is not installed"
    try:
        leave_mount_namespace()
    except (AssertionError, OSError) as error:
        return f"no mounts of its own: {error}"
    with tempfile.TemporaryDirectory(prefix="pail-crash-try-") as folder:
        try:
            disk = Disk(folder, kind, 512 << 20)
            disk.cut()
            disk.close()
        except (AssertionError, OSError) as error:
            return str(error)
    return None
