#include "s3/operation.h"

#include <string.h>

#include "s3/handlers.h"
#include "s3/service.h"

static const struct s3_operation operations[] = {
#define SERVED(name_, method_, scope_, query_, query2_, header_, action_, shape_, handler_)        \
    {.name = #name_,                                                                               \
     .method = S3_##method_,                                                                       \
     .scope = S3_##scope_,                                                                         \
     .query = query_,                                                                              \
     .query2 = query2_,                                                                            \
     .header = header_,                                                                            \
     .action = "s3:" action_,                                                                      \
     .shape = S3_##shape_,                                                                         \
     .handler = &handle_##handler_},
#define NOT_SERVED(name_, method_, scope_, query_, query2_, header_, action_)                      \
    {.name = #name_,                                                                               \
     .method = S3_##method_,                                                                       \
     .scope = S3_##scope_,                                                                         \
     .query = query_,                                                                              \
     .query2 = query2_,                                                                            \
     .header = header_,                                                                            \
     .action = "s3:" action_},
#include "s3/operations.def"
#undef SERVED
#undef NOT_SERVED
};
enum { OPERATION_COUNT = sizeof operations / sizeof operations[0] };

const char *s3_operation_name(size_t index)
{
    return index < OPERATION_COUNT ? operations[index].name : NULL;
}

size_t s3_operation_index(const struct s3_operation *operation)
{
    return (size_t)(operation - operations);
}

static bool find_method(str text, enum s3_method *out)
{
    static const str name[S3_METHOD_END] = {
        [S3_GET] = STR_INIT("GET"),       [S3_HEAD] = STR_INIT("HEAD"),
        [S3_PUT] = STR_INIT("PUT"),       [S3_POST] = STR_INIT("POST"),
        [S3_DELETE] = STR_INIT("DELETE"), [S3_OPTIONS] = STR_INIT("OPTIONS"),
    };
    for (enum s3_method method = 0; method < S3_METHOD_END; method++) {
        if (str_eq(text, name[method])) {
            *out = method;
            return true;
        }
    }
    return false;
}

/* "name" or "name=value". */
static bool has_query(const struct pair *query, size_t count, const char *wanted)
{
    str name, value;
    bool has_value = str_cut(str_from(wanted), '=', &name, &value);
    const struct pair *found = pair_find(query, count, name);
    return found != NULL && (!has_value || str_eq(found->value, value));
}

/* How many conditions the request meets; -1 when it fails one. */
static int score(const struct s3_operation *row, const struct http_request *request,
                 const struct pair *query, size_t query_count)
{
    const char *const wanted[] = {row->query, row->query2};
    int met = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (wanted[i] == NULL)
            continue;
        if (!has_query(query, query_count, wanted[i]))
            return -1;
        met++;
    }
    if (row->header == NULL)
        return met;
    /* Presigned links carry headers as parameters. */
    str header = str_from(row->header);
    bool is_there =
        http_has_header(request, header) || pair_find_nocase(query, query_count, header) != NULL;
    return is_there ? met + 1 : -1;
}

/* A row's first parameter names a part of a bucket or an object ("acl", "tagging"), unless it is
 * an argument of one. */
static bool is_sub_resource(const struct s3_operation *row, str name)
{
    return row->query != NULL && str_eq(name, str_from(row->query)) &&
           !str_eq(name, STR("uploadId")) && !str_eq(name, STR("partNumber"));
}

/* Whether the query names a sub-resource of any operation. A request for one that has no row
 * must not fall through to the object or the bucket itself: "DELETE /bucket?retention" is no
 * wish to delete the bucket. */
static bool names_sub_resource(const struct pair *query, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < OPERATION_COUNT; k++)
            if (is_sub_resource(&operations[k], query[i].name))
                return true;
    return false;
}

const struct s3_operation *s3_operation_find(const struct http_request *request,
                                             enum s3_scope scope, const struct pair *query,
                                             size_t query_count)
{
    enum s3_method method;
    if (!find_method(request->method, &method))
        return NULL;
    const struct s3_operation *best = NULL;
    int best_score = -1;
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        const struct s3_operation *row = &operations[i];
        if (row->method != method || row->scope != scope)
            continue;
        int row_score = score(row, request, query, query_count);
        if (row_score > best_score) {
            best = row;
            best_score = row_score;
        }
    }
    bool is_plain = best != NULL && best->query == NULL && query_count > 0;
    return is_plain && names_sub_resource(query, query_count) ? NULL : best;
}
