"""A disk that fails under the server, and mends: calls on the data folder fail for a while (crash_shim.c), under load and at a start. Then the
server must write again by itself, or be read-only and say so everywhere; whatever it had acknowledged is there, before a
restart and after it, and what failed is there whole or not at all."""

import errno
import time
from typing import NamedTuple

from oracle_http import Client, Lost
from oracle_load import Load
from oracle_server import Died

PATIENCE_SECONDS = 20
READ_ONLY, GOES_ON, EITHER = "read-only", "goes on", "either"


class Fault(NamedTuple):
    call: str
    folder: str
    error: str
    count: int  # 0: all calls as long as it lasts
    outcome: str  # what must come of it

    def __str__(self):
        return f"{self.call} in {self.folder}: {self.error or 'less than asked for'}{f' x {self.count}' if self.count else ''}"


# Taken in turns; a short run begins somewhere among them.
FAULTS = [
    Fault("fdatasync", "log", "EIO", 1, READ_ONLY),
    Fault("pwrite", "log", "ENOSPC", 0, GOES_ON),
    Fault("open", "tmp", "EMFILE", 0, GOES_ON),
    Fault("open", "index", "EMFILE", 0, EITHER),
    Fault("read", "log", "EIO", 0, GOES_ON),
    Fault("write", "index", "ENOSPC", 0, GOES_ON),
    Fault("short", "log", "", 0, GOES_ON),
    Fault("pwrite", "tmp", "EIO", 0, GOES_ON),
    Fault("fdatasync", "tmp", "EIO", 1, READ_ONLY),
    Fault("pwrite", "log", "EIO", 1, READ_ONLY),
    Fault("read", "extents", "EIO", 0, GOES_ON),
    Fault("open", "extents", "EMFILE", 0, GOES_ON),
    Fault("open", "log", "EMFILE", 0, GOES_ON),
    Fault("short", "extents", "", 0, GOES_ON),
    Fault("short", "tmp", "", 0, GOES_ON),
    Fault("short", "index", "", 0, GOES_ON),
    Fault("pwrite", "tmp", "ENOSPC", 0, GOES_ON),
    Fault("fdatasync", "tmp", "ENOSPC", 0, GOES_ON),
    Fault("fallocate", "tmp", "ENOSPC", 0, GOES_ON),
    Fault("fallocate", "log", "ENOSPC", 0, GOES_ON),
    Fault("ftruncate", "tmp", "EIO", 1, READ_ONLY),
    Fault("rename", "extents", "EIO", 1, READ_ONLY),
    Fault("fsync", "extents", "EIO", 1, READ_ONLY),
    Fault("mkdir", "extents", "ENOSPC", 0, GOES_ON),
    Fault("unlink", "extents", "EIO", 0, GOES_ON),
    Fault("rename", "log", "EIO", 1, EITHER),
    Fault("fsync", "log", "EIO", 1, EITHER),
    Fault("fsync", "log", "ENOSPC", 1, GOES_ON),
    Fault("read", "index", "EIO", 0, EITHER),
    Fault("write", "index", "EIO", 1, EITHER),
    Fault("fdatasync", "index", "EIO", 1, EITHER),
    Fault("fsync", "index", "EIO", 1, EITHER),
    Fault("rename", "index", "EIO", 1, EITHER),
    Fault("unlink", "index", "EIO", 0, EITHER),
]


def environment(options, server, fault):
    number = getattr(errno, fault.error) if fault.error else 0
    return {
        "LD_PRELOAD": options.shim,
        "CRASH_SHIM_DIR": server.data,
        "CRASH_SHIM_FAULT": f"{fault.call}:{fault.folder}:{number}:{fault.count}",
    }


def fault_round(oracle, fault, number, rng):
    """Returns (faults found, what became of the server)."""
    options, server, model = oracle.options, oracle.server, oracle.model
    faults = []
    server.spawn(environment(options, server, fault)).wait_ready()
    load = Load(model, server.port, f"{options.seed}/{number}", faults)
    load.start()
    time.sleep(rng.uniform(0.05, 0.3))
    load.may_fail = True
    server.set_faulty(True)
    time.sleep(rng.uniform(0.3, options.seconds))
    server.set_faulty(False)
    time.sleep(0.2)
    load.is_dying.set()
    load.join()
    oracle.totals["operations"] += load.operations
    if server.process.poll() is not None:
        return faults + [f"{fault}: the server ended with {server.process.returncode}: {server.log()[-1500:]}"], "died"
    outcome, said = what_became(server)
    faults += [f"{fault}: {text}" for text in said]
    if fault.outcome not in (EITHER, outcome):
        faults.append(f"{fault}: {outcome} instead of {fault.outcome}: {server.log()[-1500:]}")
    if outcome == GOES_ON and not faults:
        faults += oracle.settle()
    code = server.stop()
    server.kill()
    if code != 0:
        faults.append(f"{fault}: the server ended with {code}: {server.log()[-3000:]}")
    if not faults:
        faults += start_under_fault(oracle, fault)
    if not faults:
        oracle.start()
        faults += [f"{fault}: after the restart: {text}" for text in oracle.settle()]
        server.kill()
    return faults, f"{fault}: {outcome}"


def what_became(server):
    """(READ_ONLY or GOES_ON, [what is wrong with how it says so])."""
    client = Client(server.port)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        is_read_only = "\npail_engine_read_only 1" in server.metrics()
        put = call(client, "PUT", b"probe")
        if is_read_only or put == 200:
            break
        if time.monotonic() > deadline:
            return GOES_ON, [f"neither writes after {PATIENCE_SECONDS} s nor says read-only: PUT answers {put}: {server.log()[-1500:]}"]
        time.sleep(0.1)
    if not is_read_only:
        return GOES_ON, [] if call(client, "DELETE") == 204 else ["what was put cannot be deleted"]
    return READ_ONLY, how_it_says_so(server, client)


def call(client, method, body=b""):
    try:
        return client.call(method, "main", "probe", body=body).status
    except Lost:
        return None


def how_it_says_so(server, client):
    wrong = []
    for method in ("PUT", "DELETE"):
        reply = client.call(method, "main", "probe", body=b"x" if method == "PUT" else b"")
        if reply.status != 503 or b"<Code>ServiceUnavailable</Code>" not in reply.body:
            wrong.append(f"read-only, but {method} answers {reply}")
    if client.call("GET").status != 200:
        wrong.append("read-only, but buckets cannot be listed")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.get(server.port, "/health/ready") != "read-only\n" or "failed: " not in server.log():
        if time.monotonic() > deadline:
            return wrong + [f"/health/ready says {server.get(server.port, '/health/ready')!r}, the log {server.log()[-500:]}"]
        time.sleep(0.2)
    return wrong


def start_under_fault(oracle, fault):
    """It may refuse to start, in words, or start and be in trouble; the next start must find everything all the same."""
    server = oracle.server
    oracle.totals["starts"] += 1
    server.spawn(environment(oracle.options, server, fault))
    server.set_faulty(True)
    faults = []
    try:
        server.wait_ready()
    except Died:
        code = server.process.wait(PATIENCE_SECONDS)
        if code <= 0 or not server.log().strip():
            faults = [f"{fault}: a start ended with {code}: {server.log()[-3000:]}"]
        oracle.totals["refusals"] += 1
    server.kill()
    return faults
