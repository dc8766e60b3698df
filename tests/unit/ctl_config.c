/* SPDX-License-Identifier: MIT */
/* The configuration: what files may say, and which cluster a verb is about. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/config/config.h"
#include "controller/config/paths.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct config *parsed(const char *text)
{
	struct config *config = config_new();
	struct err err;

	if (config_parse(config, "f", span_of_str(text), false, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void assert_refused(const char *text, bool is_project, const char *expected)
{
	cleanup(config_free) struct config *config = config_new();
	struct err err = { 0 };

	assert_int_equal(config_parse(config, "f", span_of_str(text), is_project, &err), -1);
	assert_string_equal(err.text, expected);
}

static void assert_says(const struct config *config, const char *key, const char *expected)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct err err;

	if (config_print(config, key, &text, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_str(&text), expected);
}

static void a_file_says_what_its_keys_say(void **state)
{
	cleanup(config_free) struct config *config = NULL;
	const struct config_cluster *cluster;

	(void)state;
	config = parsed(
		"clusters:\n  hpc:\n    login: me@login1\n    ssh_options: [Port 22, User x]\n"
		"    relays:\n    - {url: 'https://r.example:8443', key: " KEY
		", token_file: ~/t}\n"
		"    - {url: https://s.example, key: " KEY ", token_command: [pass, s]}\n"
		"  empty:\ndefaults:\n  detach_timeout: 2h\n  login: other\n");
	assert_says(config, "clusters", "docker\nlocal\nslurm\nhpc\nempty\n");
	assert_says(config, "clusters.hpc.login", "me@login1\n");
	assert_says(config, "clusters.hpc.ssh_options", "Port 22\nUser x\n");
	assert_says(config, "defaults.detach_timeout", "7200s\n");
	cluster = config_find_cluster(config, "hpc");
	assert_int_equal(config_relays(config, cluster)->len, 2);
	assert_string_equal(config_relays(config, cluster)->items[1].token_command.items[0],
			    "pass");
	assert_string_equal(config_text(config, cluster, "login"), "me@login1");
	cluster = config_find_cluster(config, "empty");
	assert_string_equal(config_text(config, cluster, "login"), "other");
	assert_null(config_text(config, cluster, "home"));
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
	(void)state;
	assert_refused("contxt: a\n", false,
		       "f:1:1: 'contxt': no such key: did you mean 'context'?");
	assert_refused("clusters:\n  hpc:\n    colour: red\n", false,
		       "f:3:5: 'colour': no such key: see berth-config(5)");
	assert_refused("clusters:\n  hpc:\n    partition: x\n", false,
		       "f:3:5: 'partition': no such key here: options of jobs stand below 'job:'");
	assert_refused("clusters: [a]\n", false, "f:1:1: KEY: VALUE lines are needed here");
	assert_refused(
		"clusters:\n  1x: {}\n", false,
		"f:2:3: '1x': '1x' is no name: use a letter, then letters, digits, '-' or '_', "
		"at most 40 characters");
	assert_refused(
		"clusters: {a: {login: -oProxyCommand=x}}\n", false,
		"f:1:23: 'login': '-oProxyCommand=x' is no destination of ssh: write it like "
		"login1 or user@login1");
	assert_refused(
		"clusters: {a: {paths: [direct, air]}}\n", false,
		"f:1:32: 'paths': 'air' is no kind of path: there are direct, relay, relay-tcp "
		"and login");
	assert_refused("clusters: {a: {job: {noeds: 2}}}\n", false,
		       "f:1:22: 'noeds': no option of a job: did you mean 'nodes'?");
	assert_refused("clusters: {a: {job: {nodes: x}}}\n", false,
		       "f:1:29: 'nodes': 'x' is not a number");
	assert_refused("defaults: {home: here}\n", false,
		       "f:1:18: 'home': 'here' is no directory: write it like /scratch/me/berth, "
		       "~/berth or $SCRATCH/berth");
	assert_refused(
		"defaults: {detach_timeout: soon}\n", false,
		"f:1:28: 'detach_timeout': 'soon' is not a duration: write it like 90s, 30m or "
		"24h");
	assert_refused("a: b: c\n", false, "f:1:5: invalid nested block mapping on the same line");
	assert_refused("---\ncontext: a\n---\ncontext: b\n", false, "f: more than one document");
	assert_refused(
		"clusters: {slurm: {backend: local}}\n", false,
		"f: the cluster 'slurm' is the backend of that name: call this one otherwise");
	assert_refused(
		"clusters: {a: {backend: local, login: b}}\n", false,
		"f: cluster 'a': 'local' runs jobs on this machine: leave 'login' or 'backend' "
		"out");
}

#define RELAY(more) "clusters: {a: {relays: [{url: https://x, key: " KEY more "}]}}\n"

static void relays_are_complete_and_hold_no_token(void **state)
{
	static const char *const urls[] = { "http://x",	       "https://",	 "https://x:0",
					    "https://x:99999", "https://x/path", "https://x:",
					    "https://a b" };

	(void)state;
	assert_refused(RELAY(", token: abc"), false,
		       "f:1:93: 'token': a token never stands in a configuration: name a file that "
		       "holds it (token_file) or a command that prints it (token_command)");
	assert_refused("clusters: {a: {relays: [{url: https://x}]}}\n", false,
		       "f:1:31: a relay needs a url and a key");
	assert_refused(RELAY(", token_file: /a, token_command: b"), false,
		       "f:1:124: token_file and token_command exclude each other");
	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		assert_int_equal(config_check_url(urls[i], NULL), -1);
	assert_int_equal(config_check_url("https://[2001:db8::1]:8443", NULL), 0);
	assert_int_equal(config_check_url("https://relay.example.org/", NULL), 0);
	assert_int_equal(config_check_key("AAAA", NULL), -1);
}

static void a_project_may_not_run_programs_or_send_secrets(void **state)
{
	static const char *const bad[] = { "clusters: {a: {ssh_options: ProxyCommand=x}}\n",
					   "clusters: {a: {login: b}}\n", "defaults: {login: b}\n",
					   RELAY(", token_file: ~/.ssh/id_ed25519"),
					   RELAY(", token_command: [sh, -c, x]") };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup(config_free) struct config *mine = config_new(), *theirs = config_new();

		assert_int_equal(config_parse(mine, "f", span_of_str(bad[i]), false, &err), 0);
		assert_int_equal(config_parse(theirs, "f", span_of_str(bad[i]), true, &err), -1);
		assert_int_equal(err.kind, ERR_DENIED);
	}
}

static void assert_chooses(const struct config *config, const char *context, const char *cluster,
			   const char *expected_context, const char *expected_cluster)
{
	const struct config_choice choice = { context, cluster };
	const struct config_context *found;
	const struct config_cluster *at;
	struct err err;

	if (config_choose(config, &choice, &found, &at, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(found ? found->name : "", expected_context);
	assert_string_equal(at->name, expected_cluster);
}

static void a_cluster_is_chosen_by_flag_context_or_file(void **state)
{
	cleanup(config_free) struct config *none = config_new();
	cleanup(config_free) struct config *config =
		parsed("context: thesis\ncontexts: {thesis: {cluster: hpc}, slurm2: {}}\n"
		       "clusters: {hpc: {login: a}}\n");
	const struct config_context *context;
	const struct config_cluster *cluster;
	struct err err;

	(void)state;
	assert_chooses(none, NULL, NULL, "", "local");
	assert_chooses(config, NULL, NULL, "thesis", "hpc");
	assert_chooses(config, "slurm", NULL, "", "slurm");
	assert_chooses(config, NULL, "local", "", "local");
	assert_chooses(config, "thesis", "slurm", "", "slurm");
	assert_chooses(config, "thesis", "hpc", "thesis", "hpc");
	assert_int_equal(config_choose(config, &(struct config_choice){ .cluster = "hpx" },
				       &context, &cluster, &err),
			 -1);
	assert_string_equal(err.text, "no cluster 'hpx': did you mean 'hpc'?");
	assert_int_equal(config_choose(config, &(struct config_choice){ .context = "slurm2" },
				       &context, &cluster, &err),
			 -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_job_gets_what_it_does_not_say_from_context_cluster_and_defaults(void **state)
{
	cleanup(config_free) struct config *config = parsed(
		"context: thesis\ncontexts: {thesis: {cluster: hpc, job: {account: t, env: [A=2]}}}\n"
		"clusters: {hpc: {allow: [db:5432], job: {time: 1h, account: a, mem: 2G}}}\n"
		"defaults: {job: {nodes: 2, env: [A=1, B=1]}}\n");
	static const char *const command[] = { "true", NULL };
	struct spec spec = { .command = command, .workdir = "/", .memory_per_cpu = 4096 };
	const struct config_context *context;
	const struct config_cluster *cluster;

	(void)state;
	spec.env.items[spec.env.len++] = "A=3";
	assert_int_equal(
		config_choose(config, &(struct config_choice){ 0 }, &context, &cluster, NULL), 0);
	assert_int_equal(config_fill_spec(config, context, cluster, &spec, NULL), 0);
	assert_string_equal(spec.account, "t");
	assert_int_equal(spec.time_ns, 3600 * NSEC_PER_SEC);
	assert_int_equal(spec.nodes, 2);
	assert_int_equal(spec.memory, 0); /* it excludes what the job says */
	assert_string_equal(spec.allow.items[0], "db:5432");
	assert_int_equal(spec.env.len, 4);
	assert_string_equal(spec.env.items[3], "A=3"); /* the last one holds */
	assert_string_equal(spec.env.items[2], "A=2");
	assert_int_equal(spec_check(&spec, NULL), 0);
}

