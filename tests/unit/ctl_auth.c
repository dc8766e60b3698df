/* SPDX-License-Identifier: MIT */
/* Tokens: what they say of themselves, and where they come from. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/auth/cache.h"
#include "controller/auth/jwt.h"
#include "controller/auth/loopback.h"
#include "controller/auth/oidc.h"
#include "controller/auth/pkce.h"
#include "controller/auth/secret_env.h"
#include "controller/auth/token.h"
#include "controller/http/url.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

/* {"exp":1795285296} between parts that do not matter. */
#define JWT "x.eyJleHAiOjE3OTUyODUyOTZ9.y"

static char file[] = "/tmp/berth-unit-token.XXXXXX";

static void put(const char *text)
{
	assert_int_equal(fs_write_file(file, span_of_str(text), 0600, NULL), 0);
}

static int set_up(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(file);
}

static void a_token_tells_its_end_or_nothing(void **state)
{
	(void)state;
	assert_int_equal(jwt_end(JWT), 1795285296);
	assert_int_equal(jwt_end("x.eyJleHAiOjF9.y"), 1);
	assert_int_equal(jwt_end("x.eyJleHAiOjEuNX0.y"), 1); /* 1.5 */
	assert_int_equal(jwt_end("x.eyJleHAiOi0xfQ.y"), 0);  /* -1 */
	assert_int_equal(jwt_end("x..y"), 0);
	assert_int_equal(jwt_end("nonsense"), 0);
	assert_int_equal(jwt_end("a.b"), 0);
}

static struct token_source *opened(const char *token_file, const char *const *command)
{
	const struct token_settings settings = { .cluster = "c",
						 .token_file = token_file,
						 .token_command = command };
	struct token_source *source = NULL;

	assert_int_equal(token_source_open(&settings, &source, NULL), 0);
	return source;
}

static void a_cluster_without_settings_has_no_source(void **state)
{
	(void)state;
	assert_null(opened(NULL, NULL));
}

static void a_file_is_read_once_and_again_when_its_token_was_refused(void **state)
{
	cleanup(token_source_close) struct token_source *source = opened(file, NULL);
	const char *token;

	(void)state;
	put("  first\nmore\n");
	assert_int_equal(token_get(source, false, &token, NULL), 0);
	assert_string_equal(token, "first");
	assert_int_equal(token_end(source), 0);
	put("SLURM_JWT=" JWT "\n");
	assert_int_equal(token_get(source, false, &token, NULL), 0);
	assert_string_equal(token, "first");
	assert_int_equal(token_get(source, true, &token, NULL), 0);
	assert_string_equal(token, JWT);
	assert_int_equal(token_end(source), 1795285296);
}

static void a_command_prints_the_token(void **state)
{
	static const char *const command[] = { "echo", "word", NULL };
	cleanup(token_source_close) struct token_source *source = opened("/nowhere", command);
	const char *token;

	(void)state;
	assert_int_equal(token_get(source, false, &token, NULL), 0);
	assert_string_equal(token, "word");
}

