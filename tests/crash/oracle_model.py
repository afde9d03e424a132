"""What the store must hold: the journal of what was sent, answered and seen.

Every key has one owner (a thread), so the order of its changes is known: they are numbered. A change is recorded before it
is sent, and settled when the reply has been read whole. At a crash a key has a settled state and at most a few changes
nobody knows about; the store must hold exactly one of these. What a reader has seen counts as settled as well: a row that
was served may not be taken back by a crash.

Contended keys (Chain) are written by all threads with If-Match. Their changes are edges from one ETag to the next; the edges
that were answered must all lie on the way to what the store holds."""

import hashlib
import threading

ABSENT = "absent"


POOL_BYTES = 8 << 20
POOL = hashlib.shake_128(b"pail").digest(POOL_BYTES) * 2


def content(seed, length):
    """Bytes that this seed alone gives: its hash, then a long run of random bytes from a place that the hash chooses. Two
    bodies differ in every sector, so a mixture of them is neither."""
    mark = hashlib.sha256(seed.encode()).digest()
    start = int.from_bytes(mark[:8], "little") % POOL_BYTES
    return (mark + POOL[start : start + length])[:length]


def recipe_bytes(recipe):
    return b"".join(content(seed, end)[start:end] for seed, start, end in recipe)


class Version:
    """A state of a key: an object, or its absence."""

    __slots__ = ("number", "recipe", "size", "md5", "etag")

    def __init__(self, number, recipe=None, etag=None):
        self.number, self.recipe, self.etag = number, recipe, etag
        self.size = sum(end - start for _, start, end in recipe) if recipe is not None else None
        self.md5 = None

    @property
    def is_object(self):
        return self.recipe is not None

    def body(self):
        data = recipe_bytes(self.recipe)
        self.md5 = hashlib.md5(data).hexdigest()
        return data

    def __str__(self):
        return f"version {self.number} ({self.size} bytes)" if self.is_object else f"absence {self.number}"


class Upload:
    def __init__(self, version_number):
        self.version_number = version_number
        self.id = None  # until the reply
        self.parts = {}  # number: Part, settled
        self.unsure_parts = {}  # number: [Part], in flight
        self.doing = "create"  # or "open", "complete", "abort"


class Part:
    def __init__(self, recipe):
        self.recipe = recipe
        self.size = sum(end - start for _, start, end in recipe)
        self.etag = None


class Key:
    def __init__(self, bucket, name):
        self.bucket, self.name = bucket, name
        self.counter = 0
        self.state = Version(0)
        self.issued = {0: self.state}  # whatever the store may hold or have held since the last check
        self.unsure = []  # changes in flight, oldest first
        self.seen = 0
        self.upload = None

    def issue(self, recipe=None, number=None):
        """A new change, recorded before it is sent."""
        if number is None:
            self.counter += 1
            number = self.counter
        version = Version(number, recipe)
        self.issued[number] = version
        self.unsure.append(version)
        return version

    def settle(self, version):
        self.state = version
        self.unsure = []

    def refuse(self, version):
        """It was answered that this change was not made."""
        self.unsure.remove(version)
        del self.issued[version.number]

    def possible(self):
        """The states that the store may be in now."""
        return [version for version in [self.state, *self.unsure] if version.number >= self.seen]

    def resolve(self, version):
        """After a crash: this is what the store holds."""
        self.state, self.unsure, self.seen = version, [], version.number
        self.issued = {version.number: version}

    def absence_from(self, lowest):
        """The first absence that a reader may see who began when `lowest` was settled."""
        numbers = [number for number, version in list(self.issued.items()) if not version.is_object and number >= lowest]
        return min(numbers) if numbers else None


class Bucket:
    """A bucket that comes and goes."""

    def __init__(self, name):
        self.name = name
        self.exists = False
        self.unsure = []  # of True (create) and False (delete)
        self.key = Key(name, "only")


class Chain:
    def __init__(self, bucket, name):
        self.bucket, self.name = bucket, name
        self.lock = threading.Lock()
        self.base = ABSENT
        self.from_of = {}  # ETag: the ETag it replaces; of every change that may have been made
        self.version_of = {}  # ETag: Version
        self.answered = {}  # ETag: the ETag that was answered to have replaced it
        self.seen = set()
        self.counter = 0

    def issue(self, before):
        with self.lock:
            self.counter += 1
            number = self.counter
        version = Version(number, ((f"{self.bucket}/{self.name}#{number}", 0, 32 + number * 7919 % 200000),))
        body = version.body()
        version.etag = version.md5
        with self.lock:
            self.from_of[version.etag] = before
            self.version_of[version.etag] = version
        return version, body

    def answer(self, before, version):
        """Returns the ETag of another change that was answered to have replaced the same state, which cannot be."""
        with self.lock:
            other = self.answered.setdefault(before, version.etag)
        return None if other == version.etag else other

    def refuse(self, version):
        with self.lock:
            self.from_of.pop(version.etag, None)

    def faults(self, held):
        """What is wrong with the store holding `held` (an ETag, or ABSENT)."""
        way, at = set(), held
        while at != self.base:
            if at not in self.from_of or at in way:
                return [f"holds {held}, which no change since {self.base} leads to"]
            way.add(at)
            at = self.from_of[at]
        lost = [after for after in self.answered.values() if after not in way]
        taken_back = [etag for etag in self.seen if etag not in way and etag != self.base]
        return [f"answered change {etag} is not on the way to {held}" for etag in lost] + [
            f"{etag} was served, and is not on the way to {held}" for etag in taken_back
        ]

    def resolve(self, held):
        self.base = held
        self.from_of, self.answered, self.seen = {}, {}, set()
        self.version_of = {held: self.version_of[held]} if held != ABSENT else {}


class Model:
    def __init__(self, threads, keys_a_thread):
        self.buckets = ["main", "other"]
        self.keys = [[] for _ in range(threads)]  # by owner
        self.multi = [[] for _ in range(threads)]
        self.scratch = [[Bucket(f"scratch-{owner}-{i}") for i in range(2)] for owner in range(threads)]
        self.chains = [Chain("main", f"chain/{i}") for i in range(3)]
        for owner in range(threads):
            for i in range(keys_a_thread):
                self.keys[owner].append(Key(self.buckets[i % 2], f"t{owner}/{'deep/' if i % 3 == 0 else ''}k{i}"))
            for i in range(3):
                self.multi[owner].append(Key(self.buckets[i % 2], f"t{owner}/m{i}"))

    def every_key(self):
        for owned in (*self.keys, *self.multi):
            yield from owned
        for buckets in self.scratch:
            for bucket in buckets:
                yield bucket.key
