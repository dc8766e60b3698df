/* SPDX-License-Identifier: MIT */
/* Connections through a program (http_open_program() in http.h). */
#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/http/internal.h"
#include "init/base/exec.h"

/* It lives as long as the connection, and is nobody's to wait for. */
attr_noreturn static void become(char **argv, int fd)
{
	exec_reset_signals();
	if (setsid() >= 0 && dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		execvp(argv[0], argv);
	_exit(127);
}

int http_dial(const struct http *http)
{
	int pair[2];
	pid_t middle;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	middle = fork();
	if (middle == 0) {
		if (fork() == 0)
			become(http->program, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	while (middle > 0 && waitpid(middle, NULL, 0) < 0 && errno == EINTR)
		continue;
	if (middle < 0) {
		close(pair[0]);
		return -1;
	}
	return pair[0];
}
