/* The operation table, and which row a request means. */
#pragma once

#include "base/pair.h"
#include "http/server.h"

enum s3_method { S3_GET, S3_HEAD, S3_PUT, S3_POST, S3_DELETE, S3_OPTIONS, S3_METHOD_END };
enum s3_scope { S3_SERVICE, S3_BUCKET, S3_OBJECT, S3_SCOPE_END };
enum s3_shape { S3_SIMPLE, S3_UPLOAD };

struct s3_handler;

struct s3_operation {
    const char *name;
    enum s3_method method;
    enum s3_scope scope;
    const char *query, *query2, *header; /* what must be there; null: nothing */
    const char *action;                  /* "s3:GetObject" */
    enum s3_shape shape;
    const struct s3_handler *handler; /* null: not served */
};

/* The row, or null when no operation has that method on that scope (ERR_METHOD_NOT_ALLOWED). */
const struct s3_operation *s3_operation_find(const struct http_request *request,
                                             enum s3_scope scope, const struct pair *query,
                                             size_t query_count);
/* Index of a row in the table, for counters. */
size_t s3_operation_index(const struct s3_operation *operation);
