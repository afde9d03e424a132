"""The checksums of S3 in plain Python, as their header values (base64), apart from any SDK.

CRC-32C and CRC-64/NVME are table-driven over the reflected polynomials, so they are for bodies of up to a few MiB.
"""

import base64
import hashlib
import zlib


def _table(polynomial):
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


_CRC32C = _table(0x82F63B78)
_CRC64NVME = _table(0x9A6C9329AC4BC9B5)


def _crc(table, width, data):
    mask = (1 << width) - 1
    value = mask
    for byte in data:
        value = table[(value ^ byte) & 255] ^ (value >> 8)
    return (value ^ mask).to_bytes(width // 8, "big")


RAW = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: _crc(_CRC32C, 32, data),
    "CRC64NVME": lambda data: _crc(_CRC64NVME, 64, data),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}
ALGORITHMS = list(RAW)


def text(raw):
    return base64.b64encode(raw).decode()


def checksum(algorithm, data):
    return text(RAW[algorithm](data))


def composite(algorithm, parts):
    """Of a multipart object whose checksum is that of its parts' checksums."""
    return text(RAW[algorithm](b"".join(RAW[algorithm](part) for part in parts))) + f"-{len(parts)}"


def content_md5(data):
    return text(hashlib.md5(data).digest())


def etag(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def multipart_etag(parts):
    whole = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts))
    return f'"{whole.hexdigest()}-{len(parts)}"'


def header(algorithm):
    return "x-amz-checksum-" + algorithm.lower()
