/* SPDX-License-Identifier: MIT */
/* Slurm by its own commands; see slurm.h. */
#include "slurm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm/account.h"
#include "controller/backends/slurm/act.h"
#include "controller/backends/slurm/cluster.h"
#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/files.h"
#include "controller/backends/slurm/find.h"
#include "controller/backends/slurm/links.h"
#include "controller/backends/slurm/observe.h"
#include "controller/backends/slurm/report.h"
#include "controller/backends/slurm/submit.h"
#include "init/base/text.h"

/* With everything there, and nothing begun. */
static int submit_file(struct backend *backend, const struct submission *submission,
		       uint64_t *ret_id, struct err *err)
{
	cleanup_free char *script = slurm_script_path(submission->job);
	cleanup_free const char **env = slurm_submit_environment(submission->spec);
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_put_script(backend->site, submission, err) < 0)
		return -1;
	slurm_add_options(&argv, submission);
	argv_add(&argv, script);
	if (slurm_run(backend, argv_words(&argv), env, &child, err) < 0)
		return -1;
	if (!slurm_parse_submitted(buf_span(&child.output), ret_id))
		return err_set(err, ERR_PROTOCOL, "%s", slurm_no_id);
	return 0;
}

static int submit(struct backend *backend, const struct submission *submission,
		  struct submitted *ret, struct err *err)
{
	uint64_t id;
	int done;

	if (slurm_put_files(backend->site, submission, err) < 0)
		return -1;
	done = early_submit(&slurm_of(backend)->early, submission, &id, err);
	if (done < 0 || (done == 0 && submit_file(backend, submission, &id, err) < 0))
		return -1;
	snprintf(ret->native_id, sizeof(ret->native_id), "%" PRIu64, id);
	slurm_link_output(backend->site, submission, ret->native_id);
	ret->state = JOB_QUEUED;
	return 0;
}

/* The command line is a comment of the script, so that the whole is a script again. */
static int render(struct backend *backend, const struct submission *submission, struct buf *ret,
		  struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	bool ok = buf_printf(ret, "# ");

	(void)backend;
	slurm_add_options(&argv, submission);
	for (size_t i = 0; ok && i < argv.len; i++)
		ok = text_append_shell(ret, argv.items[i]) && buf_append_u8(ret, ' ');
	if (!ok || !buf_printf(ret, "script.sh\n"))
		return err_set(err, ERR_LIMIT, "longer than %d bytes", SLURM_SCRIPT_MAX);
	return slurm_write_script(submission, ret, err);
}

static void close_backend(struct backend *backend)
{
	struct slurm *slurm = slurm_of(backend);

	early_finish(&slurm->early);
	running_stop(slurm->queue);
	site_close(backend->site);
	free(slurm);
}

static const struct backend_ops slurm_backend_ops = {
	.name = "slurm",
	.submit = submit,
	.prepare = slurm_prepare,
	.render = render,
	.observe = slurm_observe,
	.expect = slurm_expect,
	.find = slurm_find,
	.locate = slurm_locate,
	.cancel = slurm_cancel,
	.act = slurm_act,
	.release = slurm_release,
	.read_log = jobdir_read_log,
	.log_since = jobdir_log_since,
	.expect_logs = jobdir_expect_logs,
	.endpoint = jobdir_endpoint,
	.list_nodes = slurm_list_nodes,
	.list_queues = slurm_list_queues,
	.architectures = slurm_architectures,
	.list_reservations = slurm_list_reservations,
	.report = slurm_report,
	.list_queued = slurm_list_queued,
	.list_priorities = slurm_list_priorities,
	.list_runs = slurm_list_runs,
	.stat = slurm_stat,
	.close = close_backend,
};

struct backend *slurm_backend_open(struct site *site)
{
	struct slurm *slurm = new_zero(struct slurm);

	slurm->base.ops = &slurm_backend_ops;
	slurm->base.site = site;
	return &slurm->base;
}
