/* A cursor that moves through the document; each read_ function takes one thing of the grammar and leaves the cursor behind
 * it. The first thing that does not fit ends the reading, with its line. Words of the grammar are those of the TOML
 * 1.0 specification. */
#include "codec/toml.h"

#include <string.h>

#include "base/encode.h"
#include "base/map.h"

enum { KEY_BYTES_MAX = 256, NUMBER_BYTES_MAX = 32 };

struct reading {
    struct arena *arena;
    str name; /* the document's, for messages */
    str rest; /* what is still to be read */
    unsigned line;
    str table; /* the header that stands above, or empty */
    struct toml_entry *entry;
    size_t count, capacity;
    struct map *known; /* each key and each table so far, by full name */
    struct fail *fail;
};

/* What a name is known as. A table that was only passed through may still get its header. */
static char known_value, known_table, known_header;

__attribute__((format(printf, 2, 3))) static enum err wrong(struct reading *r, const char *format,
                                                            ...)
{
    va_list args;
    va_start(args, format);
    str text = arena_vprintf(r->arena, format, args);
    va_end(args);
    return fail_set(r->fail, ERR_BAD_INPUT, NULL, "%.*s:%u: %.*s", STR_ARG(r->name), r->line,
                    STR_ARG(text));
}

static enum err too_large(struct reading *r)
{
    return fail_set(r->fail, ERR_TOO_LARGE, NULL, "%.*s:%u: the document is larger than is allowed",
                    STR_ARG(r->name), r->line);
}

/* The cursor. */

static bool is_next(const struct reading *r, char c)
{
    return r->rest.len && r->rest.ptr[0] == c;
}

static bool take(struct reading *r, char c)
{
    bool taken = is_next(r, c);
    r->rest = str_skip(r->rest, taken);
    return taken;
}

static bool take_newline(struct reading *r)
{
    size_t len = str_has_prefix(r->rest, STR("\r\n")) ? 2 : is_next(r, '\n');
    r->rest = str_skip(r->rest, len);
    r->line += len > 0;
    return len > 0;
}

static void skip_blanks(struct reading *r)
{
    while (take(r, ' ') || take(r, '\t'))
        ;
}

/* Takes the characters that belong to a kind. */
static str take_run(struct reading *r, bool (*belongs)(char c))
{
    size_t len = 0;
    while (len < r->rest.len && belongs(r->rest.ptr[len]))
        len++;
    str run = str_slice(r->rest, 0, len);
    r->rest = str_skip(r->rest, len);
    return run;
}

