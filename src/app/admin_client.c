/* One request over libcurl, signed by iam/sigv4_sign.h: the same code that the server's tests check its own half with. */
#include "app/admin_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/hash.h"
#include "client/endpoint.h"
#include "codec/url.h"
#include "iam/sigv4_sign.h"

enum { ANSWER_MAX_BYTES = JSON_BYTES_MAX * 16, CONNECT_TIMEOUT_S = 10, TOTAL_TIMEOUT_S = 60 };

const char admin_client_help[] =
    "The server is asked over its admin API, signed with the root account's keys. They come from\n"
    "PAIL_ROOT_ACCESS_KEY and PAIL_ROOT_SECRET_KEY, else from the file root-keys in --data-dir\n"
    "(or PAIL_DATA_DIR).\n";

/* ---- Root keys ---- */

static str environment(const char *name)
{
    return str_from(getenv(name));
}

static enum err keys_from_environment(struct root_keys *out, bool *out_found, struct fail *fail)
{
    str access_key = environment("PAIL_ROOT_ACCESS_KEY"),
        secret_key = environment("PAIL_ROOT_SECRET_KEY");
    *out_found = access_key.len || secret_key.len;
    if (!*out_found)
        return OK;
    if (!access_key_id_is_valid(access_key) || !access_key_secret_is_valid(secret_key))
        return fail_set(fail, ERR_BAD_ARGUMENT, NULL,
                        "PAIL_ROOT_ACCESS_KEY and PAIL_ROOT_SECRET_KEY must both hold a key");
    *out = (struct root_keys){0};
    memcpy(out->access_key, access_key.ptr, access_key.len);
    memcpy(out->secret_key, secret_key.ptr, secret_key.len);
    return OK;
}

static enum err find_keys(struct admin_client *client, struct fail *fail)
{
    bool is_found;
    TRY(keys_from_environment(&client->keys, &is_found, fail));
    if (is_found)
        return OK;
    str folder = client->data_dir.len ? client->data_dir : environment("PAIL_DATA_DIR");
    if (!folder.len)
        return fail_set(fail, ERR_BAD_ARGUMENT, NULL,
                        "no root keys: name the server's data folder with --data-dir, or set "
                        "PAIL_ROOT_ACCESS_KEY "
                        "and PAIL_ROOT_SECRET_KEY");
    struct fail reading = {0};
    enum err err = root_keys_read(folder.ptr, &client->keys, &reading);
    if (err == ERR_NOT_FOUND)
        return fail_set(
            fail, err, NULL,
            "there is no file \"%.*s/root-keys\"; if the server was given its keys, set "
            "PAIL_ROOT_ACCESS_KEY and PAIL_ROOT_SECRET_KEY",
            STR_ARG(folder));
    return err == OK ? OK : fail_set(fail, err, NULL, "%s", reading.detail);
}

/* ---- The request ---- */

struct transfer {
    CURL *curl;
    struct curl_slist *header;
    struct buf answer;
    struct arena *arena;
};

static void transfer_release(struct transfer *transfer)
{
    curl_slist_free_all(transfer->header);
    curl_easy_cleanup(transfer->curl);
    buf_release(&transfer->answer);
}

static size_t take_answer(char *data, size_t size, size_t count, void *context)
{
    struct buf *answer = context;
    buf_append(answer, str_of(data, size * count));
    return buf_err(answer) == OK ? size * count : 0;
}

static void add_header(struct transfer *transfer, str name, str value)
{
    str line = arena_printf(transfer->arena, "%.*s: %.*s", STR_ARG(name), STR_ARG(value));
    struct curl_slist *longer = curl_slist_append(transfer->header, line.ptr);
    if (longer)
        transfer->header = longer;
}

static enum err sign(struct transfer *transfer, const struct admin_client *client,
                     const struct endpoint *endpoint, const struct admin_request *request)
{
    str path, query;
    (void)str_cut(request->path, '?', &path, &query);
    const struct pair header[] = {{STR("host"), endpoint->authority}};
    struct sig_request to_sign = {.method = str_from(request->method),
                                  .path = path,
                                  .query = query,
                                  .header = header,
                                  .header_count = 1};
    struct sigv4_signer signer = {
        .access_key = str_from(client->keys.access_key),
        .secret = str_from(client->keys.secret_key),
        .region = STR("us-east-1"),
        .service = STR("pail"),
        .now_ms = clock_real_ms(),
    };
    uint8_t digest[SHA256_SIZE];
    sha256_of(request->body.ptr, request->body.len, digest);
    struct sigv4_signed result;
    TRY(sigv4_sign_headers(&signer, &to_sign, arena_hex(transfer->arena, digest, sizeof(digest)),
                           transfer->arena, &result));
    add_header(transfer, STR("host"), endpoint->authority);
    for (size_t i = 0; i < result.header_count; i++)
        add_header(transfer, result.header[i].name, result.header[i].value);
    return OK;
}

