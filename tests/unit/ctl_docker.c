/* SPDX-License-Identifier: MIT */
/* What is said to a container engine, and what it says. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/docker/create.h"
#include "controller/backends/docker/credentials.h"
#include "controller/backends/docker/engine.h"
#include "controller/backends/docker/fetching.h"
#include "controller/backends/docker/files.h"
#include "controller/backends/docker/frames.h"
#include "controller/backends/docker/observe.h"
#include "controller/backends/docker/podman.h"

static json_t *parse(const char *text)
{
	json_t *json = NULL;
	struct err err;

	assert_int_equal(json_parse_any(span_of_str(text), 1 << 20, &json, &err), 0);
	return json;
}

static void frames_come_in_any_pieces(void **state)
{
	static const uint8_t bytes[] = "\x01\0\0\0\0\0\0\x03one\x02\0\0\0\0\0\0\0"
				       "\x02\0\0\0\0\0\0\x05three\x01\0\0\0\0\0\0\x01!";

	(void)state;
	for (size_t size = 1; size < sizeof(bytes); size++) {
		struct frames frames = { 0 };
		char out[16] = "", errors[16] = "";

		for (size_t at = 0; at < sizeof(bytes) - 1; at += size) {
			struct span in = span_of(bytes + at, MIN(size, sizeof(bytes) - 1 - at));
			struct span piece;
			int got;

			while ((got = frames_next(&frames, &in, &piece)) > 0)
				strncat(frames.which == FRAMES_STDOUT ? out : errors,
					(const char *)piece.ptr, piece.len);
			assert_int_equal(got, 0);
		}
		assert_string_equal(out, "one!");
		assert_string_equal(errors, "three");
	}
}

static void what_is_no_frame_is_refused(void **state)
{
	static const char *const bad[] = { "plain text", "\x04\0\0\0\0\0\0\x01x",
					   "\x01\0\0\x01\0\0\0\x01x" };
	struct span piece;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct frames frames = { 0 };
		struct span in = span_of(bad[i], 9);

		assert_int_equal(frames_next(&frames, &in, &piece), -1);
	}
}

static const char *const command[] = { "echo", "a b", NULL };

static json_t *make(const struct spec *spec, const char *config)
{
	cleanup(json_release) json_t *image = parse(config);
	struct job job = { .uid = (char *)(uintptr_t) "u1",
			   .id = 7,
			   .name = (char *)(uintptr_t) "n" };
	const struct submission submission = { .spec = spec, .job = &job };
	json_t *body = NULL;
	struct err err;

	if (docker_make_container(&submission, image, "/images/x", &body, &err) < 0)
		fail_msg("%s", err.text);
	return body;
}

/* A member of the body, or of its HostConfig, as compact JSON. */
static void check(const struct spec *spec, const char *config, const char *key,
		  const char *expected)
{
	cleanup(json_release) json_t *body = make(spec, config);
	const json_t *member = json_object_get(body, key);
	char *text;

	if (!member)
		member = json_object_get(json_object_get(body, "HostConfig"), key);
	if (!member) {
		if (expected)
			fail_msg("no %s", key);
		return;
	}
	text = json_dumps(member, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(text, expected);
	free(text);
}

#define INIT "\"/berth/berth-init\",\"--dir\",\"/berth-job\",\"--rank\",\"0\","

static void commands_are_composed_as_docker_run_does(void **state)
{
	static const char image[] = "{\"Entrypoint\": [\"/tini\", \"--\"], \"Cmd\": [\"sh\"]}";
	struct spec spec = { .command = command, .image = "x" };

	(void)state;
	check(&spec, "{}", "Entrypoint", "[" INIT "\"--\"]");
	check(&spec, "{}", "Cmd", "[\"echo\",\"a b\"]");
	check(&spec, image, "Entrypoint", "[" INIT "\"--\",\"/tini\",\"--\"]");
	check(&spec, image, "Cmd", "[\"echo\",\"a b\"]");
	spec.entrypoint = "";
	check(&spec, image, "Entrypoint", "[" INIT "\"--\"]");
	spec.entrypoint = "/mine";
	check(&spec, image, "Entrypoint", "[" INIT "\"--\",\"/mine\"]");
	spec.script = "#!/bin/sh\n";
	spec.hold = "5m";
	spec.time_ns = 90 * NSEC_PER_SEC + 1;
	check(&spec, image, "Entrypoint", "[" INIT "\"--hold\",\"5m\",\"--limit\",\"91s\",\"--\"]");
	check(&spec, image, "Cmd", "[\"/berth-job/command\"]");
}

static void every_option_of_a_container_reaches_the_engine(void **state)
{
	const struct spec spec = {
		.command = command,
		.image = "x",
		.cpus = 2,
		.memory = 1 << 30,
		.gpus = "2",
		.shm_size = 64 << 20,
		.user = "1000:100",
		.workdir = "/w",
		.network = "none",
		.restart = "on-failure:3",
		.input_dir = "/in",
		.output_dir = "/out:/o",
		.env = { { "A=b" }, 1 },
		.labels = { { "k=v=w" }, 1 },
		.mounts = { { "/a:b:/c:ro", "vol:/v", "tmpfs:/t:1M" }, 3 },
	};
	struct spec part = { .command = command, .image = "x", .cpus = 2, .cpu_limit = "250m" };

	(void)state;
	check(&spec, "{}", "Image", "\"x\"");
	check(&spec, "{}", "Env", "[\"A=b\"]");
	check(&spec, "{}", "User", "\"1000:100\"");
	check(&spec, "{}", "WorkingDir", "\"/w\"");
	check(&spec, "{}", "Labels",
	      "{\"k\":\"v=w\",\"berth.uid\":\"u1\",\"berth.job\":\"7\",\"berth.name\":\"n\"}");
	check(&spec, "{}", "NanoCpus", "2000000000");
	check(&spec, "{}", "Memory", "1073741824");
	check(&spec, "{}", "MemorySwap", "1073741824");
	check(&spec, "{}", "ShmSize", "67108864");
	check(&spec, "{}", "NetworkMode", "\"none\"");
	check(&spec, "{}", "RestartPolicy", "{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}");
	check(&spec, "{}", "DeviceRequests",
	      "[{\"Driver\":\"\",\"Count\":2,\"Capabilities\":[[\"gpu\"]]}]");
	check(&spec, "{}", "Mounts",
	      "[{\"Type\":\"bind\",\"Source\":\"/images/x\",\"Target\":\"/berth\",\"ReadOnly\":true},"
	      "{\"Type\":\"bind\",\"Source\":\"/a:b\",\"Target\":\"/c\",\"ReadOnly\":true},"
	      "{\"Type\":\"volume\",\"Source\":\"vol\",\"Target\":\"/v\"},"
	      "{\"Type\":\"tmpfs\",\"Target\":\"/t\",\"TmpfsOptions\":{\"SizeBytes\":1048576}},"
	      "{\"Type\":\"bind\",\"Source\":\"/in\",\"Target\":\"/share/incoming\",\"ReadOnly\":true},"
	      "{\"Type\":\"bind\",\"Source\":\"/out\",\"Target\":\"/o\"}]");
	/* A part of a CPU wins over whole ones; what is not said is the engine's to say. */
	check(&part, "{}", "NanoCpus", "250000000");
	check(&part, "{}", "Memory", NULL);
	check(&part, "{}", "User", NULL);
	check(&part, "{}", "NetworkMode", NULL);
	check(&part, "{}", "WorkingDir", NULL);
	check(&part, "{}", "RestartPolicy", "{\"Name\":\"no\"}");
}

static void items_of_the_list_are_understood_or_left_out(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[]",
		"{\"Id\": 7, \"Labels\": {\"berth.uid\": \"u\"}, \"State\": \"running\"}",
		"{\"Id\": \"a\", \"Labels\": {}, \"State\": \"running\"}",
		"{\"Id\": \"a\", \"Labels\": {\"berth.uid\": \"u\"}}",
	};
	cleanup(json_release) json_t *good = parse(
		"{\"Id\": \"a\", \"Labels\": {\"berth.uid\": \"u\"}, \"State\": \"running\"}");
	struct docker_item item;

	(void)state;
	assert_true(docker_read_item(good, &item));
	assert_string_equal(item.id, "a");
	assert_string_equal(item.uid, "u");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup(json_release) json_t *json = parse(bad[i]);

		assert_false(docker_read_item(json, &item));
	}
	assert_int_equal(docker_state("running"), JOB_RUNNING);
	assert_int_equal(docker_state("created"), JOB_STARTING);
	assert_int_equal(docker_state("exited"), JOB_FAILED);
	assert_int_equal(docker_state("dreaming"), JOB_UNKNOWN);
}

