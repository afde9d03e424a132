/* A set-associative table of signing keys: the hash of the names chooses a set of four, which is searched in full. No
 * pointers, no clock: within a set the oldest entry gives way. */
#include "iam/sigv4_cache.h"

#include <string.h>

#include "base/mem.h"

enum { WAYS = 4, NAME_MAX_LEN = 512 };

struct entry {
    size_t name_len; /* 0: free */
    uint8_t key[SIGV4_KEY_SIZE];
    char name[NAME_MAX_LEN];
};

struct set {
    size_t next; /* the way to fill next */
    struct entry way[WAYS];
};

struct sigv4_cache {
    size_t set_count;
    struct set *set;
};

/* What an entry is found by, in one run of bytes. */
struct name {
    size_t len; /* 0: too long */
    char text[NAME_MAX_LEN];
};

struct sigv4_cache *sigv4_cache_new(size_t entry_count)
{
    struct sigv4_cache *cache = mem_new(struct sigv4_cache);
    cache->set_count = entry_count > WAYS ? (entry_count - 1) / WAYS + 1 : 1;
    cache->set = mem_new_array(struct set, cache->set_count);
    return cache;
}

void sigv4_cache_free(struct sigv4_cache *cache)
{
    if (!cache)
        return;
    explicit_bzero(cache->set, mem_size_mul(cache->set_count, sizeof *cache->set));
    mem_free(cache->set);
    mem_free(cache);
}

/* The scope's parts hold no '/', so their joint text is unambiguous; the tag, of any bytes, stands last. */
static struct name make_name(const struct sigv4 *sig, str secret_tag)
{
    const str piece[] = {sig->access_key, STR("/"),     sig->date, STR("/"),  sig->region,
                         STR("/"),        sig->service, STR("/"),  secret_tag};
    struct name name;
    name.len = 0;
    for (size_t i = 0; i < sizeof piece / sizeof *piece; i++) {
        if (piece[i].len > sizeof name.text - name.len) {
            name.len = 0;
            return name;
        }
        if (piece[i].len > 0)
            memcpy(name.text + name.len, piece[i].ptr, piece[i].len);
        name.len += piece[i].len;
    }
    return name;
}

static struct set *find_set(struct sigv4_cache *cache, const struct name *name)
{
    return &cache->set[str_hash(str_of(name->text, name->len)) % cache->set_count];
}

static struct entry *find_entry(struct set *set, const struct name *name)
{
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *entry = &set->way[i];
        if (entry->name_len == name->len && memcmp(entry->name, name->text, name->len) == 0)
            return entry;
    }
    return NULL;
}

bool sigv4_cache_find(struct sigv4_cache *cache, const struct sigv4 *sig, str secret_tag,
                      uint8_t out_key[SIGV4_KEY_SIZE])
{
    struct name name = make_name(sig, secret_tag);
    struct entry *entry = name.len > 0 ? find_entry(find_set(cache, &name), &name) : NULL;
    if (!entry)
        return false;
    memcpy(out_key, entry->key, SIGV4_KEY_SIZE);
    return true;
}

void sigv4_cache_put(struct sigv4_cache *cache, const struct sigv4 *sig, str secret_tag,
                     const uint8_t key[SIGV4_KEY_SIZE])
{
    struct name name = make_name(sig, secret_tag);
    if (name.len == 0)
        return;
    struct set *set = find_set(cache, &name);
    struct entry *entry = find_entry(set, &name);
    if (!entry) {
        entry = &set->way[set->next];
        set->next = (set->next + 1) % WAYS;
    }
    entry->name_len = name.len;
    memcpy(entry->name, name.text, name.len);
    memcpy(entry->key, key, SIGV4_KEY_SIZE);
}
