/* Aim: a page shows exactly the entries that come next: keys and common prefixes in byte order, none twice, none left out, whatever
 * prefix, delimiter, marker and size were asked for; compared with lists that are made the plain way. */
#include "audit.h"

enum { PAGE_MAX = 1000, ENTRY_MAX = 200 };

/* Keys that make trouble: neighbours of the delimiter, doubled and leading slashes, bytes at both ends, prefixes of each other. */
static const str keys[] = {
    STR_INIT("/"),
    STR_INIT("//"),
    STR_INIT("/a"),
    STR_INIT("a"),
    STR_INIT("a-"),
    STR_INIT("a/"),
    STR_INIT("a//"),
    STR_INIT("a//b"),
    STR_INIT("a/b"),
    STR_INIT("a/b/c"),
    STR_INIT("a/b/d"),
    STR_INIT("a/c"),
    STR_INIT("a0"),
    STR_INIT("aa"),
    STR_INIT("aa/a"),
    STR_INIT("a\x01"),
    STR_INIT("a\0b"),
    STR_INIT("a\0/"),
    STR_INIT("b--c"),
    STR_INIT("b--d--e"),
    STR_INIT("b-c"),
    STR_INIT("z"),
    STR_INIT("z/"),
    STR_INIT("z/\xff"),
    STR_INIT("\xc3\xa4/\xc3\xb6"),
    STR_INIT("\xff"),
    STR_INIT("\xff/"),
    STR_INIT("\xff\xff"),
    STR_INIT("\xff\xff/x"),
    STR_INIT("\xff\xff\xff"),
};

static const str prefixes[] = {
    STR_INIT(""),         STR_INIT("a"),   STR_INIT("a/"),   STR_INIT("a/b"), STR_INIT("a//"),
    STR_INIT("b"),        STR_INIT("z/"),  STR_INIT("/"),    STR_INIT("q"),   STR_INIT("\xff"),
    STR_INIT("\xff\xff"), STR_INIT("a\0"), STR_INIT("zzzz"),
};

static const str delimiters[] = {
    STR_INIT(""),   STR_INIT("/"),    STR_INIT("--"), STR_INIT("a"),
    STR_INIT("b/"), STR_INIT("\xff"), STR_INIT("\0"), STR_INIT("none"),
};

static struct client *client_of(void **state)
{
    return &((struct world *)*state)->client;
}

static uint64_t photos_id(struct client *client)
{
    struct tx *tx;
    struct bucket_row row;
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    assert_ok(bucket_find(tx, PHOTOS, client->arena, &row));
    view_end(tx);
    return row.id;
}

/* ---- The plain way ---- */

struct entry {
    str name;
    bool is_prefix;
    uint64_t upload_id;
};

struct page {
    struct entry entry[ENTRY_MAX];
    size_t count;
    bool is_truncated;
};

/* All entries of a prefix and delimiter, from names in byte order. */
static size_t all_entries(const struct entry *name, size_t count, str prefix, str delimiter,
                          struct entry *dst)
{
    size_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        if (!str_has_prefix(name[i].name, prefix))
            continue;
        struct entry entry = name[i];
        entry.is_prefix = common_prefix_of(name[i].name, prefix, delimiter, &entry.name);
        if (entry.is_prefix && shown > 0 && dst[shown - 1].is_prefix &&
            str_eq(dst[shown - 1].name, entry.name))
            continue;
        dst[shown++] = entry;
    }
    return shown;
}

static struct page expected_page(const struct entry *all, size_t count, str after, size_t max_count)
{
    struct page page = {0};
    for (size_t i = 0; i < count && max_count > 0; i++) {
        if (after.len > 0 && str_cmp(all[i].name, after) <= 0)
            continue;
        if (page.count == max_count) {
            page.is_truncated = true;
            break;
        }
        page.entry[page.count++] = all[i];
    }
    return page;
}

