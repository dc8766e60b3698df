/* SPDX-License-Identifier: MIT */
/* Listening sockets of the job; see listening.h. */
#include "listening.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "init/base/log.h"

#define BACKLOG 128
#define PRIVATE_PREFIX "berth-agent."
#define PRIVATE_NAME "agent"
#define SWEEP_MAX 4096 /* entries of a directory that are looked at */
#define SWEEP_AGE_S 60 /* between bind(2) and listen(2) a socket refuses as well */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un path;
};

static socklen_t address_len(const union address *a)
{
	if (a->any.sa_family == AF_INET)
		return sizeof(a->v4);
	return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->path);
}

/* Returns the descriptor, or -1 and errno. */
static int listen_at(const union address *a)
{
	cleanup_close int fd =
		socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	/* The mode of a socket in the file system is that of the descriptor before bind(2). */
	if (a->any.sa_family == AF_UNIX && fchmod(fd, 0600) < 0)
		return -1;
	if (a->any.sa_family != AF_UNIX &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -1;
	if (a->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -1;
	if (bind(fd, &a->any, address_len(a)) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return take_fd(fd);
}

static int bind_error(struct err *err, int os, const char *name)
{
	err_set_errno(err, os, "listen on %s", name);
	if (err && os == EADDRINUSE)
		err->kind = ERR_EXISTS;
	else if (err && os == EADDRNOTAVAIL)
		err->kind = ERR_INVALID;
	return -1;
}

/* TCP */

static bool parse_ip(const char *text, uint16_t port, union address *ret)
{
	union address a = { 0 };

	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
	} else {
		return false;
	}
	*ret = a;
	return true;
}

static int local_port(int fd, uint16_t *ret, struct err *err)
{
	union address a = { 0 };
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.any, &len) < 0)
		return err_set_errno(err, errno, "port of a socket");
	*ret = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
	return 0;
}

static int add_ip(struct listening *l, const char *ip, struct err *err)
{
	char name[INET6_ADDRSTRLEN + 16];
	union address a;
	int fd;

	if (!parse_ip(ip, l->port, &a))
		return err_set(err, ERR_INVALID,
			       "the address to listen on is neither localhost nor an IP address");
	snprintf(name, sizeof(name), strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, l->port);
	fd = listen_at(&a);
	if (fd < 0)
		return bind_error(err, errno, name);
	l->fds[l->fds_len++] = fd;
	return l->port ? 0 : local_port(fd, &l->port, err);
}

/* Two addresses of one meaning; a machine without the second has the first. */
static int add_both(struct listening *l, const char *v4, const char *v6, struct err *err)
{
	if (add_ip(l, v4, err) < 0)
		return -1;
	if (add_ip(l, v6, NULL) < 0)
		log_debug("listen: not on [%s]:%u", v6, l->port);
	return 0;
}

static int open_tcp(const struct listening_config *config, const char *address, struct listening *l,
		    struct err *err)
{
	bool is_any = address[0] == '\0' || strcmp(address, "*") == 0;
	struct target target = { .port = l->port };

	if (strlen(address) > TARGET_HOST_MAX)
		return err_set(err, ERR_INVALID, "the address to listen on is too long");
	snprintf(target.host, sizeof(target.host), "%s", is_any ? "0.0.0.0" : address);
	if (!target_is_allowed(&target, config->allow, config->allow_len))
		return err_set(
			err, ERR_DENIED,
			"listening on %s is not on this job's allow list: only loopback is, and "
			"what was allowed when it was submitted",
			is_any ? "every address" : "an address that others reach");
	if (is_any)
		return add_both(l, "0.0.0.0", "::", err);
	if (strcmp(address, "localhost") == 0)
		return add_both(l, "127.0.0.1", "::1", err);
	return add_ip(l, address, err);
}

/* Unix sockets */

/* Whether nobody listens there any more, and it is ours to remove. */
static bool is_stale(const union address *a)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0 || lstat(a->path.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    st.st_uid != geteuid())
		return false;
	return connect(fd, &a->any, sizeof(a->path)) < 0 && errno == ECONNREFUSED;
}

static int open_path(const char *path, struct listening *l, struct err *err)
{
	union address a = { .path = { .sun_family = AF_UNIX } };
	struct stat st;
	int fd;

	if (path[0] != '/' || strlen(path) > TARGET_PATH_MAX)
		return err_set(err, ERR_INVALID,
			       "the socket's path is not absolute, or longer than %d bytes",
			       TARGET_PATH_MAX);
	memcpy(a.path.sun_path, path, strlen(path) + 1);
	fd = listen_at(&a);
	if (fd < 0 && errno == EADDRINUSE && is_stale(&a) && unlink(path) == 0) {
		log_info("listen: %s was left by somebody who is gone", path);
		fd = listen_at(&a);
	}
	if (fd < 0)
		return bind_error(err, errno, path);
	l->fds[l->fds_len++] = fd;
	memcpy(l->path, path, strlen(path) + 1);
	if (lstat(path, &st) == 0) {
		l->device = st.st_dev;
		l->inode = st.st_ino;
	}
	return 0;
}

