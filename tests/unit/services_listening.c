/* SPDX-License-Identifier: MIT */
/* Listening sockets, and what they leave in the file system. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "init/base/fs.h"
#include "tunnel/services/listening.h"

static char dir[64], runtime[96], every_rule[] = "0.0.0.0:*", fixed_rule[] = "*:9";
static char *allow[] = { every_rule, fixed_rule };
static char *environment[] = { runtime, NULL };
static struct listening listening;
static struct err why;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/berth-listening-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=%s", dir);
	listening = (struct listening){ 0 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	listening_close(&listening);
	assert_int_equal(fs_remove_tree(dir, NULL), 0);
	return 0;
}

static bool listens(enum listen_kind kind, const char *address, uint16_t port, size_t allow_len)
{
	const struct listening_config config = { environment, "/nowhere", allow, allow_len };
	const struct listen_start start = { kind, span_of_str(address), port };

	why = (struct err){ 0 };
	return listening_open(&config, &start, &listening, &why) == 0;
}

static void assert_refused(enum listen_kind kind, const char *address, uint16_t port,
			   size_t allow_len, enum err_kind expected)
{
	assert_false(listens(kind, address, port, allow_len));
	assert_int_equal(why.kind, expected);
}

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void leave_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(a.sun_path));
	memcpy(a.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
}

static void addresses_that_others_reach_need_the_allow_list(void **state)
{
	(void)state;
	assert_refused(LISTEN_TCP, "", 0, 0, ERR_DENIED);
	assert_non_null(strstr(why.text, "every address is not on this job's allow list"));
	assert_refused(LISTEN_TCP, "*", 0, 0, ERR_DENIED);
	assert_refused(LISTEN_TCP, "0.0.0.0", 0, 0, ERR_DENIED);
	assert_refused(LISTEN_TCP, "::", 0, 0, ERR_DENIED);
	assert_refused(LISTEN_TCP, "192.0.2.1", 80, 0, ERR_DENIED);
	assert_refused(LISTEN_TCP, "node7", 0, 0, ERR_DENIED);
	/* A rule for one port is not one for whatever port there is. */
	assert_refused(LISTEN_TCP, "192.0.2.1", 0, 2, ERR_DENIED);
}

static void what_the_allow_list_has_is_listened_on(void **state)
{
	(void)state;
	assert_true(listens(LISTEN_TCP, "", 0, 2));
	assert_true(listening.port > 0 && listening.fds_len > 0);
	listening_close(&listening);
	/* Port 9 is allowed everywhere, but this address is nobody's here. */
	assert_refused(LISTEN_TCP, "192.0.2.1", 9, 2, ERR_INVALID);
	assert_refused(LISTEN_TCP, "name", 9, 2, ERR_INVALID);
	assert_non_null(strstr(why.text, "neither localhost nor an IP address"));
}

static void a_port_is_chosen_and_told(void **state)
{
	struct listening first;

	(void)state;
	assert_true(listens(LISTEN_TCP, "127.0.0.1", 0, 0));
	first = listening;
	assert_true(first.port > 0);
	assert_int_equal(first.fds_len, 1);
	assert_refused(LISTEN_TCP, "localhost", first.port, 0, ERR_EXISTS);
	listening_close(&first);
	assert_true(listens(LISTEN_TCP, "localhost", first.port, 0));
	assert_int_equal(listening.port, first.port);
}

static void localhost_is_listened_on_where_one_of_its_addresses_is_taken(void **state)
{
	struct listening other;

	(void)state;
	if (!listens(LISTEN_TCP, "::1", 0, 0))
		skip(); /* no IPv6 here */
	other = listening;
	listening = (struct listening){ 0 };
	assert_true(listens(LISTEN_TCP, "localhost", other.port, 0));
	assert_int_equal(listening.fds_len, 1);
	listening_close(&other);
}

