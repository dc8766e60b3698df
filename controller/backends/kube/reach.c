/* SPDX-License-Identifier: MIT */
/* Into a pod by the API server; see reach.h. */
#include "reach.h"

#include <string.h>

#include "controller/backends/kube/channels.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define CORE "/api/v1"
#define PATH_MAX_LEN (1024 * 1024)
#define PORT_LEN 2
#define STATUS 3
#define WORDS_MAX 300

/* Best first. In the fourth the end of the input cannot be told. */
static const char *const protocols[] = { "v5.channel.k8s.io", "v4.channel.k8s.io", NULL };
#define FIFTH 0

/* The fifth is not spoken by kubelets, which are at the other end of a port-forward. */
static const char *const port_protocols[] = { "v4.channel.k8s.io", NULL };

void kube_target_finish(struct kube_target *target)
{
	free(target->namespace);
	free(target->pod);
	free(target->container);
	*target = (struct kube_target){ 0 };
}

char *kube_target_path(const struct kube_target *target, const char *what)
{
	cleanup_free char *path = kube_path_in(target->namespace, CORE, "pods", target->pod);

	return what ? str_printf("%s/%s", path, what) : take_ptr(path);
}

int kube_carry(struct kube *kube, const struct kube_target *target,
	       const struct backend_carry *carry, struct err *err)
{
	cleanup_free char *base = kube_target_path(target, "portforward");
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

static char *exec_path(const struct kube_target *target, const struct backend_exec *exec,
		       struct err *err)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(PATH_MAX_LEN);
	cleanup_free char *base = kube_target_path(target, "exec");
	bool ok =
		buf_printf(&b, "%s?container=", base) && text_append_percent(&b, target->container);

	for (const char *const *word = exec->argv; *word; word++)
		ok = ok && buf_printf(&b, "&command=") && text_append_percent(&b, *word);
	ok = ok && buf_printf(&b, "&stdout=true") && add_flag(&b, "stdin", exec->in >= 0) &&
	     add_flag(&b, "stderr", !exec->tty) && add_flag(&b, "tty", exec->tty);
	if (ok)
		return buf_take_str(&b);
	err_set(err, ERR_LIMIT, "the command is too long");
	return NULL;
}

int kube_exec(struct kube *kube, const struct kube_target *target, const struct backend_exec *exec,
	      int *ret_status, struct err *err)
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
	path = exec_path(target, exec, err);
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
