/* SPDX-License-Identifier: MIT */
/* What was seen of a job, and of the runs of an array; see backend.h. */
#include <stdio.h>
#include <string.h>

#include "controller/backends/backend.h"

/* How often a run was started, of which the scheduler may tell less than it told before. */
static uint64_t attempt_of(const struct run *run, const struct observation *seen)
{
	return MAX(MAX(run->attempt, seen->attempts), (uint64_t)(seen->started_ns != 0));
}

void observation_to_run(const struct observation *seen, struct run *run)
{
	uint64_t attempt = attempt_of(run, seen);

	if (job_state_is_ended(run->state))
		return;
	run->is_known = true;
	if (run->state != seen->state || strcmp(run->native_state, seen->native_state) != 0 ||
	    strcmp(run->reason, seen->reason) != 0 ||
	    (seen->node_list[0] && strcmp(run->node_list, seen->node_list) != 0) ||
	    run->exit_code != seen->exit_code || run->signal != seen->signal ||
	    run->started_ns != seen->started_ns || run->ended_ns != seen->ended_ns ||
	    run->attempt != attempt)
		run->has_changed = true;
	run->state = seen->state;
	run_set_text(&run->native_state, seen->native_state);
	run_set_text(&run->reason, seen->reason);
	if (seen->node_list[0] != '\0')
		run_set_text(&run->node_list, seen->node_list);
	run->exit_code = seen->exit_code;
	run->signal = seen->signal;
	run->started_ns = seen->started_ns;
	run->ended_ns = seen->ended_ns;
	run->attempt = attempt;
}

void observation_fold(struct observation *ret)
{
	struct run_fold all;

	run_list_fold(ret->runs, &all);
	ret->state = all.state;
	ret->exit_code = all.exit_code;
	ret->signal = all.signal;
	ret->started_ns = all.started_ns;
	ret->ended_ns = all.ended_ns;
	ret->attempts = all.attempts;
	if (all.counts[0] != '\0')
		snprintf(ret->reason, sizeof(ret->reason), "%s", all.counts);
	for (size_t i = 0; i < ret->runs->len; i++) {
		const struct run *run = &ret->runs->items[i];

		if (run->state != all.state)
			continue;
		snprintf(ret->native_state, sizeof(ret->native_state), "%s", run->native_state);
		if (all.counts[0] == '\0')
			snprintf(ret->reason, sizeof(ret->reason), "%s", run->reason);
		return;
	}
}
