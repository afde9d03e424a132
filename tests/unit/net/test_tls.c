/* Aim: a certificate and its key are read or refused with a reason that a person can act on; a reload takes a good pair
 * whole and keeps the old one beside a bad one; what was negotiated is TLS 1.2 or later and HTTP/1.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/certificates.h"
#include "net/conn.h"
#include "net/tls.h"

struct files {
    char folder[64];
    char certificate[96];
    char key[96];
};

static int make_files(void **state)
{
    static struct files files;
    (void)snprintf(files.folder, sizeof(files.folder), "/tmp/pail-tls-XXXXXX");
    if (mkdtemp(files.folder) == NULL)
        return -1;
    (void)snprintf(files.certificate, sizeof(files.certificate), "%s/cert.pem", files.folder);
    (void)snprintf(files.key, sizeof(files.key), "%s/key.pem", files.folder);
    write_pair(files.certificate, files.key, "first");
    *state = &files;
    return 0;
}

static int remove_files(void **state)
{
    struct files *files = *state;
    (void)unlink(files->certificate);
    (void)unlink(files->key);
    return rmdir(files->folder);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = open_for_writing(path);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct tls_context *open_context(const struct files *files)
{
    struct tls_context *context = NULL;
    struct fail fail = {0};
    if (tls_context_open(files->certificate, files->key, &context, &fail) != OK)
        fail_msg("%s", fail.detail);
    return context;
}

/* ---- Refused pairs ---- */

static void check_refused(const struct files *files, enum err wanted, const char *field,
                          const char *word)
{
    struct tls_context *context = NULL;
    struct fail fail = {0};
    assert_int_equal(tls_context_open(files->certificate, files->key, &context, &fail), wanted);
    assert_null(context);
    assert_string_equal(fail.field, field);
    if (strstr(fail.detail, word) == NULL)
        fail_msg("'%s' does not say '%s'", fail.detail, word);
}

static void test_refused(void **state)
{
    const struct files *files = *state;
    (void)unlink(files->key);
    check_refused(files, ERR_NOT_FOUND, "key", files->key);
    write_text(files->key, "");
    check_refused(files, ERR_BAD_INPUT, "key", files->key);
    write_text(files->key, "no key at all\n");
    check_refused(files, ERR_BAD_INPUT, "key", "no usable key");
    write_text(files->certificate, "no certificate\n");
    check_refused(files, ERR_BAD_INPUT, "certificate", "no usable certificate");
    (void)unlink(files->certificate);
    check_refused(files, ERR_NOT_FOUND, "certificate", files->certificate);
}

static void test_key_of_another(void **state)
{
    const struct files *files = *state;
    char other[128];
    (void)snprintf(other, sizeof(other), "%s/other.pem", files->folder);
    write_pair(other, files->key, "other");
    (void)unlink(other);
    check_refused(files, ERR_BAD_INPUT, "key", "does not belong to the certificate");
}

static void test_key_with_a_passphrase(void **state)
{
    const struct files *files = *state;
    EVP_PKEY *key = make_key();
    FILE *file = open_for_writing(files->key);
    assert_int_equal(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(),
                                          (const unsigned char *)"pass", 4, NULL, NULL),
                     1);
    assert_int_equal(fclose(file), 0);
    EVP_PKEY_free(key);
    check_refused(files, ERR_BAD_INPUT, "key", "passphrase");
}

/* ---- Handshakes over a pair of sockets ---- */

static void never_ready(struct watch *watch, uint32_t events)
{
    (void)watch, (void)events;
}

struct both {
    struct loop *loop;
    struct conn conn;
    SSL_CTX *client_context;
    SSL *client;
    int client_fd;
};

static void open_both(struct both *both, struct tls_context *context)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    both->loop = loop_new();
    assert_int_equal(conn_open(&both->conn, fd[0], context, never_ready), OK);
    both->client_context = SSL_CTX_new(TLS_client_method());
    both->client_fd = fd[1];
}