static void put(const char *dir, const char *name, const char *text, mode_t mode)
{
	cleanup_free char *path = fs_join(dir, name);

	assert_int_equal(fs_write_file(path, span_of_str(text), mode, NULL), 0);
}

static void the_nearest_file_of_a_project_wins_over_the_users(void **state)
{
	char dir[] = "/tmp/berth-config-XXXXXX";
	cleanup(config_free) struct config *config = NULL, *other = NULL, *third = NULL;
	cleanup_free char *file = NULL, *deep = NULL, *above = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	file = fs_join(dir, "config.yaml");
	above = fs_join(dir, "a");
	deep = fs_join(dir, "a/b/c");
	assert_int_equal(fs_make_dirs(deep, 0700, NULL), 0);
	put(dir, "config.yaml", "context: slurm\nclusters: {hpc: {home: /user}}\n", 0600);
	put(dir, "a/berth.yaml", "clusters: {hpc: {home: /project}}\n", 0644);
	put(dir, "berth.yaml", "clusters: {hpc: {home: /above}}\n", 0644);
	assert_int_equal(config_load(file, deep, dir, &config, NULL), 0);
	assert_says(config, "clusters.hpc.home", "/project\n");
	assert_says(config, "context", "slurm\n");
	/* What everybody can write is nobody's word. */
	put(dir, "a/berth.yaml", "clusters: {hpc: {home: /project}}\n", 0666);
	assert_int_equal(config_load(file, deep, above, &other, NULL), 0);
	assert_says(other, "clusters.hpc.home", "/user\n");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(config_load(file, above, above, &third, NULL), 0);
	assert_says(third, "clusters", "docker\nlocal\nslurm\n");
	assert_int_equal(fs_remove_tree(dir, NULL), 0);
}

static void a_file_below_the_home_directory_is_named_with_a_tilde(void **state)
{
	static const struct {
		const char *path, *whole;
	} cases[] = { { "~/.ssh/id", "/h/me/.ssh/id" },
		      { "~", "/h/me" },
		      { "/a/~/b", "/a/~/b" },
		      { "~you/x", "~you/x" } };
	char home[] = "/h/me";
	const struct paths paths = { .home = home };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *whole = paths_expand(&paths, cases[i].path);

		assert_string_equal(whole, cases[i].whole);
	}
	assert_null(paths_expand(&paths, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_says_what_its_keys_say),
		cmocka_unit_test(what_is_wrong_is_said_with_its_place),
		cmocka_unit_test(relays_are_complete_and_hold_no_token),
		cmocka_unit_test(a_project_may_not_run_programs_or_send_secrets),
		cmocka_unit_test(a_cluster_is_chosen_by_flag_context_or_file),
		cmocka_unit_test(a_job_gets_what_it_does_not_say_from_context_cluster_and_defaults),
		cmocka_unit_test(the_nearest_file_of_a_project_wins_over_the_users),
		cmocka_unit_test(a_file_below_the_home_directory_is_named_with_a_tilde),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
