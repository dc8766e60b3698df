/* SPDX-License-Identifier: MIT */
/* Where things are; see paths.h. */
#include "paths.h"

#include <limits.h>
#include <pwd.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"

/* The variable's value, or a path below the home directory when it is unset or empty. */
static int from_env(const char *variable, const char *home, const char *otherwise, char **ret,
		    struct err *err)
{
	const char *value = getenv(variable);

	if (!value || value[0] == '\0') {
		*ret = fs_join(home, otherwise);
		return 0;
	}
	if (value[0] != '/')
		return err_set(err, ERR_INVALID, "%s: '%s' is not an absolute path", variable,
			       value);
	*ret = str_dup(value);
	return 0;
}

static int find_program(char **ret, struct err *err)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len < 0)
		return err_set_errno(err, errno, "cannot find this program: /proc/self/exe");
	path[len] = '\0';
	*ret = str_dup(path);
	return 0;
}

/* The home directory of $HOME, and that of the passwd entry, which ssh uses. */
static int find_homes(const char **ret_home, const char **ret_ssh_home, struct err *err)
{
	const struct passwd *entry = getpwuid(getuid());
	const char *home = getenv("HOME");

	if (!home || home[0] != '/')
		home = entry ? entry->pw_dir : NULL;
	if (!home)
		return err_set(err, ERR_INVALID, "no home directory: set HOME");
	*ret_home = home;
	*ret_ssh_home = entry && entry->pw_dir[0] == '/' ? entry->pw_dir : home;
	return 0;
}

static int fill(struct paths *paths, struct err *err)
{
	cleanup_free char *config = NULL, *state = NULL, *berth_home = NULL;
	const char *home = NULL, *ssh_home = NULL;

	if (find_homes(&home, &ssh_home, err) < 0 || find_program(&paths->program, err) < 0 ||
	    from_env("XDG_CONFIG_HOME", home, ".config", &config, err) < 0 ||
	    from_env("XDG_STATE_HOME", home, ".local/state", &state, err) < 0 ||
	    from_env("BERTH_HOME", home, ".berth", &berth_home, err) < 0)
		return -1;
	paths->home = str_dup(home);
	paths->config_dir = fs_join(config, "berth");
	paths->config_file = fs_join(paths->config_dir, "config.yaml");
	paths->state_dir = fs_join(state, "berth");
	paths->database = fs_join(paths->state_dir, "berth.db");
	paths->keys_dir = fs_join(paths->state_dir, "keys");
	paths->host_key = fs_join(paths->state_dir, "host_key.json");
	paths->known_hosts = fs_join(paths->state_dir, "known_hosts");
	paths->berth_home = str_dup(berth_home);
	paths->jobs_dir = fs_join(berth_home, "jobs");
	paths->images_dir = fs_join(berth_home, "images");
	paths->ssh_config = fs_join(ssh_home, ".ssh/config");
	paths->ssh_jobs_dir = fs_join(ssh_home, ".ssh/berth");
	return 0;
}

int paths_init(struct paths *ret, struct err *err)
{
	cleanup(paths_finish) struct paths paths = { 0 };

	if (fill(&paths, err) < 0)
		return -1;
	*ret = paths;
	paths = (struct paths){ 0 };
	return 0;
}

void paths_finish(struct paths *paths)
{
	free(paths->program);
	free(paths->home);
	free(paths->config_dir);
	free(paths->config_file);
	free(paths->state_dir);
	free(paths->database);
	free(paths->keys_dir);
	free(paths->host_key);
	free(paths->known_hosts);
	free(paths->berth_home);
	free(paths->jobs_dir);
	free(paths->images_dir);
	free(paths->ssh_config);
	free(paths->ssh_jobs_dir);
	*paths = (struct paths){ 0 };
}

int paths_make_state(const struct paths *paths, struct err *err)
{
	return fs_make_dirs(paths->keys_dir, 0700, err);
}

char *paths_expand(const struct paths *paths, const char *path)
{
	if (!path)
		return NULL;
	if (path[0] == '~' && (path[1] == '/' || path[1] == '\0'))
		return str_printf("%s%s", paths->home, path + 1);
	return str_dup(path);
}

char *paths_job_dir(const struct paths *paths, const char *uid)
{
	return fs_join(paths->jobs_dir, uid);
}

char *paths_client_key(const struct paths *paths, const char *uid)
{
	return str_printf("%s/%s.json", paths->keys_dir, uid);
}

char *paths_client_tickets(const struct paths *paths, const char *uid)
{
	return str_printf("%s/%s.json.tickets", paths->keys_dir, uid);
}
