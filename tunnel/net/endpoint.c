/* SPDX-License-Identifier: MIT */
/* Endpoint files; see endpoint.h. */
#include "endpoint.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "init/base/fs.h"
#include "init/base/text.h"
#include "tunnel/net/jsonfile.h"

static int read_addresses(const json_t *object, const char *name, struct addr_list *ret,
			  struct err *err)
{
	const json_t *array;
	const char *text;
	struct quic_addr addr;

	if (jsonfile_array(object, name, &array, err) < 0)
		return -1;
	ret->len = 0;
	for (size_t i = 0; i < json_array_size(array); i++) {
		text = json_string_value(json_array_get(array, i));
		if (!text || !addr_parse(text, &addr))
			return err_set(err, ERR_INVALID, "\"%s\": entry %zu is not ADDRESS:PORT",
				       name, i + 1);
		if (!addr_list_add(ret, &addr))
			return err_set(err, ERR_LIMIT, "more than %d addresses", ADDR_LIST_MAX);
	}
	if (ret->len == 0)
		return err_set(err, ERR_INVALID, "\"%s\" is empty", name);
	return 0;
}

int endpoint_parse(struct span text, struct endpoint *ret, struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_parse(text, err);
	struct endpoint endpoint = { 0 };
	const json_t *started;
	const char *host;
	uint64_t rank;

	if (!object)
		return -1;
	if (jsonfile_uint(object, "rank", UINT_MAX, &rank, err) < 0 ||
	    jsonfile_uint(object, "uid", UINT32_MAX, &endpoint.uid, err) < 0 ||
	    jsonfile_string(object, "host", &host, err) < 0 ||
	    read_addresses(object, "addresses", &endpoint.addresses, err) < 0 ||
	    (json_object_get(object, "tcp") &&
	     read_addresses(object, "tcp", &endpoint.tcp, err) < 0))
		return -1;
	if (strlen(host) >= sizeof(endpoint.host))
		return err_set(err, ERR_LIMIT, "\"host\" is longer than %d bytes",
			       ENDPOINT_HOST_MAX - 1);
	started = json_object_get(object, "started");
	if (!json_is_number(started))
		return err_set(err, ERR_INVALID, "\"started\" is not a number");
	memcpy(endpoint.host, host, strlen(host));
	endpoint.rank = (unsigned int)rank;
	endpoint.started = json_number_value(started);
	*ret = endpoint;
	return 0;
}

static bool append_addresses(struct buf *b, const char *name, const struct addr_list *list)
{
	if (!buf_printf(b, ", \"%s\": [", name))
		return false;
	for (size_t i = 0; i < list->len; i++) {
		char text[ADDR_TEXT_MAX];

		addr_format(&list->items[i], text);
		if (!buf_printf(b, "%s\"%s\"", i ? ", " : "", text))
			return false;
	}
	return buf_printf(b, "]");
}

bool endpoint_format(const struct endpoint *endpoint, struct buf *b)
{
	if (!buf_printf(b, "{\"version\": 1, \"rank\": %u, \"host\": \"", endpoint->rank) ||
	    !text_append_json(b, endpoint->host) ||
	    !buf_printf(b, "\", \"uid\": %llu", (unsigned long long)endpoint->uid) ||
	    !append_addresses(b, "addresses", &endpoint->addresses) ||
	    (endpoint->tcp.len > 0 && !append_addresses(b, "tcp", &endpoint->tcp)))
		return false;
	return buf_printf(b, ", \"started\": %.3f}\n", endpoint->started);
}

int endpoint_read(const char *path, struct endpoint *ret, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);

	if (fs_read_file(path, JSONFILE_MAX, &text, err) < 0)
		return -1;
	if (endpoint_parse(buf_span(&text), ret, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}

int endpoint_write(const char *path, const struct endpoint *endpoint, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);

	if (!endpoint_format(endpoint, &text))
		return err_set(err, ERR_LIMIT, "%s: larger than %d bytes", path, JSONFILE_MAX);
	return fs_write_file(path, buf_span(&text), 0600, err);
}
