/* TLS contexts. The lock guards one pointer: sessions take their own reference to the SSL_CTX, so the pair they began with
 * lives as long as they do. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "net/net_int.h"

/* Enough to see that a file was replaced or rewritten. */
struct file_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct tls_context {
    char *certificate_path;
    char *key_path;
    pthread_mutex_t lock;
    SSL_CTX *pair;
    struct file_mark certificate_mark;
    struct file_mark key_mark;
};

/* ---- Reading a pair ---- */

static enum err ssl_failed(struct fail *fail, const char *field, const char *path, const char *what)
{
    unsigned long code = ERR_peek_error(); /* the first is the cause, later ones are its wrapping */
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    ERR_clear_error();
    return fail_set(fail, ERR_BAD_INPUT, field, "file '%s' %s (%s)", path, what,
                    reason == NULL ? "no reason given" : reason);
}

static enum err mark_file(const char *path, const char *field, struct file_mark *out_mark,
                          struct fail *fail)
{
    struct stat stat_now;
    if (stat(path, &stat_now) != 0)
        return fail_set(fail, err_from_errno(errno), field, "file '%s' cannot be read: %s", path,
                        strerror(errno));
    *out_mark =
        (struct file_mark){stat_now.st_dev, stat_now.st_ino, stat_now.st_size, stat_now.st_mtim};
    return OK;
}

static bool is_marked(const char *path, const struct file_mark *mark)
{
    struct file_mark now;
    return mark_file(path, "", &now, NULL) == OK && now.device == mark->device &&
           now.inode == mark->inode && now.size == mark->size &&
           now.modified.tv_sec == mark->modified.tv_sec &&
           now.modified.tv_nsec == mark->modified.tv_nsec;
}

/* A key with a passphrase is refused instead of asking at a terminal that may not be there. */
static int no_passphrase(char *dst, int size, int is_writing, void *context)
{
    (void)dst, (void)size, (void)is_writing, (void)context;
    return -1;
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *context)
{
    (void)ssl, (void)context;
    static const unsigned char http11[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, http11, sizeof(http11) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool configure(SSL_CTX *pair)
{
    SSL_CTX_set_options(pair, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                  SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_PRIORITIZE_CHACHA |
                                  SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(pair, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                               SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(pair, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(pair, 1);
    SSL_CTX_set_default_passwd_cb(pair, no_passphrase);
    SSL_CTX_set_alpn_select_cb(pair, select_protocol, NULL);
    return SSL_CTX_set_min_proto_version(pair, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(pair, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

static enum err fill(SSL_CTX *pair, const struct tls_context *context, struct fail *fail)
{
    if (!configure(pair))
        return fail_set(fail, ERR_INTERNAL, NULL, "the TLS library refused its configuration");
    if (SSL_CTX_use_certificate_chain_file(pair, context->certificate_path) != 1)
        return ssl_failed(fail, "certificate", context->certificate_path,
                          "holds no usable certificate");
    /* The key is checked against the certificate while it is loaded: a mismatch has its own reason. */
    if (SSL_CTX_use_PrivateKey_file(pair, context->key_path, SSL_FILETYPE_PEM) != 1) {
        int reason = ERR_GET_REASON(ERR_peek_error());
        if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH) {
            ERR_clear_error();
            return fail_set(fail, ERR_BAD_INPUT, "key",
                            "the key in '%s' does not belong to the certificate in '%s'",
                            context->key_path, context->certificate_path);
        }
        return ssl_failed(fail, "key", context->key_path,
                          "holds no usable key without a passphrase");
    }
    if (SSL_CTX_check_private_key(pair) != 1)
        return ssl_failed(fail, "key", context->key_path, "does not belong to the certificate");
    return OK;
}

static enum err read_pair(const struct tls_context *context, SSL_CTX **out_pair, struct fail *fail)
{
    ERR_clear_error();
    SSL_CTX *pair = SSL_CTX_new(TLS_server_method());
    if (pair == NULL)
        return fail_set(fail, ERR_NO_MEMORY, NULL, "the TLS library gave no context");
    enum err err = fill(pair, context, fail);
    if (err != OK) {
        SSL_CTX_free(pair);
        return err;
    }
    *out_pair = pair;
    return OK;
}

/* ---- Life ---- */

static char *copy_path(const char *path)
{
    size_t size = strlen(path) + 1;
    return memcpy(mem_alloc(size), path, size);
}

enum err tls_context_reload(struct tls_context *context, struct fail *fail)
{
    /* The marks are taken before the reading: a change during it shows as stale afterwards. They are kept even when the
     * pair is bad, so that a broken file is told once and not at every look. */
    struct file_mark certificate_mark, key_mark;
    TRY(mark_file(context->certificate_path, "certificate", &certificate_mark, fail));
    TRY(mark_file(context->key_path, "key", &key_mark, fail));
    SSL_CTX *pair = NULL;
    enum err err = read_pair(context, &pair, fail);
    pthread_mutex_lock(&context->lock);
    context->certificate_mark = certificate_mark;
    context->key_mark = key_mark;
    SSL_CTX *before = NULL;
    if (err == OK) {
        before = context->pair;
        context->pair = pair;
    }
    pthread_mutex_unlock(&context->lock);
    SSL_CTX_free(before);
    return err;
}

enum err tls_context_open(const char *certificate_path, const char *key_path,
                          struct tls_context **out_context, struct fail *fail)
{
    struct tls_context *context = mem_new(struct tls_context);
    context->certificate_path = copy_path(certificate_path);
    context->key_path = copy_path(key_path);
    pthread_mutex_init(&context->lock, NULL);
    enum err err = tls_context_reload(context, fail);
    if (err != OK) {
        tls_context_free(context);
        return err;
    }
    *out_context = context;
    return OK;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->pair);
    pthread_mutex_destroy(&context->lock);
    mem_free(context->certificate_path);
    mem_free(context->key_path);
    mem_free(context);
}

bool tls_context_is_stale(struct tls_context *context)
{
    pthread_mutex_lock(&context->lock);
    struct file_mark certificate_mark = context->certificate_mark;
    struct file_mark key_mark = context->key_mark;
    pthread_mutex_unlock(&context->lock);
    return !is_marked(context->certificate_path, &certificate_mark) ||
           !is_marked(context->key_path, &key_mark);
}

SSL *tls_session_new(struct tls_context *context, int fd)
{
    pthread_mutex_lock(&context->lock);
    SSL_CTX *pair = context->pair;
    SSL_CTX_up_ref(pair);
    pthread_mutex_unlock(&context->lock);
    SSL *ssl = SSL_new(pair);
    SSL_CTX_free(pair); /* the session holds its own reference */
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_accept_state(ssl);
    return ssl;
}
