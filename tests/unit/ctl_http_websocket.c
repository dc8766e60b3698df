/* SPDX-License-Identifier: MIT */
/* WebSockets of a client, against a server of our own that gives messages back as they came. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sha1.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/backends/kube/channels.h"
#include "controller/http/websocket.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/text.h"

static const char *const protocols[] = { "v5.test", "v4.test", NULL };

struct server {
	int fd;
	const char *protocol;  /* that it takes */
	const char *proof;     /* NULL: the right one */
	const char *instead;   /* of the whole answer, or NULL */
	struct span first;     /* that it sends at once */
	bool leaves;	       /* after that */
	unsigned int patience; /* how many PINGs it hears before it leaves; 0: any number */
	unsigned int pings;
	pthread_t thread;
	char url[64];
	char seen[4096];
};

static void send_all(int fd, const void *bytes, size_t len)
{
	assert_int_equal(fd_write_all(fd, span_of(bytes, len), NULL), 0);
}

static void answer(const struct server *s, int fd)
{
	const char *key = strstr(s->seen, "Sec-WebSocket-Key: ") + 19;
	cleanup_free char *text = str_printf("%.24s" WEBSOCKET_GUID, key);
	cleanup_free char *head = NULL;
	uint8_t digest[SHA1_DIGEST_LENGTH];
	char proof[32];
	SHA1_CTX sha1;

	SHA1Init(&sha1);
	SHA1Update(&sha1, (const uint8_t *)text, strlen(text));
	SHA1Final(digest, &sha1);
	text_base64(span_of(digest, sizeof(digest)), proof, sizeof(proof));
	head = str_printf("HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n"
			  "sec-websocket-accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
			  s->proof ? s->proof : proof, s->protocol);
	send_all(fd, head, strlen(head));
}

static void echo(struct server *s, int fd)
{
	struct websocket ws = WEBSOCKET_INIT(WEBSOCKET_SERVER);
	uint8_t bytes[65536], head[WEBSOCKET_ANSWER_MAX];
	ssize_t n;

	while (!ws.is_closed && (!s->patience || s->pings < s->patience) &&
	       (n = read(fd, bytes, sizeof(bytes))) > 0) {
		struct websocket_piece piece;
		size_t left = (size_t)n;
		uint8_t *at = bytes;

		while (websocket_next(&ws, &at, &left, &piece, NULL) > 0) {
			size_t len = websocket_put_head(WEBSOCKET_SERVER, piece.len, NULL, head);

			/* A message that came in pieces goes back in fragments. */
			head[0] = (uint8_t)((piece.begins ? 2 : 0) | (piece.ends ? 0x80 : 0));
			send_all(fd, head, len);
			send_all(fd, piece.bytes, piece.len);
		}
		if (websocket_has_answer(&ws)) {
			send_all(fd, head, websocket_answer(&ws, NULL, head));
			s->pings += !ws.is_closed;
		}
	}
}

static void *serve(void *opaque)
{
	struct server *s = opaque;
	int fd = accept(s->fd, NULL, NULL);

	while (!strstr(s->seen, "\r\n\r\n") && read(fd, s->seen + strlen(s->seen), 1) == 1)
		continue;
	if (s->instead) {
		send_all(fd, s->instead, strlen(s->instead));
	} else {
		answer(s, fd);
		send_all(fd, s->first.ptr, s->first.len);
		if (!s->proof && !s->leaves)
			echo(s, fd);
	}
	close(fd);
	return NULL;
}

static int dial(struct server *s, struct http **ret_http, struct http_websocket **ret,
		struct err *err)
{
	static const char *const headers[] = { "Authorization: Bearer t", NULL };
	const struct http_request get = { .path = "/exec?command=a", .headers = headers };
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(here);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&here, sizeof(here)), 0);
	getsockname(s->fd, (struct sockaddr *)&here, &len);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(here.sin_port));
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	assert_int_equal(http_open(s->url, ret_http, err), 0);
	return http_websocket_open(*ret_http, &get, protocols, ret, &response, err);
}

