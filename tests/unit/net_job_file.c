/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/net/host_key.h"
#include "tunnel/net/job_file.h"

#define ONES "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define TWOS "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="

static const char golden_job[] =
	"{\"version\": 1, \"secret\": \"" ONES "\", \"peer\": \"" TWOS
	"\", \"allow\": [\"licence.example:27000\", \"[2001:db8::1]:80\", \"*:22\", \"db:*\"], "
	"\"idle_timeout_s\": 86400, \"connections\": 64}\n";
static const char golden_client[] =
	"{\"version\": 1, \"secret\": \"" ONES "\", \"key\": \"" TWOS "\"}\n";
static const char golden_host_key[] = "{\"version\": 1, \"key\": \"" ONES "\"}\n";

static void a_job_file_survives_reading_and_writing(void **state)
{
	cleanup(job_file_finish) struct job_file file = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	struct err err;

	(void)state;
	assert_int_equal(job_file_parse(span_of_str(golden_job), &file, &err), 0);
	assert_int_equal(file.secret.bytes[31], 1);
	assert_int_equal(file.peers_len, 1);
	assert_int_equal(file.peers[0].key.bytes[0], 2);
	assert_int_equal(file.allow_len, 4);
	assert_int_equal(file.connections, 64);
	assert_string_equal(file.allow[0], "licence.example:27000");
	assert_true(job_file_format(&file, &b));
	assert_string_equal(buf_str(&b), golden_job);
}

static void a_job_file_may_name_the_next_key(void **state)
{
	cleanup(job_file_finish) struct job_file file = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	static const char text[] = "{\"version\": 1, \"secret\": \"" ONES "\", \"peer\": \"" TWOS
				   "\", \"next\": \"" ONES "\", \"allow\": [], "
				   "\"idle_timeout_s\": 1, \"connections\": 1}\n";
	struct err err;

	(void)state;
	assert_int_equal(job_file_parse(span_of_str(text), &file, &err), 0);
	assert_int_equal(file.peers_len, 1);
	assert_true(file.peers[0].has_next);
	assert_int_equal(file.peers[0].next.bytes[0], 1);
	assert_true(job_file_format(&file, &b));
	assert_string_equal(buf_str(&b), text);
}

#define OTHERS_HEAD \
	"{\"version\": 1, \"secret\": \"" ONES "\", \"peer\": \"" TWOS "\", \"peer_name\": \"desk\""
#define OTHERS_TAIL ", \"allow\": [], \"idle_timeout_s\": 1, \"connections\": 1}\n"

static void a_job_file_may_name_other_workstations(void **state)
{
	cleanup(job_file_finish) struct job_file file = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	static const char text[] =
		OTHERS_HEAD ", \"others\": [{\"name\": \"laptop\", \"key\": \"" ONES "\"}, "
			    "{\"name\": \"lab-2.example\", \"key\": \"" TWOS "\", \"next\": \"" ONES
			    "\"}]" OTHERS_TAIL;
	struct key_set keys;
	struct err err;

	(void)state;
	assert_int_equal(job_file_parse(span_of_str(text), &file, &err), 0);
	assert_int_equal(file.peers_len, 3);
	assert_string_equal(file.peers[0].name, "desk");
	assert_string_equal(file.peers[1].name, "laptop");
	assert_true(file.peers[2].has_next);
	job_file_keys(&file, &keys);
	assert_int_equal(keys.len, 2);
	assert_ptr_equal(job_file_find_peer(&file, &keys.keys[0]), &file.peers[0]);
	assert_ptr_equal(job_file_find_peer(&file, &keys.keys[1]), &file.peers[1]);
	assert_true(job_file_format(&file, &b));
	assert_string_equal(buf_str(&b), text);
}

#define OTHER(name) "{\"name\": \"" name "\", \"key\": \"" ONES "\"}"

static void other_workstations_are_few_and_have_names(void **state)
{
	static const char *const bad[] = {
		OTHERS_HEAD ", \"others\": {}" OTHERS_TAIL,
		OTHERS_HEAD ", \"others\": [7]" OTHERS_TAIL,
		OTHERS_HEAD ", \"others\": [{\"key\": \"" ONES "\"}]" OTHERS_TAIL,
		OTHERS_HEAD ", \"others\": [" OTHER("") "]" OTHERS_TAIL,
		OTHERS_HEAD ", \"others\": [" OTHER("a b") "]" OTHERS_TAIL,
		OTHERS_HEAD ", \"others\": [{\"name\": \"a\", \"key\": \"AAAA\"}]" OTHERS_TAIL,
		OTHERS_HEAD
		", \"others\": [" OTHER("a") "," OTHER("b") "," OTHER("c") "," OTHER("d") "," OTHER(
			"e") "," OTHER("f") "," OTHER("g") "," OTHER("h") "]" OTHERS_TAIL,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup(job_file_finish) struct job_file file = { 0 };
		struct err err;

		assert_int_equal(job_file_parse(span_of_str(bad[i]), &file, &err), -1);
		assert_null(strstr(err.text, ONES));
	}
}

