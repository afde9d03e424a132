/* Fields of a request, found by a walk: a request has about ten, and most are asked for once. */
#include "http/request.h"

str http_header(const struct http_request *request, str name)
{
    const struct pair *found = pair_find_nocase(request->header, request->header_count, name);
    return found == NULL ? STR("") : found->value;
}

bool http_has_header(const struct http_request *request, str name)
{
    return pair_find_nocase(request->header, request->header_count, name) != NULL;
}
