"""AWS Signature Version 4, the client's side, written apart from any SDK so that a test can sign what no SDK would send.

Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)". A `Signer` signs by header, by
query (presigned) and chunk by chunk. Every ingredient can be replaced by the caller, which is how wrong requests are made.
"""

import datetime
import hashlib
import hmac
from urllib.parse import quote, unquote_to_bytes

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAM_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAM_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAM_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
ALGORITHM = "AWS4-HMAC-SHA256"


def utc_now():
    return datetime.datetime.now(datetime.timezone.utc)


def timestamp(moment):
    return moment.strftime("%Y%m%dT%H%M%SZ")


def encode(text, safe=""):
    """Percent-encodes everything but unreserved characters, of a str or bytes."""
    return quote(text, safe="-_.~" + safe)


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def canonical_path(path):
    return encode(unquote_to_bytes(path), safe="/")


def canonical_query(query):
    """Of a raw query: decoded, encoded, sorted by name and then value."""
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        pairs.append((encode(unquote_to_bytes(name)), encode(unquote_to_bytes(value))))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


class Signer:
    """Signs for one key pair. `keys` has access_key and secret_key."""

    def __init__(self, keys, region="us-east-1", service="s3"):
        self.access_key = keys["access_key"]
        self.secret_key = keys["secret_key"]
        self.region = region
        self.service = service

    def scope(self, moment):
        return f"{moment:%Y%m%d}/{self.region}/{self.service}/aws4_request"

    def signing_key(self, moment):
        key = _hmac(("AWS4" + self.secret_key).encode(), f"{moment:%Y%m%d}")
        for step in (self.region, self.service, "aws4_request"):
            key = _hmac(key, step)
        return key

    def signature(self, moment, kind, *lines):
        """The signature over a string to sign: kind, time, scope and the lines."""
        text = "\n".join((kind, timestamp(moment), self.scope(moment)) + lines)
        return hmac.new(self.signing_key(moment), text.encode(), hashlib.sha256).hexdigest()

    def request_signature(self, moment, method, target, headers, signed, payload):
        """Over the canonical request. `headers` maps lower-case names to values; `signed` lists the names."""
        path, _, query = target.partition("?")
        canonical = "\n".join(
            [method, canonical_path(path), canonical_query(query)]
            + [f"{name}:{' '.join(headers[name].split())}" for name in signed]
            + ["", ";".join(signed), payload]
        )
        return self.signature(moment, ALGORITHM, hashlib.sha256(canonical.encode()).hexdigest())

    def authorize(self, method, target, headers, payload, moment=None, unsigned=()):
        """Returns a copy of `headers` (lower-case names, host among them) with x-amz-date, x-amz-content-sha256 and
        Authorization. `unsigned` names headers to leave out of the signature."""
        moment = moment or utc_now()
        headers = dict(headers)
        headers.setdefault("x-amz-date", timestamp(moment))
        headers.setdefault("x-amz-content-sha256", payload)
        signed = sorted(name for name in headers if name not in unsigned and name != "authorization")
        signature = self.request_signature(moment, method, target, headers, signed, payload)
        headers["authorization"] = (
            f"{ALGORITHM} Credential={self.access_key}/{self.scope(moment)},"
            f"SignedHeaders={';'.join(signed)},Signature={signature}"
        )
        return headers

    def presign(self, method, target, headers, expires=900, moment=None, payload=UNSIGNED, **changed):
        """Returns the target with the signature in its query. `headers` (lower-case, host among them) are signed.
        `changed` replaces a parameter before signing: presign(..., Algorithm="X")."""
        moment = moment or utc_now()
        signed = sorted(headers)
        parameters = {
            "Algorithm": ALGORITHM,
            "Credential": f"{self.access_key}/{self.scope(moment)}",
            "Date": timestamp(moment),
            "Expires": str(expires),
            "SignedHeaders": ";".join(signed),
        }
        parameters.update(changed)
        query = "&".join(f"X-Amz-{name}={encode(value)}" for name, value in parameters.items() if value is not None)
        target += ("&" if "?" in target else "?") + query
        return target + "&X-Amz-Signature=" + self.request_signature(moment, method, target, headers, signed, payload)


def chunks_of(body, size):
    return [body[at : at + size] for at in range(0, len(body), size)]


def stream_unsigned(body, size=65536, trailers=()):
    """The aws-chunked form without signatures: `trailers` are (name, value)."""
    out = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks_of(body, size))
    return out + b"0\r\n" + b"".join(f"{name}:{value}\r\n".encode() for name, value in trailers) + b"\r\n"


def stream_signed(signer, moment, seed, body, size=65536, trailers=None, spoil=None):
    """The aws-chunked form with a signature on each chunk, starting from the request's signature `seed`.
    `spoil` is the index of a chunk whose signature is made wrong ("trailer": the trailer's; the count of chunks: the last one's)."""
    previous, out = seed, []
    for index, chunk in enumerate(chunks_of(body, size) + [b""]):
        previous = signer.signature(
            moment, ALGORITHM + "-PAYLOAD", previous, EMPTY_SHA256, hashlib.sha256(chunk).hexdigest()
        )
        sent = _spoiled(previous) if index == spoil else previous
        out.append(b"%x;chunk-signature=%s\r\n" % (len(chunk), sent.encode()))
        if chunk:
            out.append(chunk + b"\r\n")
    for name, value in trailers or ():
        out.append(f"{name}:{value}\r\n".encode())
    if trailers is not None:
        text = "".join(f"{name}:{value}\n" for name, value in trailers)
        last = signer.signature(moment, ALGORITHM + "-TRAILER", previous, hashlib.sha256(text.encode()).hexdigest())
        sent = _spoiled(last) if spoil == "trailer" else last
        out.append(b"x-amz-trailer-signature:%s\r\n" % sent.encode())
    out.append(b"\r\n")
    return b"".join(out)


def _spoiled(signature):
    return ("1" if signature[0] == "0" else "0") + signature[1:]
