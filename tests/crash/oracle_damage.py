"""Bit rot: single bits of the store are turned while it is stopped, and whole extents are taken away. Whatever the server then says must
be true or an error: wrong bytes, a missing object or a wrong list are faults; and `pail fsck` must say before that there is
damage, and name the objects that are hit. Each bit is turned back before the next round, each file is put back."""

import collections
import os
import re
import threading

from oracle_http import Client, Lost
from oracle_load import INLINE_MAX
from oracle_server import Died

FLIPS_A_KIND = 4
REMOVALS = 0.5  # of the rounds: extents are taken away


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


def what_is_wrong(model, server, notes, refused):
    """Every key is read, every bucket listed; notes: what was refused, which is right; refused: the keys of that."""
    faults = []

    def read(keys):
        client = Client(server.port)
        for key in keys:
            said = []
            try:
                judge(key, client.call("GET", key.bucket, key.name), faults, said)
            except Lost:
                said = [f"{key.bucket}/{key.name}: cut"]
            if said:
                refused.add((key.bucket, key.name))
                notes.extend(said)
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


class Removal:
    """A whole file that is gone, as after a repair of the file system."""

    def __init__(self, path, aside):
        self.path, self.aside = path, aside

    def turn(self):
        os.rename(self.path, self.aside)

    def turn_back(self):
        os.rename(self.aside, self.path)

    def __str__(self):
        return f"without {self.path}"


def choose_removals(rng, server):
    """One extent, or now and then all."""
    paths = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(server.data, "extents")) for name in names if name != "limit"]
    chosen = paths if rng.random() < 0.25 else rng.sample(sorted(paths), min(1, len(paths)))
    return [Removal(path, os.path.join(server.folder, f"aside-{i}")) for i, path in enumerate(chosen)]


def what_fsck_says(server, faults):
    """(whether there is damage, {(bucket, key)} of the objects that are hit)"""
    code, report = server.fsck()
    damaged = [one for one in report["findings"] if one["kind"] == "damage"]
    if (code, report["state"]) != ((1, "damaged") if damaged else (0, "clean")):
        faults.append(f"fsck ends with {code}: {str(report)[:2000]}")
    return bool(damaged), {(one["bucket"], one["key"]) for one in report["findings"] if one["kind"] == "hit" and "upload_id" not in one}


class Damaged:
    """A store with some damage: what fsck says of it, and then the server."""

    def __init__(self, model, server):
        self.model, self.server = model, server
        self.notes = []  # what was refused, which is right
        self.refused = set()  # (bucket, key) of objects that could not be read

    def run(self, can_name):
        """The faults. `can_name`: fsck can know whose the damage is, as the index is whole."""
        faults = []
        is_damaged, hit = what_fsck_says(self.server, faults)
        try:
            self.server.spawn().wait_ready()
        except Died as died:
            self.notes.append(f"refused to start: {died}")
            return faults + ([] if is_damaged else [f"fsck names no damage, but the start is refused: {died}"])
        faults += what_is_wrong(self.model, self.server, self.notes, self.refused)
        self.server.stop()
        if self.notes and not is_damaged:
            faults.append(f"fsck names no damage, but the server refuses {self.notes[:3]}")
        if can_name and not self.refused <= hit:
            faults.append(f"fsck does not name {sorted(self.refused - hit)[:3]}, which cannot be read")
        return faults

    def without_extents(self, are_all_gone):
        """The faults. What the files held is an error for good, not something to wait for."""
        faults = self.run(can_name=True)
        faults += [f"an extent is gone: {note}" for note in self.notes if not note.endswith((": 500", ": cut"))]
        large = {(key.bucket, key.name) for key in self.model.every_key() if key.state.is_object and key.state.size > INLINE_MAX}
        if are_all_gone and large - self.refused:
            faults.append(f"all extents are gone, but {sorted(large - self.refused)[:3]} can be read")
        return faults


def damage_round(model, server, rng, totals):
    """The server is stopped, and so is it afterwards. The faults."""
    faults = []
    for kind in files_by_kind(server.data):
        flips = choose_flips(rng, files_by_kind(server.data).get(kind, []))
        totals["bits turned"] += len(flips)
        can_name = kind.startswith(("log/", "extents/#"))
        faults += under(model, server, flips, totals, lambda damaged, can_name=can_name: damaged.run(can_name))
    if rng.random() < REMOVALS:
        removals = choose_removals(rng, server)
        are_all_gone = len(removals) > 1
        totals["extents removed"] += len(removals)
        faults += under(model, server, removals, totals, lambda damaged: damaged.without_extents(are_all_gone))
    return faults


def under(model, server, damages, totals, look):
    """The faults that are seen while these damages last."""
    damaged = Damaged(model, server)
    for damage in damages:
        damage.turn()
    try:
        faults = look(damaged)
    finally:
        server.kill()
        for damage in damages:
            damage.turn_back()
    totals["refusals"] += len(damaged.notes)
    return faults + ([f"the damage: {damage}" for damage in damages[:FLIPS_A_KIND]] if faults else [])
