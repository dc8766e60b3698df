/* SPDX-License-Identifier: MIT */
/* Requests to an API server that answers as it is told. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/backends/kube/client.h"
#include "init/base/fs.h"

static char dir[] = "/tmp/berth-unit-kube.XXXXXX";

static struct server {
	int fd;
	unsigned int port;
	const char *const *answers; /* "STATUS BODY", until NULL */
	char seen[16384];
	size_t requests;
	pthread_t thread;
} server;

static bool read_head(int fd)
{
	size_t start = strlen(server.seen);

	for (;;) {
		size_t len = strlen(server.seen);
		ssize_t n = read(fd, server.seen + len, sizeof(server.seen) - 1 - len);

		if (n <= 0)
			return false;
		server.seen[len + (size_t)n] = '\0';
		if (strstr(server.seen + start, "\r\n\r\n"))
			return true;
	}
}

static void *serve(void *arg)
{
	(void)arg;
	while (server.answers[server.requests]) {
		cleanup_close int fd = accept(server.fd, NULL, NULL);
		const char *answer = server.answers[server.requests];
		const char *body = strchr(answer, ' ') + 1;

		if (fd < 0 || !read_head(fd))
			break;
		server.requests++;
		if (dprintf(fd,
			    "HTTP/1.1 %.3s x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
			    answer, strlen(body), body) < 0)
			break;
	}
	return NULL;
}

static void put(const char *name, const char *text)
{
	cleanup_free char *path = fs_join(dir, name);

	assert_int_equal(fs_write_file(path, span_of_str(text), 0700, NULL), 0);
}

