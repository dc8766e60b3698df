/* SPDX-License-Identifier: MIT */
/* Records that are young enough; see age.h. */
#include "age.h"

#include <string.h>

#include "controller/ops/where.h"
#include "init/base/text.h"

#define MAX_AGE_FIRECREST_NS (5 * NSEC_PER_SEC)

static uint64_t max_age_ns(struct controller *c, const char *cluster)
{
	struct where where;
	const char *text;
	uint64_t age;

	if (strcmp(cluster, "local") == 0 || ops_choose(c, cluster, &where, NULL) < 0)
		return 0;
	text = where.settings ? config_text(c->config, where.settings, "max_age") : NULL;
	if (text && text_parse_duration(text, &age))
		return age;
	return strcmp(where.backend, "firecrest") == 0 ? MAX_AGE_FIRECREST_NS : 0;
}

bool age_is_allowed(struct controller *c, const char *cluster)
{
	return max_age_ns(c, cluster) > 0;
}

bool job_wants_observing(const struct job *job)
{
	return job->state != JOB_DEFINED && !job_state_is_ended(job->state) &&
	       job->only[0] == '\0' && !job->of_rank && !job_is_imported(job);
}

bool age_is_young(struct controller *c, const char *cluster, const struct job_list *jobs)
{
	uint64_t now = controller_now_ns(), max_ns = max_age_ns(c, cluster);

	if (max_ns == 0)
		return false;
	for (size_t i = 0; i < jobs->len; i++) {
		const struct job *job = &jobs->items[i];

		/* A clock that was set back makes nothing young. */
		if (job_wants_observing(job) && strcmp(job->cluster, cluster) == 0 &&
		    (job->seen_ns > now || now - job->seen_ns >= max_ns))
			return false;
	}
	return true;
}

int age_mark(struct controller *c, const char *cluster, const struct job *const *jobs, size_t len,
	     bool is_seen, struct err *err)
{
	uint64_t when = is_seen ? controller_now_ns() : 0;
	int result = 0;

	if (!age_is_allowed(c, cluster))
		return 0;
	if (store_begin(c->store, err) < 0)
		return -1;
	for (size_t i = 0; i < len && result == 0; i++)
		result = store_mark_seen(c->store, jobs[i]->id, when, err);
	return store_commit(c->store, result == 0 ? err : NULL) < 0 ? -1 : result;
}
