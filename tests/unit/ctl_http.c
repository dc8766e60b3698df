/* SPDX-License-Identifier: MIT */
/* Requests against a server of our own that answers as it is told, on a Unix socket or on TCP. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/http/http.h"
#include "init/base/alloc.h"
#include "init/base/macro.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define LATER "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

/* Answers in their order; NULL closes the connection, and after the last one nobody answers. */
struct server {
	int fd;
	const char *const *answers;
	pthread_t thread;
	char url[128];
	char path[64];
	char seen[8192]; /* what was asked, one after another */
	size_t connections, requests;
};

static bool read_request(struct server *s, int fd)
{
	char *start = s->seen + strlen(s->seen), *end, *length;
	size_t body = 0;

	for (;;) {
		size_t len = strlen(s->seen);
		ssize_t n = read(fd, s->seen + len, sizeof(s->seen) - 1 - len);

		if (n <= 0)
			return false;
		s->seen[len + (size_t)n] = '\0';
		end = strstr(start, "\r\n\r\n");
		if (!end)
			continue;
		length = strstr(start, "Content-Length: ");
		body = length ? strtoul(length + 16, NULL, 10) : 0;
		if (strlen(end + 4) >= body)
			return true;
	}
}

static void *serve(void *opaque)
{
	struct server *s = opaque;

	for (int fd; s->answers[s->requests] && (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd)) {
		s->connections++;
		while (s->answers[s->requests] && read_request(s, fd)) {
			const char *answer = s->answers[s->requests++];

			if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) <= 0 || !*answer ||
			    strstr(answer, "Close"))
				break;
		}
	}
	return NULL;
}

