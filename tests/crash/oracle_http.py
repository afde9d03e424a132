"""A small S3 client over raw HTTP for the crash oracle: one connection, nothing retried, nothing hidden.

A call ends in one of three ways: a Reply (its body was read whole, so what it says was said), Lost (the connection ended
first: nobody knows what became of the request), or a Reply whose status is 5xx, which the oracle treats like Lost."""

import http.client
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree

TIMEOUT_SECONDS = 60


class Lost(Exception):
    """The connection ended before the reply did."""


class Doubtful(Lost):
    """The power was cut while the request ran, so the reply counts as lost: nobody would have got it."""


class Cut:
    """When the power was cut; None: it is on."""

    began = ended = None

    def crosses(self, sent):
        """A request that was sent then and has its reply now. Kernels answer some syncs that run while a file system is shut
        down with success although nothing was kept; a machine without power answers nothing. What is asked after the
        cut counts again: no success may come then that does not hold."""
        return self.began is not None and (self.ended is None or sent < self.ended)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def is_unsure(self):
        """The server says that it failed; whether the change was made is not said."""
        return self.status >= 500

    @property
    def etag(self):
        return self.headers.get("etag", "").strip('"')

    def xml(self):
        root = ElementTree.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.split("}")[-1]
        return root

    def __str__(self):
        return f"{self.status} {self.body[:300]!r}"


class Client:
    def __init__(self, port, cut=None):
        self.cut = cut or Cut()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def close(self):
        self.connection.close()

    def call(self, method, bucket="", key="", query=None, headers=None, body=b""):
        """query: a dict; None as a value is a bare word such as "uploads"."""
        target = "/" + bucket + ("/" + urllib.parse.quote(key) if key else "")
        if query:
            words = [name if value is None else f"{name}={urllib.parse.quote(str(value), safe='')}" for name, value in query.items()]
            target += "?" + "&".join(words)
        headers = dict(headers or {})
        if body or method in ("PUT", "POST"):
            headers["Content-Length"] = str(len(body))
        sent = time.monotonic()
        try:
            self.connection.request(method, target, body=body or None, headers=headers)
            reply = self.connection.getresponse()
            data = reply.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Lost(f"{method} {target}: {error!r}") from None
        if self.cut.crosses(sent):
            raise Doubtful(target)
        return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, data)

    # ---- Lists, whole ----

    def list_buckets(self):
        return [name.text for name in self.expect(200, "GET").xml().findall("Buckets/Bucket/Name")]

    def list_v2(self, bucket, prefix="", page=1000):
        """[(key, size, etag)] over all pages."""
        found, query = [], {"list-type": 2, "prefix": prefix, "max-keys": page}
        while True:
            root = self.expect(200, "GET", bucket, query=query).xml()
            found += [entry_of(entry) for entry in root.findall("Contents")]
            if root.findtext("IsTruncated") != "true":
                return found
            query["continuation-token"] = root.findtext("NextContinuationToken")

    def list_v1(self, bucket, page=1000):
        found, query = [], {"max-keys": page}
        while True:
            root = self.expect(200, "GET", bucket, query=query).xml()
            found += [entry_of(entry) for entry in root.findall("Contents")]
            if root.findtext("IsTruncated") != "true":
                return found
            query["marker"] = found[-1][0]

    def list_versions(self, bucket, page=1000):
        found, query = [], {"versions": None, "max-keys": page}
        while True:
            root = self.expect(200, "GET", bucket, query=query).xml()
            found += [entry_of(entry) for entry in root.findall("Version")]
            found += [(entry.findtext("Key"), "marker", "") for entry in root.findall("DeleteMarker")]
            if root.findtext("IsTruncated") != "true":
                return found
            query["key-marker"] = root.findtext("NextKeyMarker")
            query["version-id-marker"] = root.findtext("NextVersionIdMarker")

    def list_uploads(self, bucket, page=1000):
        """[(key, upload id)]"""
        found, query = [], {"uploads": None, "max-uploads": page}
        while True:
            root = self.expect(200, "GET", bucket, query=query).xml()
            found += [(upload.findtext("Key"), upload.findtext("UploadId")) for upload in root.findall("Upload")]
            if root.findtext("IsTruncated") != "true":
                return found
            query["key-marker"] = root.findtext("NextKeyMarker")
            query["upload-id-marker"] = root.findtext("NextUploadIdMarker")

    def list_parts(self, bucket, key, upload_id):
        """{number: (size, etag)}, or None when the server does not know the upload."""
        found, query = {}, {"uploadId": upload_id, "max-parts": 1000}
        reply = self.call("GET", bucket, key, query=query)
        if reply.status == 404:
            return None
        for part in reply.xml().findall("Part"):
            found[int(part.findtext("PartNumber"))] = (int(part.findtext("Size")), part.findtext("ETag").strip('"'))
        return found

    def expect(self, status, *words, **named):
        reply = self.call(*words, **named)
        if reply.status != status:
            raise AssertionError(f"{words} {named.get('query')}: {reply}")
        return reply


def entry_of(entry):
    return entry.findtext("Key"), int(entry.findtext("Size")), entry.findtext("ETag").strip('"')


def metrics_of(text):
    """{(family, bucket): value} of the samples that carry a bucket label alone."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition('{bucket="')
        if rest and not line.startswith("#"):
            bucket, _, value = rest.partition('"} ')
            found[name, bucket] = float(value)
    return found