/* A directory that a tunnel left behind: its socket refuses, and it is not being made just now. */
static void sweep_one(const char *base, const char *name)
{
	union address a = { .path = { .sun_family = AF_UNIX } };
	char path[PATH_MAX];
	struct stat st;
	int len = snprintf(path, sizeof(path), "%s/%s/" PRIVATE_NAME, base, name);

	if (len < 0 || (size_t)len >= sizeof(a.path.sun_path))
		return;
	memcpy(a.path.sun_path, path, (size_t)len + 1);
	if (is_stale(&a))
		unlink(path);
	path[len - (int)strlen("/" PRIVATE_NAME)] = '\0';
	/* One that still has something in it stays. */
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		rmdir(path);
}

static bool is_old(const char *base, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return lstat(path, &st) == 0 && time(NULL) - st.st_mtime > SWEEP_AGE_S;
}

static void sweep(const char *base)
{
	DIR *dir = opendir(base);
	const struct dirent *entry;
	int left = SWEEP_MAX;

	if (!dir)
		return;
	while ((entry = readdir(dir)) && left-- > 0) {
		if (strncmp(entry->d_name, PRIVATE_PREFIX, strlen(PRIVATE_PREFIX)) == 0 &&
		    is_old(base, entry->d_name))
			sweep_one(base, entry->d_name);
	}
	closedir(dir);
}

static const char *lookup(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; environment && environment[i]; i++) {
		if (strncmp(environment[i], name, len) == 0 && environment[i][len] == '=')
			return environment[i] + len + 1;
	}
	return NULL;
}

static int open_below(const char *base, struct listening *l, struct err *err)
{
	char dir[PATH_MAX], path[PATH_MAX + sizeof(PRIVATE_NAME) + 1];

	if (snprintf(dir, sizeof(dir), "%s/" PRIVATE_PREFIX "XXXXXX", base) >= (int)sizeof(dir))
		return err_set(err, ERR_INVALID, "%.64s: too long for a socket", base);
	sweep(base);
	if (!mkdtemp(dir)) /* 0700 */
		return err_set_errno(err, errno, "make a directory in %s", base);
	snprintf(path, sizeof(path), "%s/" PRIVATE_NAME, dir);
	if (open_path(path, l, err) < 0) {
		rmdir(dir);
		return -1;
	}
	l->is_private = true;
	return 0;
}

static int open_private(const struct listening_config *config, struct listening *l, struct err *err)
{
	const char *const bases[] = { lookup(config->environment, "XDG_RUNTIME_DIR"),
				      lookup(config->environment, "TMPDIR"),
				      "/tmp",
				      "/var/tmp",
				      "/dev/shm",
				      config->dir };

	err_set(err, ERR_UNAVAILABLE, "no directory takes a socket");
	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		if (bases[i] && bases[i][0] == '/' && open_below(bases[i], l, err) == 0)
			return 0;
	}
	return err_wrap(err, "no directory takes a socket");
}

int listening_open(const struct listening_config *config, const struct listen_start *start,
		   struct listening *ret, struct err *err)
{
	struct listening l = { .fds = { -1, -1 }, .port = start->port };
	char address[LISTEN_ADDRESS_MAX + 1];
	int result = -1;

	memcpy(address, start->address.len ? start->address.ptr : (const uint8_t *)"",
	       start->address.len);
	address[start->address.len] = '\0';
	switch (start->kind) {
	case LISTEN_TCP:
		result = open_tcp(config, address, &l, err);
		break;
	case LISTEN_UNIX:
		result = open_path(address, &l, err);
		break;
	case LISTEN_PRIVATE:
		result = open_private(config, &l, err);
		break;
	}
	if (result < 0)
		listening_close(&l);
	else
		*ret = l;
	return result;
}

void listening_close(struct listening *l)
{
	struct stat st;
	char *slash;

	for (size_t i = 0; i < l->fds_len; i++)
		l->fds[i] = fd_close(l->fds[i]);
	l->fds_len = 0;
	if (l->path[0] == '\0')
		return;
	if (lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
		unlink(l->path);
	slash = strrchr(l->path, '/');
	*slash = '\0';
	if (l->is_private)
		rmdir(l->path);
	l->path[0] = '\0';
}