static struct observation details(const char *text)
{
	cleanup(json_release) json_t *json = parse(text);
	struct observation seen = { .state = JOB_FAILED, .exit_code = JOB_NO_EXIT_CODE };

	docker_read_details(json, &seen);
	return seen;
}

static void ends_are_told_apart(void **state)
{
	struct observation seen;

	(void)state;
	seen = details("{\"RestartCount\": 2, \"State\": {\"ExitCode\": 0, "
		       "\"StartedAt\": \"2026-01-02T03:04:05.5Z\", "
		       "\"FinishedAt\": \"2026-01-02T03:04:06+00:00\"}}");
	assert_int_equal(seen.state, JOB_SUCCEEDED);
	assert_int_equal(seen.exit_code, 0);
	assert_int_equal(seen.attempts, 3);
	assert_int_equal(seen.started_ns, UINT64_C(1767323045500000000));
	assert_int_equal(seen.ended_ns, UINT64_C(1767323046000000000));
	seen = details("{\"State\": {\"ExitCode\": 137, \"OOMKilled\": true}}");
	assert_int_equal(seen.state, JOB_FAILED);
	assert_int_equal(seen.signal, 9);
	assert_non_null(strstr(seen.reason, "out of memory"));
	seen = details("{\"State\": {\"ExitCode\": 127, \"Error\": \"no\\u001b such\"}}");
	assert_int_equal(seen.exit_code, 127);
	assert_string_equal(seen.reason, "no? such");
	seen = details("{\"State\": {\"ExitCode\": -7}}");
	assert_int_equal(seen.exit_code, JOB_NO_EXIT_CODE);
	seen = details("[]");
	assert_int_equal(seen.started_ns, 0);
}

