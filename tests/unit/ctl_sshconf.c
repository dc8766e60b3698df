/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/sshconf/sshconf.h"
#include "controller/sshconf/text.h"
#include "init/base/fs.h"

/* A home directory for each test, and what is in the way of including (or ""). */
static char home[64];
static char *config, *jobs;

static int set_up(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/berth-sshconf-XXXXXX");
	if (!mkdtemp(home))
		return -1;
	config = str_printf("%s/.ssh/config", home);
	jobs = str_printf("%s/.ssh/berth", home);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(config);
	free(jobs);
	return fs_remove_tree(home, NULL);
}

static struct sshconf sshconf(void)
{
	return (struct sshconf){
		.config = config,
		.jobs_dir = jobs,
		.state_dir = "/state",
		.known_hosts = "/state/known 50%",
		.program = "/opt/berth",
	};
}

static int include(struct err *err)
{
	cleanup_free char *why = NULL;
	struct sshconf sc = sshconf();
	int result = sshconf_include(&sc, &why, err);

	assert_int_equal(why != NULL, result == 0);
	return result;
}

static void put(const char *path, const char *text, mode_t mode)
{
	cleanup_free char *dir = fs_join(home, ".ssh");

	assert_int_equal(fs_make_dirs(dir, 0700, NULL), 0);
	assert_int_equal(fs_write_file(path, span_of_str(text), mode, NULL), 0);
}

static void assert_holds(const char *path, const char *text)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(65536);

	assert_int_equal(fs_read_file(path, 65536, &b, NULL), 0);
	assert_string_equal(buf_str(&b), text);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void a_missing_configuration_is_created_for_the_user_alone(void **state)
{
	cleanup_free char *ssh_dir = fs_join(home, ".ssh");

	(void)state;
	assert_int_equal(include(NULL), 1);
	assert_holds(config, "Include berth/*.conf\n");
	assert_int_equal(mode_of(config), 0600);
	assert_int_equal(mode_of(ssh_dir), 0700);
	assert_int_equal(mode_of(jobs), 0700);
	assert_int_equal(include(NULL), 1);
	assert_holds(config, "Include berth/*.conf\n");
}

