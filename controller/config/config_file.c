/* SPDX-License-Identifier: MIT */
/* Which files the configuration is read from; see config.h. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/config/internal.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"

static int read_user(struct config *config, const char *file, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX + 1);
	struct err own;

	if (fs_read_file(file, CONFIG_FILE_MAX + 1, &text, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	return config_parse(config, file, buf_span(&text), false, err);
}

/*
 * 1: the file of this directory was read; 0: there is none. Somebody else's, or one that others can
 * write, could make us do what they want: it counts as none, and that is said.
 */
static int read_project(struct config *config, const char *dir, struct err *err)
{
	cleanup_free char *file = fs_join(dir, CONFIG_PROJECT_FILE);
	cleanup_close int fd = fd_open(file, O_RDONLY | O_NONBLOCK);
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX + 1);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR
			       ? 0
			       : err_set_errno(err, errno, "open %s", file);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & S_IWOTH)) {
		log_warn("%s: not read: it is not yours alone", file);
		return 0;
	}
	if (fd_read_all(fd, CONFIG_FILE_MAX + 1, &text, err) < 0)
		return err_wrap(err, "read %s", file);
	return config_parse(config, file, buf_span(&text), true, err) < 0 ? -1 : 1;
}

/* The nearest one, in the directory or above; not above the home directory when we are in that. */
static int find_project(struct config *config, const char *dir, const char *home, struct err *err)
{
	cleanup_free char *at = str_dup(dir);

	while (at[0] == '/') {
		int found = read_project(config, at[1] ? at : "/", err);
		char *slash = strrchr(at, '/');

		if (found != 0)
			return found < 0 ? -1 : 0;
		if (strcmp(at, home) == 0 || at[1] == '\0')
			break;
		slash[slash == at] = '\0';
	}
	return 0;
}

int config_load(const char *file, const char *dir, const char *home, struct config **ret,
		struct err *err)
{
	cleanup(config_free) struct config *config = config_new();

	if (read_user(config, file, err) < 0 || (dir && find_project(config, dir, home, err) < 0))
		return -1;
	*ret = take_ptr(config);
	return 0;
}