/* A client of a server with these answers, who is who the YAML of the user says. */
static struct kube *opened(const char *const *answers, const char *user)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(here);
	cleanup_free char *path = fs_join(dir, "config");
	cleanup_free char *text = NULL;
	const struct kube_config config = { .kubeconfig = path, .namespace = "n/s" };
	struct kube *kube = NULL;
	struct err err = { 0 };

	server = (struct server){ .answers = answers };
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&here, sizeof(here)), 0);
	assert_int_equal(listen(server.fd, 8), 0);
	getsockname(server.fd, (struct sockaddr *)&here, &len);
	text = str_printf(
		"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
		"users: [{name: u, user: {%s}}]\n",
		ntohs(here.sin_port), user);
	put("config", text);
	if (kube_open(&config, &kube, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
	return kube;
}

static void closed(struct kube *kube)
{
	kube_close(kube);
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
}

#define ANSWERS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define REFUSED "401 {\"message\": \"Unauthorized\"}"

static void a_request_carries_the_token(void **state)
{
	struct kube *kube = opened(ANSWERS("200 {\"a\": 1}"), "token: secret");
	cleanup_free char *path = kube_path(kube, "/apis/batch/v1", "jobs", "a b");
	cleanup(json_release) json_t *answer = NULL;

	(void)state;
	assert_string_equal(path, "/apis/batch/v1/namespaces/n%2Fs/jobs/a%20b");
	assert_int_equal(kube_call(kube, &(struct kube_call){ .path = path }, &answer, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(answer, "a")), 1);
	assert_non_null(strstr(server.seen, "Authorization: Bearer secret\r\n"));
	closed(kube);
}

static void a_refused_token_is_read_again_once(void **state)
{
	struct kube *kube =
		opened(ANSWERS(REFUSED, "200 {}", REFUSED, REFUSED), "tokenFile: token");
	const struct kube_call call = { .path = "/a" };
	struct err err = { 0 };

	(void)state;
	put("token", "first");
	assert_int_equal(kube_call(kube, &call, NULL, &err), 0);
	assert_int_equal(server.requests, 2);
	assert_int_equal(kube_call(kube, &call, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_non_null(strstr(err.text, "log in again"));
	assert_null(strstr(err.text, "first"));
	assert_int_equal(server.requests, 4);
	closed(kube);
}

static void a_plugin_runs_once_and_again_when_its_token_expired(void **state)
{
	struct kube *kube =
		opened(ANSWERS("200 {}", REFUSED, "200 {}"),
		       "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}");
	const struct kube_call call = { .path = "/a" };

	(void)state;
	put("plugin", "#!/bin/sh\ncd \"${0%/*}\" && echo x >> runs && echo "
		      "'{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":"
		      "\"'t$(wc -l < runs)'\"}}'\n");
	assert_int_equal(kube_call(kube, &call, NULL, NULL), 0);
	assert_int_equal(kube_call(kube, &call, NULL, NULL), 0);
	assert_non_null(strstr(server.seen, "Bearer t1\r\n"));
	assert_non_null(strstr(server.seen, "Bearer t2\r\n"));
	closed(kube);
}

static void a_fixed_token_that_was_refused_is_not_tried_again(void **state)
{
	struct kube *kube = opened(ANSWERS(REFUSED, "200 {}"), "token: t");

	(void)state;
	assert_int_equal(kube_call(kube, &(struct kube_call){ .path = "/a" }, NULL, NULL), -1);
	assert_int_equal(server.requests, 1);
	closed(kube);
}

static void a_list_is_read_in_pages(void **state)
{
	struct kube *kube =
		opened(ANSWERS("200 {\"metadata\": {\"continue\": \"x=\"}, \"items\": [1]}",
			       "200 {\"metadata\": {}, \"items\": [2, 3]}"),
		       "");
	cleanup(json_release) json_t *items = NULL;

	(void)state;
	assert_int_equal(kube_list(kube, "/jobs", "berth.job", &items, NULL), 0);
	assert_int_equal(json_array_size(items), 3);
	assert_non_null(strstr(server.seen, "GET /jobs?limit=500&labelSelector=berth.job HTTP"));
	assert_non_null(strstr(server.seen,
			       "GET /jobs?limit=500&labelSelector=berth.job&continue=x%3D HTTP"));
	assert_null(strstr(server.seen, "Authorization"));
	closed(kube);
}

static void a_list_that_is_too_old_is_read_anew(void **state)
{
	struct kube *kube =
		opened(ANSWERS("200 {\"metadata\": {\"continue\": \"x\"}, \"items\": [1]}",
			       "410 {\"reason\": \"Expired\", \"message\": \"too old\"}",
			       "200 {\"items\": [4]}"),
		       "");
	cleanup(json_release) json_t *items = NULL;

	(void)state;
	assert_int_equal(kube_list(kube, "/jobs", NULL, &items, NULL), 0);
	assert_int_equal(json_array_size(items), 1);
	assert_int_equal(json_integer_value(json_array_get(items, 0)), 4);
	assert_non_null(strstr(server.seen, "GET /jobs?limit=0 HTTP"));
	closed(kube);
}

static void a_log_is_bytes_and_has_a_limit(void **state)
{
	struct kube *kube = opened(ANSWERS("200 a\nb", "200 too long"), "");
	const struct kube_call call = { .path = "/log" };
	cleanup(buf_finish) struct buf text = BUF_INIT(4);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(kube_read(kube, &call, &text, &err), 0);
	assert_string_equal(buf_str(&text), "a\nb");
	assert_int_equal(kube_read(kube, &call, &text, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	closed(kube);
}

static void what_the_server_says_is_an_error_in_its_words(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum err_kind kind;
		const char *words;
	} all[] = {
		{ 404, "{\"message\": \"jobs.batch \\\"a\\\" not found\"}", ERR_NOT_FOUND,
		  "jobs.batch \"a\" not found" },
		{ 409, "{\"message\": \"already exists\"}", ERR_EXISTS, "already exists" },
		{ 422, "{\"message\": \"image: Required\"}", ERR_INVALID, "image: Required" },
		{ 410, "{\"message\": \"too old\"}", ERR_UNAVAILABLE, "too old" },
		{ 429, "{\"message\": \"slow\"}", ERR_LIMIT, "try again later" },
		{ 403, "{\"message\": \"no\\u001b[2J\"}", ERR_DENIED, "no?[2J" },
		{ 500, "<html>", ERR_SYSTEM, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct err err = { 0 };

		assert_int_equal(kube_explain(all[i].status, span_of_str(all[i].body), &err), -1);
		if (i < ARRAY_LEN(all) - 1)
			assert_int_equal(err.kind, all[i].kind);
		assert_non_null(strstr(err.text, all[i].words));
	}
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return fs_remove_tree(dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_carries_the_token),
		cmocka_unit_test(a_refused_token_is_read_again_once),
		cmocka_unit_test(a_plugin_runs_once_and_again_when_its_token_expired),
		cmocka_unit_test(a_fixed_token_that_was_refused_is_not_tried_again),
		cmocka_unit_test(a_list_is_read_in_pages),
		cmocka_unit_test(a_list_that_is_too_old_is_read_anew),
		cmocka_unit_test(a_log_is_bytes_and_has_a_limit),
		cmocka_unit_test(what_the_server_says_is_an_error_in_its_words),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