static void compare_pages(const struct page *page, const struct page *expected, str what)
{
    bool is_same = page->count == expected->count && page->is_truncated == expected->is_truncated;
    for (size_t i = 0; is_same && i < page->count; i++)
        is_same = str_eq(page->entry[i].name, expected->entry[i].name) &&
                  page->entry[i].is_prefix == expected->entry[i].is_prefix &&
                  page->entry[i].upload_id == expected->entry[i].upload_id;
    if (is_same)
        return;
    for (size_t i = 0; i < page->count; i++)
        print_error("  shown %.*s %s\n", STR_ARG(page->entry[i].name),
                    page->entry[i].is_prefix ? "..." : "");
    for (size_t i = 0; i < expected->count; i++)
        print_error("  wanted %.*s %s\n", STR_ARG(expected->entry[i].name),
                    expected->entry[i].is_prefix ? "..." : "");
    fail_msg("%.*s: truncated %d, wanted %d", STR_ARG(what), page->is_truncated,
             expected->is_truncated);
}

/* ---- Objects ---- */

struct collector {
    struct list_visitor visitor;
    struct arena *arena;
    struct page page;
};

static enum err collect(struct list_visitor *visitor, str name, const struct object_row *row)
{
    struct collector *collector = container_of(visitor, struct collector, visitor);
    assert_true(collector->page.count < ENTRY_MAX);
    if (row != NULL) {
        assert_str(row->key, name);
        assert_int_equal(row->size, name.len);
    }
    collector->page.entry[collector->page.count++] =
        (struct entry){.name = arena_str(collector->arena, name), .is_prefix = row == NULL};
    return OK;
}

static struct page list_page(struct client *client, const struct list_args *args, str *out_last)
{
    struct collector collector = {.visitor.entry = collect, .arena = client->arena};
    struct list_result result;
    struct tx *tx;
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    assert_ok(object_list(tx, args, &collector.visitor, client->arena, &result));
    view_end(tx);
    assert_int_equal(result.count, collector.page.count);
    if (result.count > 0)
        assert_str(result.last, collector.page.entry[result.count - 1].name);
    collector.page.is_truncated = result.is_truncated;
    *out_last = result.last;
    return collector.page;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void put_keys(struct client *client, struct entry *sorted)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        sorted[i] = (struct entry){.name = keys[i]};
        assert_ok(put_bytes(client, PHOTOS, keys[i], keys[i])); /* of its own length */
    }
    qsort(sorted, COUNT_OF(keys), sizeof *sorted, compare_names);
}

static str describe(struct client *client, const struct list_args *args)
{
    return arena_printf(
        client->arena, "prefix \"%.*s\" delimiter \"%.*s\" after \"%.*s\" at most %zu",
        STR_ARG(args->prefix), STR_ARG(args->delimiter), STR_ARG(args->after), args->max_count);
}

/* From every marker: each key, each prefix, and what lies between. */
static void check_markers(struct client *client, struct list_args args, const struct entry *all,
                          size_t count)
{
    static const size_t max_counts[] = {0, 1, 2, 3, PAGE_MAX};
    static const char *const between[] = {
        "a.", "a/bb", "b--", "b--d", "zz", "\xfe", "\xff\xff\xff\xff", "a/b/c/d"};
    for (size_t i = 0; i < COUNT_OF(keys) + COUNT_OF(prefixes) + COUNT_OF(between); i++) {
        size_t k = i - COUNT_OF(keys);
        args.after = i < COUNT_OF(keys)       ? keys[i]
                     : k < COUNT_OF(prefixes) ? prefixes[k]
                                              : str_from(between[k - COUNT_OF(prefixes)]);
        for (size_t m = 0; m < COUNT_OF(max_counts); m++) {
            str last;
            args.max_count = max_counts[m];
            struct page expected = expected_page(all, count, args.after, args.max_count);
            struct page page = list_page(client, &args, &last);
            compare_pages(&page, &expected, describe(client, &args));
        }
    }
}

/* Page after page from the start shows everything once. */
static void check_paging(struct client *client, struct list_args args, const struct entry *all,
                         size_t count)
{
    for (args.max_count = 1; args.max_count <= 4; args.max_count++) {
        size_t seen = 0;
        struct page page = {.is_truncated = true};
        args.after = (str){0};
        while (page.is_truncated) {
            page = list_page(client, &args, &args.after);
            for (size_t i = 0; i < page.count; i++, seen++) {
                assert_true(seen < count);
                assert_str(page.entry[i].name, all[seen].name);
            }
        }
        assert_int_equal(seen, count);
    }
}

