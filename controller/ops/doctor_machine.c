/* SPDX-License-Identifier: MIT */
/* What doctor looks at on this machine; see doctor_check.h. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/ops/doctor_check.h"
#include "controller/ops/where.h"
#include "controller/run/child.h"
#include "init/base/fs.h"

#define PROGRAM_MS 3000

static struct controller *open_or_tell(struct doctor_check *check, const char *name)
{
	struct controller *c = NULL;
	struct err err;

	if (doctor_open(&c, &err) < 0)
		doctor_say(check, name, FINDING_FAILURE, "%s", err.text);
	return c;
}

void doctor_configuration(struct doctor_check *check)
{
	cleanup(controller_close) struct controller *c = open_or_tell(check, "configuration");
	const struct config *config;
	struct where where;
	struct err err;

	if (!c)
		return;
	check->about = c->paths.config_file;
	if (ops_config(c, &config, &err) < 0 || ops_choose(c, NULL, &where, &err) < 0)
		doctor_say(check, "configuration", FINDING_FAILURE, "%s", err.text);
	else if (config->files.len == 0)
		doctor_say(check, "configuration", FINDING_OK,
			   "there is no %s, and none is needed for this machine; jobs go to '%s'",
			   c->paths.config_file, where.cluster);
	else
		doctor_say(check, "configuration", FINDING_OK, "%s is right; jobs go to '%s'",
			   config->files.items[config->files.len - 1], where.cluster);
}

/* 1: private. 0: not there. -1: it was told what is wrong. */
static int look_at_mode(struct doctor_check *check, const char *name, const char *path)
{
	struct stat st;

	check->about = path;
	if (stat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		doctor_say(check, name, FINDING_FAILURE, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (st.st_uid != geteuid()) {
		doctor_say(check, name, FINDING_FAILURE, "%s is not yours: chown it", path);
		return -1;
	}
	if ((st.st_mode & 077) == 0)
		return 1;
	doctor_say(check, name, FINDING_FAILURE, "%s is open to others: chmod %s %s", path,
		   S_ISDIR(st.st_mode) ? "700" : "600", path);
	return -1;
}

void doctor_database(struct doctor_check *check)
{
	cleanup(controller_close) struct controller *c = open_or_tell(check, "database");
	uint64_t jobs;
	struct err err;
	int mode;

	if (!c)
		return;
	mode = look_at_mode(check, "database", c->paths.database);
	if (mode == 0)
		doctor_say(check, "database", FINDING_OK, "there is no %s: the first job makes it",
			   c->paths.database);
	if (mode == 0)
		return;
	if (store_check(c->paths.database, &jobs, &err) < 0)
		doctor_say(check, "database", FINDING_FAILURE, "%s", err.text);
	else if (mode > 0)
		doctor_say(check, "database", FINDING_OK, "%s is whole and knows %llu %s",
			   c->paths.database, (unsigned long long)jobs, jobs == 1 ? "job" : "jobs");
}

/* Whether all of them are private. */
static bool look_at_keys(struct doctor_check *check, const char *dir, size_t *ret_count)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	bool ok = true;

	while (list && (entry = readdir(list))) {
		cleanup_free char *path = fs_join(dir, entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		*ret_count += 1;
		ok = look_at_mode(check, "keys", path) >= 0 && ok;
	}
	if (list)
		closedir(list);
	return ok;
}

void doctor_keys(struct doctor_check *check)
{
	cleanup(controller_close) struct controller *c = open_or_tell(check, "keys");
	size_t count = 0;
	int dir, host;
	bool ok;

	if (!c)
		return;
	dir = look_at_mode(check, "keys", c->paths.keys_dir);
	ok = look_at_keys(check, c->paths.keys_dir, &count) && dir >= 0;
	host = look_at_mode(check, "keys", c->paths.host_key);
	if (host == 1 && !fs_exists(c->paths.known_hosts)) {
		doctor_say(check, "keys", FINDING_FAILURE,
			   "%s is missing, so that ssh knows nobody: move %s away, and the next "
			   "job makes both",
			   c->paths.known_hosts, c->paths.host_key);
		return;
	}
	check->about = c->paths.keys_dir;
	if (ok && host == 1)
		doctor_say(check, "keys", FINDING_OK, "%zu %s, yours alone", count,
			   count == 1 ? "file" : "files");
	else if (ok && host == 0)
		doctor_say(check, "keys", count ? FINDING_NOTE : FINDING_OK,
			   "there is no host key: the next job makes one");
}

/* The first line of what a program says of itself, in either place. */
static int ask_program(const char *const *argv, char *out, size_t size, struct err *err)
{
	cleanup(child_finish) struct child child = { 0 };
	const struct child_plan plan = { .argv = argv, .timeout_ms = PROGRAM_MS };

	if (child_run(&plan, &child, err) < 0)
		return -1;
	if (buf_len(&child.output) > 0)
		snprintf(out, size, "%.*s", (int)strcspn(buf_str(&child.output), "\r\n"),
			 buf_str(&child.output));
	else
		child_complaint(&child, out, size);
	return child.status == 0 ? 0 : err_set(err, ERR_UNAVAILABLE, "%s: %s", argv[0], out);
}

void doctor_ssh(struct doctor_check *check)
{
	static const char *const argv[] = { "ssh", "-V", NULL };
	char said[160];
	unsigned int major = 0, minor = 0;
	struct err err;

	if (ask_program(argv, said, sizeof(said), &err) < 0)
		doctor_say(check, "ssh", FINDING_FAILURE,
			   "%s: install OpenSSH's client; 'berth exec' works without", err.text);
	else if (sscanf(said, "OpenSSH_%u.%u", &major, &minor) != 2)
		doctor_say(check, "ssh", FINDING_NOTE, "%s: berth is tested with OpenSSH", said);
	else if (major < 7 || (major == 7 && minor < 3))
		doctor_say(check, "ssh", FINDING_FAILURE,
			   "%s does not know Include in its configuration: 7.3 is the oldest that "
			   "does; 'berth ssh' works",
			   said);
	else
		doctor_say(check, "ssh", FINDING_OK, "%s", said);
}

void doctor_include(struct doctor_check *check)
{
	cleanup(controller_close) struct controller *c = open_or_tell(check, "include");
	struct err err;
	int has;

	if (!c)
		return;
	check->about = c->paths.ssh_config;
	has = sshconf_has_include(&c->ssh, &err);
	if (has < 0)
		doctor_say(check, "include", FINDING_FAILURE, "%s", err.text);
	else if (has > 0)
		doctor_say(check, "include", FINDING_OK, "%s includes the files of jobs",
			   c->paths.ssh_config);
	else if (!fs_exists(c->paths.ssh_jobs_dir))
		doctor_say(check, "include", FINDING_OK,
			   "%s does not include the files of jobs yet: the first job does that",
			   c->paths.ssh_config);
	else
		doctor_say(check, "include", FINDING_WARNING,
			   "%s does not say '" SSHCONF_INCLUDE
			   "' above its first Host or Match, so that ssh does not know jobs: put "
			   "it at the top, or use 'berth ssh'",
			   c->paths.ssh_config);
}

void doctor_programs(struct doctor_check *check)
{
	cleanup(controller_close) struct controller *c = open_or_tell(check, "programs");
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	const char *argv[] = { NULL, "--version", NULL };
	char said[160];
	struct err err;

	if (!c)
		return;
	if (bundle_find(c->paths.program, &bundle, &err) < 0) {
		doctor_say(check, "programs", FINDING_FAILURE, "%s", err.text);
		return;
	}
	check->about = bundle.tunnel;
	argv[0] = bundle.tunnel;
	if (ask_program(argv, said, sizeof(said), &err) < 0)
		doctor_say(check, "programs", FINDING_FAILURE, "%s", err.text);
	else if (!strstr(said, BERTH_VERSION))
		doctor_say(check, "programs", FINDING_WARNING,
			   "%s is '%s', but this is berth " BERTH_VERSION ": install them together",
			   bundle.tunnel, said);
	else
		doctor_say(check, "programs", FINDING_OK, "%s, %s", said, bundle.tunnel);
}
