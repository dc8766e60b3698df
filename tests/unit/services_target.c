/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/services/target.h"

static void targets_are_names_and_addresses_with_a_port(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		bool is_ip;
	} good[] = {
		{ "localhost:8888", "localhost", 8888, false },
		{ "node-1.site.example:1", "node-1.site.example", 1, false },
		{ "10.0.0.1:65535", "10.0.0.1", 65535, true },
		{ "[::1]:22", "::1", 22, true },
		{ "[2001:db8::1]:443", "2001:db8::1", 443, true },
		{ "host_with_underscore:80", "host_with_underscore", 80, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct target target = { 0 };

		assert_int_equal(target_parse(good[i].text, &target, NULL), 0);
		assert_string_equal(target.host, good[i].host);
		assert_int_equal(target.port, good[i].port);
		assert_int_equal(target.is_ip, good[i].is_ip);
	}
}

static void what_is_no_target_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"host",
		"host:",
		":80",
		"host:0",
		"host:65536",
		"host:-1",
		"host:8 ",
		"host:http",
		"host:80:81",
		"::1:80",
		"[::1]",
		"[::1:80",
		"[]:80",
		"[nonsense]:80",
		"ho st:80",
		"user@host:80",
		"host/x:80",
		"[127.0.0.1]:80",
		"h\xc3\xb6st:80",
		"[fe80::1%eth0]:80",
		"*:80",
	};
	char long_name[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct target target;
		struct err err = { 0 };

		assert_int_equal(target_parse(bad[i], &target, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	memset(long_name, 'a', sizeof(long_name));
	memcpy(long_name + 254, ":80", 4);
	assert_int_equal(target_parse(long_name, &(struct target){ 0 }, NULL), -1);
	memcpy(long_name + 253, ":80", 4);
	assert_int_equal(target_parse(long_name, &(struct target){ 0 }, NULL), 0);
}

static bool is_allowed(const char *text, const char *rule)
{
	char *rules[] = { (char *)(uintptr_t)rule };
	struct target target;

	assert_int_equal(target_parse(text, &target, NULL), 0);
	return target_is_allowed(&target, rules, rule ? 1 : 0);
}

static void loopback_is_always_allowed(void **state)
{
	(void)state;
	assert_true(is_allowed("127.0.0.1:80", NULL));
	assert_true(is_allowed("127.255.3.4:80", NULL));
	assert_true(is_allowed("[::1]:80", NULL));
	assert_true(is_allowed("[::ffff:127.0.0.1]:80", NULL));
	assert_true(is_allowed("LocalHost:80", NULL));
}

static void others_are_not_unless_a_rule_names_them(void **state)
{
	(void)state;
	assert_false(is_allowed("10.0.0.1:80", NULL));
	assert_false(is_allowed("0.0.0.0:80", NULL));
	assert_false(is_allowed("[::]:80", NULL));
	assert_false(is_allowed("[::ffff:10.0.0.1]:80", NULL));
	assert_false(is_allowed("localhost.evil.example:80", NULL));
	assert_false(is_allowed("128.0.0.1:80", NULL));

	assert_true(is_allowed("db:5432", "db:5432"));
	assert_true(is_allowed("DB:5432", "db:5432"));
	assert_false(is_allowed("db:5433", "db:5432"));
	assert_false(is_allowed("db2:5432", "db:5432"));
	assert_true(is_allowed("[2001:DB8:0::1]:80", "[2001:db8::1]:80"));
}

static void either_part_of_a_rule_may_be_a_star(void **state)
{
	(void)state;
	assert_true(is_allowed("db:1", "db:*"));
	assert_false(is_allowed("other:1", "db:*"));
	assert_true(is_allowed("any.host:443", "*:443"));
	assert_false(is_allowed("any.host:444", "*:443"));
	assert_true(is_allowed("[2001:db8::1]:9", "*:*"));
	assert_false(is_allowed("any.host:443", "*"));
	assert_false(is_allowed("any.host:443", "*:"));
	assert_false(is_allowed("any.host:443", ""));
}

static void paths_of_sockets_are_decoded(void **state)
{
	char path[TARGET_PATH_MAX + 1];

	(void)state;
	assert_int_equal(target_parse_unix("/unix/%2Ftmp%2fa%20b", path, NULL), 0);
	assert_string_equal(path, "/tmp/a b");
	assert_int_equal(target_parse_unix("/unix//tmp/s", path, NULL), 0);
	assert_string_equal(path, "/tmp/s");
}

static void paths_that_no_socket_can_have_are_refused(void **state)
{
	static const char *const bad[] = { "/unix/",	"/unix/relative", "/unix/%2Ftmp%2",
					   "/unix/%2G", "/unix/%2Fa%00b", "/other/%2Ftmp",
					   "/unix/%",	"/unix/%2Ftmp%" };
	char path[TARGET_PATH_MAX + 1], text[200] = "/unix/%2F";
	size_t len = strlen(text);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(target_parse_unix(bad[i], path, NULL), -1);
	memset(text + len, 'x', TARGET_PATH_MAX);
	assert_int_equal(target_parse_unix(text, path, NULL), -1);
	text[len + TARGET_PATH_MAX - 1] = '\0';
	assert_int_equal(target_parse_unix(text, path, NULL), 0);
	assert_int_equal(strlen(path), TARGET_PATH_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_names_and_addresses_with_a_port),
		cmocka_unit_test(what_is_no_target_is_refused),
		cmocka_unit_test(loopback_is_always_allowed),
		cmocka_unit_test(others_are_not_unless_a_rule_names_them),
		cmocka_unit_test(either_part_of_a_rule_may_be_a_star),
		cmocka_unit_test(paths_of_sockets_are_decoded),
		cmocka_unit_test(paths_that_no_socket_can_have_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