static void start(struct server *s, const char *const *answers, bool is_unix)
{
	struct sockaddr_un here = { .sun_family = AF_UNIX };
	struct sockaddr_in tcp = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(tcp);

	*s = (struct server){ .answers = answers };
	s->fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (is_unix) {
		snprintf(s->path, sizeof(s->path), "/tmp/berth-http.%d", getpid());
		snprintf(here.sun_path, sizeof(here.sun_path), "%s", s->path);
		unlink(s->path);
		assert_int_equal(bind(s->fd, (struct sockaddr *)&here, sizeof(here)), 0);
		snprintf(s->url, sizeof(s->url), "unix:%s", s->path);
	} else {
		assert_int_equal(bind(s->fd, (struct sockaddr *)&tcp, sizeof(tcp)), 0);
		getsockname(s->fd, (struct sockaddr *)&tcp, &len);
		snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d/", ntohs(tcp.sin_port));
	}
	assert_int_equal(listen(s->fd, 8), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	if (s->path[0])
		unlink(s->path);
}

/* One request against these answers; the error is in *err when -1. */
static int ask(struct server *s, const char *const *answers, const struct http_request *request,
	       struct http_response *ret, struct err *err)
{
	cleanup(http_close) struct http *http = NULL;
	int result;

	start(s, answers, false);
	assert_int_equal(http_open(s->url, &http, err), 0);
	result = http_send(http, request, ret, err);
	http = http_close(http);
	stop(s);
	return result;
}

#define ANSWERS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void requests_share_a_connection_of_a_unix_socket(void **state)
{
	static const char *const headers[] = { "X-Token: secret", NULL };
	const struct http_request get = { .path = "/a?b=c", .headers = headers };
	const struct http_request post = { .method = "POST",
					   .path = "/d",
					   .content_type = "application/json",
					   .body = span_of_str("{}") };
	cleanup(http_response_finish) struct http_response response = { 0 };
	cleanup(http_close) struct http *http = NULL;
	struct server s;
	struct err err = { 0 };

	(void)state;
	start(&s, ANSWERS(OK, OK), true);
	assert_int_equal(http_open(s.url, &http, &err), 0);
	assert_int_equal(http_send(http, &get, &response, &err), 0);
	assert_int_equal(response.status, 200);
	assert_string_equal(buf_str(&response.body), "ok");
	assert_int_equal(http_send(http, &post, &response, &err), 0);
	assert_string_equal(buf_str(&response.body), "ok");
	stop(&s);
	assert_int_equal(s.connections, 1);
	assert_non_null(strstr(s.seen, "GET /a?b=c HTTP/1.1\r\n"));
	assert_non_null(strstr(s.seen, "X-Token: secret\r\n"));
	assert_non_null(strstr(s.seen, "POST /d HTTP/1.1\r\n"));
	assert_non_null(strstr(s.seen, "Content-Type: application/json\r\n"));
	assert_null(strstr(s.seen, "Expect"));
	assert_non_null(strstr(s.seen, "\r\n\r\n{}"));
}

static void what_may_be_done_twice_is_tried_again(void **state)
{
	const struct http_request get = { .path = "/" };
	const struct http_request post = { .method = "POST", .path = "/" };
	const struct http_request put = { .method = "POST", .path = "/", .may_repeat = true };
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct server s;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(ask(&s, ANSWERS(LATER, "", OK), &get, &response, &err), 0);
	assert_int_equal(response.status, 200);
	assert_string_equal(buf_str(&response.body), "ok");
	assert_int_equal(s.requests, 3);
	/* It may have been done: nobody can tell. */
	assert_int_equal(ask(&s, ANSWERS("", OK), &post, &response, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_int_equal(s.requests, 1);
	assert_int_equal(ask(&s, ANSWERS("", OK), &put, &response, &err), 0);
	assert_int_equal(ask(&s, ANSWERS(LATER, OK), &post, &response, &err), 0);
	assert_int_equal(response.status, 503);
	/* Four times are enough. */
	assert_int_equal(ask(&s, ANSWERS(LATER, LATER, LATER, LATER, OK), &get, &response, &err),
			 0);
	assert_int_equal(response.status, 503);
	assert_int_equal(s.requests, HTTP_TRIES);
}

static void a_server_says_when_to_come_back(void **state)
{
	static const char wait[] =
		"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
	static const char days[] =
		"HTTP/1.1 429 Slow\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n";
	const struct http_request post = { .method = "POST", .path = "/" };
	const struct http_request hasty = { .path = "/", .timeout_ms = 500 };
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct server s;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(ask(&s, ANSWERS(wait, OK), &post, &response, &err), 0);
	assert_int_equal(response.status, 200);
	/* Longer than we have: its answer is the answer. */
	assert_int_equal(ask(&s, ANSWERS(days, OK), &hasty, &response, &err), 0);
	assert_int_equal(response.status, 429);
	assert_int_equal(http_refuse(response.status, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_non_null(strstr(err.text, "try again later"));
}

static void answers_have_limits(void **state)
{
	static const char partly[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
	static const char partly_closed[] =
		"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 100\r\n\r\nonly this";
	const struct http_request small = { .path = "/", .body_max = 1 };
	const struct http_request slow = { .path = "/", .timeout_ms = 300 };
	const struct http_request post = { .method = "POST", .path = "/" };
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct server s;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(ask(&s, ANSWERS(OK), &small, &response, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_int_equal(ask(&s, ANSWERS(partly, OK), &slow, &response, &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(ask(&s, ANSWERS(partly_closed), &post, &response, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_int_equal(
		ask(&s, ANSWERS("\x16\x03\x01 what?\r\nClose\r\n"), &post, &response, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
}

static void redirects_are_not_followed(void **state)
{
	static const char away[] = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
				   "Content-Length: 0\r\n\r\n";
	const struct http_request get = { .path = "/" };
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct server s;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(ask(&s, ANSWERS(away), &get, &response, &err), 0);
	assert_int_equal(response.status, 302);
}

static void nobody_there_is_said(void **state)
{
	const struct http_request get = { .path = "/", .timeout_ms = 500 };
	cleanup(http_response_finish) struct http_response response = { 0 };
	cleanup(http_close) struct http *http = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(http_open("unix:/nowhere/at/all", &http, &err), 0);
	assert_int_equal(http_send(http, &get, &response, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "unix:/nowhere/at/all"));
}

/* Which of them the server sees first is not said. */
static void many_requests_have_an_answer_each(void **state)
{
	static const char bye[] = "HTTP/1.1 200 OK\r\nConnection: Close\r\n"
				  "Content-Length: 2\r\n\r\nok";
	const struct http_request requests[] = {
		{ .path = "/0" },
		{ .method = "PUT", .path = "/1", .body = span_of_str("x") },
		{ .path = "/2" },
	};
	struct http_response responses[ARRAY_LEN(requests)] = { 0 };
	struct err errs[ARRAY_LEN(requests)];
	struct http *http = NULL;
	struct server s;

	(void)state;
	start(&s, ANSWERS(bye, "", bye, bye), false);
	assert_int_equal(http_open(s.url, &http, NULL), 0);
	assert_int_equal(http_send_many(http, requests, ARRAY_LEN(requests), responses, errs), 0);
	stop(&s);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		assert_int_equal(errs[i].kind, ERR_NONE);
		assert_int_equal(responses[i].status, 200);
		assert_string_equal(buf_str(&responses[i].body), "ok");
	}
	assert_int_equal(s.requests, 4);
	assert_non_null(strstr(s.seen, "PUT /1 HTTP/1.1\r\n"));
	/* Nobody is there any more. */
	assert_int_equal(http_send_many(http, requests, 1, responses, errs), -1);
	assert_int_equal(errs[0].kind, ERR_UNAVAILABLE);
	assert_int_equal(http_send_many(http, NULL, 0, NULL, NULL), 0);
	http_close(http);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		http_response_finish(&responses[i]);
}

static int swallow(void *owner, struct span bytes, struct err *err)
{
	(void)owner, (void)bytes, (void)err;
	return 0;
}

static bool count_and_stop(void *owner, const struct http_response *response)
{
	++*(size_t *)owner;
	return response->status != 200;
}

/* Bodies go eight at once: those behind them have not begun when the first answer comes. */
static void what_has_not_begun_is_not_sent_when_an_answer_says_so(void **state)
{
	static const char bye[] = "HTTP/1.1 200 OK\r\nConnection: Close\r\n"
				  "Content-Length: 2\r\n\r\nok";
	struct http_request requests[20] = { 0 };
	struct http_response responses[ARRAY_LEN(requests)] = { 0 };
	struct err errs[ARRAY_LEN(requests)];
	size_t answered = 0, refused = 0;
	struct http *http = NULL;
	struct server s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		requests[i] = (struct http_request){ .path = "/",
						     .received = swallow,
						     .answered = count_and_stop,
						     .owner = &answered };
	start(&s, ANSWERS(bye, bye, bye, bye, bye, bye, bye, bye), false);
	assert_int_equal(http_open(s.url, &http, NULL), 0);
	assert_int_equal(http_send_many(http, requests, ARRAY_LEN(requests), responses, errs), -1);
	stop(&s);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		refused += errs[i].kind == ERR_UNAVAILABLE;
		http_response_finish(&responses[i]);
	}
	assert_int_equal(answered, 8);
	assert_int_equal(s.requests, 8);
	assert_int_equal(refused, ARRAY_LEN(requests) - 8);
	http_close(http);
}

/* What a source told of itself. */
struct told {
	char text[64];
	unsigned int begins;
};

static void on_sent(void *owner, uint64_t at, struct span bytes)
{
	struct told *told = owner;

	told->begins += at == 0;
	assert_true(at + bytes.len < sizeof(told->text));
	memcpy(told->text + at, bytes.ptr, bytes.len);
}

static void a_body_is_read_from_a_descriptor_also_when_it_goes_again(void **state)
{
	static const char *const answers[] = {
		LATER, "HTTP/1.1 200 OK\r\neTAG:  \"x\"\r\nContent-Length: 0\r\n\r\n", NULL
	};
	cleanup(http_response_finish) struct http_response response = { 0 };
	FILE *file = tmpfile();
	struct told told = { 0 };
	const struct http_source source = {
		.fd = fileno(file), .offset = 2, .len = 5, .sent = on_sent, .owner = &told
	};
	struct http_wanted wanted[] = { { .name = "ETag" }, { .name = NULL } };
	const struct http_request request = { .method = "PUT",
					      .path = "/part",
					      .source = &source,
					      .wanted = wanted,
					      .stall_ms = 20000 };
	struct server s;

	(void)state;
	fputs("0123456789", file);
	fflush(file);
	assert_int_equal(ask(&s, answers, &request, &response, NULL), 0);
	assert_int_equal(response.status, 200);
	assert_string_equal(wanted[0].value, "\"x\"");
	assert_string_equal(told.text, "23456");
	assert_int_equal(told.begins, 2);
	assert_non_null(strstr(s.seen, "PUT /part"));
	assert_non_null(strstr(s.seen, "Content-Length: 5\r\n"));
	fclose(file);
}

static void a_source_that_became_shorter_is_told(void **state)
{
	static const char *const answers[] = { OK, NULL };
	cleanup(http_response_finish) struct http_response response = { 0 };
	FILE *file = tmpfile();
	const struct http_source source = { .fd = fileno(file), .len = 5 };
	const struct http_request request = { .method = "PUT", .path = "/", .source = &source };
	struct err err = { 0 };
	struct server s;

	(void)state;
	assert_int_equal(ask(&s, answers, &request, &response, &err), -1);
	assert_non_null(strstr(err.text, "became shorter"));
	fclose(file);
}

static void addresses_are_checked(void **state)
{
	static const char *const good[] = { "http://a", "https://a.b:443/c/", "unix:/a",
					    "http://[::1]:6820" };
	static const char *const bad[] = {
		"",	     "a",	    "unix:a",  "file:///etc/passwd", "http://",
		"http://?a", "http://me@a", "http:/a", "http://a b",	     "ftp://a"
	};
	struct http *http = NULL;
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(http_url_is_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(http_url_is_valid(bad[i]));
	assert_int_equal(http_open("gopher://a", &http, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void a_program_is_a_server(void **state)
{
	static const char *const argv[] = {
		"sh", "-c",
		"while read -r l && [ ${#l} -gt 1 ]; do :; done; "
		"printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'",
		NULL
	};
	static const char *const silent[] = { "sh", "-c", "exit 1", NULL };
	cleanup(http_response_finish) struct http_response response = { 0 };
	const struct http_request request = { .path = "/" };
	struct http *http = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(http_open_program("there", argv, &http, &err), 0);
	/* It has ended after the first, and is started again. */
	for (int i = 0; i < 2; i++) {
		if (http_send(http, &request, &response, &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal(buf_str(&response.body), "ok");
	}
	http_close(http);
	assert_int_equal(http_open_program("there", silent, &http, &err), 0);
	assert_int_equal(http_send(http, &request, &response, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(err.text, "cannot reach there: sh ended without an answer");
	http_close(http);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_share_a_connection_of_a_unix_socket),
		cmocka_unit_test(what_may_be_done_twice_is_tried_again),
		cmocka_unit_test(a_server_says_when_to_come_back),
		cmocka_unit_test(answers_have_limits),
		cmocka_unit_test(redirects_are_not_followed),
		cmocka_unit_test(nobody_there_is_said),
		cmocka_unit_test(many_requests_have_an_answer_each),
		cmocka_unit_test(what_has_not_begun_is_not_sent_when_an_answer_says_so),
		cmocka_unit_test(a_body_is_read_from_a_descriptor_also_when_it_goes_again),
		cmocka_unit_test(a_source_that_became_shorter_is_told),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(a_program_is_a_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
