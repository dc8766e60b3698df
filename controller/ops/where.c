/* SPDX-License-Identifier: MIT */
/* Which cluster, and the configuration that says so; see where.h. */
#include "where.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "controller/ops/internal.h"
#include "init/base/fs.h"

#define BACKEND_DEFAULT "slurm"

int ops_config(struct controller *c, const struct config **ret, struct err *err)
{
	cleanup_free char *home = str_dup(c->paths.home);
	char dir[PATH_MAX];

	if (!c->config && config_load(c->paths.config_file, getcwd(dir, sizeof(dir)) ? dir : NULL,
				      home, &c->config, err) < 0)
		return -1;
	*ret = c->config;
	return 0;
}

const char *ops_config_file(const struct controller *c)
{
	return c->paths.config_file;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

static bool was_chosen(void)
{
	return controller_choice.cluster || controller_choice.context;
}

/* A flag of one kind makes the variables of both silent. */
static struct config_choice choice(const char *name)
{
	if (name)
		return (struct config_choice){ controller_choice.context, name };
	if (was_chosen())
		return (struct config_choice){ controller_choice.context,
					       controller_choice.cluster };
	return (struct config_choice){ environment("BERTH_CONTEXT"), environment("BERTH_CLUSTER") };
}

/* An engine that is reached through ssh: its host reaches the containers. */
static const char *login_of(const char *url)
{
	static const char ssh[] = "ssh://";

	return url && strncmp(url, ssh, strlen(ssh)) == 0 ? url + strlen(ssh) : NULL;
}

static int describe(const struct config *config, const struct config_cluster *cluster,
		    struct where *ret)
{
	const char *backend = config_text(config, cluster, "backend");
	const char *login = config_text(config, cluster, "login");
	bool is_behind;

	ret->cluster = cluster->name;
	ret->backend = backend ? backend : BACKEND_DEFAULT;
	is_behind = login && strcmp(ret->backend, "local") != 0;
	ret->is_remote = is_behind || strcmp(ret->backend, "firecrest") == 0;
	ret->login = is_behind ? login : login_of(config_text(config, cluster, "url"));
	ret->runs_containers = strcmp(ret->backend, "docker") == 0 ||
			       strcmp(ret->backend, "kubernetes") == 0 ||
			       strcmp(ret->backend, "swarm") == 0;
	ret->settings = cluster;
	return 0;
}

int ops_choose(struct controller *c, const char *name, struct where *ret, struct err *err)
{
	const struct config_choice chosen = choice(name);
	const struct config_cluster *cluster;
	const struct config *config;
	struct backend *opened;

	*ret = (struct where){ 0 };
	if (ops_config(c, &config, err) < 0)
		return -1;
	if (name && !config_find_cluster(config, name) &&
	    controller_find_backend(c, name, &opened)) {
		ret->cluster = name;
		ret->backend = backend_name(opened);
		return 0;
	}
	if (config_choose(config, &chosen, &ret->context, &cluster, err) < 0)
		return -1;
	return describe(config, cluster, ret);
}

/* What a file may say and nobody could use. */
static int check_change(const struct config_edit *change, const char *file, const struct buf *after,
			struct err *err)
{
	cleanup(config_free) struct config *config = config_new();
	const size_t backend_len = strlen(".backend"), len = strlen(change->key);
	const struct config_context *context;
	const struct config_cluster *cluster;

	if (change->change != CONFIG_SET || change->len != 1)
		return 0;
	if (len > backend_len && strcmp(change->key + len - backend_len, ".backend") == 0)
		return backend_check_name(change->values[0], err);
	if (strcmp(change->key, "context") != 0)
		return 0;
	if (config_parse(config, file, buf_span(after), false, err) < 0)
		return -1;
	return config_choose(config, &(struct config_choice){ .context = change->values[0] },
			     &context, &cluster, err);
}

/* Two that change it at once would each lose what the other one wrote. */
static int lock(const char *dir, int *ret, struct err *err)
{
	cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_set_errno(err, errno, "lock %s", dir);
	*ret = take_fd(fd);
	return 0;
}

int ops_config_change(struct controller *c, const struct config_edit *change, struct err *err)
{
	cleanup(buf_finish) struct buf before = BUF_INIT(CONFIG_FILE_MAX);
	cleanup(buf_finish) struct buf after = BUF_INIT(CONFIG_FILE_MAX);
	cleanup_free char *target = realpath(c->paths.config_file, NULL);
	const char *file = target ? target : c->paths.config_file;
	cleanup_close int locked = -1;
	struct err own;

	if (fs_make_dirs(c->paths.config_dir, 0700, err) < 0 ||
	    lock(c->paths.config_dir, &locked, err) < 0)
		return -1;
	if (fs_read_file(file, CONFIG_FILE_MAX, &before, &own) < 0 && own.kind != ERR_NOT_FOUND)
		return err_set(err, own.kind, "%s", own.text);
	if (config_edit(file, buf_span(&before), change, &after, err) < 0 ||
	    check_change(change, file, &after, err) < 0)
		return err_wrap(err, "nothing was changed");
	return fs_write_file(file, buf_span(&after), 0600, err);
}

bool ops_is_chosen(struct controller *c, const char *cluster)
{
	struct where where;

	return !was_chosen() ||
	       (ops_choose(c, NULL, &where, NULL) == 0 && strcmp(where.cluster, cluster) == 0);
}

int ops_keep_chosen(struct controller *c, struct job_list *jobs, struct err *err)
{
	struct where where;
	size_t kept = 0;

	if (!was_chosen())
		return 0;
	if (ops_choose(c, NULL, &where, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs->len; i++) {
		if (strcmp(jobs->items[i].cluster, where.cluster) != 0) {
			job_finish(&jobs->items[i]);
			continue;
		}
		if (kept != i)
			jobs->items[kept] = jobs->items[i];
		kept++;
	}
	jobs->len = kept;
	return 0;
}
