/* SPDX-License-Identifier: MIT */
/* Changing a file of the configuration: every other byte of it stays. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "controller/config/config.h"
#include "init/base/alloc.h"

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct config *parsed(const char *text)
{
	struct config *config = config_new();
	struct err err;

	if (config_parse(config, "f", span_of_str(text), false, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void assert_edits(const char *before, const char *key, const char *value, const char *after)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	const char *const values[] = { value };
	struct err err;

	if (config_edit("f", span_of_str(before),
			&(struct config_edit){ CONFIG_SET, key, values, 1 }, &text, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_str(&text), after);
}

static void a_change_keeps_every_other_byte(void **state)
{
	(void)state;
	assert_edits("", "context", "local", "context: local\n");
	assert_edits("# a", "clusters.hpc.login", "b", "# a\nclusters:\n  hpc:\n    login: b\n");
	assert_edits("context: a # why\n\n", "context", "b", "context: b # why\n\n");
	assert_edits("context: 'a' # why\n", "context", "b", "context: b # why\n");
	assert_edits("context: \"a\"", "context", "b", "context: b");
	assert_edits("clusters:\n    # big\n    hpc:\n        home: /a   # b\n",
		     "clusters.hpc.home", "~/x y",
		     "clusters:\n    # big\n    hpc:\n        home: \"~/x y\"   # b\n");
	assert_edits("clusters:\n    hpc:\n        home: /a\n", "clusters.hpc.job.time", "1h",
		     "clusters:\n    hpc:\n        job:\n          time: 1h\n        home: /a\n");
	assert_edits("clusters:\n  hpc:\ncontext: a\n", "clusters.hpc.login", "b",
		     "clusters:\n  hpc:\n    login: b\ncontext: a\n");
	assert_edits("defaults:\n  paths: [login]\n", "context", "b",
		     "defaults:\n  paths: [login]\ncontext: b\n");
}

static void a_list_is_replaced_on_its_line(void **state)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	const char *const values[] = { "direct", "login" };
	const char *before = "defaults:\n  paths: [relay] # c\n";

	(void)state;
	assert_int_equal(
		config_edit("f", span_of_str(before),
			    &(struct config_edit){ CONFIG_SET, "defaults.paths", values, 2 }, &text,
			    NULL),
		0);
	assert_string_equal(buf_str(&text), "defaults:\n  paths: [direct, login] # c\n");
}

#define KEY_WORD "key=" KEY
#define KEY_LINE "key: " KEY "\n"

static void assert_changes(const char *before, enum config_change change, const char *words,
			   const char *after)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	cleanup_free char *copy = str_dup(words);
	const char *parts[8];
	size_t len = 0;
	struct err err;

	for (char *rest = copy, *word; (word = strsep(&rest, " "));)
		parts[len++] = word;
	if (config_edit("f", span_of_str(before),
			&(struct config_edit){ change, parts[0], parts + 1, len - 1 }, &text,
			&err) < 0)
		fail_msg("%s: %s", words, err.text);
	assert_string_equal(buf_str(&text), after);
}

static void lists_grow_and_shrink(void **state)
{
	static const char *const block = "defaults:\n  # a\n  paths: # b\n  - login\n  - direct\n"
					 "\n  # c\n  home: /x\n";

	(void)state;
	assert_changes("", CONFIG_ADD, "defaults.paths login", "defaults:\n  paths: login\n");
	assert_changes("defaults:\n  paths: [login] # c\n", CONFIG_ADD,
		       "defaults.paths login direct", "defaults:\n  paths: [login, direct] # c\n");
	assert_changes("defaults:\n  paths: [login,\n    direct]\n  home: /x\n", CONFIG_ADD,
		       "defaults.paths relay",
		       "defaults:\n  paths: [login, direct, relay]\n  home: /x\n");
	assert_changes(block, CONFIG_REMOVE, "defaults.paths login",
		       "defaults:\n  # a\n  paths: # b\n    - direct\n\n  # c\n  home: /x\n");
	assert_changes(block, CONFIG_REMOVE, "defaults.paths login direct",
		       "defaults:\n  # a\n\n  # c\n  home: /x\n");
	assert_changes(block, CONFIG_REMOVE, "defaults.home",
		       "defaults:\n  # a\n  paths: # b\n  - login\n  - direct\n\n  # c\n");
	assert_changes("clusters:\n  local:\n    job:\n      env: A=1\n", CONFIG_ADD,
		       "clusters.local.job.env B=2,3",
		       "clusters:\n  local:\n    job:\n      env: [A=1, \"B=2,3\"]\n");
	/* What holds nothing any more goes, too; a cluster says something by its name alone. */
	assert_changes("clusters:\n  h:\n    job:\n      time: 1h\n", CONFIG_REMOVE,
		       "clusters.h.job.time", "clusters:\n  h:\n");
	assert_changes("context: a\ndefaults:\n  home: /x\n", CONFIG_REMOVE, "defaults.home",
		       "context: a\n");
}