static void times_are_read(void **state)
{
	(void)state;
	assert_int_equal(engine_time("2026-01-02T03:04:05Z"), UINT64_C(1767323045000000000));
	assert_int_equal(engine_time("2026-01-02T04:34:05.000000001+01:30"),
			 UINT64_C(1767323045000000001));
	assert_int_equal(engine_time("2026-01-01T22:04:05-05:00"), UINT64_C(1767323045000000000));
	assert_int_equal(engine_time("0001-01-01T00:00:00Z"), 0);
	assert_int_equal(engine_time("yesterday"), 0);
	assert_int_equal(engine_time(NULL), 0);
}

static void take(struct fetching *fetching, const char *line)
{
	struct err err;

	assert_int_equal(fetching_take_line(fetching, span_of_str(line), &err), 0);
}

static void check_sum(const struct fetching *fetching, uint64_t done, uint64_t total)
{
	uint64_t seen_done, seen_total;

	fetching_sum(fetching, &seen_done, &seen_total);
	assert_int_equal(seen_done, done);
	assert_int_equal(seen_total, total);
}

#define LAYER(id, status, current, total)                                                       \
	"{\"id\":\"" id "\",\"status\":\"" status "\",\"progressDetail\":{\"current\":" current \
	",\"total\":" total "}}"

