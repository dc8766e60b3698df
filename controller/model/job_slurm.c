/* SPDX-License-Identifier: MIT */
/* Slurm's words for states; see job_slurm.h. */
#include "job_slurm.h"

#include <string.h>
#include <strings.h>

#define SEPARATORS " ,+"

/* The strength of a base word, and of a flag that says nothing about the state. */
#define BASE 1
#define NOTHING 0

/*
 * squeue(1), JOB STATE CODES, of Slurm 22.05 to 25.05, and slurm.h. Of two flags the stronger
 * decides: a job that goes back into the queue while it completes still completes first.
 */
static const struct {
	const char *word, *code;
	enum job_state state;
	int strength;
} words[] = {
	{ "PENDING", "PD", JOB_QUEUED, BASE },
	{ "RUNNING", "R", JOB_RUNNING, BASE },
	{ "SUSPENDED", "S", JOB_RUNNING, BASE },
	{ "COMPLETED", "CD", JOB_SUCCEEDED, BASE },
	{ "CANCELLED", "CA", JOB_CANCELLED, BASE },
	{ "FAILED", "F", JOB_FAILED, BASE },
	{ "TIMEOUT", "TO", JOB_TIMEOUT, BASE },
	{ "NODE_FAIL", "NF", JOB_FAILED, BASE },
	{ "PREEMPTED", "PR", JOB_PREEMPTED, BASE },
	{ "BOOT_FAIL", "BF", JOB_FAILED, BASE },
	{ "DEADLINE", "DL", JOB_TIMEOUT, BASE },
	{ "OUT_OF_MEMORY", "OOM", JOB_FAILED, BASE },
	/* It waits for its nodes, or for its prologue. */
	{ "CONFIGURING", "CF", JOB_STARTING, 2 },
	{ "POWER_UP_NODE", "PU", JOB_STARTING, 2 },
	/* It has its nodes, whatever else happens to it. */
	{ "STOPPED", "ST", JOB_RUNNING, 2 },
	{ "RESIZING", "RS", JOB_RUNNING, 2 },
	{ "SIGNALING", "SI", JOB_RUNNING, 2 },
	{ "STAGE_OUT", "SO", JOB_RUNNING, 2 },
	{ "LAUNCH_FAILED", "LF", JOB_FAILED, 2 },
	{ "RECONFIG_FAIL", "RC", JOB_FAILED, 2 },
	/* It will run again. */
	{ "REQUEUED", "RQ", JOB_QUEUED, 3 },
	{ "REQUEUE_FED", "RF", JOB_QUEUED, 3 },
	{ "REQUEUE_HOLD", "RH", JOB_QUEUED, 3 },
	{ "RESV_DEL_HOLD", "RD", JOB_QUEUED, 3 },
	{ "SPECIAL_EXIT", "SE", JOB_QUEUED, 3 },
	/* Another cluster of the federation has it. */
	{ "REVOKED", "RV", JOB_CANCELLED, 3 },
	/* Its processes are being ended. */
	{ "COMPLETING", "CG", JOB_RUNNING, 4 },
	{ "UPDATE_DB", "UD", JOB_UNKNOWN, NOTHING },
	{ "EXPEDITING", "EX", JOB_UNKNOWN, NOTHING },
};

static bool is_word(const char *known, const char *text, size_t len)
{
	return strlen(known) == len && strncasecmp(known, text, len) == 0;
}

enum job_state job_slurm_state(const char *text)
{
	enum job_state state = JOB_UNKNOWN;
	int strength = NOTHING;

	while (*(text += strspn(text, SEPARATORS))) {
		size_t len = strcspn(text, SEPARATORS);

		for (size_t i = 0; i < ARRAY_LEN(words); i++) {
			if (words[i].strength > strength && (is_word(words[i].word, text, len) ||
							     is_word(words[i].code, text, len))) {
				state = words[i].state;
				strength = words[i].strength;
			}
		}
		text += len;
	}
	return state;
}
