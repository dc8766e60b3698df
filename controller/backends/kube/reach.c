/* SPDX-License-Identifier: MIT */
/* Into a pod by the API server; see reach.h. */
#include "reach.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/kube/channels.h"
#include "controller/backends/kube/pod.h"
#include "controller/backends/kube/pod_init.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define CORE "/api/v1"
#define PATH_MAX_LEN (1024 * 1024)
#define PORT_LEN 2
#define STATUS 3
#define WORDS_MAX 300
/* Of a file that is delivered: what a pipe holds. */
#define FILE_MAX 65536

/* Best first. In the fourth the end of the input cannot be told. */
static const char *const protocols[] = { "v5.channel.k8s.io", "v4.channel.k8s.io", NULL };
#define FIFTH 0

/* The fifth is not spoken by kubelets, which are at the other end of a port-forward. */
static const char *const port_protocols[] = { "v4.channel.k8s.io", NULL };

static char *path_of(const struct kube *kube, const char *pod, const char *what)
{
	cleanup_free char *path = kube_path(kube, CORE, "pods", pod);

	return str_printf("%s/%s", path, what);
}

int kube_carry(struct kube *kube, const char *pod, const struct backend_carry *carry,
	       struct err *err)
{
	cleanup_free char *base = path_of(kube, pod, "portforward");
	cleanup_free char *path = str_printf("%s?ports=%u", base, carry->port), *said = NULL;
	cleanup(http_websocket_close) struct http_websocket *ws = NULL;
	cleanup(buf_finish) struct buf words = { 0 };
	struct channels c = { .in = carry->in,
			      .out = { carry->out, -1, -1, -1, -1 },
			      .told = 1,
			      .head_len = PORT_LEN,
			      .ends_with_input = true };
	int result;

	if (kube_upgrade(kube, path, port_protocols, &ws, err) < 0)
		return -1;
	c.ws = ws;
	result = channels_run(&c, err);
	words = c.words;
	if (result < 0 || buf_len(&words) == 0)
		return result;
	said = buf_take_str(&words);
	text_make_printable(said);
	return err_set(err, ERR_UNAVAILABLE, "port-forward: %.*s", WORDS_MAX, said);
}

static bool add_flag(struct buf *b, const char *name, bool is_on)
{
	return !is_on || buf_printf(b, "&%s=true", name);
}

static char *exec_path(const struct kube *kube, const char *pod, const char *container,
		       const struct backend_exec *exec, struct err *err)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(PATH_MAX_LEN);
	cleanup_free char *base = path_of(kube, pod, "exec");
	bool ok = buf_printf(&b, "%s?container=", base) && text_append_percent(&b, container);

	for (const char *const *word = exec->argv; *word; word++)
		ok = ok && buf_printf(&b, "&command=") && text_append_percent(&b, *word);
	ok = ok && buf_printf(&b, "&stdout=true") && add_flag(&b, "stdin", exec->in >= 0) &&
	     add_flag(&b, "stderr", !exec->tty) && add_flag(&b, "tty", exec->tty);
	if (ok)
		return buf_take_str(&b);
	err_set(err, ERR_LIMIT, "the command is too long");
	return NULL;
}

int kube_exec(struct kube *kube, const char *pod, const char *container,
	      const struct backend_exec *exec, int *ret_status, struct err *err)
{
	cleanup(http_websocket_close) struct http_websocket *ws = NULL;
	cleanup(buf_finish) struct buf words = { 0 };
	cleanup_free char *path = NULL;
	struct channels c = { .in = exec->in,
			      .out = { -1, exec->out, exec->err_fd, -1, -1 },
			      .told = STATUS,
			      .terminal = exec->terminal };
	int result;

	if ((exec->env && exec->env[0]) || exec->workdir)
		return err_set(err, ERR_UNSUPPORTED,
			       "Kubernetes starts a program with the container's environment and "
			       "directory: leave --env and --workdir out");
	path = exec_path(kube, pod, container, exec, err);
	if (!path || kube_upgrade(kube, path, protocols, &ws, err) < 0)
		return -1;
	c.ws = ws;
	c.can_tell_end = http_websocket_protocol(ws) == FIFTH;
	result = channels_run(&c, err);
	words = c.words;
	if (result < 0)
		return -1;
	*ret_status = channels_exit_status(buf_span(&words), err);
	return *ret_status < 0 ? -1 : 0;
}

/* All that is to be read at once from a pipe, which holds that much. */
static int open_input(const struct job *job, const char *name, size_t *ret_len, int *ret_fd,
		      struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, name);
	cleanup(buf_wipe) struct buf text = BUF_INIT(FILE_MAX);
	cleanup_close int out = -1;
	cleanup_close int in = -1;
	int ends[2];

	if (fs_read_file(path, FILE_MAX, &text, err) < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	in = ends[0];
	out = ends[1];
	if (fd_write_all(out, buf_span(&text), err) < 0)
		return -1;
	*ret_len = buf_len(&text);
	*ret_fd = take_fd(in);
	return 0;
}

int kube_deliver(struct kube *kube, const char *pod, const struct job *job, const char *programs,
		 const char *name, struct err *err)
{
	/* Its end cannot be told to every server: so many bytes are read. */
	static const char script[] =
		"umask 077; f=\"$0.new\"; \"$2\" head -c \"$1\" >\"$f\" && \"$2\" mv \"$f\" \"$0\"";
	cleanup_free char *busybox = str_printf("%s/busybox", programs);
	cleanup_free char *path = str_printf(KUBE_JOB_DIR "/%s", name), *len = NULL;
	cleanup_close int nothing = fd_open("/dev/null", O_WRONLY);
	cleanup_close int in = -1;
	size_t size = 0;
	int status;

	if (open_input(job, name, &size, &in, err) < 0)
		return -1;
	len = str_printf("%zu", size);
	const char *const argv[] = { busybox, "sh", "-c", script, path, len, busybox, NULL };
	const struct backend_exec exec = {
		.argv = argv, .in = in, .out = nothing, .err_fd = nothing
	};

	if (kube_exec(kube, pod, KUBE_CONTAINER, &exec, &status, err) < 0)
		return err_wrap(err, "%s of the pod", name);
	if (status != 0)
		return err_set(err, ERR_SYSTEM, "%s of the pod: busybox ended with status %d", name,
			       status);
	return 0;
}
