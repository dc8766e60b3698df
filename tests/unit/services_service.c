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

/* Nobody told this world of a server. */
static void connections_are_listed_as_json(void **state)
{
	struct h3_request request = { .method = "GET", .authority = "job", .path = "/connections" };
	struct client *c = world_request(&world, &request);
	json_t *json;

	(void)state;
	world_wait(&world, all_ended);
	assert_int_equal(c->stream->status, 200);
	json = json_loads(buf_str(&c->out), 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(json, "version")), 1);
	assert_int_equal(json_integer_value(json_object_get(json, "count")), 0);
	assert_int_equal(json_array_size(json_object_get(json, "connections")), 0);
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
		TEST(connections_are_listed_as_json),
		TEST(beyond_the_limit_streams_are_refused_until_one_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
