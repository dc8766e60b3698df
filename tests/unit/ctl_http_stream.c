/* SPDX-License-Identifier: MIT */
/*
 * Bodies that come piece by piece, bodies that are read at leisure, and connections that stop being
 * HTTP: against a server of our own, which says its lines and then echoes in capitals.
 */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/http/head.h"
#include "controller/http/stream.h"
#include "init/base/alloc.h"
#include "init/base/macro.h"

struct server {
	int fd;
	const char *answer;
	pthread_t thread;
	char url[64];
	char seen[4096];
};

static bool send_all(int fd, const char *text)
{
	size_t len = strlen(text);

	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void *serve(void *opaque)
{
	struct server *s = opaque;
	int fd = accept(s->fd, NULL, NULL);
	char byte;

	while (!strstr(s->seen, "\r\n\r\n") && read(fd, s->seen + strlen(s->seen), 1) == 1)
		continue;
	if (send_all(fd, s->answer)) {
		while (read(fd, &byte, 1) == 1) {
			byte = (char)toupper(byte);
			if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || byte == '.')
				break;
		}
	}
	close(fd);
	return NULL;
}

static struct http *start(struct server *s, const char *answer)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(here);
	struct http *http;
	struct err err;

	*s = (struct server){ .answer = answer };
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&here, sizeof(here)), 0);
	getsockname(s->fd, (struct sockaddr *)&here, &len);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d/base", ntohs(here.sin_port));
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	assert_int_equal(http_open(s->url, &http, &err), 0);
	return http;
}

