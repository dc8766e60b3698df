/* SPDX-License-Identifier: MIT */
/*
 * Connections through a program (http_open_program() in http.h).
 *
 * libcurl 7.88 insists on connecting the sockets that it is given, also one that is connected to a
 * program already. So it connects to a socket of ours, in the abstract namespace (unix(7)), and the
 * program takes the connection there.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/http/internal.h"
#include "init/base/alloc.h"
#include "init/base/exec.h"
#include "init/base/fd.h"

#define BACKLOG 16
/* libcurl connects at once, or has given up. */
#define ACCEPT_MS 10000

int http_listen(struct http *http, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(address);
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* A name of the kernel's choice. */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
	    listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return err_set_errno(err, errno, "no socket for %s", http->url);
	len -= (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1;
	http->listening = str_dup_len(address.sun_path + 1, len);
	http->listener = take_fd(fd);
	return 0;
}

/* Its name is for everybody to see: others may connect, and get nothing. */
static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

static int accept_ours(int listener)
{
	struct pollfd wait = { .fd = listener, .events = POLLIN };

	while (poll(&wait, 1, ACCEPT_MS) > 0) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0 && is_ours(fd))
			return fd;
		fd_close(fd);
	}
	return -1;
}

/* It lives as long as the connection, and is nobody's to wait for. */
attr_noreturn static void become(const struct http *http)
{
	int fd = accept_ours(http->listener);

	exec_reset_signals();
	if (fd >= 0 && setsid() >= 0 && dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		execvp(http->program[0], http->program);
	_exit(127);
}

bool http_dial(const struct http *http)
{
	pid_t middle = fork();

	if (middle == 0) {
		if (fork() == 0)
			become(http);
		_exit(0);
	}
	while (middle > 0 && waitpid(middle, NULL, 0) < 0 && errno == EINTR)
		continue;
	return middle > 0;
}