static void the_users_text_stays_byte_for_byte_below_our_line(void **state)
{
	static const char *const texts[] = {
		"Host *\n  User me\n",
		"Host a # no newline at the end",
		"\n\n  \t\n",
		"Host x\n  # Include berth/*.conf\n",
		"\xef\xbb\xbfHost bom\n",
		"Host \xff\xfe\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_free char *expected = str_printf("Include berth/*.conf\n%s", texts[i]);

		put(config, texts[i], 0640);
		assert_int_equal(include(NULL), 1);
		assert_holds(config, expected);
		assert_int_equal(mode_of(config), 0640);
		assert_int_equal(include(NULL), 1);
		assert_holds(config, expected);
	}
}

static void a_file_with_carriage_returns_gets_a_line_with_one(void **state)
{
	(void)state;
	put(config, "Host *\r\n  User me\r\n", 0600);
	assert_int_equal(include(NULL), 1);
	assert_holds(config, "Include berth/*.conf\r\nHost *\r\n  User me\r\n");
	assert_int_equal(include(NULL), 1);
	assert_holds(config, "Include berth/*.conf\r\nHost *\r\n  User me\r\n");
}

static void looking_for_the_line_changes_nothing(void **state)
{
	const struct sshconf sc = sshconf();
	struct err err;

	(void)state;
	assert_int_equal(sshconf_has_include(&sc, &err), 0);
	assert_false(fs_exists(config));
	put(config, "Host a\n  Include berth/*.conf\n", 0600);
	assert_int_equal(sshconf_has_include(&sc, &err), 0);
	put(config, "Include berth/*.conf\nHost a\n", 0600);
	assert_int_equal(sshconf_has_include(&sc, &err), 1);
}

static void a_line_that_holds_for_every_host_is_enough(void **state)
{
	static const char *const texts[] = {
		"Include berth/*.conf\n",
		"# mine\n\nCompression yes\ninclude berth/*.conf",
		"Include=berth/*.conf\n",
		"  INCLUDE = \"berth/*.conf\"\r\nHost *\r\n",
		"Include other berth/*.conf\nHost a\n",
		"Include ~/.ssh/berth/*.conf\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		put(config, texts[i], 0600);
		assert_int_equal(include(NULL), 1);
		assert_holds(config, texts[i]);
	}
}

static void a_line_that_holds_for_some_hosts_is_not(void **state)
{
	static const char *const texts[] = {
		"Host a\n  Include berth/*.conf\n", "Match user x\nInclude berth/*.conf\n",
		"Host=a\nInclude berth/*.conf\n",   "Include berth/*.config\n",
		"IncludeX berth/*.conf\n",	    "#Include berth/*.conf\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_free char *expected = str_printf("Include berth/*.conf\n%s", texts[i]);

		put(config, texts[i], 0600);
		assert_int_equal(include(NULL), 1);
		assert_holds(config, expected);
	}
}

static void a_chain_of_links_stays_and_its_end_is_written(void **state)
{
	cleanup_free char *dots = fs_join(home, "dots"), *real = fs_join(home, "dots/config");
	cleanup_free char *middle = fs_join(home, ".ssh/middle");
	char target[256];

	(void)state;
	assert_int_equal(mkdir(dots, 0700), 0);
	put(real, "Host a\n", 0644);
	assert_int_equal(symlink("../dots/config", middle), 0);
	assert_int_equal(symlink("middle", config), 0);
	assert_int_equal(include(NULL), 1);
	assert_holds(real, "Include berth/*.conf\nHost a\n");
	assert_int_equal(mode_of(real), 0644);
	assert_int_equal(readlink(config, target, sizeof(target)), 6);
	assert_true(readlink(middle, target, sizeof(target)) > 0);
}

static void a_dangling_link_gets_its_file_where_its_directory_exists(void **state)
{
	cleanup_free char *later = fs_join(home, "later"), *ssh_dir = fs_join(home, ".ssh");

	(void)state;
	assert_int_equal(mkdir(ssh_dir, 0700), 0);
	assert_int_equal(symlink("../later", config), 0);
	assert_int_equal(include(NULL), 1);
	assert_holds(later, "Include berth/*.conf\n");
	assert_int_equal(unlink(config), 0);
	assert_int_equal(symlink("../nowhere/config", config), 0);
	assert_int_equal(include(NULL), 0);
}

static void links_in_a_circle_are_an_error(void **state)
{
	cleanup_free char *ssh_dir = fs_join(home, ".ssh");
	struct err err;

	(void)state;
	assert_int_equal(mkdir(ssh_dir, 0700), 0);
	assert_int_equal(symlink("config", config), 0);
	assert_int_equal(include(&err), -1);
	assert_non_null(strstr(err.text, "symbolic links"));
}

static void what_is_read_only_is_not_touched(void **state)
{
	cleanup_free char *ssh_dir = fs_join(home, ".ssh");

	(void)state;
	put(config, "Host a\n", 0400);
	assert_int_equal(include(NULL), 0);
	assert_holds(config, "Host a\n");
	assert_int_equal(chmod(config, 0600), 0);
	assert_int_equal(chmod(ssh_dir, 0500), 0);
	assert_int_equal(include(NULL), 0);
	assert_holds(config, "Host a\n");
	assert_int_equal(chmod(ssh_dir, 0700), 0);
	put(config, "Include berth/*.conf\n", 0400);
	assert_int_equal(include(NULL), 1);
}

static void what_is_no_text_file_is_an_error(void **state)
{
	cleanup_free char *ssh_dir = fs_join(home, ".ssh");
	struct err err;

	(void)state;
	assert_int_equal(mkdir(ssh_dir, 0700), 0);
	assert_int_equal(fs_write_file(config, span_of("Host\0a\n", 7), 0600, NULL), 0);
	assert_int_equal(include(&err), -1);
	assert_non_null(strstr(err.text, "NUL bytes"));
	assert_int_equal(unlink(config), 0);
	assert_int_equal(mkdir(config, 0700), 0);
	assert_int_equal(include(&err), -1);
	assert_non_null(strstr(err.text, "is not a file"));
}

static void processes_at_once_write_the_line_once(void **state)
{
	int status;

	(void)state;
	put(config, "Host a\n", 0600);
	for (int i = 0; i < 8; i++) {
		if (fork() == 0) {
			char *why = NULL;
			struct sshconf sc = sshconf();

			_exit(sshconf_include(&sc, &why, NULL) == 1 ? 0 : 1);
		}
	}
	for (int i = 0; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_holds(config, "Include berth/*.conf\nHost a\n");
}

static struct job make_job(uint64_t id, const char *name, uint64_t tasks)
{
	struct job job;

	job_init(&job);
	job.id = id;
	job.tasks = tasks;
	job_set(&job, name, name);
	return job;
}

static void a_job_has_one_file_with_all_that_ssh_needs(void **state)
{
	cleanup(job_finish) struct job job = make_job(7, "train", 2);
	cleanup_free char *path = fs_join(jobs, "job-7.conf");
	struct sshconf sc = sshconf();

	(void)state;
	job_set(&job, cluster, "hpc");
	assert_int_equal(include(NULL), 1);
	assert_int_equal(sshconf_add_job(&sc, &job, NULL), 0);
	assert_int_equal(mode_of(path), 0600);
	assert_holds(path, "# made by berth of /state\n"
			   "# Gone when the job has ended.\n"
			   "Host job-7 job-7.0 job-7.1 job-7.hpc train.job\n"
			   "  HostKeyAlias berth\n"
			   "  HostKeyAlgorithms ssh-ed25519\n"
			   "  KexAlgorithms +curve25519-sha256\n"
			   "  Ciphers +aes128-gcm@openssh.com\n"
			   "  GlobalKnownHostsFile /dev/null\n"
			   "  StrictHostKeyChecking yes\n"
			   "  UpdateHostKeys no\n"
			   "  CheckHostIP no\n"
			   "  IdentityFile none\n"
			   "  GSSAPIAuthentication no\n"
			   "  PasswordAuthentication no\n"
			   "  ServerAliveInterval 0\n"
			   "  TCPKeepAlive no\n"
			   "  UserKnownHostsFile \"/state/known 50%%\"\n"
			   "  ProxyCommand \"/opt/berth\" proxy '%n'\n");
	assert_int_equal(sshconf_remove_job(&sc, 7, NULL), 0);
	assert_false(fs_exists(path));
	assert_int_equal(sshconf_remove_job(&sc, 7, NULL), 0);
}

static void a_program_in_an_odd_place_is_quoted_for_the_shell(void **state)
{
	struct sshconf sc = sshconf();
	cleanup_free char *option = NULL;

	(void)state;
	sc.program = "/o p/$x/5%/it's";
	option = sshconf_option(&sc, 14);
	assert_string_equal(option, "ProxyCommand '/o p/$x/5%%/it'\\''s' proxy '%n'");
	assert_null(sshconf_option(&sc, 15));
}

static void an_sshd_of_the_job_is_logged_in_to_as_usual(void **state)
{
	struct sshconf sc = sshconf();
	bool has_user = false, has_port = false;
	size_t len = 0;
	char *option;

	(void)state;
	sc.port = "15263";
	sc.user = "me";
	for (; (option = sshconf_option(&sc, len)); len++) {
		has_user = has_user || strcmp(option, "User me") == 0;
		has_port = has_port || strstr(option, " --ssh-port=15263 ");
		/* Its own keys and ways to log in are neither forbidden nor replaced. */
		assert_null(strstr(option, "IdentityFile"));
		assert_null(strstr(option, "Authentication"));
		assert_null(strstr(option, "HostKeyAlias"));
		free(option);
	}
	assert_true(has_user && has_port);
	sc.user = NULL;
	option = sshconf_option(&sc, len - 2);
	assert_non_null(strstr(option, "ProxyCommand"));
	free(option);
	assert_null(sshconf_option(&sc, len - 1));
}