static void an_image_is_here_when_all_layers_are_downloaded_and_unpacked(void **state)
{
	struct fetching f = { 0 };

	(void)state;
	take(&f, "{\"status\":\"Pulling from some/where\",\"id\":\"1.0\"}");
	take(&f, "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"aaaa\"}");
	take(&f, "{\"status\":\"Already exists\",\"progressDetail\":{},\"id\":\"cccc\"}");
	take(&f, "not JSON");
	take(&f, "[1]");
	check_sum(&f, 0, 0);
	take(&f, LAYER("aaaa", "Downloading", "50", "100"));
	take(&f, LAYER("bbbb", "Downloading", "0", "300"));
	check_sum(&f, 25, 400);
	take(&f, LAYER("aaaa", "Downloading", "500", "100")); /* that cannot be */
	take(&f, LAYER("bbbb", "Downloading", "-7", "300"));
	check_sum(&f, 50, 400);
	take(&f, "{\"status\":\"Download complete\",\"progressDetail\":{},\"id\":\"bbbb\"}");
	take(&f, LAYER("aaaa", "Extracting", "30", "60"));
	check_sum(&f, 225, 400);
	take(&f, "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"aaaa\"}");
	take(&f, "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"bbbb\"}");
	check_sum(&f, 400, 400);
	assert_int_equal(f.complete, 3);
}

static void why_an_image_is_not_fetched_has_a_kind(void **state)
{
	static const struct {
		const char *line;
		enum err_kind kind;
	} lines[] = {
		{ "{\"error\":\"manifest unknown: x\\n y\"}", ERR_NOT_FOUND },
		{ "{\"error\":\"unauthorized\"}", ERR_DENIED },
		{ "{\"error\":\"write /x: no space left on device\"}", ERR_LIMIT },
		{ "{\"error\":\"dial tcp: connection refused\"}", ERR_UNAVAILABLE },
	};
	struct fetching f = { 0 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_int_equal(fetching_take_line(&f, span_of_str(lines[i].line), &err), -1);
		assert_int_equal(err.kind, lines[i].kind);
	}
	assert_int_equal(fetching_take_line(&f, span_of_str(lines[0].line), &err), -1);
	assert_string_equal(err.text, "manifest unknown: x");
}