static void start_client(struct both *both)
{
    both->client = SSL_new(both->client_context);
    assert_int_equal(SSL_set_fd(both->client, both->client_fd), 1);
    SSL_set_connect_state(both->client);
}

static void close_both(struct both *both)
{
    conn_close(both->loop, &both->conn);
    SSL_free(both->client);
    SSL_CTX_free(both->client_context);
    close(both->client_fd);
    loop_free(both->loop);
}

/* Lets both sides go on until the server has read a byte, or one of them fails. */
static enum err shake_hands(struct both *both)
{
    enum err err = ERR_WOULD_BLOCK;
    char byte;
    size_t len;
    for (int i = 0; i < 10 && err == ERR_WOULD_BLOCK; i++) {
        (void)SSL_write(both->client, "x", 1);
        both->conn.is_readable = true;
        err = conn_read(&both->conn, &byte, 1, &len);
    }
    return err;
}

static void check_name(struct both *both, const char *name)
{
    X509 *certificate = SSL_get1_peer_certificate(both->client);
    assert_non_null(certificate);
    char text[64];
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
                              sizeof(text));
    assert_string_equal(text, name);
    X509_free(certificate);
}

static void test_reload(void **state)
{
    const struct files *files = *state;
    struct tls_context *context = open_context(files);
    assert_false(tls_context_is_stale(context));
    struct both before;
    open_both(&before, context);
    start_client(&before);
    assert_int_equal(shake_hands(&before), OK);

    write_pair(files->certificate, files->key, "second certificate");
    assert_true(tls_context_is_stale(context));
    struct fail fail = {0};
    assert_int_equal(tls_context_reload(context, &fail), OK);
    assert_false(tls_context_is_stale(context));
    struct both after;
    open_both(&after, context);
    start_client(&after);
    assert_int_equal(shake_hands(&after), OK);
    check_name(&before, "first");
    check_name(&after, "second certificate");

    write_text(files->key, "broken");
    assert_int_equal(tls_context_reload(context, &fail), ERR_BAD_INPUT);
    assert_string_equal(fail.field, "key");
    assert_false(tls_context_is_stale(context)); /* told once, not at every look */
    struct both still;
    open_both(&still, context);
    start_client(&still);
    assert_int_equal(shake_hands(&still), OK);
    check_name(&still, "second certificate");

    (void)unlink(files->certificate);
    assert_true(tls_context_is_stale(context));
    assert_int_equal(tls_context_reload(context, &fail), ERR_NOT_FOUND);
    tls_context_free(context); /* the connections outlive it */
    assert_int_equal(SSL_write(before.client, "y", 1), 1);
    assert_int_equal(shake_hands(&before), OK);
    close_both(&before);
    close_both(&after);
    close_both(&still);
}

static void test_protocols(void **state)
{
    struct tls_context *context = open_context(*state);
    struct both old;
    open_both(&old, context);
    SSL_CTX_set_security_level(old.client_context, 0);
    assert_int_equal(SSL_CTX_set_max_proto_version(old.client_context, TLS1_1_VERSION), 1);
    start_client(&old);
    assert_int_equal(shake_hands(&old), ERR_IO);
    assert_true(old.conn.is_broken);
    close_both(&old);

    struct both tls12;
    open_both(&tls12, context);
    assert_int_equal(SSL_CTX_set_max_proto_version(tls12.client_context, TLS1_2_VERSION), 1);
    start_client(&tls12);
    assert_int_equal(shake_hands(&tls12), OK);
    assert_string_equal(SSL_get_version(tls12.client), "TLSv1.2");
    close_both(&tls12);
    tls_context_free(context);
}

static enum err shake_with_alpn(struct tls_context *context, const char *list, size_t len,
                                char chosen[16])
{
    struct both both;
    open_both(&both, context);
    assert_int_equal(
        SSL_CTX_set_alpn_protos(both.client_context, (const unsigned char *)list, (unsigned)len),
        0);
    start_client(&both);
    enum err err = shake_hands(&both);
    const unsigned char *name;
    unsigned name_len;
    SSL_get0_alpn_selected(both.client, &name, &name_len);
    if (name_len > 0)
        memcpy(chosen, name, name_len);
    chosen[name_len] = '\0';
    close_both(&both);
    return err;
}