static void test_objects(void **state)
{
    struct client *client = client_of(state);
    struct entry sorted[COUNT_OF(keys)], all[ENTRY_MAX];
    put_keys(client, sorted);
    /* A bucket beside it must not shine through. */
    assert_ok(create_bucket(client, STR("neighbour")));
    assert_ok(put_bytes(client, STR("neighbour"), STR("a/x"), STR("x")));
    uint64_t bucket_id = photos_id(client);
    for (size_t p = 0; p < COUNT_OF(prefixes); p++) {
        for (size_t d = 0; d < COUNT_OF(delimiters); d++) {
            struct list_args args = {
                .bucket_id = bucket_id, .prefix = prefixes[p], .delimiter = delimiters[d]};
            size_t count = all_entries(sorted, COUNT_OF(keys), args.prefix, args.delimiter, all);
            check_markers(client, args, all, count);
            check_paging(client, args, all, count);
            arena_reset(client->arena);
        }
    }
}

/* Keys as long as they may be, page by page: a marker and what follows it are longer still. */
static enum err collect_any(struct list_visitor *visitor, str name, const struct object_row *row)
{
    (void)row;
    struct collector *collector = container_of(visitor, struct collector, visitor);
    collector->page.entry[collector->page.count++].name = arena_str(collector->arena, name);
    return OK;
}

static void test_longest_keys(void **state)
{
    struct client *client = client_of(state);
    static const uint8_t fill[] = {0x00, '/', 0xff};
    uint64_t bucket_id = photos_id(client);
    for (size_t i = 0; i < COUNT_OF(fill); i++) {
        char *key = arena_alloc(client->arena, KEY_MAX_BYTES);
        memset(key, fill[i], KEY_MAX_BYTES);
        assert_ok(put_bytes(client, PHOTOS, str_of(key, KEY_MAX_BYTES), STR("")));
    }
    for (int has_delimiter = 0; has_delimiter < 2; has_delimiter++) {
        struct list_args args = {.bucket_id = bucket_id,
                                 .max_count = 1,
                                 .delimiter = has_delimiter ? STR("/") : STR("")};
        struct list_result result = {.is_truncated = true};
        struct collector collector = {.visitor.entry = collect_any, .arena = client->arena};
        while (result.is_truncated) {
            struct tx *tx;
            assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
            assert_ok(object_list(tx, &args, &collector.visitor, client->arena, &result));
            view_end(tx);
            args.after = result.last;
        }
        assert_int_equal(collector.page.count, COUNT_OF(fill));
        for (size_t i = 0; i < COUNT_OF(fill); i++) {
            assert_int_equal((uint8_t)collector.page.entry[i].name.ptr[0], fill[i]);
            assert_int_equal(collector.page.entry[i].name.len,
                             has_delimiter && fill[i] == '/' ? 1 : KEY_MAX_BYTES);
        }
    }
    /* A marker far longer than any key is only a place. */
    char *marker = arena_alloc(client->arena, 100000);
    memset(marker, '/', 100000);
    struct collector collector = {.visitor.entry = collect_any, .arena = client->arena};
    const struct list_args args = {
        .bucket_id = bucket_id, .max_count = 9, .after = str_of(marker, 100000)};
    struct list_result result;
    struct tx *tx;
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    assert_ok(object_list(tx, &args, &collector.visitor, client->arena, &result));
    view_end(tx);
    assert_int_equal(result.count, 1);
}

/* An error of the visitor ends the walk and is what the caller gets. */
static enum err refuse(struct list_visitor *visitor, str name, const struct object_row *row)
{
    (void)visitor, (void)name, (void)row;
    return ERR_TOO_LARGE;
}

static void test_visitor_error(void **state)
{
    struct client *client = client_of(state);
    struct list_visitor visitor = {.entry = refuse};
    struct list_result result;
    struct tx *tx;
    assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("")));
    const struct list_args args = {.bucket_id = photos_id(client), .max_count = 1};
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    assert_err(object_list(tx, &args, &visitor, client->arena, &result), ERR_TOO_LARGE);
    view_end(tx);
}

/* ---- Uploads ---- */

/* Uploads in the order of keys, and of ids within a key: two of each. */
static size_t begin_uploads(struct client *client, struct entry *sorted)
{
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        for (int k = 0; k < 2; k++) {
            struct entry *entry = &sorted[count++];
            *entry = (struct entry){.name = keys[i]};
            assert_ok(create_upload(client, &(struct upload_args){.bucket = PHOTOS, .key = keys[i]},
                                    &entry->upload_id));
        }
    }
    return count;
}

