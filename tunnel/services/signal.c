/* SPDX-License-Identifier: MIT */
/*
 * POST /signal?name=TERM: a signal for the job's main command, which berth-init starts in a process
 * group of its own. What the command does with it is the command's affair.
 */
#include <errno.h>
#include <signal.h>

#include "service.h"
#include "signals.h"
#include "stat_text.h"

static int send_signal(const struct service_env *env, const char *path, struct err *err)
{
	struct span name;
	int number = stat_query(path, "name", &name) ? signals_parse(name) : 0;
	pid_t pid = env->config.main_pid;

	if (number == 0)
		return err_set(err, ERR_INVALID,
			       "name: a signal without SIG, such as TERM, please");
	if (pid <= 1)
		return err_set(err, ERR_NOT_FOUND,
			       "it is not known which process is the job's command");
	if (kill(-pid, number) == 0)
		return 0;
	if (errno == ESRCH)
		return err_set(err, ERR_NOT_FOUND, "the job's command has ended");
	return err_set_errno(err, errno, "signal the job's command");
}

static void open_signal(struct service_env *env, struct h3_stream *stream,
			const struct h3_request *request)
{
	static const struct h3_stream_ops nobody = { 0 };
	struct err err;

	if (send_signal(env, request->path, &err) < 0) {
		service_reject(stream, &err);
		return;
	}
	h3_stream_set_ops(stream, &nobody, NULL);
	h3_stream_respond(stream, 200);
	h3_stream_end(stream);
}

const struct service service_signal = { .method = "POST", .path = "/signal", .open = open_signal };