static void what_is_no_token_is_refused_in_words(void **state)
{
	static const char *const no[] = { "", "\n", "two words", "b\001ell", "\303\244" };
	static const char *const fails[] = { "sh", "-c", "echo secret; echo why >&2; exit 3",
					     NULL };
	static const char *const floods[] = { "head", "-c", "20000", "/dev/zero", NULL };
	struct err err = { 0 };
	const char *token;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		cleanup(token_source_close) struct token_source *source = opened(file, NULL);

		put(no[i]);
		assert_int_equal(token_get(source, false, &token, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.text, "token_file gives no token"));
	}
	struct token_source *source = opened(NULL, fails);

	assert_int_equal(token_get(source, false, &token, &err), -1);
	assert_string_equal(err.text, "token_command ended with status 3: why");
	token_source_close(source);
	source = opened(NULL, floods);
	assert_int_equal(token_get(source, false, &token, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	token_source_close(source);
	source = opened("/nowhere/at/all", NULL);
	assert_int_equal(token_get(source, false, &token, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	token_source_close(source);
}

static struct span text_of(const char *text)
{
	return span_of_str(text);
}

static void addresses_that_secrets_go_to_are_https_or_here(void **state)
{
	static const char *const safe[] = { "https://a.example",       "HTTPS://a.example:1/b?c=d",
					    "http://127.0.0.1:8080/x", "http://localhost/",
					    "http://[::1]:1/",	       "https://[2001:db8::1]/" };
	static const char *const unsafe[] = { "http://a.example/",
					      "https://",
					      "https:///x",
					      "ftp://localhost/",
					      "https://u@a.example/",
					      "https://a.example/#x",
					      "https://a.example\\@b",
					      "https://a.example/ x",
					      "http://127.0.0.1.evil/",
					      "http://localhost.evil/",
					      "http://localhost@evil/",
					      "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		assert_true(url_is_safe(safe[i]));
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		assert_false(url_is_safe(unsafe[i]));
}

static void an_address_is_a_server_and_a_path(void **state)
{
	static const char *const parts[][3] = {
		{ "https://a.example", "https://a.example", "/" },
		{ "https://a.example:1/b/c?d=e", "https://a.example:1", "/b/c?d=e" },
		{ "https://a.example?d", "https://a.example", "/?d" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		cleanup_free char *server = NULL;
		cleanup_free char *path = NULL;

		url_split(parts[i][0], &server, &path);
		assert_string_equal(server, parts[i][1]);
		assert_string_equal(path, parts[i][2]);
	}
}

static void forms_are_escaped_and_read_back(void **state)
{
	cleanup(buf_finish) struct buf form = BUF_INIT(64);
	char value[16];

	(void)state;
	assert_true(url_add_field(&form, "a", "1 &=+%"));
	assert_true(url_add_field(&form, "b", ""));
	assert_string_equal(buf_str(&form), "a=1%20%26%3D%2B%25&b=");
	assert_true(url_field(buf_span(&form), "a", value, sizeof(value)));
	assert_string_equal(value, "1 &=+%");
	assert_true(url_field(buf_span(&form), "b", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(url_field(text_of("x=1+2&x=3"), "x", value, sizeof(value)));
	assert_string_equal(value, "1 2");
	assert_false(url_field(text_of("ax=1"), "x", value, sizeof(value)));
	assert_false(url_field(text_of("x=%4"), "x", value, sizeof(value)));
	assert_false(url_field(text_of("x=%zz"), "x", value, sizeof(value)));
	assert_false(url_field(text_of("x=%00"), "x", value, sizeof(value)));
	assert_false(url_field(text_of("x=0123456789abcdef"), "x", value, sizeof(value)));
	assert_false(url_add_field(&form, "long", "0123456789012345678901234567890123456789"));
}

static void a_verifier_is_proven_by_its_hash(void **state)
{
	char challenge[PKCE_WORD_SIZE];
	struct pkce a, b;

	/* The example of RFC 7636, appendix B. */
	(void)state;
	pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge);
	assert_string_equal(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
	assert_int_equal(pkce_init(&a, NULL), 0);
	assert_int_equal(pkce_init(&b, NULL), 0);
	assert_int_equal(strlen(a.verifier), 43);
	assert_string_not_equal(a.verifier, b.verifier);
	assert_string_not_equal(a.state, b.state);
	assert_string_not_equal(a.state, a.verifier);
}

static int answer(const struct pkce *pkce, const char *fmt, const char *issuer, char *code)
{
	cleanup_free char *query = str_printf("%s&state=%s", fmt, pkce->state);

	return pkce_read_answer(pkce, text_of(query), issuer, code, NULL);
}

static void only_the_answer_to_this_login_counts(void **state)
{
	char code[PKCE_CODE_MAX];
	struct pkce pkce;

	(void)state;
	assert_int_equal(pkce_init(&pkce, NULL), 0);
	assert_int_equal(pkce_read_answer(&pkce, text_of("code=x"), NULL, code, NULL), 0);
	assert_int_equal(pkce_read_answer(&pkce, text_of("code=x&state="), NULL, code, NULL), 0);
	assert_int_equal(pkce_read_answer(&pkce, text_of("error=x&state=y"), NULL, code, NULL), 0);
	assert_int_equal(answer(&pkce, "code=x", NULL, code), 1);
	assert_string_equal(code, "x");
	assert_int_equal(answer(&pkce, "code=x", "https://i", code), -1);
	assert_int_equal(answer(&pkce, "code=x&iss=https%3A%2F%2Fj", "https://i", code), -1);
	assert_int_equal(answer(&pkce, "code=x&iss=https%3A%2F%2Fi", "https://i", code), 1);
	assert_int_equal(answer(&pkce, "error=access_denied", NULL, code), -1);
	assert_int_equal(answer(&pkce, "code=a%20b", NULL, code), -1);
	assert_int_equal(answer(&pkce, "nothing=x", NULL, code), -1);
}

static void a_browser_is_read_as_far_as_it_matters(void **state)
{
	static const char whole[] = "GET /callback?a=b HTTP/1.1\r\nHost: x\r\n\r\n";
	struct span query;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		assert_int_equal(loopback_parse(span_of(whole, len), &query), 0);
	assert_int_equal(loopback_parse(text_of(whole), &query), 1);
	assert_true(span_equal_str(query, "a=b"));
	assert_int_equal(loopback_parse(text_of("GET /callback HTTP/1.1\r\n\r\n"), &query), 1);
	assert_int_equal(query.len, 0);
	assert_int_equal(loopback_parse(text_of("GET /callbacks?a HTTP/1.1\r\n\r\n"), &query), -1);
	assert_int_equal(loopback_parse(text_of("GET /callback\r\n\r\n"), &query), -1);
	assert_int_equal(loopback_parse(text_of("POST /callback"), &query), -1);
	assert_int_equal(loopback_parse(text_of("\x16\x03\x01"), &query), -1);
}

static void tokens_last_as_long_as_somebody_says(void **state)
{
	static const struct {
		const char *text;
		uint64_t lifetime_s, refresh_lifetime_s;
	} known[] = {
		{ "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":300}", 300, 0 },
		{ "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":\"300\"}", 300,
		  0 },
		{ "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", 0, 0 },
		{ "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":-1}", 0, 0 },
		{ "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":1e99}", 0, 0 },
		/* Issued at 1, good until 301: whatever the time is here, that is 300 seconds. */
		{ "{\"access_token\":\"x.eyJpYXQiOjEsImV4cCI6MzAxfQ.y\",\"token_type\":\"BEARER\"}",
		  300, 0 },
		{ "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"refresh_token\":\"r\","
		  "\"refresh_expires_in\":99999999999}",
		  0, OIDC_LIFETIME_MAX_S },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		cleanup(oidc_tokens_finish) struct oidc_tokens tokens = { 0 };

		assert_int_equal(oidc_parse_tokens(text_of(known[i].text), &tokens, NULL), 0);
		assert_int_equal(tokens.lifetime_s, known[i].lifetime_s);
		assert_int_equal(tokens.refresh_lifetime_s, known[i].refresh_lifetime_s);
	}
}

static void answers_that_could_do_harm_are_refused(void **state)
{
	static const char *const tokens[] = {
		"",
		"[]",
		"{\"access_token\":\"a\"}",
		"{\"access_token\":\"a\",\"token_type\":\"mac\"}",
		"{\"access_token\":\"a\\r\\nX: y\",\"token_type\":\"bearer\"}",
		"{\"access_token\":\"\",\"token_type\":\"bearer\"}",
		"{\"access_token\":7,\"token_type\":\"bearer\"}",
		"{\"access_token\":\"a\",\"token_type\":\"bearer\",\"refresh_token\":\"\\u00e4\"}",
	};
	static const char *const issuers[] = {
		"{\"token_endpoint\":\"https://i.example/t\"}",
		"{\"issuer\":\"https://j.example\",\"token_endpoint\":\"https://i.example/t\"}",
		"{\"issuer\":\"https://i.example\"}",
		"{\"issuer\":\"https://i.example\",\"token_endpoint\":\"http://i.example/t\"}",
	};
	static const char *const devices[] = {
		"{\"device_code\":\"d\",\"user_code\":\"a\\u001b[1m\",\"verification_uri\":\"https://i\"}",
		"{\"device_code\":\"d\",\"user_code\":\"A\",\"verification_uri\":\"javascript:1\"}",
		"{\"device_code\":\"d\",\"user_code\":\"A\"}",
		"{\"user_code\":\"A\",\"verification_uri\":\"https://i\"}",
	};
	struct oidc_tokens no_tokens = { 0 };
	struct oidc_issuer no_issuer = { 0 };
	struct oidc_device no_device = { 0 };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		assert_int_equal(oidc_parse_tokens(text_of(tokens[i]), &no_tokens, &err), -1);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
	for (size_t i = 0; i < ARRAY_LEN(issuers); i++)
		assert_int_equal(oidc_parse_issuer(text_of(issuers[i]), "https://i.example",
						   &no_issuer, &err),
				 -1);
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		assert_int_equal(oidc_parse_device(text_of(devices[i]), &no_device, &err), -1);
	assert_null(no_tokens.access);
	assert_null(no_issuer.token_url);
	assert_null(no_device.url);
}

static void tokens_are_renewed_a_while_before_they_end(void **state)
{
	struct oidc_tokens got = { .access = str_dup("a"),
				   .refresh = str_dup("r"),
				   .lifetime_s = 300,
				   .refresh_lifetime_s = 1800 };
	struct oidc_tokens next = { .access = str_dup("b"), .lifetime_s = 10 };
	cleanup(cached_finish) struct cached cached = { 0 };

	(void)state;
	assert_false(cached_is_good(&cached, 1000, false));
	cached_take(&cached, &got, 1000);
	assert_null(got.access);
	assert_int_equal(cached.ends_s, 1300);
	assert_int_equal(cached.refresh_ends_s, 2800);
	assert_true(cached_is_good(&cached, 1239, true));
	assert_false(cached_is_good(&cached, 1240, true));
	assert_true(cached_is_good(&cached, 1299, false));
	assert_false(cached_is_good(&cached, 1300, false));
	/* The clock was set back by more than clocks differ. */
	assert_true(cached_is_good(&cached, 950, true));
	assert_false(cached_is_good(&cached, 900, true));
	/* A renewal that brings no refresh token leaves the one that there is, and its end. */
	cached_take(&cached, &next, 2000);
	assert_string_equal(cached.tokens.access, "b");
	assert_string_equal(cached.tokens.refresh, "r");
	assert_int_equal(cached.refresh_ends_s, 2800);
	assert_true(cached_is_good(&cached, 2007, true));
	assert_false(cached_is_good(&cached, 2008, true));
}

static void what_is_cached_is_read_back(void **state)
{
	cleanup(cached_finish) struct cached read = { 0 };
	struct cached written = { .at = { .token_url = str_dup("https://i.example/t"),
					  .takes_basic = true },
				  .tokens = { .access = str_dup("a\"b"), .refresh = str_dup("r") },
				  .grant = "code",
				  .obtained_s = 7,
				  .ends_s = 8 };

	(void)state;
	assert_int_equal(cache_write(file, &written, NULL), 0);
	assert_int_equal(cache_read(file, &read, NULL), 0);
	assert_string_equal(read.tokens.access, "a\"b");
	assert_string_equal(read.at.token_url, "https://i.example/t");
	assert_string_equal(read.grant, "code");
	assert_true(read.at.takes_basic);
	assert_int_equal(read.ends_s, 8);
	cached_finish(&written);
	assert_int_equal(cache_read("/nowhere", &written, NULL), 0);
	assert_null(written.tokens.access);
}

static void secrets_leave_the_environment_and_come_back(void **state)
{
	cleanup_free char *name = secret_env_name("my-hpc");

	(void)state;
	assert_string_equal(name, "BERTH_CLIENT_SECRET_MY_HPC");
	setenv(name, "s", 1);
	setenv("BERTH_CLIENT_SECRET_EMPTY", "", 1);
	secret_env_hide();
	assert_null(getenv(name));
	assert_string_equal(secret_env_get(name), "s");
	assert_null(secret_env_get("BERTH_CLIENT_SECRET_EMPTY"));
	assert_null(secret_env_get("BERTH_CLIENT_SECRET_MY"));
	secret_env_show();
	assert_string_equal(getenv(name), "s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_tells_its_end_or_nothing),
		cmocka_unit_test(a_cluster_without_settings_has_no_source),
		cmocka_unit_test(a_file_is_read_once_and_again_when_its_token_was_refused),
		cmocka_unit_test(a_command_prints_the_token),
		cmocka_unit_test(what_is_no_token_is_refused_in_words),
		cmocka_unit_test(addresses_that_secrets_go_to_are_https_or_here),
		cmocka_unit_test(an_address_is_a_server_and_a_path),
		cmocka_unit_test(forms_are_escaped_and_read_back),
		cmocka_unit_test(a_verifier_is_proven_by_its_hash),
		cmocka_unit_test(only_the_answer_to_this_login_counts),
		cmocka_unit_test(a_browser_is_read_as_far_as_it_matters),
		cmocka_unit_test(tokens_last_as_long_as_somebody_says),
		cmocka_unit_test(answers_that_could_do_harm_are_refused),
		cmocka_unit_test(tokens_are_renewed_a_while_before_they_end),
		cmocka_unit_test(what_is_cached_is_read_back),
		cmocka_unit_test(secrets_leave_the_environment_and_come_back),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