static int compare_uploads(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    return order != 0 ? order : (x->upload_id > y->upload_id) - (x->upload_id < y->upload_id);
}

static bool is_behind(const struct entry *entry, const struct upload_list_args *args)
{
    int order = str_cmp(entry->name, args->key_after);
    if (args->key_after.len == 0 || order > 0)
        return true;
    return order == 0 && !entry->is_prefix && args->has_id_after &&
           entry->upload_id > args->id_after;
}

static struct page expected_uploads(const struct entry *all, size_t count,
                                    const struct upload_list_args *args)
{
    struct page page = {0};
    for (size_t i = 0; i < count && args->max_count > 0; i++) {
        if (!is_behind(&all[i], args))
            continue;
        if (page.count == args->max_count) {
            page.is_truncated = true;
            break;
        }
        struct entry *entry = &page.entry[page.count++];
        *entry = all[i];
        if (entry->is_prefix)
            entry->upload_id = 0;
    }
    return page;
}

static void check_uploads(struct client *client, const struct upload_list_args *args,
                          const struct entry *all, size_t count)
{
    struct upload_entry *entry;
    struct page page = {0};
    struct tx *tx;
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    assert_ok(upload_list(tx, args, client->arena, &entry, &page.count, &page.is_truncated));
    view_end(tx);
    for (size_t i = 0; i < page.count; i++) {
        page.entry[i] =
            (struct entry){.name = entry[i].key_or_prefix, .is_prefix = entry[i].row == NULL};
        if (entry[i].row != NULL) {
            page.entry[i].upload_id = entry[i].row->id;
            assert_str(entry[i].row->owner, OWNER);
        }
    }
    struct page expected = expected_uploads(all, count, args);
    compare_pages(
        &page, &expected,
        arena_printf(client->arena,
                     "prefix \"%.*s\" delimiter \"%.*s\" after \"%.*s\" %d %llx, at most %zu",
                     STR_ARG(args->prefix), STR_ARG(args->delimiter), STR_ARG(args->key_after),
                     args->has_id_after, (unsigned long long)args->id_after, args->max_count));
}

static void test_uploads(void **state)
{
    struct client *client = client_of(state);
    struct entry sorted[2 * COUNT_OF(keys)], all[ENTRY_MAX];
    size_t upload_count = begin_uploads(client, sorted);
    qsort(sorted, upload_count, sizeof *sorted, compare_uploads);
    uint64_t bucket_id = photos_id(client);
    static const size_t max_counts[] = {0, 1, 3, PAGE_MAX};
    for (size_t p = 0; p < COUNT_OF(prefixes); p++) {
        for (size_t d = 0; d < COUNT_OF(delimiters); d++) {
            size_t count = all_entries(sorted, upload_count, prefixes[p], delimiters[d], all);
            for (size_t i = 0; i < upload_count; i++) {
                struct upload_list_args args = {.bucket_id = bucket_id,
                                                .prefix = prefixes[p],
                                                .delimiter = delimiters[d],
                                                .key_after = sorted[i].name,
                                                .max_count = max_counts[i % COUNT_OF(max_counts)]};
                check_uploads(client, &args, all, count);
                args.has_id_after = true;
                args.id_after = sorted[i].upload_id;
                check_uploads(client, &args, all, count);
                args.id_after = i % 2 == 0 ? 0 : UINT64_MAX;
                check_uploads(client, &args, all, count);
            }
            const struct upload_list_args from_start = {.bucket_id = bucket_id,
                                                        .prefix = prefixes[p],
                                                        .delimiter = delimiters[d],
                                                        .max_count = PAGE_MAX};
            check_uploads(client, &from_start, all, count);
            arena_reset(client->arena);
        }
    }
}

/* ---- Parts ---- */

