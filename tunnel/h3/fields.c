/* SPDX-License-Identifier: MIT */
/* Pseudo-header fields; see fields.h. */
#include "tunnel/h3/fields.h"

#include <stdlib.h>

#include "init/base/alloc.h"

void h3_fields_finish(struct h3_fields *fields)
{
	free(fields->method);
	free(fields->protocol);
	free(fields->authority);
	free(fields->path);
	free(fields->once);
	*fields = (struct h3_fields){ 0 };
}

/* Keeps a value; a second one of the same name, or one that C strings cannot hold, is refused. */
static int keep(char **at, struct span name, struct span value, struct err *err)
{
	if (*at)
		return err_set(err, ERR_INVALID, "field '%.*s' appears twice", (int)name.len,
			       (const char *)name.ptr);
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] < ' ' || value.ptr[i] == 0x7f)
			return err_set(err, ERR_INVALID, "field '%.*s' has a control character",
				       (int)name.len, (const char *)name.ptr);
	*at = str_dup_len((const char *)value.ptr, value.len);
	return 0;
}

static int keep_status(struct h3_fields *fields, struct span value, struct err *err)
{
	int status = 0;

	for (size_t i = 0; i < value.len && i < 3; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return err_set(err, ERR_INVALID, "the status is not a number");
		status = status * 10 + (value.ptr[i] - '0');
	}
	if (value.len != 3 || status < 100)
		return err_set(err, ERR_INVALID, "the status is not a number of three digits");
	fields->status = status;
	return 0;
}

int h3_fields_add(struct h3_fields *fields, struct span name, struct span value, struct err *err)
{
	struct {
		const char *name;
		char **at;
	} kept[] = {
		{ ":method", &fields->method },	      { ":protocol", &fields->protocol },
		{ ":authority", &fields->authority }, { ":path", &fields->path },
		{ "idempotency-key", &fields->once },
	};

	/* The extra 32 bytes a field are those of RFC 9114 section 4.2.2. */
	if (++fields->count > H3_FIELDS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d fields", H3_FIELDS_MAX);
	if (value.len > H3_FIELDS_BYTES_MAX || name.len > H3_FIELDS_BYTES_MAX ||
	    (fields->bytes += name.len + value.len + 32) > H3_FIELDS_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "fields are larger than %d bytes",
			       H3_FIELDS_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (span_equal_str(name, kept[i].name))
			return keep(kept[i].at, name, value, err);
	if (span_equal_str(name, ":status"))
		return keep_status(fields, value, err);
	return 0;
}

int h3_fields_request(const struct h3_fields *fields, struct h3_request *ret, struct err *err)
{
	bool is_connect, is_plain;

	if (!fields->method)
		return err_set(err, ERR_INVALID, "a request without :method");
	is_connect = span_equal_str(span_of_str(fields->method), "CONNECT");
	is_plain = is_connect && !fields->protocol;
	if (fields->protocol && !is_connect)
		return err_set(err, ERR_INVALID, ":protocol is for CONNECT");
	if (is_plain && (!fields->authority || !*fields->authority))
		return err_set(err, ERR_INVALID, "CONNECT without :authority");
	if (is_plain == (fields->path != NULL))
		return err_set(err, ERR_INVALID,
			       is_plain ? "CONNECT with :path" : "a request without :path");
	*ret = (struct h3_request){
		.method = fields->method,
		.protocol = fields->protocol,
		.authority = fields->authority ? fields->authority : "",
		.path = fields->path,
	};
	return 0;
}

static int copy(struct h3_fields *fields, const char *name, const char *value, struct err *err)
{
	if (!value)
		return 0;
	return h3_fields_add(fields, span_of_str(name), span_of_str(value), err);
}

int h3_fields_from_request(const struct h3_request *request, struct h3_fields *ret, struct err *err)
{
	cleanup(h3_fields_finish) struct h3_fields fields = { 0 };
	struct h3_request checked;

	if (copy(&fields, ":method", request->method, err) < 0 ||
	    copy(&fields, ":protocol", request->protocol, err) < 0 ||
	    copy(&fields, ":authority", request->authority, err) < 0 ||
	    copy(&fields, ":path", request->path, err) < 0 ||
	    h3_fields_request(&fields, &checked, err) < 0)
		return -1;
	*ret = fields;
	fields = (struct h3_fields){ 0 };
	return 0;
}