static void check_adapted(const char *mount, const char *expected)
{
	cleanup_free char *text = str_printf("{\"HostConfig\": {\"Mounts\": [%s]}}", mount),
			  *seen = NULL;
	cleanup(json_release) json_t *body = json_loads(text, 0, NULL);
	struct err err;

	assert_non_null(body);
	assert_int_equal(podman_adapt(body, false, &err), expected ? 0 : -1);
	if (!expected)
		return;
	seen = json_dumps(json_object_get(body, "HostConfig"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(seen, expected);
}

static void podman_is_asked_for_what_it_would_take_otherwise_in_another_way(void **state)
{
	(void)state;
	check_adapted("{\"Type\":\"bind\",\"Source\":\"/a:b\",\"Target\":\"/c\"}",
		      "{\"Mounts\":[{\"Source\":\"/a:b\",\"Target\":\"/c\",\"Type\":\"bind\"}]}");
	check_adapted(
		"{\"Type\":\"bind\",\"Source\":\"/a,ro=0\",\"Target\":\"/c\",\"ReadOnly\":true}",
		"{\"Binds\":[\"/a,ro=0:/c:ro\"],\"Mounts\":[]}");
	check_adapted("{\"Type\":\"volume\",\"Source\":\"v\",\"Target\":\"/c\\\"d\"}",
		      "{\"Binds\":[\"v:/c\\\"d\"],\"Mounts\":[]}");
	check_adapted("{\"Type\":\"bind\",\"Source\":\"/a:b,c\",\"Target\":\"/c\"}", NULL);
	check_adapted("{\"Type\":\"tmpfs\",\"Target\":\"/c,d\"}", NULL);
}

static void what_podman_does_not_do_is_refused(void **state)
{
	cleanup(json_release) json_t *missing =
		json_pack("{s:{s:[{s:s, s:s, s:s}]}}", "HostConfig", "Mounts", "Type", "bind",
			  "Source", "/none/such", "Target", "/x");
	cleanup(json_release) json_t *gpus =
		json_pack("{s:{s:[], s:[{}]}}", "HostConfig", "Mounts", "DeviceRequests");
	struct err err;

	(void)state;
	assert_int_equal(podman_adapt(missing, false, &err), 0);
	assert_int_equal(podman_adapt(missing, true, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(podman_adapt(gpus, true, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
}

static void credentials_become_the_header_that_the_engine_takes(void **state)
{
	/* me:se-cret?? and its like, whose base64 has what addresses may not have. */
	static const char file[] =
		"{\"auths\": {\"r.example:5000\": {\"auth\": \"bWU6c2UtY3JldD8/\"},"
		" \"token.example\": {\"identitytoken\": \"abc\"}}}";
	char path[] = "/tmp/berth-unit-XXXXXX";
	cleanup_close int fd = mkstemp(path);
	cleanup_free char *pair = NULL, *token = NULL, *none = NULL;
	struct err err;

	(void)state;
	assert_int_equal(write(fd, file, sizeof(file) - 1), sizeof(file) - 1);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	assert_int_equal(credentials_header("r.example:5000/a/b:c", &pair, &err), 0);
	assert_int_equal(credentials_header("token.example/a", &token, &err), 0);
	assert_int_equal(credentials_header("other.example/a", &none, &err), 0);
	assert_int_equal(credentials_header("../../x", &none, &err), 0);
	assert_string_equal(pair,
			    "X-Registry-Auth: eyJ1c2VybmFtZSI6Im1lIiwicGFzc3dvcmQiOiJzZS1jcmV0Pz8if"
			    "Q==");
	assert_string_equal(token, "X-Registry-Auth: eyJpZGVudGl0eXRva2VuIjoiYWJjIn0=");
	assert_null(none);
	unsetenv("REGISTRY_AUTH_FILE");
	unlink(path);
}

static void names_have_the_numbers_of_the_image(void **state)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/:\nbad:x\n"
				     "odd:x:x:1\nlast:x:7";
	uint64_t number = 99;

	(void)state;
	assert_true(docker_read_number(span_of_str(passwd), "www", &number));
	assert_int_equal(number, 33);
	assert_true(docker_read_number(span_of_str(passwd), "last", &number));
	assert_int_equal(number, 7);
	assert_false(docker_read_number(span_of_str(passwd), "ww", &number));
	assert_false(docker_read_number(span_of_str(passwd), "bad", &number));
	assert_false(docker_read_number(span_of_str(passwd), "odd", &number));
	assert_false(docker_read_number(span_of("", 0), "root", &number));
}

/* Ended five seconds after 03:04. */
static bool starts_again(const char *policy, int code, int times, uint64_t second)
{
	cleanup_free char *text = str_printf(
		"{\"RestartCount\": %d, \"State\": {\"ExitCode\": %d, "
		"\"FinishedAt\": \"2026-01-02T03:04:05Z\"}, \"HostConfig\": {\"RestartPolicy\": "
		"{\"Name\": \"%s\", \"MaximumRetryCount\": 2}}}",
		times, code, policy);
	cleanup(json_release) json_t *container = parse(text);

	return docker_starts_again(container, (UINT64_C(1767323040) + second) * NSEC_PER_SEC);
}

static void who_is_started_again_has_not_ended(void **state)
{
	(void)state;
	assert_true(starts_again("on-failure", 1, 1, 6));
	assert_false(starts_again("on-failure", 0, 1, 6));
	assert_false(starts_again("on-failure", 1, 2, 6));
	assert_true(starts_again("always", 0, 7, 6));
	assert_true(starts_again("unless-stopped", 0, 7, 6));
	assert_false(starts_again("no", 1, 0, 6));
	/* It would have been by now: somebody has stopped it. */
	assert_false(starts_again("always", 0, 7, 60));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_in_any_pieces),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(commands_are_composed_as_docker_run_does),
		cmocka_unit_test(every_option_of_a_container_reaches_the_engine),
		cmocka_unit_test(items_of_the_list_are_understood_or_left_out),
		cmocka_unit_test(ends_are_told_apart),
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(an_image_is_here_when_all_layers_are_downloaded_and_unpacked),
		cmocka_unit_test(why_an_image_is_not_fetched_has_a_kind),
		cmocka_unit_test(names_have_the_numbers_of_the_image),
		cmocka_unit_test(podman_is_asked_for_what_it_would_take_otherwise_in_another_way),
		cmocka_unit_test(what_podman_does_not_do_is_refused),
		cmocka_unit_test(credentials_become_the_header_that_the_engine_takes),
		cmocka_unit_test(who_is_started_again_has_not_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
