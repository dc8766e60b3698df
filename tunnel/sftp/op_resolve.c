/* SPDX-License-Identifier: MIT */
/* Paths as the client writes them to absolute ones; "~". */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"

#define LINKS_MAX 40

/* A link's target instead of the link, if path is one: 1, 0 if it is none, -1 and errno. */
static int follow(char **path)
{
	char target[PATH_MAX];
	ssize_t len = readlink(*path, target, sizeof(target) - 1);
	char *slash;

	if (len < 0)
		return errno == EINVAL || errno == ENOENT ? 0 : -1;
	target[len] = '\0';
	slash = strrchr(*path, '/');
	if (slash && target[0] != '/') {
		cleanup_free char *link = *path;

		*path = str_printf("%.*s%s", (int)(slash + 1 - link), link, target);
	} else {
		free(*path);
		*path = str_dup(target);
	}
	return 1;
}

/* The parent must be there, the last name need not. */
static char *resolve_new(const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent =
		slash ? str_dup_len(path, (size_t)(slash + 1 - path)) : str_dup(".");
	cleanup_free char *real = realpath(parent, NULL);
	const char *name = slash ? slash + 1 : path;

	if (!real)
		return NULL;
	return str_printf("%s%s%s", real, strcmp(real, "/") == 0 ? "" : "/", name);
}

/*
 * realpath(3), but the last part need not be there, as with OpenSSH: clients ask before they make
 * it. NULL and errno.
 */
static char *resolve(const char *path)
{
	cleanup_free char *at = str_dup(path[0] ? path : ".");
	char *real = realpath(at, NULL);
	size_t len = strlen(at);

	if (real || errno != ENOENT)
		return real;
	while (len > 1 && at[len - 1] == '/')
		at[--len] = '\0';
	for (int i = 0; i < LINKS_MAX; i++) {
		int followed = follow(&at);

		if (followed <= 0)
			return followed < 0 ? NULL : resolve_new(at);
	}
	errno = ELOOP;
	return NULL;
}

static void reply_resolved(struct buf *out, uint32_t id, const char *path)
{
	cleanup_free char *real = resolve(path);

	if (real)
		reply_name(out, id, real);
	else
		reply_errno(out, id, errno);
}

void op_realpath(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	char path[PATH_MAX];

	(void)server;
	if (take_path(out, request->id, request->path, path))
		reply_resolved(out, request->id, path);
}

/* Whoever we are: $HOME as commands in the job see it, then the account. */
static char *own_home(struct sftp_server *server)
{
	char *home =
		server->home ? str_dup(server->home) : names_home_of_id(&server->names, getuid());

	return home ? home : str_dup("/");
}

void op_home_directory(struct sftp_server *server, const struct sftp_request *request,
		       struct buf *out)
{
	cleanup_free char *user = str_dup_len((const char *)request->text.ptr, request->text.len);
	cleanup_free char *home = user[0] ? names_home(&server->names, user) : own_home(server);

	if (home)
		reply_name(out, request->id, home);
	else
		reply_status(out, request->id, SFTP_STATUS_NO_SUCH_FILE, "no such user");
}

/* "~" and "~/x" are ours, "~user/x" is the user's. NULL: there is no such user. */
static char *expand(struct sftp_server *server, const char *path)
{
	size_t len = strcspn(path, "/");
	cleanup_free char *home = NULL;
	cleanup_free char *user = NULL;

	if (path[0] != '~')
		return str_dup(path);
	user = str_dup_len(path + 1, len - 1);
	home = user[0] ? names_home(&server->names, user) : own_home(server);
	return home ? str_printf("%s%s", home, path + len) : NULL;
}

void op_expand_path(struct sftp_server *server, const struct sftp_request *request, struct buf *out)
{
	cleanup_free char *expanded = NULL;
	char path[PATH_MAX];

	if (!take_path(out, request->id, request->path, path))
		return;
	expanded = expand(server, path);
	if (expanded)
		reply_resolved(out, request->id, expanded);
	else
		reply_status(out, request->id, SFTP_STATUS_NO_SUCH_FILE, "no such user");
}