static void what_belongs_to_nobody_any_more_is_replaced(void **state)
{
	const char *path = in_dir("s");
	struct stat st;

	(void)state;
	leave_socket(path);
	assert_true(listens(LISTEN_UNIX, path, 0, 0));
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_refused(LISTEN_UNIX, path, 0, 0, ERR_EXISTS);
	listening_close(&listening);
	assert_false(fs_exists(path));
}

static void what_is_no_socket_or_no_path_is_refused(void **state)
{
	static char longer[TARGET_PATH_MAX + 2];

	(void)state;
	assert_int_equal(fs_write_file(in_dir("file"), span_of_str("precious"), 0600, NULL), 0);
	assert_refused(LISTEN_UNIX, in_dir("file"), 0, 0, ERR_EXISTS);
	assert_true(fs_exists(in_dir("file")));
	assert_refused(LISTEN_UNIX, "relative", 0, 0, ERR_INVALID);
	assert_refused(LISTEN_UNIX, "/nowhere/s", 0, 0, ERR_NOT_FOUND);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	assert_refused(LISTEN_UNIX, longer, 0, 0, ERR_INVALID);
}

static void a_socket_that_somebody_else_put_there_meanwhile_stays(void **state)
{
	char old[128];

	(void)state;
	assert_true(listens(LISTEN_UNIX, in_dir("s"), 0, 0));
	snprintf(old, sizeof(old), "%s", in_dir("old"));
	assert_int_equal(rename(in_dir("s"), old), 0);
	leave_socket(in_dir("s"));
	listening_close(&listening);
	assert_true(fs_exists(in_dir("s")));
}

static void a_private_socket_has_a_directory_that_goes_with_it(void **state)
{
	char parent[TARGET_PATH_MAX + 1];
	struct stat st;

	(void)state;
	assert_true(listens(LISTEN_PRIVATE, "", 0, 0));
	memcpy(parent, listening.path, sizeof(parent));
	*strrchr(parent, '/') = '\0';
	assert_int_equal(strncmp(parent, dir, strlen(dir)), 0);
	assert_int_equal(lstat(parent, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	listening_close(&listening);
	assert_false(fs_exists(parent));
}

static void the_next_directory_is_taken_where_one_takes_nothing(void **state)
{
	(void)state;
	snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=%s/missing", dir);
	assert_true(listens(LISTEN_PRIVATE, "", 0, 0));
	assert_int_not_equal(strncmp(listening.path, dir, strlen(dir)), 0);
}

static void directories_of_dead_tunnels_are_swept(void **state)
{
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	static const char *const names[] = { "berth-agent.stale1", "berth-agent.young1",
					     "berth-agent.full11" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(mkdir(in_dir(names[i]), 0700), 0);
	leave_socket(in_dir("berth-agent.stale1/agent"));
	leave_socket(in_dir("berth-agent.young1/agent"));
	assert_int_equal(
		fs_write_file(in_dir("berth-agent.full11/x"), span_of_str("x"), 0600, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, in_dir(names[0]), old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, in_dir(names[2]), old, 0), 0);
	assert_true(listens(LISTEN_PRIVATE, "", 0, 0));
	assert_false(fs_exists(in_dir(names[0])));
	assert_true(fs_exists(in_dir(names[1])));
	assert_true(fs_exists(in_dir(names[2])));
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(addresses_that_others_reach_need_the_allow_list),
		ON_DISK(what_the_allow_list_has_is_listened_on),
		ON_DISK(a_port_is_chosen_and_told),
		ON_DISK(localhost_is_listened_on_where_one_of_its_addresses_is_taken),
		ON_DISK(what_belongs_to_nobody_any_more_is_replaced),
		ON_DISK(what_is_no_socket_or_no_path_is_refused),
		ON_DISK(a_socket_that_somebody_else_put_there_meanwhile_stays),
		ON_DISK(a_private_socket_has_a_directory_that_goes_with_it),
		ON_DISK(the_next_directory_is_taken_where_one_takes_nothing),
		ON_DISK(directories_of_dead_tunnels_are_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
