/* SPDX-License-Identifier: MIT */
/* Jobs that a job waits for; see depend.h. */
#include "depend.h"

#include <inttypes.h>
#include <string.h>

#include "controller/model/dependency.h"
#include "controller/ops/jobs.h"
#include "init/base/alloc.h"

struct names {
	struct controller *c;
	const char *cluster;
};

void depend_finish(struct depend *depend)
{
	free(depend->dependency);
	free(depend->script_lines);
}

static int check(const struct names *names, const struct ref *ref, const struct job *job,
		 struct err *err)
{
	if (strcmp(job->cluster, names->cluster) != 0)
		return err_set(err, ERR_INVALID,
			       "job-%" PRIu64 " is on '%s', and only a job there can wait for it",
			       job->id, job->cluster);
	if (job->native_id[0] == '\0')
		return err_set(err, ERR_UNAVAILABLE,
			       "job-%" PRIu64 " has not been submitted: wait until it is", job->id);
	if (ref->has_inner || (ref->has_rank && !job_is_array(job)))
		return err_set(err, ERR_INVALID,
			       "ranks start and end together: say the job, or a task of an array");
	return 0;
}

static int append_id(void *owner, const char *name, struct buf *ret, struct err *err)
{
	cleanup(job_finish) struct job job = { 0 };
	const struct names *names = owner;
	struct ref ref;
	bool ok;

	if (ref_parse(name, &ref, err) < 0 || ops_find(names->c, &ref, &job, err) < 0 ||
	    check(names, &ref, &job, err) < 0)
		return -1;
	ok = buf_printf(ret, "%s", job.native_id) &&
	     (!ref.has_rank || buf_printf(ret, "_%u", ref.rank));
	return ok ? 0 : err_set(err, ERR_LIMIT, "longer than %d bytes", DEPENDENCY_MAX);
}

int depend_resolve(struct controller *c, const struct where *where, struct spec *spec,
		   struct depend *ret, struct err *err)
{
	cleanup(buf_finish) struct buf list = BUF_INIT(DEPENDENCY_MAX);
	struct names names = { .c = c, .cluster = where->cluster };

	if (!spec->dependency)
		return 0;
	if (dependency_translate(spec->dependency, append_id, &names, &list, err) < 0)
		return err_wrap(err, "--dependency");
	if (strcmp(buf_str(&list), spec->dependency) == 0)
		return 0;
	spec->dependency = ret->dependency = buf_take_str(&list);
	if (!spec->script_lines)
		return 0;
	spec->script_lines = ret->script_lines =
		str_printf("%s#SBATCH --dependency=%s\n", spec->script_lines, ret->dependency);
	return 0;
}