static void test_parts(void **state)
{
    struct client *client = client_of(state);
    static const uint64_t number[] = {1, 2, 5, 9999, 10000};
    struct part_row *part;
    size_t count;
    bool is_truncated;
    uint64_t id, other;
    assert_ok(create_upload(client, &(struct upload_args){.bucket = PHOTOS, .key = STR("a")}, &id));
    assert_ok(
        create_upload(client, &(struct upload_args){.bucket = PHOTOS, .key = STR("a")}, &other));
    for (size_t i = 0; i < COUNT_OF(number); i++)
        assert_ok(put_part(client,
                           &(struct part_args){.bucket = PHOTOS,
                                               .key = STR("a"),
                                               .upload_id = id,
                                               .number = number[i],
                                               .bytes = bytes_of(client->arena, i, i)},
                           NULL));
    static const struct {
        uint64_t after;
        size_t max_count, first, count;
        bool is_truncated;
    } cases[] = {
        {0, 1000, 0, 5, false}, {0, 5, 0, 5, false},         {0, 4, 0, 4, true},
        {1, 2, 1, 2, true},     {2, 3, 2, 3, false},         {4, 1, 2, 1, true},
        {5, 9, 3, 2, false},    {9999, 1, 4, 1, false},      {10000, 1, 0, 0, false},
        {0, 0, 0, 0, false},    {INT32_MAX, 1, 0, 0, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tx *tx;
        assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
        assert_ok(upload_part_list(tx, id, cases[i].after, cases[i].max_count, client->arena, &part,
                                   &count, &is_truncated));
        view_end(tx);
        assert_int_equal(count, cases[i].count);
        assert_int_equal(is_truncated, cases[i].is_truncated);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(part[k].number, number[cases[i].first + k]);
            assert_int_equal(part[k].size, cases[i].first + k);
        }
    }
}

/* ---- Buckets ---- */

static void test_buckets(void **state)
{
    struct client *client = client_of(state);
    static const char *const names[] = {"aaa", "aab", "abc",
                                        "b-1", "b.1", "zzz"}; /* beside "photos" */
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_ok(create_bucket(client, str_from(names[i])));
    static const struct {
        const char *owner, *prefix, *after;
        size_t max_count;
        const char *expected;
        bool is_truncated;
    } cases[] = {
        {"owner", "", "", 100, "aaa aab abc b-1 b.1 photos zzz ", false},
        {"owner", "", "", 7, "aaa aab abc b-1 b.1 photos zzz ", false},
        {"owner", "", "", 2, "aaa aab ", true},
        {"owner", "", "aab", 2, "abc b-1 ", true},
        {"owner", "", "aa", 1, "aaa ", true},
        {"owner", "a", "", 100, "aaa aab abc ", false},
        {"owner", "a", "", 3, "aaa aab abc ", false},
        {"owner", "aa", "aaa", 3, "aab ", false},
        {"owner", "b", "a", 3, "b-1 b.1 ", false},
        {"owner", "a", "b", 3, "", false},
        {"owner", "", "zzz", 3, "", false},
        {"owne", "", "", 3, "", false},
        {"owners", "", "", 3, "", false},
        {"", "", "", 3, "", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct bucket_list_args args = {.owner = str_from(cases[i].owner),
                                              .prefix = str_from(cases[i].prefix),
                                              .after = str_from(cases[i].after),
                                              .max_count = cases[i].max_count};
        struct bucket_entry *entry;
        size_t count;
        bool is_truncated;
        struct tx *tx;
        assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
        assert_ok(bucket_list(tx, &args, client->arena, &entry, &count, &is_truncated));
        view_end(tx);
        str shown = STR("");
        for (size_t k = 0; k < count; k++)
            shown =
                arena_printf(client->arena, "%.*s%.*s ", STR_ARG(shown), STR_ARG(entry[k].name));
        assert_str(shown, str_from(cases[i].expected));
        assert_int_equal(is_truncated, cases[i].is_truncated);
    }
}

/* More than the list has room for at first. */
static void test_many_buckets(void **state)
{
    struct client *client = client_of(state);
    enum { MANY = 60 };
    struct bucket_entry *entry;
    size_t count;
    bool is_truncated;
    struct tx *tx;
    for (int i = 0; i < MANY; i++)
        assert_ok(create_bucket(client, arena_printf(client->arena, "bucket-%02d", i)));
    const struct bucket_list_args args = {
        .owner = OWNER, .prefix = STR("bucket-"), .max_count = 1000};
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    assert_ok(bucket_list(tx, &args, client->arena, &entry, &count, &is_truncated));
    view_end(tx);
    assert_int_equal(count, MANY);
    assert_false(is_truncated);
    for (int i = 0; i < MANY; i++)
        assert_str(entry[i].name, arena_printf(client->arena, "bucket-%02d", i));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_objects, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_longest_keys, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_visitor_error, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_uploads, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_parts, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_buckets, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_many_buckets, world_setup, world_teardown),
    };
    return world_choose(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
