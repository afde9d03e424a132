"""The bytes of the bench's objects, computed without it (src/client/bench_content.h says how), so that nginx can serve the
same ones as files. `pail bench --verify` then compares both servers with the same sentence."""

import os

PERIOD = 1048573
MASK = (1 << 64) - 1


def mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def make_block(seed=1):
    state = seed
    pieces = []
    for _ in range(PERIOD // 8):
        state = state + 0x9E3779B97F4A7C15 & MASK
        pieces.append(mix(state).to_bytes(8, "little"))
    for _ in range(PERIOD % 8):
        state = state + 0x9E3779B97F4A7C15 & MASK
        pieces.append(bytes([mix(state) & 0xFF]))
    return b"".join(pieces)


def write_objects(block, folder, count, size):
    """The objects 0 .. count - 1 as files named like their keys."""
    os.makedirs(folder, exist_ok=True)
    for index in range(count):
        shift = mix(index) % PERIOD
        turned = block[shift:] + block[:shift]
        with open(os.path.join(folder, f"{index:010}"), "wb") as file:
            left = size
            while left:
                left -= file.write(turned[: min(left, PERIOD)])