static void set_up(struct transfer *transfer, const struct admin_client *client,
                   const struct endpoint *endpoint, const struct admin_request *request)
{
    CURL *curl = transfer->curl;
    str url = arena_printf(transfer->arena, "%s://%.*s%.*s", endpoint->is_tls ? "https" : "http",
                           STR_ARG(endpoint->authority), STR_ARG(request->path));
    (void)curl_easy_setopt(curl, CURLOPT_URL, url.ptr);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer->answer);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TOTAL_TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (client->ca_file.len)
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file.ptr);
    if (request->body.len) {
        add_header(transfer, STR("content-type"), STR("application/json"));
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.ptr);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    }
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transfer->header);
}

static enum err perform(struct transfer *transfer, const struct endpoint *endpoint,
                        long *out_status, struct fail *fail)
{
    char reason[CURL_ERROR_SIZE] = "";
    (void)curl_easy_setopt(transfer->curl, CURLOPT_ERRORBUFFER, reason);
    CURLcode code = curl_easy_perform(transfer->curl);
    if (code == CURLE_COULDNT_CONNECT)
        return fail_set(fail, ERR_UNAVAILABLE, NULL,
                        "nothing answers at %s://%.*s; is the server running, and is "
                        "this its admin address (--endpoint)?",
                        endpoint->is_tls ? "https" : "http", STR_ARG(endpoint->authority));
    if (code != CURLE_OK)
        return fail_set(fail, ERR_UNAVAILABLE, NULL, "the request failed: %s",
                        reason[0] ? reason : curl_easy_strerror(code));
    (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, out_status);
    return OK;
}

/* ---- The answer ---- */

static enum err refused(long status, const struct admin_answer *answer, struct fail *fail)
{
    const struct json_value *error = json_member(answer->value, "error");
    str code = json_member_text(error, "code");
    str what = json_member_text(error, "detail");
    if (!what.len)
        what = json_member_text(error, "message");
    bool is_stranger =
        str_eq(code, STR("SIGNATURE_MISMATCH")) || str_eq(code, STR("NO_SUCH_ACCESS_KEY"));
    if (status == 403 && is_stranger)
        return fail_set(fail, ERR_ACCESS_DENIED, NULL,
                        "the server does not know these root keys; are they those of this server?");
    if (what.len)
        return fail_set(fail, ERR_BAD_REQUEST, NULL, "%.*s", STR_ARG(what));
    return fail_set(fail, ERR_BAD_REQUEST, NULL,
                    "the server answers with status %ld; is this its admin address?", status);
}

static enum err read_answer(struct transfer *transfer, long status, struct admin_answer *out,
                            struct fail *fail)
{
    struct admin_answer answer = {.text = arena_str(transfer->arena, buf_str(&transfer->answer))};
    struct fail syntax = {0};
    enum err err =
        answer.text.len ? json_parse(transfer->arena, answer.text, &answer.value, &syntax) : OK;
    if (status < 200 || status > 299)
        return refused(status, &answer, fail);
    if (err != OK)
        return fail_set(fail, err, NULL,
                        "the answer is not what a pail server says; is this its admin address?");
    *out = answer;
    return OK;
}

enum err admin_ask(struct admin_client *client, const struct admin_request *request,
                   struct arena *arena, struct admin_answer *out, struct fail *fail)
{
    struct endpoint endpoint;
    TRY(endpoint_parse(client->endpoint.len ? client->endpoint : STR("http://127.0.0.1:9001"),
                       &endpoint, fail));
    TRY(find_keys(client, fail));
    struct transfer transfer = {.curl = curl_easy_init(), .arena = arena};
    if (!transfer.curl)
        return ERR_NO_MEMORY;
    buf_init(&transfer.answer, ANSWER_MAX_BYTES);
    long status = 0;
    enum err err = sign(&transfer, client, &endpoint, request);
    if (err == OK) {
        set_up(&transfer, client, &endpoint, request);
        err = perform(&transfer, &endpoint, &status, fail);
    }
    if (err == OK)
        err = read_answer(&transfer, status, out, fail);
    transfer_release(&transfer);
    explicit_bzero(&client->keys, sizeof(client->keys));
    return err;
}

str admin_path(struct arena *arena, const char *fixed, str name)
{
    struct buf path;
    buf_init(&path, 4096);
    buf_append(&path, str_from(fixed));
    url_encode(&path, name, false);
    str copy = arena_str(arena, buf_str(&path));
    buf_release(&path);
    return copy;
}
