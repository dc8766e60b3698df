/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/wire/http1.h"

#define UPGRADE                               \
	"GET /datagrams HTTP/1.1\r\n"         \
	"Host: job\r\n"                       \
	"connection: keep-alive, Upgrade\r\n" \
	"UPGRADE:\tberth-datagrams \r\n"      \
	"\r\n"

static void a_request_is_taken_apart(void **state)
{
	struct http1_head head;
	struct span value;
	size_t len;

	(void)state;
	assert_int_equal(http1_parse_request(span_of_str(UPGRADE "more"), &head, &len, NULL), 1);
	assert_int_equal(len, strlen(UPGRADE));
	assert_true(span_equal_str(head.method, "GET"));
	assert_true(span_equal_str(head.target, "/datagrams"));
	assert_int_equal(head.minor, 1);
	assert_int_equal(head.fields_len, 3);
	assert_true(http1_field(&head, "upgrade", &value));
	assert_true(span_equal_str(value, "berth-datagrams"));
	assert_false(http1_field(&head, "upgrad", &value));
	assert_true(http1_has_token(&head, "Connection", "upgrade"));
	assert_false(http1_has_token(&head, "Connection", "close"));
	assert_true(http1_has_no_body(&head));
}

static void a_head_is_complete_with_its_last_byte_and_not_before(void **state)
{
	struct http1_head head;
	size_t len;

	(void)state;
	for (size_t i = 0; i < strlen(UPGRADE); i++)
		assert_int_equal(http1_parse_request(span_of(UPGRADE, i), &head, &len, NULL), 0);
	assert_int_equal(http1_parse_request(span_of_str(UPGRADE), &head, &len, NULL), 1);
}

static void responses_tell_their_status_and_reason(void **state)
{
	static const struct {
		const char *text, *reason;
		unsigned int status, minor;
	} cases[] = {
		{ "HTTP/1.1 101 Switching Protocols\r\n\r\n", "Switching Protocols", 101, 1 },
		{ "HTTP/1.0 200 Connection established\r\n\r\n", "Connection established", 200, 0 },
		{ "HTTP/1.1 407 \r\nProxy-Authenticate: x\r\n\r\n", "", 407, 1 },
		{ "HTTP/1.1 502\r\n\r\n", "", 502, 1 },
	};
	struct http1_head head;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span text = span_of_str(cases[i].text);

		assert_int_equal(http1_parse_response(text, &head, &len, NULL), 1);
		assert_int_equal(head.status, cases[i].status);
		assert_int_equal(head.minor, cases[i].minor);
		assert_true(span_equal_str(head.reason, cases[i].reason));
	}
}

static void what_is_not_strictly_http_is_refused(void **state)
{
	static const char *const requests[] = {
		"GET / HTTP/2.0\r\n\r\n",
		"GET /\r\n\r\n",
		"GET  / HTTP/1.1\r\n\r\n",
		" GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1 \r\n\r\n",
		"GET /\x01 HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\n\r\n\r\n",
		"G\xe9T / HTTP/1.1\r\n\r\n",
		"AVERYLONGMETHODNAME / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nname : value\r\n\r\n",
		"GET / HTTP/1.1\r\nname: value\r\n folded\r\n\r\n",
		"GET / HTTP/1.1\r\n: value\r\n\r\n",
		"GET / HTTP/1.1\r\nname\r\n\r\n",
		"GET / HTTP/1.1\r\nname: a\x01\r\n\r\n",
		"GET / HTTP/1.1\r\nname: a\nb: c\r\n\r\n",
	};
	static const char *const responses[] = {
		"HTTP/1.1 99 x\r\n\r\n",   "HTTP/1.1 600 x\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 x\r\n\r\n", "HTTP/1.1 -20 x\r\n\r\n", "SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/1.1\r\n\r\n",
	};
	struct http1_head head;
	struct err err;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		assert_int_equal(http1_parse_request(span_of_str(requests[i]), &head, &len, &err),
				 -1);
	for (size_t i = 0; i < ARRAY_LEN(responses); i++)
		assert_int_equal(http1_parse_response(span_of_str(responses[i]), &head, &len, &err),
				 -1);
}