static void stop(struct server *s, struct http *http)
{
	http_close(http);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

/* What came, and when it is enough. */
struct heap {
	struct buf bytes;
	size_t enough;
	bool refuses;
};

static int take(void *owner, struct span bytes, struct err *err)
{
	struct heap *heap = owner;

	if (heap->refuses)
		return err_set(err, ERR_DENIED, "not this");
	assert_true(buf_append_span(&heap->bytes, bytes));
	return buf_len(&heap->bytes) >= heap->enough;
}

static int ask(const char *answer, struct heap *heap, struct http_response *response,
	       struct err *err)
{
	const struct http_request get = { .path = "/a", .received = take, .owner = heap };
	struct server s;
	struct http *http = start(&s, answer);
	int result;

	heap->bytes = BUF_INIT(100);
	result = http_send(http, &get, response, err);
	stop(&s, http);
	return result;
}

static void a_body_is_taken_piece_by_piece_until_it_is_enough(void **state)
{
	/* It never ends: nobody would see the end of it otherwise. */
	static const char endless[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nenough";
	static const char no[] = "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nwhy?";
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct heap heap = { .enough = 6 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(ask(endless, &heap, &response, &err), 0);
	assert_string_equal(buf_str(&heap.bytes), "enough");
	buf_finish(&heap.bytes);
	heap.refuses = true;
	assert_int_equal(ask(endless, &heap, &response, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_string_equal(err.text, "not this");
	/* What is no answer to the question is not the owner's. */
	assert_int_equal(ask(no, &heap, &response, &err), 0);
	assert_int_equal(response.status, 404);
	assert_string_equal(buf_str(&response.body), "why?");
}

static void a_stream_is_read_at_leisure(void **state)
{
	const struct http_request get = { .path = "/log" };
	struct server s;
	struct http *http = start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfirst");
	cleanup(http_stream_close) struct http_stream *stream = NULL;
	struct buf *bytes = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(http_stream_open(http, &get, &stream, &err), 0);
	assert_int_equal(http_stream_status(stream), 200);
	while (!bytes || buf_len(bytes) < 5)
		assert_int_equal(http_stream_read(stream, 5000, &bytes, &err), 1);
	assert_string_equal(buf_str(bytes), "first");
	buf_consume(bytes, 5);
	assert_int_equal(http_stream_read(stream, 20, &bytes, &err), 0);
	assert_false(http_stream_has_ended(stream));
	/* Four bytes are still to come when the server goes. */
	shutdown(s.fd, SHUT_RDWR);
	stream = http_stream_close(stream);
	stop(&s, http);
}

static void a_stream_ends_or_breaks_off(void **state)
{
	const struct http_request get = { .path = "/log" };
	struct server s;
	struct http *http = start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nall");
	cleanup(http_stream_close) struct http_stream *stream = NULL;
	struct buf *bytes = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(http_stream_open(http, &get, &stream, &err), 0);
	assert_int_equal(http_stream_read(stream, 5000, &bytes, &err), 1);
	buf_consume(bytes, buf_len(bytes));
	while (!http_stream_has_ended(stream))
		assert_true(http_stream_read(stream, 5000, &bytes, &err) >= 0);
	assert_int_equal(http_stream_read(stream, 0, &bytes, &err), 1);
	stream = http_stream_close(stream);
	stop(&s, http);
	http = start(&s, "nothing like it\r\n\r\n");
	assert_int_equal(http_stream_open(http, &get, &stream, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	stop(&s, http);
}

static void an_upgraded_connection_carries_bytes(void **state)
{
	static const char *const headers[] = { "Connection: Upgrade", "Upgrade: tcp", NULL };
	const struct http_request post = { .method = "POST", .path = "/exec", .headers = headers };
	struct server s;
	struct http *http = start(&s, "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nhello ");
	cleanup(http_response_finish) struct http_response response = { 0 };
	cleanup_close int fd = -1;
	struct err err = { 0 };
	char text[16] = "";

	(void)state;
	assert_int_equal(http_upgrade(http, &post, &fd, &response, &err), 0);
	assert_int_equal(response.status, 101);
	assert_int_equal(write(fd, "you.", 4), 4);
	for (size_t len = 0; len < 10;) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_string_equal(text, "hello YOU.");
	assert_int_equal(read(fd, text, 1), 0);
	stop(&s, http);
	assert_non_null(strstr(s.seen, "POST /base/exec HTTP/1.1\r\nHost: 127.0.0.1:"));
	assert_non_null(strstr(s.seen, "\r\nUpgrade: tcp\r\n"));
}

static void who_does_not_upgrade_says_why(void **state)
{
	const struct http_request post = { .method = "POST", .path = "/", .timeout_ms = 5000 };
	struct server s;
	struct http *http = start(&s, "HTTP/1.1 409 No\r\nContent-Length: 6\r\n\r\nasleep");
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct err err = { 0 };
	int fd = -1;

	(void)state;
	assert_int_equal(http_upgrade(http, &post, &fd, &response, &err), -1);
	assert_int_equal(fd, -1);
	assert_int_equal(response.status, 409);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_string_equal(buf_str(&response.body), "asleep");
	stop(&s, http);
	http = start(&s, "HTTP/1.1 what\r\n\r\n");
	assert_int_equal(http_upgrade(http, &post, &fd, &response, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	stop(&s, http);
}

static bool parses(const char *text, struct http_head *ret)
{
	return http_head_parse(span_of_str(text), ret);
}

static void the_head_of_an_answer_is_taken_as_it_is_or_not_at_all(void **state)
{
	struct http_head head;

	(void)state;
	assert_true(parses("HTTP/1.1 200 OK\r\n\r\n", &head));
	assert_int_equal(head.status, 200);
	assert_false(head.has_length);
	assert_true(parses("HTTP/1.0 404\r\nA: b\r\ncontent-LENGTH:  12 \r\n\r\n", &head));
	assert_int_equal(head.status, 404);
	assert_true(head.has_length);
	assert_int_equal(head.length, 12);
	assert_false(parses("", &head));
	assert_false(parses("HTTP/1.1 200 OK\r\n", &head));
	assert_false(parses("HTTP/1.1 200 OK\n\n", &head));
	assert_false(parses("HTTP/1.1 200 OK\r\n\r\nmore", &head));
	assert_false(parses("HTTP/1.1 099 OK\r\n\r\n", &head));
	assert_false(parses("HTTP/1.1 2000\r\n\r\n", &head));
	assert_false(parses("HTTP/2 200 OK  \r\n\r\n", &head));
	assert_false(parses("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", &head));
	assert_false(parses("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", &head));
	assert_false(parses("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
			    &head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_taken_piece_by_piece_until_it_is_enough),
		cmocka_unit_test(a_stream_is_read_at_leisure),
		cmocka_unit_test(a_stream_ends_or_breaks_off),
		cmocka_unit_test(an_upgraded_connection_carries_bytes),
		cmocka_unit_test(who_does_not_upgrade_says_why),
		cmocka_unit_test(the_head_of_an_answer_is_taken_as_it_is_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