static void relays_are_set_added_and_removed(void **state)
{
	static const char *const one = "clusters:\n  h:\n    login: b\n    relays: # mine\n"
				       "      - url: https://a\n        " KEY_LINE "    # x\n";
	static const char *const two =
		"clusters:\n  h:\n    login: b\n    relays: # mine\n"
		"      - url: https://a\n        " KEY_LINE
		"      - url: https://b\n        " KEY_LINE "        token_file: ~/.t\n    # x\n";

	(void)state;
	assert_changes("", CONFIG_ADD, "clusters.h.relays url=https://a " KEY_WORD,
		       "clusters:\n  h:\n    relays:\n      - url: https://a\n        " KEY_LINE);
	assert_changes(one, CONFIG_ADD, "clusters.h.relays https://b token_file=~/.t " KEY_WORD,
		       two);
	assert_changes(two, CONFIG_REMOVE, "clusters.h.relays https://b", one);
	assert_changes(one, CONFIG_REMOVE, "clusters.h.relays https://a",
		       "clusters:\n  h:\n    login: b\n    # x\n");
	assert_changes(two, CONFIG_SET,
		       "clusters.h.relays url=https://b token_command=a token_command=b " KEY_WORD,
		       "clusters:\n  h:\n    login: b\n    relays: # mine\n"
		       "      - url: https://b\n        " KEY_LINE
		       "        token_command: [a, b]\n    # x\n");
	/* One of the same address is another one from now on. */
	assert_changes(two, CONFIG_ADD, "clusters.h.relays https://b " KEY_WORD,
		       "clusters:\n  h:\n    login: b\n    relays: # mine\n"
		       "      - url: https://a\n        " KEY_LINE
		       "      - url: https://b\n        " KEY_LINE "    # x\n");
	assert_changes(two, CONFIG_REMOVE, "clusters.h", "    # x\n");
}

static void what_is_not_there_or_no_list_is_said(void **state)
{
	static const struct {
		enum config_change change;
		const char *key, *value;
		enum err_kind kind;
	} cases[] = {
		{ CONFIG_ADD, "context", "a", ERR_INVALID },
		{ CONFIG_REMOVE, "context", "b", ERR_INVALID },
		{ CONFIG_REMOVE, "defaults.paths", "relay", ERR_NOT_FOUND },
		{ CONFIG_REMOVE, "defaults.home", NULL, ERR_NOT_FOUND },
		{ CONFIG_REMOVE, "defaults.relays", "https://a", ERR_NOT_FOUND },
		{ CONFIG_ADD, "defaults.relays", "https://a", ERR_INVALID },
		{ CONFIG_ADD, "defaults.relays", "nonsense", ERR_INVALID },
		{ CONFIG_ADD, "defaults.paths", "by-mail", ERR_INVALID },
	};
	static const char *const before = "context: a\ndefaults:\n  paths: [login]\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
		const struct config_edit change = { cases[i].change, cases[i].key, &cases[i].value,
						    cases[i].value != NULL };
		struct err err = { 0 };

		assert_int_equal(config_edit("f", span_of_str(before), &change, &text, &err), -1);
		if (err.kind != cases[i].kind)
			fail_msg("%zu: %s", i, err.text);
	}
}

static void what_cannot_be_changed_well_is_not(void **state)
{
	static const struct {
		const char *before, *key;
		enum err_kind kind;
	} cases[] = {
		{ "defaults: {home: /a}\n", "defaults.launcher", ERR_UNSUPPORTED },
		{ "defaults:\n  home: >\n    /a\n", "defaults.home", ERR_INVALID },
		{ "defaults:\n  paths:\n  - direct\n", "defaults.paths", ERR_INVALID },
		{ "contxt: a\n", "context", ERR_INVALID },
		{ "", "clusters.hpc.bakend", ERR_INVALID },
		{ "", "clusters.h pc.login", ERR_INVALID },
		{ "", "clusters.hpc.job.time.x", ERR_INVALID },
		{ "", "clusters.hpc.login", ERR_INVALID }, /* the value is "-x" */
	};
	const char *const values[] = { "-x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
		struct err err = { 0 };

		assert_int_equal(
			config_edit("f", span_of_str(cases[i].before),
				    &(struct config_edit){ CONFIG_SET, cases[i].key, values, 1 },
				    &text, &err),
			-1);
		if (err.kind != cases[i].kind)
			fail_msg("%zu: %s", i, err.text);
	}
}

static void what_is_printed_says_the_same_again(void **state)
{
	cleanup(config_free) struct config *config = NULL, *again = NULL;
	cleanup(buf_finish) struct buf first = BUF_INIT(CONFIG_FILE_MAX);
	cleanup(buf_finish) struct buf second = BUF_INIT(CONFIG_FILE_MAX);

	(void)state;
	config = parsed(
		"contexts: {c: {cluster: hpc, job: {comment: 'a: \"b\" #c', env: ['A=1,2', B=]}}}\n"
		"clusters:\n  hpc: {login: ab, home: '~', ssh_options: ['Port 22'], relays: "
		"[{url: https://x, key: " KEY ", token_command: ['a, b', 'null']}]}\n");
	assert_int_equal(config_print_all(config, &first, NULL), 0);
	again = parsed(buf_str(&first));
	assert_int_equal(config_print_all(again, &second, NULL), 0);
	assert_string_equal(buf_str(&first), buf_str(&second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_keeps_every_other_byte),
		cmocka_unit_test(a_list_is_replaced_on_its_line),
		cmocka_unit_test(lists_grow_and_shrink),
		cmocka_unit_test(relays_are_set_added_and_removed),
		cmocka_unit_test(what_is_not_there_or_no_list_is_said),
		cmocka_unit_test(what_cannot_be_changed_well_is_not),
		cmocka_unit_test(what_is_printed_says_the_same_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
