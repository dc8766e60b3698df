/* SPDX-License-Identifier: MIT */
/* GET /connections: who is here, and by which path; and the paths that GET /info tells. */
#include "ways.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/net/addr.h"

#define NSEC_PER_USEC 1000

/* As many as are listed; their number is told in any case. */
#define LISTED_MAX 256

/* Texts of a relay or a name server may be anything. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_string("not UTF-8");
}

static json_t *way_json(const struct presence_entry *way)
{
	json_t *json = json_pack("{s:s, s:b}", "path", path_kind_name(way->kind), "up", way->is_up);
	char text[ADDR_TEXT_MAX];

	if (way->url)
		json_object_set_new(json, "relay", text_json(way->url));
	if (way->address.len > 0) {
		addr_format(&way->address, text);
		json_object_set_new(json, "address", json_string(text));
	}
	if (way->rtt_ns > 0)
		json_object_set_new(json, "rtt_us",
				    json_integer((json_int_t)(way->rtt_ns / NSEC_PER_USEC)));
	if (way->why)
		json_object_set_new(json, "error", text_json(way->why));
	return json;
}

json_t *ways_json(const struct service_env *env)
{
	const struct service_ways *ways = env->config.ways;
	struct presence_entry entries[PRESENCE_MAX];
	json_t *array = json_array();
	size_t count = 0;

	if (ways)
		count = ways->paths(ways->owner, entries);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, way_json(&entries[i]));
	return array;
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *connection_json(const struct server_entry *entry)
{
	const struct quic_stats *stats = &entry->stats;
	json_t *json = json_object();

	json_object_set_new(json, "id", number(entry->id));
	json_object_set_new(json, "since", json_real(entry->since));
	json_object_set_new(json, "path", json_string(path_kind_name(entry->kind)));
	json_object_set_new(json, "remote", text_json(entry->remote));
	json_object_set_new(json, "rtt_us", number(stats->rtt_ns / NSEC_PER_USEC));
	json_object_set_new(json, "bytes_sent", number(stats->bytes_sent));
	json_object_set_new(json, "bytes_received", number(stats->bytes_received));
	json_object_set_new(json, "packets_sent", number(stats->packets_sent));
	json_object_set_new(json, "packets_lost", number(stats->packets_lost));
	json_object_set_new(json, "datagram", number(stats->datagram));
	return json;
}

static json_t *connections_json(const struct service_ways *ways)
{
	struct server_entry *entries = new_array(struct server_entry, LISTED_MAX);
	json_t *array = json_array();
	size_t count = 0;

	if (ways)
		count = ways->connections(ways->owner, entries, LISTED_MAX);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, connection_json(&entries[i]));
	free(entries);
	return json_pack("{s:i, s:i, s:o}", "version", 1, "count",
			 (int)(ways ? ways->count(ways->owner) : 0), "connections", array);
}

static void open_connections(struct service_env *env, struct h3_stream *stream,
			     const struct h3_request *request)
{
	static const struct h3_stream_ops no_ops = { 0 };
	json_t *json = connections_json(env->config.ways);
	cleanup_free char *text = json_dumps(json, JSON_COMPACT);

	(void)request;
	json_decref(json);
	h3_stream_set_ops(stream, &no_ops, NULL);
	h3_stream_respond(stream, 200);
	/* A new stream has room for far more. */
	if (text && h3_stream_write(stream, span_of_str(text)))
		h3_stream_end(stream);
	else
		h3_stream_reset(stream);
}

const struct service service_connections = { .method = "GET",
					     .path = "/connections",
					     .open = open_connections };