/* Comments and strings hold everything but control characters; a tab is none. */
static bool is_text(char c)
{
    return ((unsigned char)c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool is_bare(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* What numbers, dates and words without quotes are made of. */
static bool is_scalar(char c)
{
    return is_bare(c) || c == '+' || c == '.' || c == ':';
}

static void skip_comment(struct reading *r)
{
    if (take(r, '#'))
        (void)take_run(r, is_text);
}

/* What may stand behind a value or a header: blanks, a comment, the end of the line. */
static enum err end_line(struct reading *r)
{
    skip_blanks(r);
    skip_comment(r);
    if (r->rest.len && !take_newline(r))
        return wrong(r, "the line does not end where it should");
    return OK;
}

static void skip_space_and_comments(struct reading *r)
{
    do {
        skip_blanks(r);
        skip_comment(r);
    } while (take_newline(r));
}

/* Keys. A name is gathered in a fixed buffer, part by part. */

struct key {
    char text[KEY_BYTES_MAX];
    size_t len;
};

static str key_str(const struct key *key)
{
    return str_of(key->text, key->len);
}

static enum err append_part(struct reading *r, struct key *key, str part)
{
    size_t dot = key->len > 0;
    if (part.len + dot > sizeof(key->text) - key->len)
        return wrong(r, "a key is longer than %d bytes", KEY_BYTES_MAX);
    if (dot)
        key->text[key->len++] = '.';
    memcpy(key->text + key->len, part.ptr, part.len);
    key->len += part.len;
    return OK;
}

static enum err read_bare_key(struct reading *r, struct key *key)
{
    if (is_next(r, '"') || is_next(r, '\''))
        return wrong(r, "quoted keys are not supported");
    str part = take_run(r, is_bare);
    if (part.len == 0)
        return wrong(r, "a key is missing (letters, digits, \"_\" and \"-\")");
    return append_part(r, key, part);
}

/* Notes that the name is a table, because a key or a header passes through it. */
static enum err pass_table(struct reading *r, str name)
{
    const void *known = map_find(r->known, name);
    if (known == &known_value)
        return wrong(r, "\"%.*s\" has a value above and cannot be a table", STR_ARG(name));
    if (!known)
        (void)map_set(r->known, name, &known_table);
    return OK;
}

/* Appends a dotted key; all but its last part are tables. */
static enum err read_key(struct reading *r, struct key *key)
{
    TRY(read_bare_key(r, key));
    for (skip_blanks(r); take(r, '.'); skip_blanks(r)) {
        TRY(pass_table(r, key_str(key)));
        skip_blanks(r);
        TRY(read_bare_key(r, key));
    }
    return OK;
}

/* Strings. */

static size_t encode_utf8(uint32_t c, char *dst)
{
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        dst[i] = (char)(0x80 | (c & 0x3f));
    dst[0] = (char)(lead[len] | c);
    return len;
}

/* \uXXXX and \UXXXXXXXX. A zero character is refused with what Unicode refuses: no setting can mean it. */
static enum err decode_unicode(struct reading *r, str digits, char *dst, size_t *out_len)
{
    unsigned char bytes[4] = {0};
    if (hex_decode(digits, bytes + 4 - digits.len / 2) != OK)
        return wrong(r, "\"%.*s\" is not a number of hexadecimal digits", STR_ARG(digits));
    uint32_t c =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return wrong(r, "U+%.*s is not a character", STR_ARG(digits));
    *out_len = encode_utf8(c, dst);
    return OK;
}

/* Decodes the escape that text begins with; it is never shorter than what it means. */
static enum err decode_escape(struct reading *r, str text, char *dst, size_t *out_read,
                              size_t *out_written)
{
    static const char letter[] = "btnfr\"\\", meaning[] = "\b\t\n\f\r\"\\";
    char c = text.len > 1 ? text.ptr[1] : '\0';
    size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    *out_read = 2 + digits;
    if (digits) {
        if (text.len < 2 + digits)
            return wrong(r, "an escape ends early");
        return decode_unicode(r, str_slice(text, 2, 2 + digits), dst, out_written);
    }
    const char *at = c ? strchr(letter, c) : NULL;
    if (!at)
        return wrong(r, "an unknown escape; a backslash itself is \"\\\\\"");
    *dst = meaning[at - letter];
    *out_written = 1;
    return OK;
}

static enum err decode_basic(struct reading *r, str raw, str *out)
{
    char *text = arena_try_alloc(r->arena, raw.len);
    if (!text)
        return too_large(r);
    size_t len = 0;
    while (raw.len) {
        size_t read = 1, written = 1;
        if (raw.ptr[0] == '\\')
            TRY(decode_escape(r, raw, text + len, &read, &written));
        else
            text[len] = raw.ptr[0];
        raw = str_skip(raw, read);
        len += written;
    }
    *out = str_of(text, len);
    return OK;
}

/* Takes what stands between two quotes on one line. */
static enum err take_quoted(struct reading *r, char quote, str *out)
{
    size_t len = 0;
    while (len < r->rest.len && r->rest.ptr[len] != quote && is_text(r->rest.ptr[len])) {
        bool is_escape = quote == '"' && r->rest.ptr[len] == '\\' && len + 1 < r->rest.len &&
                         is_text(r->rest.ptr[len + 1]);
        len += is_escape ? 2 : 1;
    }
    *out = str_slice(r->rest, 0, len);
    r->rest = str_skip(r->rest, len);
    return take(r, quote) ? OK : wrong(r, "the string does not end on its line");
}

static enum err read_string(struct reading *r, struct toml_value *out)
{
    str raw;
    if (str_has_prefix(r->rest, STR("\"\"\"")) || str_has_prefix(r->rest, STR("'''")))
        return wrong(r, "strings of several lines are not supported");
    out->kind = TOML_TEXT;
    if (take(r, '"')) {
        TRY(take_quoted(r, '"', &raw));
        return decode_basic(r, raw, &out->text);
    }
    (void)take(r, '\'');
    TRY(take_quoted(r, '\'', &raw));
    return arena_try_str(r->arena, raw, &out->text) == OK ? OK : too_large(r);
}

/* Numbers and booleans. */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether a digit stands on both sides of each "_", and no zero leads. */
static bool is_integer_form(str digits)
{
    if (digits.len == 0 || (digits.len > 1 && digits.ptr[0] == '0'))
        return false;
    bool after_digit = false;
    for (size_t i = 0; i < digits.len; i++) {
        bool digit = is_digit(digits.ptr[i]);
        if (!digit && (digits.ptr[i] != '_' || !after_digit))
            return false;
        after_digit = digit;
    }
    return after_digit;
}

static enum err parse_integer(str text, int64_t *out)
{
    char plain[NUMBER_BYTES_MAX];
    size_t len = 0;
    bool has_sign = str_has_prefix(text, STR("-")) || str_has_prefix(text, STR("+"));
    str digits = str_skip(text, has_sign);
    if (!is_integer_form(digits) || text.len > sizeof(plain))
        return ERR_BAD_INPUT;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '_' && text.ptr[i] != '+')
            plain[len++] = text.ptr[i];
    return str_to_i64(str_of(plain, len), out);
}

static enum err read_scalar(struct reading *r, struct toml_value *out)
{
    str text = take_run(r, is_scalar);
    out->boolean = str_eq(text, STR("true"));
    if (out->boolean || str_eq(text, STR("false"))) {
        out->kind = TOML_BOOL;
        return OK;
    }
    out->kind = TOML_INTEGER;
    if (parse_integer(text, &out->integer) == OK)
        return OK;
    if (text.len == 0)
        return wrong(r, "a value is missing");
    return wrong(r, "\"%.*s\" is not an integer of 64 bits, true or false; a text needs quotes",
                 STR_ARG(text));
}

/* Values. */

static enum err read_value(struct reading *r, struct toml_value *out)
{
    *out = (struct toml_value){0};
    if (is_next(r, '"') || is_next(r, '\''))
        return read_string(r, out);
    if (is_next(r, '{'))
        return wrong(r, "inline tables are not supported");
    return read_scalar(r, out);
}

static enum err check_item(struct reading *r, const struct toml_value *array,
                           const struct toml_value *item)
{
    if (item->kind == TOML_BOOL)
        return wrong(r, "an array holds strings or integers");
    if (array->item_count && array->item[0].kind != item->kind)
        return wrong(r, "an array holds strings or integers, not both");
    return OK;
}

/* Room for one more element behind `count`; the former array stays in the arena. Null when the arena's cap forbids it. */
static void *with_room(struct arena *arena, void *array, size_t count, size_t *capacity,
                       size_t element)
{
    if (count < *capacity)
        return array;
    size_t grown = *capacity ? 2 * *capacity : 8;
    void *larger = arena_try_alloc(arena, mem_size_mul(grown, element));
    if (!larger)
        return NULL;
    if (count)
        memcpy(larger, array, count * element);
    *capacity = grown;
    return larger;
}

static enum err read_item(struct reading *r, struct toml_value *array, size_t *capacity)
{
    struct toml_value item, *items;
    if (is_next(r, '['))
        return wrong(r, "arrays in arrays are not supported");
    TRY(read_value(r, &item));
    TRY(check_item(r, array, &item));
    items = with_room(r->arena, array->item, array->item_count, capacity, sizeof(item));
    if (!items)
        return too_large(r);
    array->item = items;
    array->item[array->item_count++] = item;
    return OK;
}

/* An array may run over several lines and have a comma behind its last item. */
static enum err read_array(struct reading *r, struct toml_value *out)
{
    size_t capacity = 0;
    *out = (struct toml_value){.kind = TOML_ARRAY};
    (void)take(r, '[');
    for (;;) {
        skip_space_and_comments(r);
        if (take(r, ']'))
            return OK;
        TRY(read_item(r, out, &capacity));
        skip_space_and_comments(r);
        if (!take(r, ',') && !is_next(r, ']'))
            return wrong(r, "\",\" or \"]\" is missing in an array");
    }
}

/* Lines. */

static enum err define_key(struct reading *r, str key)
{
    const void *known = map_find(r->known, key);
    if (known == &known_value)
        return wrong(r, "\"%.*s\" is given twice", STR_ARG(key));
    if (known)
        return wrong(r, "\"%.*s\" is a table above and cannot have a value", STR_ARG(key));
    (void)map_set(r->known, key, &known_value);
    return OK;
}

static enum err read_entry(struct reading *r)
{
    struct toml_entry entry = {.line = r->line}, *entries;
    struct key key;
    key.len = 0;
    if (r->table.len)
        TRY(append_part(r, &key, r->table));
    TRY(read_key(r, &key));
    if (!take(r, '='))
        return wrong(r, "\"=\" is missing behind a key");
    TRY(define_key(r, key_str(&key)));
    skip_blanks(r);
    TRY(is_next(r, '[') ? read_array(r, &entry.value) : read_value(r, &entry.value));

    entries = with_room(r->arena, r->entry, r->count, &r->capacity, sizeof(entry));
    if (!entries || arena_try_str(r->arena, key_str(&key), &entry.key) != OK)
        return too_large(r);
    r->entry = entries;
    r->entry[r->count++] = entry;
    return OK;
}

static enum err define_header(struct reading *r, str table)
{
    TRY(pass_table(r, table));
    if (map_set(r->known, table, &known_header) == &known_header)
        return wrong(r, "the table \"%.*s\" is given twice", STR_ARG(table));
    return arena_try_str(r->arena, table, &r->table) == OK ? OK : too_large(r);
}

static enum err read_header(struct reading *r)
{
    struct key key;
    key.len = 0;
    (void)take(r, '[');
    if (is_next(r, '['))
        return wrong(r, "arrays of tables are not supported");
    skip_blanks(r);
    TRY(read_key(r, &key));
    if (!take(r, ']'))
        return wrong(r, "\"]\" is missing behind a table's name");
    return define_header(r, key_str(&key));
}

static enum err read_lines(struct reading *r)
{
    for (;;) {
        skip_space_and_comments(r);
        if (r->rest.len == 0)
            return OK;
        TRY(is_next(r, '[') ? read_header(r) : read_entry(r));
        TRY(end_line(r));
    }
}

/* Line by line, so that the message can name one. */
static enum err check_utf8(struct reading *r)
{
    str rest = r->rest, line;
    for (; rest.len; r->line++) {
        (void)str_cut(rest, '\n', &line, &rest);
        if (!str_is_utf8(line))
            return wrong(r, "the line is not UTF-8");
    }
    r->line = 1;
    return OK;
}

enum err toml_parse(struct arena *arena, str name, str document, struct toml_entry **out_entry,
                    size_t *out_count, struct fail *fail)
{
    struct reading r = {.arena = arena, .name = name, .rest = document, .line = 1, .fail = fail};
    if (document.len > TOML_BYTES_MAX)
        return too_large(&r);
    TRY(check_utf8(&r));
    r.known = map_new();
    enum err err = read_lines(&r);
    map_free(r.known);
    if (err != OK)
        return err;
    *out_entry = r.entry;
    *out_count = r.count;
    return OK;
}