static void a_client_file_survives_reading_and_writing(void **state)
{
	cleanup(client_file_finish) struct client_file file = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	struct err err;

	(void)state;
	assert_int_equal(client_file_parse(span_of_str(golden_client), &file, &err), 0);
	assert_true(client_file_format(&file, &b));
	assert_string_equal(buf_str(&b), golden_client);
}

#define RELAYS                                                                        \
	"\"relays\": [{\"url\": \"https://relay.example.org:8443\", \"key\": \"" TWOS \
	"\", \"token\": \"tk_1a2b\"}], \"paths\": [\"direct\", \"relay\"]"

static void a_job_file_names_relays_and_the_paths_that_are_allowed(void **state)
{
	cleanup(job_file_finish) struct job_file file = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	static const char text[] = "{\"version\": 1, \"secret\": \"" ONES "\", \"peer\": \"" TWOS
				   "\", \"allow\": [], \"idle_timeout_s\": 1, "
				   "\"connections\": 1, " RELAYS "}\n";
	struct err err;

	(void)state;
	assert_int_equal(job_file_parse(span_of_str(text), &file, &err), 0);
	assert_int_equal(file.relays.len, 1);
	assert_string_equal(file.relays.items[0].host, "relay.example.org");
	assert_int_equal(file.relays.items[0].port, 8443);
	assert_true(path_mask_has(file.paths, PATH_DIRECT));
	assert_true(path_mask_has(file.paths, PATH_PUNCHED));
	assert_false(path_mask_has(file.paths, PATH_LOGIN));
	assert_true(job_file_format(&file, &b));
	assert_string_equal(buf_str(&b), text);
}

static void a_client_file_names_a_login_node_and_may_forbid_punching(void **state)
{
	cleanup(client_file_finish) struct client_file file = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	static const char text[] = "{\"version\": 1, \"secret\": \"" ONES "\", \"key\": \"" TWOS
				   "\", " RELAYS ", \"login\": \"user@login1\", "
				   "\"punch\": false}\n";
	struct err err;

	(void)state;
	assert_int_equal(client_file_parse(span_of_str(text), &file, &err), 0);
	assert_string_equal(file.login, "user@login1");
	assert_false(path_mask_has(file.paths, PATH_PUNCHED));
	assert_true(client_file_format(&file, &b));
	assert_string_equal(buf_str(&b), text);
}

static void a_login_is_no_option_and_no_command(void **state)
{
	(void)state;
	assert_true(client_file_is_login("user@login1.example.org"));
	assert_true(client_file_is_login("ela"));
	assert_false(client_file_is_login("-oProxyCommand=true"));
	assert_false(client_file_is_login("login1;true"));
	assert_false(client_file_is_login("a b"));
	assert_false(client_file_is_login("$(true)"));
	assert_false(client_file_is_login(""));
}

static void what_is_not_said_about_paths_allows_all(void **state)
{
	cleanup(client_file_finish) struct client_file file = { 0 };
	unsigned int mask;
	struct err err;

	(void)state;
	assert_int_equal(client_file_parse(span_of_str(golden_client), &file, &err), 0);
	for (unsigned int i = 0; i < PATH_KIND_COUNT; i++)
		assert_true(path_mask_has(file.paths, (enum path_kind)i));
	assert_int_equal(path_mask_parse_list("login,relay-tcp", &mask, &err), 0);
	assert_int_equal(mask, PATH_MASK(PATH_LOGIN) | PATH_MASK(PATH_RELAY_TCP));
	assert_int_equal(path_mask_parse_list("relay,", &mask, &err), -1);
	assert_int_equal(path_mask_parse_list("punched", &mask, &err), -1);
	assert_non_null(strstr(err.text, "direct, relay"));
}

static void assert_refused(const char *text, const char *words)
{
	cleanup(job_file_finish) struct job_file file = { 0 };
	struct err err = { 0 };

	if (job_file_parse(span_of_str(text), &file, &err) == 0)
		fail_msg("accepted: %s", text);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
	if (strstr(err.text, "AQEB"))
		fail_msg("'%s' shows a secret", err.text);
}

#define KEYS "{\"version\": 1, \"secret\": \"" ONES "\", \"peer\": \"" TWOS "\", "

#define PLAIN KEYS "\"allow\": [], \"idle_timeout_s\": 1, "