static void test_alpn(void **state)
{
    struct tls_context *context = open_context(*state);
    char chosen[16];
    assert_int_equal(shake_with_alpn(context, "\x02h2\x08http/1.1", 12, chosen), OK);
    assert_string_equal(chosen, "http/1.1");
    assert_int_equal(shake_with_alpn(context, "\x02h2", 3, chosen), ERR_IO);
    tls_context_free(context);
}

/* ---- Data ---- */

enum { BULK = 300000 };

/* More than the socket holds goes out in parts, from memory and from a file, and arrives whole. */
static void test_bulk(void **state)
{
    struct tls_context *context = open_context(*state);
    struct both both;
    open_both(&both, context);
    start_client(&both);
    assert_int_equal(shake_hands(&both), OK);

    static char sent[BULK], got[BULK];
    for (size_t i = 0; i < BULK; i++)
        sent[i] = (char)(i * 7 + i / 251);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(sent, 1, BULK, file), BULK);
    assert_int_equal(fflush(file), 0);

    size_t put = 0, have = 0;
    bool was_blocked = false;
    while (have < BULK) {
        size_t len = 0;
        enum err err = OK;
        while (put < BULK && err == OK) {
            /* Two pieces first, as head and body come; then the file. */
            struct iovec piece[2] = {{sent + put, 10}, {sent + put + 10, BULK / 2 - put - 10}};
            if (put + 10 < BULK / 2)
                err = conn_write(&both.conn, piece, 2, false, &len);
            else
                err = conn_write_file(&both.conn, fileno(file), put, BULK - put, &len);
            put += err == OK ? len : 0;
        }
        was_blocked = was_blocked || err == ERR_WOULD_BLOCK;
        both.conn.is_writable = true;
        int n = SSL_read(both.client, got + have, (int)(BULK - have));
        have += n > 0 ? (size_t)n : 0;
    }
    assert_true(was_blocked);
    assert_memory_equal(sent, got, BULK);
    size_t len;
    assert_int_equal(conn_write_file(&both.conn, fileno(file), BULK, 1, &len), ERR_CORRUPT);
    (void)fclose(file);
    close_both(&both);
    tls_context_free(context);
}

/* What lies decrypted in the session is no event of the socket: a full read must leave is_readable. */
static void test_nothing_is_left_behind(void **state)
{
    struct tls_context *context = open_context(*state);
    struct both both;
    open_both(&both, context);
    start_client(&both);
    assert_int_equal(shake_hands(&both), OK);
    char buffer[32];
    size_t len;
    while (conn_read(&both.conn, buffer, sizeof(buffer), &len) == OK)
        continue; /* what the handshake's attempts sent */
    assert_int_equal(SSL_write(both.client, "0123456789", 10), 10);
    conn_note(&both.conn, EPOLLIN);
    assert_int_equal(conn_read(&both.conn, buffer, 4, &len), OK);
    assert_int_equal(len, 4);
    assert_true(both.conn.is_readable);
    assert_int_equal(conn_read(&both.conn, buffer, 32, &len), OK);
    assert_int_equal(len, 6);
    assert_false(both.conn.is_readable);

    assert_int_equal(SSL_shutdown(both.client), 0);
    conn_note(&both.conn, EPOLLIN);
    assert_int_equal(conn_read(&both.conn, buffer, 32, &len), ERR_CLOSED);
    close_both(&both);
    tls_context_free(context);
}

int main(void)
{
#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, make_files, remove_files)
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_refused),
        WITH_FILES(test_key_of_another),
        WITH_FILES(test_key_with_a_passphrase),
        WITH_FILES(test_reload),
        WITH_FILES(test_protocols),
        WITH_FILES(test_alpn),
        WITH_FILES(test_bulk),
        WITH_FILES(test_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
