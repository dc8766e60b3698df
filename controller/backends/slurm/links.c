/* SPDX-License-Identifier: MIT */
/* Output files of the user's choice; see links.h. */
#include "links.h"

#include <inttypes.h>
#include <limits.h>

#include "controller/backends/slurm/submit.h"
#include "init/base/indices.h"
#include "init/base/fs.h"
#include "init/base/log.h"

/* Of an array with more tasks than this, the last ones are not found by `berth logs`. */
#define LINKS_MAX 10000

static void link_file(struct site *site, const char *pattern, const struct submission *submission,
		      const char *native_id, uint64_t task, const char *name)
{
	cleanup_free char *plain = fs_join(submission->job->directory, name);
	cleanup_free char *link =
		task == SLURM_NO_TASK ? str_dup(plain) : str_printf("%s.%" PRIu64, plain, task);
	cleanup(buf_finish) struct buf path = BUF_INIT(PATH_MAX);
	struct err why;

	if (slurm_expand_pattern(pattern, submission, native_id, task, &path) &&
	    site_link(site, buf_str(&path), link, &why) < 0)
		log_debug("%s", why.text);
}

/*
 * A file of the user's choice is found through the job directory too, by whoever reads the log. A
 * job whose output cannot be found before it runs has none there; that is no reason to fail.
 */
static void link_output(struct site *site, const char *pattern, const struct submission *submission,
			const char *native_id, const char *name)
{
	const struct job *job = submission->job;
	size_t links = 0;

	if (!pattern)
		return;
	if (!job_is_array(job)) {
		link_file(site, pattern, submission, native_id, SLURM_NO_TASK, name);
		return;
	}
	for (uint64_t task = 0; indices_next(job->array, task, &task) && links < LINKS_MAX;
	     task++) {
		link_file(site, pattern, submission, native_id, task, name);
		links++;
	}
}

void slurm_link_output(struct site *site, const struct submission *submission,
		       const char *native_id)
{
	link_output(site, submission->spec->output, submission, native_id, "stdout");
	link_output(site, submission->spec->error, submission, native_id, "stderr");
}