static void a_broken_job_file_is_refused_and_no_secret_is_shown(void **state)
{
	(void)state;
	assert_refused("{\"version\": 1, \"secret\": \"" ONES, "not valid JSON");
	assert_refused("{\"version\": 1, \"secret\": \"" ONES "=\"}", "\"secret\"");
	assert_refused("{\"version\": 1, \"secret\": \"AQEB\"}", "\"secret\"");
	assert_refused("{\"version\": 1, \"secret\": \"" ONES "\"}", "\"peer\"");
	assert_refused(KEYS "\"idle_timeout_s\": 1}", "\"allow\"");
	assert_refused(KEYS "\"allow\": [\"host\"], \"idle_timeout_s\": 1}", "entry 1");
	assert_refused(KEYS "\"allow\": [\"a:1\", \"a:0\"], \"idle_timeout_s\": 1}", "entry 2");
	assert_refused(KEYS "\"allow\": [\"a b:1\"], \"idle_timeout_s\": 1}", "entry 1");
	assert_refused(KEYS "\"allow\": [\"::1:1\"], \"idle_timeout_s\": 1}", "entry 1");
	assert_refused(KEYS "\"allow\": [], \"idle_timeout_s\": -1}", "\"idle_timeout_s\"");
	assert_refused(KEYS "\"allow\": []}", "\"idle_timeout_s\"");
	assert_refused(KEYS "\"next\": \"AQEB\", \"allow\": []}", "\"next\"");
	assert_refused(KEYS "\"next\": null, \"allow\": []}", "\"next\"");
	assert_refused(KEYS "\"idle_timeout_s\": 1, \"connections\": 0}", "\"connections\"");
	assert_refused(KEYS "\"idle_timeout_s\": 1, \"connections\": 4097}", "\"connections\"");
	assert_refused(PLAIN "\"paths\": []}", "\"paths\"");
	assert_refused(PLAIN "\"paths\": [\"direct\", \"pigeon\"]}", "entry 2");
	assert_refused(PLAIN "\"relays\": {}}", "\"relays\"");
	assert_refused(PLAIN "\"relays\": [{\"url\": \"http://x\", \"token\": \"AQEB\", "
			     "\"key\": \"" ONES "\"}]}",
		       "entry 1");
}

static char dir[] = "/tmp/berth-keys-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	memset(dir + sizeof(dir) - 7, 'X', 6);
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return fs_remove_tree(dir, NULL);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
	cleanup(client_file_finish) struct client_file file = { 0 };
	cleanup_free char *path = fs_join(dir, "client.json");
	struct err err;

	(void)state;
	assert_int_equal(fs_write_file(path, span_of_str(golden_client), 0640, &err), 0);
	assert_int_equal(client_file_read(path, &file, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_non_null(strstr(err.text, "chmod 600"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(client_file_read(path, &file, &err), 0);
}

/* The line is what ssh-keygen(1) makes of the same public key. */
static void a_host_key_is_pinned_by_its_known_hosts_line(void **state)
{
	cleanup(key_pair_finish) struct key_pair key = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	struct err err;

	(void)state;
	assert_int_equal(host_key_parse(span_of_str(golden_host_key), &key, &err), 0);
	assert_true(host_key_known_hosts(&key.public, "berth", &b));
	assert_string_equal(buf_str(&b),
			    "berth ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/"
			    "HZQSG/N0iAG0D29c\n");
}

static void a_host_key_is_made_once(void **state)
{
	cleanup(key_pair_finish) struct key_pair one = { 0 }, two = { 0 };
	cleanup_free char *path = fs_join(dir, "host_key.json");
	struct stat st;
	struct err err;

	(void)state;
	assert_int_equal(host_key_ensure(path, &one, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(host_key_ensure(path, &two, &err), 0);
	assert_true(key_public_equal(&one.public, &two.public));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_file_survives_reading_and_writing),
		cmocka_unit_test(a_job_file_may_name_the_next_key),
		cmocka_unit_test(a_job_file_may_name_other_workstations),
		cmocka_unit_test(other_workstations_are_few_and_have_names),
		cmocka_unit_test(a_client_file_survives_reading_and_writing),
		cmocka_unit_test(a_job_file_names_relays_and_the_paths_that_are_allowed),
		cmocka_unit_test(a_client_file_names_a_login_node_and_may_forbid_punching),
		cmocka_unit_test(a_login_is_no_option_and_no_command),
		cmocka_unit_test(what_is_not_said_about_paths_allows_all),
		cmocka_unit_test(a_broken_job_file_is_refused_and_no_secret_is_shown),
		cmocka_unit_test_setup_teardown(a_key_that_others_may_read_is_refused, set_up,
						tear_down),
		cmocka_unit_test(a_host_key_is_pinned_by_its_known_hosts_line),
		cmocka_unit_test_setup_teardown(a_host_key_is_made_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
