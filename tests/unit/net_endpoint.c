/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "init/base/fs.h"
#include "tunnel/net/endpoint.h"

static const char golden[] =
	"{\"version\": 1, \"rank\": 3, \"host\": \"node1\", \"uid\": 1000, \"addresses\": "
	"[\"10.1.2.3:40001\", \"[2001:db8::1]:40001\", \"127.0.0.1:40001\"], "
	"\"started\": 1790000000.500}\n";

static void an_endpoint_file_is_written_as_documented(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	struct endpoint endpoint = {
		.rank = 3, .host = "node1", .uid = 1000, .started = 1790000000.5
	};
	static const char *const texts[] = { "10.1.2.3:40001", "[2001:db8::1]:40001",
					     "127.0.0.1:40001" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct quic_addr addr;

		assert_true(addr_parse(texts[i], &addr));
		assert_true(addr_list_add(&endpoint.addresses, &addr));
	}
	assert_true(endpoint_format(&endpoint, &b));
	assert_string_equal(buf_str(&b), golden);
}

static void an_endpoint_file_may_say_where_byte_streams_are_taken(void **state)
{
	static const char text[] =
		"{\"version\": 1, \"rank\": 0, \"host\": \"n\", \"uid\": 0, \"addresses\": "
		"[\"10.1.2.3:40001\"], \"tcp\": [\"10.1.2.3:40002\", \"[::1]:40002\"], "
		"\"started\": 1.000}\n";
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	struct endpoint endpoint;
	struct err err;

	(void)state;
	assert_int_equal(endpoint_parse(span_of_str(text), &endpoint, &err), 0);
	assert_int_equal(endpoint.tcp.len, 2);
	assert_int_equal(addr_port(&endpoint.tcp.items[0]), 40002);
	assert_true(endpoint_format(&endpoint, &b));
	assert_string_equal(buf_str(&b), text);
}

static void an_endpoint_file_is_read(void **state)
{
	struct endpoint endpoint;
	struct err err;

	(void)state;
	assert_int_equal(endpoint_parse(span_of_str(golden), &endpoint, &err), 0);
	assert_int_equal(endpoint.rank, 3);
	assert_string_equal(endpoint.host, "node1");
	assert_int_equal(endpoint.uid, 1000);
	assert_int_equal(endpoint.addresses.len, 3);
	assert_int_equal(addr_port(&endpoint.addresses.items[1]), 40001);
}

static void assert_refused(const char *text, enum err_kind kind, const char *words)
{
	struct endpoint endpoint;
	struct err err = { 0 };

	if (endpoint_parse(span_of_str(text), &endpoint, &err) == 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(err.kind, kind);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
}

#define HEAD "{\"version\": 1, \"rank\": 0, \"host\": \"n\", \"uid\": 0, \"started\": 1, "

static void a_broken_endpoint_file_is_refused_with_the_reason(void **state)
{
	(void)state;
	assert_refused("", ERR_INVALID, "not valid JSON");
	assert_refused("{\"version\": 1", ERR_INVALID, "not valid JSON");
	assert_refused("[1]", ERR_INVALID, "not a JSON object");
	assert_refused("{}", ERR_INVALID, "\"version\"");
	assert_refused("{\"version\": 2}", ERR_UNSUPPORTED, "\"version\" is 2");
	assert_refused("{\"version\": 1, \"version\": 1}", ERR_INVALID, "not valid JSON");
	assert_refused("{\"version\": 1, \"rank\": -1}", ERR_INVALID, "\"rank\"");
	assert_refused(HEAD "\"addresses\": []}", ERR_INVALID, "empty");
	assert_refused(HEAD "\"addresses\": {}}", ERR_INVALID, "not an array");
	assert_refused(HEAD "\"addresses\": [\"localhost:1\"]}", ERR_INVALID, "entry 1");
	assert_refused(HEAD "\"addresses\": [\"127.0.0.1:1\", 5]}", ERR_INVALID, "entry 2");
	assert_refused(HEAD "\"addresses\": [\"127.0.0.1:1\"], \"tcp\": 5}", ERR_INVALID,
		       "\"tcp\"");
	assert_refused(HEAD "\"addresses\": [\"127.0.0.1:1\"]} x", ERR_INVALID, "not valid JSON");
}

static void a_file_that_is_not_there_is_told_apart(void **state)
{
	char dir[] = "/tmp/berth-endpoint-XXXXXX";
	cleanup_free char *path = NULL;
	struct endpoint endpoint, back;
	struct stat st;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = fs_join(dir, "endpoint.3.json");
	assert_int_equal(endpoint_read(path, &back, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(endpoint_parse(span_of_str(golden), &endpoint, &err), 0);
	assert_int_equal(endpoint_write(path, &endpoint, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(endpoint_read(path, &back, &err), 0);
	assert_int_equal(back.addresses.len, 3);
	assert_int_equal(fs_remove_tree(dir, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_endpoint_file_is_written_as_documented),
		cmocka_unit_test(an_endpoint_file_may_say_where_byte_streams_are_taken),
		cmocka_unit_test(an_endpoint_file_is_read),
		cmocka_unit_test(a_broken_endpoint_file_is_refused_with_the_reason),
		cmocka_unit_test(a_file_that_is_not_there_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
