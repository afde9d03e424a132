// The AWS SDK for JavaScript against a server: prints one line of JSON for each case, {"name", "ok", "error"}.
// Endpoint, keys and a bucket to work in come from the environment (test_javascript.py sets them).
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const { S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY, S3_BUCKET: Bucket } = process.env;
const credentials = { accessKeyId: S3_ACCESS_KEY, secretAccessKey: S3_SECRET_KEY };
const client = new S3Client({ endpoint: S3_ENDPOINT, region: "us-east-1", forcePathStyle: true, maxAttempts: 1, credentials });
const send = (Command, input) => client.send(new Command({ Bucket, ...input }));
const bytes = async (answer) => Buffer.from(await answer.Body.transformToByteArray());
const pattern = (size) => Buffer.alloc(size, "pail keeps what it is given. ");
const refused = (promise, status, name) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.$metadata.httpStatusCode, status);
    assert.equal(error.name, name);
    return true;
  });

const cases = {
  async round_trip() {
    const put = await send(PutObjectCommand, { Key: "k", Body: "text", Metadata: { a: "1" }, ContentType: "text/plain" });
    assert.equal(put.ETag, `"${createHash("md5").update("text").digest("hex")}"`);
    const got = await send(GetObjectCommand, { Key: "k" });
    assert.equal(await got.Body.transformToString(), "text");
    assert.deepEqual(got.Metadata, { a: "1" });
    assert.equal(got.ContentType, "text/plain");
    const head = await send(HeadObjectCommand, { Key: "k" });
    assert.equal(head.ContentLength, 4);
    assert.ok(head.LastModified instanceof Date);
  },

  async stream_of_known_length() {
    const body = pattern(1_000_000);
    await send(PutObjectCommand, { Key: "stream", Body: Readable.from([body]), ContentLength: body.length });
    assert.deepEqual(await bytes(await send(GetObjectCommand, { Key: "stream" })), body);
  },

  async upload_in_parts() {
    const body = pattern(12 * 1024 * 1024);
    const upload = new Upload({ client, params: { Bucket, Key: "parts", Body: Readable.from([body]) }, partSize: 5 << 20, queueSize: 3 });
    const done = await upload.done();
    assert.match(done.ETag, /-3"$/);
    assert.deepEqual(await bytes(await send(GetObjectCommand, { Key: "parts" })), body);
    const part = await send(GetObjectCommand, { Key: "parts", PartNumber: 3 });
    assert.equal(part.PartsCount, 3);
    assert.equal(part.ContentLength, 2 * 1024 * 1024);
  },

  async abort() {
    const { UploadId } = await send(CreateMultipartUploadCommand, { Key: "aborted" });
    await send(AbortMultipartUploadCommand, { Key: "aborted", UploadId });
    await refused(send(AbortMultipartUploadCommand, { Key: "aborted", UploadId }), 404, "NoSuchUpload");
  },

  async checksums() {
    for (const algorithm of ["CRC32", "CRC32C", "SHA1", "SHA256"]) {
      const put = await send(PutObjectCommand, { Key: "sum", Body: "checked", ChecksumAlgorithm: algorithm });
      const field = `Checksum${algorithm}`;
      assert.ok(put[field], algorithm);
      const got = await send(GetObjectCommand, { Key: "sum", ChecksumMode: "ENABLED" });
      assert.equal(await got.Body.transformToString(), "checked");
      assert.equal(got[field], put[field]);
      const attributes = await send(GetObjectAttributesCommand, { Key: "sum", ObjectAttributes: ["Checksum", "ObjectSize"] });
      assert.equal(attributes.Checksum[field], put[field]);
      assert.equal(attributes.ObjectSize, 7);
    }
  },

  async range() {
    await send(PutObjectCommand, { Key: "range", Body: "0123456789" });
    const got = await send(GetObjectCommand, { Key: "range", Range: "bytes=2-5" });
    assert.equal(await got.Body.transformToString(), "2345");
    assert.equal(got.ContentRange, "bytes 2-5/10");
  },

  async conditions() {
    await send(PutObjectCommand, { Key: "once", Body: "1", IfNoneMatch: "*" });
    await refused(send(PutObjectCommand, { Key: "once", Body: "2", IfNoneMatch: "*" }), 412, "PreconditionFailed");
    await refused(send(GetObjectCommand, { Key: "once", IfMatch: '"wrong"' }), 412, "PreconditionFailed");
  },

  async errors() {
    await refused(send(GetObjectCommand, { Key: "missing" }), 404, "NoSuchKey");
    await refused(send(HeadObjectCommand, { Key: "missing" }), 404, "NotFound");
    await refused(send(HeadBucketCommand, { Bucket: "no-such-bucket-of-js" }), 404, "NotFound");
    await refused(send(ListObjectsV2Command, { Bucket: "no-such-bucket-of-js" }), 404, "NoSuchBucket");
  },

  async listing() {
    const keys = ["list/a b", "list/c+d", "list/e%2F", "list/sub/f", "list/ü"];
    for (const Key of keys) await send(PutObjectCommand, { Key, Body: Key });
    const found = [];
    for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, Prefix: "list/" }))
      found.push(...page.Contents.map((one) => one.Key));
    assert.deepEqual(found, keys);
    const cut = await send(ListObjectsV2Command, { Prefix: "list/", Delimiter: "/" });
    assert.deepEqual(cut.CommonPrefixes, [{ Prefix: "list/sub/" }]);
    for (const Key of keys) assert.equal(await (await send(GetObjectCommand, { Key })).Body.transformToString(), Key);
  },

  async copy() {
    await send(PutObjectCommand, { Key: "from ü+%", Body: "copied" });
    await send(CopyObjectCommand, { Key: "to", CopySource: `${Bucket}/${encodeURIComponent("from ü+%")}` });
    assert.equal(await (await send(GetObjectCommand, { Key: "to" })).Body.transformToString(), "copied");
  },

  async delete_many() {
    for (const Key of ["d1", "d2", "d3"]) await send(PutObjectCommand, { Key, Body: "x" });
    const done = await send(DeleteObjectsCommand, { Delete: { Objects: [{ Key: "d1" }, { Key: "d2" }, { Key: "none" }] } });
    assert.deepEqual(done.Deleted.map((one) => one.Key).sort(), ["d1", "d2", "none"]);
    await send(DeleteObjectCommand, { Key: "d3" });
    await refused(send(GetObjectCommand, { Key: "d3" }), 404, "NoSuchKey");
  },

  async presigned() {
    const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "signed", ContentType: "text/plain" }), { expiresIn: 60 });
    const stored = await fetch(put, { method: "PUT", body: "by url", headers: { "content-type": "text/plain" } });
    assert.equal(stored.status, 200, await stored.text());
    const get = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: "signed", ResponseContentType: "a/b" }));
    const got = await fetch(get);
    assert.equal(await got.text(), "by url");
    assert.equal(got.headers.get("content-type"), "a/b");
    assert.equal((await fetch(get.replace("X-Amz-Expires=900", "X-Amz-Expires=901"))).status, 403);
  },

  async buckets() {
    const { Buckets } = await client.send(new ListBucketsCommand({}));
    assert.ok(Buckets.some((one) => one.Name === Bucket));
    await send(HeadBucketCommand, {});
  },
};

for (const [name, run] of Object.entries(cases)) {
  const error = await run().then(() => "", (problem) => problem.stack ?? String(problem));
  console.log(JSON.stringify({ name, ok: error === "", error }));
}
