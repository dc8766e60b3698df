/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "init/base/macro.h"
#include "tunnel/net/proxy.h"

static void a_proxy_is_taken_apart(void **state)
{
	static const struct {
		const char *text, *host, *credentials;
		uint16_t port;
	} cases[] = {
		{ "http://proxy.example:3128", "proxy.example", "", 3128 },
		{ "HTTP://proxy.example:3128/", "proxy.example", "", 3128 },
		{ "proxy.example", "proxy.example", "", 1080 },
		{ "10.0.0.1:8080", "10.0.0.1", "", 8080 },
		{ "http://[2001:db8::1]:3128", "2001:db8::1", "", 3128 },
		{ "http://me:se%40cret@p:1", "p", "me:se@cret", 1 },
		{ "http://me@p:1", "p", "me:", 1 },
		{ "me:a@b@p:1", "p", "me:a@b", 1 },
	};
	struct proxy proxy;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(proxy_parse(cases[i].text, &proxy, NULL), 0);
		assert_string_equal(proxy.host, cases[i].host);
		assert_string_equal(proxy.credentials, cases[i].credentials);
		assert_int_equal(proxy.port, cases[i].port);
	}
}

static void what_is_no_proxy_of_ours_is_refused_with_a_sentence(void **state)
{
	static const char *const cases[] = {
		"https://proxy:1",
		"socks5://proxy:1",
		"http://",
		"http://proxy:0",
		"http://proxy:99999",
		"http://pro xy:1",
		"http://:80",
		"http://[::1",
		"http://u:%zz@proxy:1",
		"http://a%3ab:c@proxy:1",
		"http://u:%0a@proxy:1",
	};
	struct proxy proxy;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(proxy_parse(cases[i], &proxy, &err), -1);
		assert_non_null(strstr(err.text, "http://"));
	}
}

static void a_list_of_exceptions_is_read_as_curl_reads_it(void **state)
{
	static const struct {
		const char *list, *host;
		bool is_excepted;
	} cases[] = {
		{ "example.org", "example.org", true },
		{ "example.org", "relay.example.org", true },
		{ ".example.org", "relay.example.org", true },
		{ ".example.org", "example.org", true },
		{ "example.org.", "EXAMPLE.org", true },
		{ "example.org", "example.org.", true },
		{ "example.org", "notexample.org", false },
		{ "a.org,b.org", "b.org", true },
		{ "a.org b.org , c.org", "c.org", true },
		{ "*", "anything", true },
		{ "*", "10.0.0.1", true },
		{ "*.org", "example.org", false },
		{ "", "example.org", false },
		{ ",,", "example.org", false },
		{ "10.0.0.0/8", "10.200.1.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "192.168.0.0/20", "192.168.15.255", true },
		{ "192.168.0.0/20", "192.168.16.0", false },
		{ "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.10", false },
		{ "0.0.0.1", "10.0.0.1", false },
		{ "[::1]", "::1", true },
		{ "::1", "::1", true },
		{ "2001:db8::/32", "2001:db8:7::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "10.0.0.0/33", "10.0.0.0", false },
		{ "10.0.0.0/8", "example.org", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (proxy_is_excepted(cases[i].list, cases[i].host) != cases[i].is_excepted)
			fail_msg("no_proxy='%s', host %s", cases[i].list, cases[i].host);
	}
}

static void the_environment_is_asked_in_curls_order(void **state)
{
	static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
					     "ALL_PROXY",   "no_proxy",	   "NO_PROXY" };
	struct proxy proxy;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	setenv("http_proxy", "http://never:1", 1);
	assert_int_equal(proxy_from_environment("relay", &proxy, &err), 0);
	assert_string_equal(proxy.host, "");
	for (size_t i = 4; i-- > 0;) {
		char url[32];

		snprintf(url, sizeof(url), "http://p%zu:1", i);
		setenv(names[i], url, 1);
		assert_int_equal(proxy_from_environment("relay", &proxy, &err), 0);
		assert_int_equal(proxy.host[1] - '0', (int)i);
		assert_string_equal(proxy.variable, names[i]);
	}
	setenv("https_proxy", "", 1);
	assert_int_equal(proxy_from_environment("relay", &proxy, &err), 0);
	assert_string_equal(proxy.variable, "HTTPS_PROXY");
	setenv("NO_PROXY", "relay", 1);
	assert_int_equal(proxy_from_environment("relay", &proxy, &err), 0);
	assert_string_equal(proxy.host, "");
	setenv("no_proxy", "other", 1);
	assert_int_equal(proxy_from_environment("relay", &proxy, &err), 0);
	assert_string_equal(proxy.host, "p1");
	setenv("https_proxy", "socks5://x:1", 1);
	assert_int_equal(proxy_from_environment("relay", &proxy, &err), -1);
	assert_non_null(strstr(err.text, "https_proxy: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proxy_is_taken_apart),
		cmocka_unit_test(what_is_no_proxy_of_ours_is_refused_with_a_sentence),
		cmocka_unit_test(a_list_of_exceptions_is_read_as_curl_reads_it),
		cmocka_unit_test(the_environment_is_asked_in_curls_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