static void files_of_others_are_neither_listed_nor_touched(void **state)
{
	cleanup(job_finish) struct job ours = make_job(3, "", 1), other = make_job(4, "", 1);
	cleanup_free char *path = fs_join(jobs, "job-4.conf"), *odd = fs_join(jobs, "job-x.conf");
	cleanup_free uint64_t *ids = NULL;
	struct sshconf sc = sshconf();
	struct err err;
	size_t len;

	(void)state;
	assert_int_equal(include(NULL), 1);
	put(path, "# mine\nHost job-4\n", 0600);
	put(odd, "# made by berth of /state\n", 0600);
	assert_int_equal(sshconf_add_job(&sc, &ours, NULL), 0);
	assert_int_equal(sshconf_add_job(&sc, &other, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_int_equal(sshconf_list_jobs(&sc, &ids, &len, NULL), 0);
	assert_int_equal(len, 1);
	assert_int_equal(ids[0], 3);
	assert_int_equal(sshconf_remove_job(&sc, 4, NULL), 0);
	assert_holds(path, "# mine\nHost job-4\n");
	sc.state_dir = "/somebody/else";
	assert_int_equal(sshconf_remove_job(&sc, 3, NULL), 0);
	assert_int_equal(sshconf_add_job(&sc, &ours, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_missing_configuration_is_created_for_the_user_alone),
		TEST(the_users_text_stays_byte_for_byte_below_our_line),
		TEST(a_file_with_carriage_returns_gets_a_line_with_one),
		TEST(looking_for_the_line_changes_nothing),
		TEST(a_line_that_holds_for_every_host_is_enough),
		TEST(a_line_that_holds_for_some_hosts_is_not),
		TEST(a_chain_of_links_stays_and_its_end_is_written),
		TEST(a_dangling_link_gets_its_file_where_its_directory_exists),
		TEST(links_in_a_circle_are_an_error),
		TEST(what_is_read_only_is_not_touched),
		TEST(what_is_no_text_file_is_an_error),
		TEST(processes_at_once_write_the_line_once),
		TEST(a_job_has_one_file_with_all_that_ssh_needs),
		TEST(a_program_in_an_odd_place_is_quoted_for_the_shell),
		TEST(an_sshd_of_the_job_is_logged_in_to_as_usual),
		TEST(files_of_others_are_neither_listed_nor_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
