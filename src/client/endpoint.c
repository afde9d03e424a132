#include "client/endpoint.h"

static enum err refuse(struct fail *fail, str text, const char *why)
{
    return fail_set(fail, ERR_BAD_INPUT, "endpoint", "\"%.*s\": %s", STR_ARG(text), why);
}

/* Printable ASCII without the characters that end an authority or a path. The text goes into a request head as it is,
 * so a space or a line end in it would be a head of the user's own. */
static bool has_only_url_bytes(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '?' || c == '#' || c == '@' || c == '\\' || c == '"')
            return false;
    }
    return true;
}

/* Takes the scheme off. False for one that is neither http nor https. */
static bool cut_scheme(str *text, bool *out_is_tls)
{
    *out_is_tls = false;
    if (str_has_prefix_nocase(*text, STR("https://"))) {
        *out_is_tls = true;
        *text = str_skip(*text, 8);
    } else if (str_has_prefix_nocase(*text, STR("http://"))) {
        *text = str_skip(*text, 7);
    }
    return str_find(*text, STR("://")) < 0;
}

/* Splits `host`, `host:port`, `[address]` or `[address]:port`; *out_port is empty when none is written. */
static bool split_authority(str authority, str *out_host, str *out_port)
{
    *out_port = STR("");
    if (!str_has_prefix(authority, STR("["))) {
        bool has_port = str_cut(authority, ':', out_host, out_port);
        return out_host->len && (!has_port || out_port->len) && str_find_char(*out_port, ':') < 0;
    }
    ptrdiff_t close = str_find_char(authority, ']');
    if (close < 2)
        return false;
    *out_host = str_slice(authority, 1, (size_t)close);
    str rest = str_skip(authority, (size_t)close + 1);
    if (!rest.len)
        return true;
    if (rest.ptr[0] != ':' || rest.len == 1)
        return false;
    *out_port = str_skip(rest, 1);
    return true;
}

enum err endpoint_parse(str text, struct endpoint *out, struct fail *fail)
{
    struct endpoint endpoint = {0};
    str rest = text;
    if (!has_only_url_bytes(text))
        return refuse(fail, text, "it holds a character that has no place in an endpoint");
    if (!cut_scheme(&rest, &endpoint.is_tls))
        return refuse(fail, text, "the scheme is neither http nor https");

    ptrdiff_t slash = str_find_char(rest, '/');
    endpoint.authority = slash < 0 ? rest : str_slice(rest, 0, (size_t)slash);
    endpoint.path = slash < 0 ? STR("") : str_skip(rest, (size_t)slash);
    while (str_has_suffix(endpoint.path, STR("/")))
        endpoint.path.len--;

    str port_text;
    if (!split_authority(endpoint.authority, &endpoint.host, &port_text))
        return refuse(fail, text, "it names no host, or a malformed one");
    uint64_t port = endpoint.is_tls ? 443 : 80;
    if (port_text.len && (str_to_u64(port_text, &port) != OK || port < 1 || port > UINT16_MAX))
        return refuse(fail, text, "the port is not a number from 1 to 65535");
    endpoint.port = (uint16_t)port;
    *out = endpoint;
    return OK;
}
