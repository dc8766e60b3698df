/* SPDX-License-Identifier: MIT */
/* Tokens: what they say of themselves, and where they come from. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/auth/jwt.h"
#include "controller/auth/token.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_tells_its_end_or_nothing),
		cmocka_unit_test(a_cluster_without_settings_has_no_source),
		cmocka_unit_test(a_file_is_read_once_and_again_when_its_token_was_refused),
		cmocka_unit_test(a_command_prints_the_token),
		cmocka_unit_test(what_is_no_token_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
