"""Bit rot: single bits of the store are turned while it is stopped. Whatever the server then says must be true or an error:
wrong bytes, a missing object or a wrong list are faults. Each bit is turned back before the next round."""

import collections
import os
import re
import threading

from oracle_http import Client, Lost
from oracle_server import Died

FLIPS_A_KIND = 4


class Flip:
    def __init__(self, path, offset, bit, byte):
        self.path, self.offset, self.bit = path, offset, bit
        self.right, self.wrong = byte, bytes([byte[0] ^ 1 << bit])

    def turn(self):
        self.replace(self.right, self.wrong)

    def turn_back(self):
        """Unless the file was removed, cut or written meanwhile, as RocksDB does with its own at a start."""
        if os.path.exists(self.path):
            self.replace(self.wrong, self.right)

    def replace(self, before, after):
        with open(self.path, "r+b") as file:
            file.seek(self.offset)
            if file.read(1) == before:
                file.seek(self.offset)
                file.write(after)

    def __str__(self):
        return f"bit {self.bit} of byte {self.offset} of {self.path}"


def files_by_kind(data):
    """Names are the same but for their numbers: log/#.log, index/#.sst, index/MANIFEST-#, extents/#/#, limit, and so on."""
    kinds = collections.defaultdict(list)
    for at, _, names in os.walk(data):
        for name in names:
            path = os.path.join(at, name)
            if os.path.getsize(path) > 0:
                kinds[re.sub(r"[0-9a-f]{6,}|(?<=/)[0-9a-f]{2}(?=/)", "#", os.path.relpath(path, data))].append(path)
    return dict(sorted(kinds.items()))


def choose_flips(rng, paths):
    """Where there is something: most of a log file is room for later."""
    flips = []
    for _ in range(1000):
        if len(flips) == FLIPS_A_KIND or not paths:
            break
        path = rng.choice(sorted(paths))
        offset = rng.randrange(os.path.getsize(path))
        with open(path, "rb") as file:
            file.seek(offset)
            byte = file.read(1)
        # The other bits of a byte that is damaged already would not be turned back.
        if byte != b"\0" and (path, offset) not in [(flip.path, flip.offset) for flip in flips]:
            flips.append(Flip(path, offset, rng.randrange(8), byte))
    return flips


def what_is_wrong(model, server, notes):
    """Every key is read, every bucket listed; notes: what was refused, which is right."""
    faults = []

    def read(keys):
        client = Client(server.port)
        for key in keys:
            try:
                judge(key, client.call("GET", key.bucket, key.name), faults, notes)
            except Lost:
                notes.append(f"{key.name}: cut")
        client.close()

    keys = list(model.every_key())
    threads = [threading.Thread(target=read, args=(keys[i::3],)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    judge_lists(model, Client(server.port), faults, notes)
    return faults


def judge(key, reply, faults, notes):
    where, state = f"{key.bucket}/{key.name}", key.state
    if reply.is_unsure:
        notes.append(f"{where}: {reply.status}")
    elif reply.status == 404:
        if state.is_object:
            faults.append(f"{where}: not found, held is {state}")
    elif reply.status != 200 or not state.is_object:
        faults.append(f"{where}: answers {reply.status}, held is {state}")
    elif reply.body != state.body() or reply.etag != state.etag:
        faults.append(f"{where}: WRONG BYTES instead of {state}")
    elif reply.headers.get("x-amz-meta-version") != str(state.number):
        faults.append(f"{where}: wrong metadata instead of those of {state}")


def judge_lists(model, client, faults, notes):
    truth = {}
    for key in model.every_key():
        if key.state.is_object:
            truth.setdefault(key.bucket, set()).add((key.name, key.state.size, key.state.etag))
    for bucket in model.buckets:
        reply = client.call("GET", bucket, query={"list-type": 2})
        if reply.status >= 500:
            notes.append(f"list of {bucket}: {reply.status}")
            continue
        listed = {
            (entry.findtext("Key"), int(entry.findtext("Size")), entry.findtext("ETag").strip('"'))
            for entry in reply.xml().findall("Contents")
            if not entry.findtext("Key").startswith("chain/")
        }
        if listed != truth.get(bucket, set()):
            faults.append(f"list of {bucket} differs in {sorted(listed ^ truth.get(bucket, set()))[:4]}")


def damage_round(model, server, rng):
    """The server is stopped, and so is it afterwards. (faults, notes)"""
    faults, notes = [], []
    for kind in files_by_kind(server.data):
        flips = choose_flips(rng, files_by_kind(server.data).get(kind, []))
        for flip in flips:
            flip.turn()
        try:
            server.spawn().wait_ready()
            found = what_is_wrong(model, server, notes)
            faults += found + ([f"the damage: {flip}" for flip in flips] if found else [])
            server.stop()
        except Died as died:
            notes.append(f"{kind}: refused to start: {died}")
        finally:
            server.kill()
            for flip in flips:
                flip.turn_back()
    return faults, notes
