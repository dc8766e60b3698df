/* SPDX-License-Identifier: MIT */
/* Connections into jobs; see connection.h. */
#include "connection.h"

#include <stdlib.h>

#include "controller/model/json.h"
#include "init/base/alloc.h"

void connection_finish(struct connection *connection)
{
	free(connection->job);
	free(connection->path);
	free(connection->remote);
	*connection = (struct connection){ 0 };
}

void connection_list_finish(struct connection_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		connection_finish(&list->items[i]);
	free(list->items);
	*list = (struct connection_list){ 0 };
}

void connection_list_take(struct connection_list *list, struct connection *connection)
{
	/* Grown in powers of two: the capacity follows from the length. */
	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	list->items[list->len++] = *connection;
	*connection = (struct connection){ 0 };
}

static int read_text(const json_t *object, const char *name, char **ret, struct err *err)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text)
		return err_set(err, ERR_INVALID, "\"%s\" is not a text", name);
	*ret = str_dup(text);
	return 0;
}

static int read_number(const json_t *object, const char *name, uint64_t *ret, struct err *err)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return err_set(err, ERR_INVALID, "\"%s\" is not a number of its kind", name);
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

/* Seconds with a fraction. */
static int read_time(const json_t *object, const char *name, uint64_t *ret, struct err *err)
{
	double seconds = json_number_value(json_object_get(object, name));

	if (!(seconds > 0 && seconds < 1e10))
		return err_set(err, ERR_INVALID, "\"%s\" is not a time", name);
	*ret = (uint64_t)(seconds * 1e3) * NSEC_PER_MSEC;
	return 0;
}

int connection_parse(struct span text, struct connection *ret, struct err *err)
{
	cleanup(connection_finish) struct connection c = { 0 };
	cleanup(json_release) json_t *object = NULL;

	if (json_parse(text, CONNECTION_FILE_MAX, &object, err) < 0 ||
	    read_text(object, "job", &c.job, err) < 0 ||
	    read_text(object, "path", &c.path, err) < 0 ||
	    read_text(object, "remote", &c.remote, err) < 0 ||
	    read_number(object, "rank", &c.rank, err) < 0 ||
	    read_number(object, "pid", &c.pid, err) < 0 ||
	    read_number(object, "pid_started", &c.pid_started, err) < 0 ||
	    read_number(object, "rtt_us", &c.rtt_us, err) < 0 ||
	    read_number(object, "packets_sent", &c.packets_sent, err) < 0 ||
	    read_number(object, "packets_lost", &c.packets_lost, err) < 0 ||
	    read_number(object, "bytes_sent", &c.bytes_sent, err) < 0 ||
	    read_number(object, "bytes_received", &c.bytes_received, err) < 0 ||
	    read_time(object, "since", &c.since_ns, err) < 0 ||
	    read_time(object, "heard", &c.heard_ns, err) < 0 ||
	    read_time(object, "written", &c.written_ns, err) < 0)
		return -1;
	*ret = c;
	c = (struct connection){ 0 };
	return 0;
}