static void stop(struct server *s, struct http *http, struct http_websocket *ws)
{
	http_websocket_close(ws);
	http_close(http);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

/* Sends messages of these sizes, and reads what comes back until it is as much. */
static void exchange(struct http_websocket *ws, const size_t *sizes, size_t count)
{
	cleanup_free uint8_t *bytes = new_array(uint8_t, 200000);
	size_t sent = 0, ended = 0, expected = 0, got = 0;
	struct err err;

	for (size_t i = 0; i < 200000; i++)
		bytes[i] = (uint8_t)(i % 251);
	while (ended < count) {
		struct pollfd wait = { .fd = http_websocket_fd(ws) };
		struct websocket_piece piece;

		if (sent < count && http_websocket_room(ws) >= sizes[sent]) {
			size_t half = sizes[sent] / 2;

			assert_int_equal(http_websocket_send(
						 ws, span_of(bytes, half),
						 span_of(bytes + half, sizes[sent] - half), &err),
					 0);
			sent++;
		}
		wait.events = http_websocket_events(ws);
		assert_int_equal(poll(&wait, 1, 20000), 1);
		assert_int_equal(http_websocket_turn(ws, &err), 0);
		while (http_websocket_read(ws, &piece, &err) > 0) {
			if (piece.begins) {
				expected = sizes[ended];
				got = 0;
			}
			assert_memory_equal(piece.bytes, bytes + got, piece.len);
			got += piece.len;
			if (!piece.ends)
				continue;
			assert_int_equal(got, expected);
			ended++;
		}
	}
}

static void messages_come_back_as_they_were_sent(void **state)
{
	static const size_t sizes[] = { 1, 0, 125, 126, 65536, 200000, 3, 200000, 200000, 1 };
	struct server s = { .protocol = "v4.test" };
	struct http_websocket *ws = NULL;
	struct http *http;
	struct err err = { 0 };

	(void)state;
	if (dial(&s, &http, &ws, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(http_websocket_protocol(ws), 1);
	exchange(ws, sizes, ARRAY_LEN(sizes));
	stop(&s, http, ws);
	assert_non_null(strstr(s.seen, "GET /exec?command=a HTTP/1.1\r\n"));
	assert_non_null(strstr(s.seen, "\r\nAuthorization: Bearer t\r\n"));
	assert_non_null(strstr(s.seen, "\r\nSec-WebSocket-Protocol: v5.test, v4.test\r\n"));
}

static void the_end_is_seen_after_what_was_said_before(void **state)
{
	static const char said[] = "\x82\x02hi\x88\x00";
	struct server s = { .protocol = "v5.test", .first = { (const uint8_t *)said, 6 } };
	struct http_websocket *ws = NULL;
	struct websocket_piece piece;
	struct http *http;
	struct err err = { 0 };
	size_t pieces = 0;

	(void)state;
	assert_int_equal(dial(&s, &http, &ws, &err), 0);
	while (!http_websocket_has_ended(ws)) {
		struct pollfd wait = { .fd = http_websocket_fd(ws),
				       .events = http_websocket_events(ws) };

		poll(&wait, 1, 20000);
		assert_int_equal(http_websocket_turn(ws, &err), 0);
		while (http_websocket_read(ws, &piece, &err) > 0) {
			assert_int_equal(piece.len, 2);
			assert_memory_equal(piece.bytes, "hi", 2);
			pieces++;
		}
	}
	assert_int_equal(pieces, 1);
	stop(&s, http, ws);
}

static void why_nobody_reads_any_more_is_still_read(void **state)
{
	static const char said[] = "\x82\x02no";
	struct server s = { .protocol = "v5.test",
			    .first = { (const uint8_t *)said, 4 },
			    .leaves = true };
	static const uint8_t bytes[100000];
	struct http_websocket *ws = NULL;
	struct websocket_piece piece;
	struct http *http;
	struct err err = { 0 };
	size_t heard = 0;

	(void)state;
	assert_int_equal(dial(&s, &http, &ws, &err), 0);
	pthread_join(s.thread, NULL);
	while (!http_websocket_has_ended(ws)) {
		struct pollfd wait = { .fd = http_websocket_fd(ws),
				       .events = http_websocket_events(ws) };

		if (http_websocket_room(ws) >= sizeof(bytes))
			assert_int_equal(http_websocket_send(ws, span_of(bytes, 1),
							     span_of(bytes, sizeof(bytes) - 1),
							     &err),
					 0);
		poll(&wait, 1, 20000);
		assert_int_equal(http_websocket_turn(ws, &err), 0);
		while (http_websocket_read(ws, &piece, &err) > 0)
			heard += piece.len;
	}
	assert_int_equal(heard, 2);
	http_websocket_close(ws);
	http_close(http);
	close(s.fd);
}

static void pings_are_for_what_is_idle(void **state)
{
	static const size_t sizes[] = { 1 };
	struct server s = { .protocol = "v5.test" };
	struct http_websocket *ws = NULL;
	struct http *http;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dial(&s, &http, &ws, &err), 0);
	assert_int_equal(http_websocket_ping(ws, &err), 0);
	/* One that waits to be sent is enough. */
	assert_int_equal(http_websocket_ping(ws, &err), 0);
	exchange(ws, sizes, ARRAY_LEN(sizes));
	stop(&s, http, ws);
	assert_int_equal(s.pings, 1);
}

static void a_stream_of_a_pod_that_is_idle_is_kept(void **state)
{
	struct server s = { .protocol = "v5.test", .patience = 3 };
	struct channels c = { .in = -1, .out = { -1, -1, -1, -1, -1 }, .told = 3, .ping_ms = 1 };
	struct http_websocket *ws = NULL;
	struct http *http;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dial(&s, &http, &ws, &err), 0);
	c.ws = ws;
	assert_int_equal(channels_run(&c, &err), 0);
	assert_int_equal(buf_len(&c.words), 0);
	buf_finish(&c.words);
	stop(&s, http, ws);
	assert_true(s.pings >= 3);
}

static void who_breaks_the_protocol_is_left(void **state)
{
	static const char text[] = "\x81\x01x";
	struct server s = { .protocol = "v5.test", .first = { (const uint8_t *)text, 3 } };
	struct http_websocket *ws = NULL;
	struct websocket_piece piece;
	struct pollfd wait;
	struct http *http;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dial(&s, &http, &ws, &err), 0);
	wait = (struct pollfd){ .fd = http_websocket_fd(ws), .events = POLLIN };
	assert_int_equal(poll(&wait, 1, 20000), 1);
	assert_int_equal(http_websocket_turn(ws, &err), 0);
	assert_int_equal(http_websocket_read(ws, &piece, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	stop(&s, http, ws);
}

static void who_does_not_prove_that_it_understands_is_refused(void **state)
{
	static const struct {
		struct server server;
		enum err_kind kind;
		const char *words;
	} cases[] = {
		{ { .protocol = "v5.test", .proof = "c3VyZQ==" }, ERR_PROTOCOL, "no WebSocket" },
		{ { .protocol = "v9.other" }, ERR_PROTOCOL, "nobody asked for" },
		{ { .instead = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
		  ERR_PROTOCOL,
		  "no WebSocket" },
		{ { .instead = "HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nwhy" },
		  ERR_DENIED,
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct server s = cases[i].server;
		struct http_websocket *ws = NULL;
		struct http *http;
		struct err err = { 0 };

		assert_int_equal(dial(&s, &http, &ws, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_non_null(strstr(err.text, cases[i].words));
		stop(&s, http, ws);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_back_as_they_were_sent),
		cmocka_unit_test(the_end_is_seen_after_what_was_said_before),
		cmocka_unit_test(why_nobody_reads_any_more_is_still_read),
		cmocka_unit_test(pings_are_for_what_is_idle),
		cmocka_unit_test(a_stream_of_a_pod_that_is_idle_is_kept),
		cmocka_unit_test(who_breaks_the_protocol_is_left),
		cmocka_unit_test(who_does_not_prove_that_it_understands_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