static void another_protocol_is_known_by_its_first_line(void **state)
{
	static const char ssh[] = "SSH-2.0-OpenSSH_9.2p1\r\n", tls[] = "\x16\x03\x01\x02";
	struct http1_head head;
	size_t len;

	(void)state;
	assert_int_equal(http1_parse_response(span_of_str(ssh), &head, &len, NULL), -1);
	assert_int_equal(http1_parse_request(span_of_str(tls), &head, &len, NULL), -1);
}

static void a_head_has_a_limit(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * HTTP1_HEAD_MAX);
	struct http1_head head;
	struct err err;
	size_t len;

	(void)state;
	assert_true(buf_printf(&b, "GET / HTTP/1.1\r\nx: "));
	while (buf_len(&b) < HTTP1_HEAD_MAX - 1)
		assert_true(buf_append_u8(&b, 'a'));
	assert_int_equal(http1_parse_request(buf_span(&b), &head, &len, NULL), 0);
	assert_true(buf_append_u8(&b, 'a'));
	assert_int_equal(http1_parse_request(buf_span(&b), &head, &len, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	buf_truncate(&b, HTTP1_HEAD_MAX - 4);
	assert_true(buf_printf(&b, "\r\n\r\n"));
	assert_int_equal(http1_parse_request(buf_span(&b), &head, &len, NULL), 1);
}

static void there_may_be_so_many_fields_and_no_more(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(HTTP1_HEAD_MAX);
	struct http1_head head;
	struct err err;
	size_t len;

	(void)state;
	assert_true(buf_printf(&b, "GET / HTTP/1.1\r\n"));
	for (int i = 0; i < HTTP1_FIELDS_MAX; i++)
		assert_true(buf_printf(&b, "x: %d\r\n", i));
	len = buf_len(&b);
	assert_true(buf_printf(&b, "\r\n"));
	assert_int_equal(http1_parse_request(buf_span(&b), &head, &len, NULL), 1);
	buf_truncate(&b, buf_len(&b) - 2);
	assert_true(buf_printf(&b, "one: more\r\n\r\n"));
	assert_int_equal(http1_parse_request(buf_span(&b), &head, &len, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
}

static void fields_that_come_twice_are_ambiguous_and_lists_are_not(void **state)
{
	static const char text[] = "HTTP/1.1 407 x\r\n"
				   "Proxy-Authenticate: Negotiate\r\n"
				   "Proxy-Authenticate: Basic realm=\"a, b\"\r\n"
				   "Connection: close\r\n\r\n";
	struct http1_head head;
	struct span value;
	size_t len;

	(void)state;
	assert_int_equal(http1_parse_response(span_of_str(text), &head, &len, NULL), 1);
	assert_false(http1_field(&head, "proxy-authenticate", &value));
	assert_true(http1_has_token(&head, "proxy-authenticate", "basic"));
	assert_true(http1_has_token(&head, "proxy-authenticate", "negotiate"));
	assert_false(http1_has_token(&head, "proxy-authenticate", "realm"));
	assert_true(http1_field(&head, "CONNECTION", &value));
}

static void a_request_with_a_body_is_known(void **state)
{
	struct http1_head head;
	size_t len;

	(void)state;
	assert_int_equal(http1_parse_request(span_of_str("GET / HTTP/1.1\r\n"
							 "Transfer-Encoding: chunked\r\n\r\n"),
					     &head, &len, NULL),
			 1);
	assert_false(http1_has_no_body(&head));
	assert_int_equal(http1_parse_request(span_of_str("GET / HTTP/1.1\r\n"
							 "Content-Length: 7\r\n\r\n"),
					     &head, &len, NULL),
			 1);
	assert_false(http1_has_no_body(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_taken_apart),
		cmocka_unit_test(a_head_is_complete_with_its_last_byte_and_not_before),
		cmocka_unit_test(responses_tell_their_status_and_reason),
		cmocka_unit_test(what_is_not_strictly_http_is_refused),
		cmocka_unit_test(another_protocol_is_known_by_its_first_line),
		cmocka_unit_test(a_head_has_a_limit),
		cmocka_unit_test(there_may_be_so_many_fields_and_no_more),
		cmocka_unit_test(fields_that_come_twice_are_ambiguous_and_lists_are_not),
		cmocka_unit_test(a_request_with_a_body_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
