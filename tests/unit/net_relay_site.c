/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/net/jsonfile.h"
#include "tunnel/net/relay_site.h"

static void a_url_is_a_host_and_perhaps_a_port(void **state)
{
	static const struct {
		const char *url, *host;
		uint16_t port;
	} good[] = {
		{ "https://relay.example.org", "relay.example.org", 443 },
		{ "https://relay.example.org/", "relay.example.org", 443 },
		{ "https://192.0.2.1:8443", "192.0.2.1", 8443 },
		{ "https://[2001:db8::1]:1/", "2001:db8::1", 1 },
		{ "https://[::1]", "::1", 443 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		cleanup(relay_site_finish) struct relay_site site = { 0 };

		assert_int_equal(relay_site_parse(good[i].url, &site, NULL), 0);
		assert_string_equal(site.url, good[i].url);
		assert_string_equal(site.host, good[i].host);
		assert_int_equal(site.port, good[i].port);
		assert_null(site.token);
	}
}

static void any_other_url_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"relay.example.org",
		"http://relay.example.org",
		"https://",
		"https://:443",
		"https://host:",
		"https://host:0",
		"https://host:65536",
		"https://host:443x",
		"https://host:443/path",
		"https://user@host",
		"https://ho st",
		"https://[::1",
		"https://[host]",
		"https://[]",
		"https://::1",
	};
	char longest[RELAY_SITE_URL_MAX + 2] = "https://";
	struct relay_site site = { 0 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(relay_site_parse(bad[i], &site, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	memset(longest + 8, 'a', sizeof(longest) - 9);
	assert_int_equal(relay_site_parse(longest, &site, &err), -1);
	assert_null(site.url);
}

static void a_token_is_one_visible_word(void **state)
{
	char longest[RELAY_SITE_URL_MAX];

	(void)state;
	assert_true(relay_site_is_token("abc-123_~"));
	assert_false(relay_site_is_token(""));
	assert_false(relay_site_is_token("a b"));
	assert_false(relay_site_is_token("a\"b"));
	assert_false(relay_site_is_token("a\xc3\xa4"));
	memset(longest, 'x', sizeof(longest));
	longest[129] = '\0';
	assert_false(relay_site_is_token(longest));
	longest[128] = '\0';
	assert_true(relay_site_is_token(longest));
}

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="

static int parse(const char *text, struct relay_sites *ret, struct err *err)
{
	cleanup(jsonfile_free) json_t *array = json_loads(text, 0, NULL);

	assert_non_null(array);
	return relay_sites_parse(array, ret, err);
}

static void a_list_survives_being_written_and_read(void **state)
{
	static const char text[] =
		"[{\"url\":\"https://a:1\",\"key\":\"" KEY "\",\"token\":\"one\"},"
		"{\"url\":\"https://b\",\"ca\":\"system\",\"token\":\"two\"}]";
	cleanup(relay_sites_finish) struct relay_sites sites = { 0 }, none = { 0 };
	cleanup(jsonfile_free) json_t *again = NULL;
	cleanup_free char *written = NULL;

	(void)state;
	assert_int_equal(parse(text, &sites, NULL), 0);
	assert_int_equal(sites.len, 2);
	assert_int_equal(sites.items[0].key.bytes[31], 1);
	assert_null(sites.items[0].ca);
	assert_string_equal(sites.items[1].token, "two");
	assert_string_equal(sites.items[1].ca, "system");
	again = relay_sites_json(&sites);
	written = json_dumps(again, JSON_COMPACT);
	assert_string_equal(written, text);
	assert_int_equal(relay_sites_parse(NULL, &none, NULL), 0);
	assert_int_equal(none.len, 0);
}

static void what_is_wrong_with_an_entry_is_said_without_its_token(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "{}", "not an array" },
		{ "[1]", "entry 1: is not an object" },
		{ "[{\"url\":\"https://a\",\"token\":\"s3cret\"}]", "\"key\"" },
		{ "[{\"url\":\"ftp://a\",\"key\":\"" KEY "\",\"token\":\"s3cret\"}]", "ftp://a" },
		{ "[{\"url\":\"https://a\",\"key\":\"" KEY "\",\"token\":\"s3 cret\"}]",
		  "\"token\"" },
		{ "[{\"url\":\"https://a\",\"key\":\"" KEY
		  "\",\"ca\":\"system\",\"token\":\"s3cret\"}]",
		  "instead of \"key\"" },
		{ "[{\"url\":\"https://a\",\"ca\":1,\"token\":\"s3cret\"}]", "\"ca\"" },
		{ "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "more than 16" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct relay_sites sites = { 0 };
		struct err err = { 0 };

		assert_int_equal(parse(bad[i].text, &sites, &err), -1);
		assert_non_null(strstr(err.text, bad[i].says));
		assert_null(strstr(err.text, "cret"));
		assert_null(sites.items);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_is_a_host_and_perhaps_a_port),
		cmocka_unit_test(any_other_url_is_refused),
		cmocka_unit_test(a_token_is_one_visible_word),
		cmocka_unit_test(a_list_survives_being_written_and_read),
		cmocka_unit_test(what_is_wrong_with_an_entry_is_said_without_its_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
