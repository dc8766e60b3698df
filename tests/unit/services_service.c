/* SPDX-License-Identifier: MIT */
/* Which service a request reaches, the limits, and /info. */
#include "tests/unit/services_world.h"

#include <jansson.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct world world;

static int open_world(void **state)
{
	(void)state;
	world_open(&world,
		   &(struct service_config){ .rank = 3, .main_pid = 4711, .streams_max = 2 });
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

static int status_of(const char *method, const char *protocol, const char *path)
{
	struct h3_request request = {
		.method = method, .protocol = protocol, .authority = "job", .path = path
	};

	return world_request(&world, &request)->stream->status;
}

static void what_is_not_offered_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(status_of("GET", NULL, "/"), 404);
	assert_int_equal(status_of("GET", NULL, "/info/"), 404);
	assert_int_equal(status_of("POST", NULL, "/info"), 404);
	assert_int_equal(status_of("GET", NULL, "/process"), 404);
	assert_int_equal(status_of("CONNECT", "berth-process", "/info"), 404);
	assert_int_equal(status_of("CONNECT", "websocket", "/process"), 404);
	assert_int_equal(status_of("CONNECT", "berth-process", NULL), 404);
}

static void info_tells_who_answers(void **state)
{
	struct h3_request request = { .method = "GET", .authority = "job", .path = "/info" };
	struct client *c = world_request(&world, &request);
	json_t *info;

	(void)state;
	world_wait(&world, all_ended);
	assert_int_equal(c->stream->status, 200);
	info = json_loads(buf_str(&c->out), 0, NULL);
	assert_non_null(info);
	assert_int_equal(json_integer_value(json_object_get(info, "rank")), 3);
	assert_int_equal(json_integer_value(json_object_get(info, "pid")), getpid());
	assert_int_equal(json_integer_value(json_object_get(info, "main_pid")), 4711);
	assert_int_equal(json_integer_value(json_object_get(info, "uid")), getuid());
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(info, "versions"), "berth")),
		BERTH_VERSION);
	assert_true(json_real_value(json_object_get(info, "uptime_s")) >= 0);
	assert_true(json_is_array(json_object_get(info, "paths")));
	json_decref(info);
}

static json_t *get(const char *path)
{
	struct h3_request request = { .method = "GET", .authority = "job", .path = path };
	struct client *c = world_request(&world, &request);
	json_t *json;

	world_wait(&world, all_ended);
	assert_int_equal(c->stream->status, 200);
	json = json_loads(buf_str(&c->out), 0, NULL);
	assert_non_null(json);
	return json;
}

static void without_a_server_nobody_is_connected(void **state)
{
	json_t *json = get("/connections");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(json, "version")), 1);
	assert_int_equal(json_integer_value(json_object_get(json, "count")), 0);
	assert_int_equal(json_array_size(json_object_get(json, "connections")), 0);
	json_decref(json);
}

static size_t count_three(void *owner)
{
	(void)owner;
	return 3;
}

static size_t list_one(void *owner, struct server_entry *ret, size_t max)
{
	(void)owner;
	assert_true(max > 0);
	*ret = (struct server_entry){
		.id = 5,
		.since = 1790000000.5,
		.kind = PATH_RELAY,
		.remote = "relay \xff", /* it came from outside */
		.stats = { .rtt_ns = 25000000, .bytes_sent = 10, .packets_lost = 2 },
	};
	return 1;
}

static size_t list_two_paths(void *owner, struct presence_entry ret[PRESENCE_MAX])
{
	(void)owner;
	ret[0] = (struct presence_entry){ .kind = PATH_LOGIN, .is_up = true };
	ret[1] = (struct presence_entry){ .kind = PATH_RELAY_TCP,
					  .url = "https://relay.example.org",
					  .why = "refused" };
	return 2;
}

static const struct service_ways some_ways = { count_three, list_one, list_two_paths, NULL };

static void connections_are_told_with_path_and_figures(void **state)
{
	json_t *json, *one;

	(void)state;
	world.env.config.ways = &some_ways;
	json = get("/connections");
	one = json_array_get(json_object_get(json, "connections"), 0);
	assert_int_equal(json_integer_value(json_object_get(json, "count")), 3);
	assert_int_equal(json_integer_value(json_object_get(one, "id")), 5);
	assert_string_equal(json_string_value(json_object_get(one, "path")), "relay");
	assert_string_equal(json_string_value(json_object_get(one, "remote")), "not UTF-8");
	assert_int_equal(json_integer_value(json_object_get(one, "rtt_us")), 25000);
	assert_int_equal(json_integer_value(json_object_get(one, "bytes_sent")), 10);
	assert_int_equal(json_integer_value(json_object_get(one, "packets_lost")), 2);
	json_decref(json);
}

static void info_tells_the_paths_and_why_one_is_down(void **state)
{
	json_t *json, *paths, *down;

	(void)state;
	world.env.config.ways = &some_ways;
	json = get("/info");
	paths = json_object_get(json, "paths");
	down = json_array_get(paths, 1);
	assert_int_equal(json_array_size(paths), 2);
	assert_true(json_is_true(json_object_get(json_array_get(paths, 0), "up")));
	assert_string_equal(json_string_value(json_object_get(down, "path")), "relay-tcp");
	assert_string_equal(json_string_value(json_object_get(down, "error")), "refused");
	assert_true(json_is_false(json_object_get(down, "up")));
	json_decref(json);
}

static bool one_is_left(struct world *w)
{
	return w->env.streams == 1;
}

static void beyond_the_limit_streams_are_refused_until_one_is_over(void **state)
{
	struct client *first = world_exec(&world, "exec sleep 60");

	(void)state;
	(void)world_exec(&world, "exec sleep 60");
	assert_int_equal(status_of("CONNECT", "berth-process", "/process"), 503);
	client_close(first);
	world_wait(&world, one_is_left);
	assert_int_equal(status_of("CONNECT", "berth-process", "/process"), 0);
	assert_int_equal(world.env.streams, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_offered_is_not_found),
		TEST(info_tells_who_answers),
		TEST(without_a_server_nobody_is_connected),
		TEST(connections_are_told_with_path_and_figures),
		TEST(info_tells_the_paths_and_why_one_is_down),
		TEST(beyond_the_limit_streams_are_refused_until_one_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
