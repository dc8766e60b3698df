/* SPDX-License-Identifier: MIT */
/* Programs in jobs without the tunnel; see engine_exec.h. */
#include "engine_exec.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/run/terminal.h"

#define LINE_SIZE 512

/* A variable without a value is passed on from here, where it is set. */
static void add_variables(const struct opt_list *env, struct argv *ret)
{
	for (size_t i = 0; i < env->len; i++) {
		const char *value = strchr(env->items[i], '=') ? NULL : getenv(env->items[i]);

		if (strchr(env->items[i], '='))
			argv_add(ret, env->items[i]);
		else if (value)
			argv_addf(ret, "%s=%s", env->items[i], value);
	}
}

static int find(struct controller *c, const struct ref *ref, struct job *job,
		struct backend **ret_backend, struct err *err)
{
	if (ops_find(c, ref, job, err) < 0 ||
	    controller_backend(c, job->cluster, ret_backend, err) < 0 ||
	    ops_refresh_job(c, job, err) < 0)
		return -1;
	if (job_is_imported(job) || job->state != JOB_RUNNING || !backend_can_exec(*ret_backend))
		return -1;
	return 0;
}

static void tell(const struct engine_exec *exec, const char *backend, const struct err *why)
{
	char line[LINE_SIZE];

	snprintf(line, sizeof(line), "%.300s: %s runs it without the tunnel", why->text, backend);
	exec->say(line);
}

int ops_engine_exec(struct controller *c, const struct engine_exec *exec, const struct err *why,
		    int *ret_status, struct err *err)
{
	cleanup(terminal_close) struct terminal *terminal = NULL;
	cleanup(argv_finish) struct argv env = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	struct backend_exec program = { .argv = exec->argv,
					.workdir = exec->workdir,
					.tty = exec->terminal,
					.in = exec->input ? STDIN_FILENO : -1,
					.out = STDOUT_FILENO,
					.err_fd = STDERR_FILENO };
	struct backend *backend;
	unsigned int rank;
	struct err own;

	if (find(c, exec->ref, &job, &backend, &own) < 0 ||
	    ref_choose_rank(exec->ref, &job, &rank, &own) < 0)
		return err_set(err, why->kind, "%s", why->text);
	if (exec->terminal && exec->input && !isatty(STDIN_FILENO))
		return err_set(err, ERR_INVALID,
			       "--tty: standard input is not a terminal: leave -t out");
	tell(exec, backend_name(backend), why);
	add_variables(exec->env, &env);
	if (env.len > 0)
		program.env = argv_words(&env);
	if (exec->terminal && exec->input && terminal_open(STDIN_FILENO, &terminal, err) < 0)
		return -1;
	program.terminal = terminal;
	return backend_exec(backend, &job, rank, &program, ret_status, err);
}
