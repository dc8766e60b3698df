/* SPDX-License-Identifier: MIT */
/* What squeue and sacct print; see list.h. */
#include "list.h"

#include <signal.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "init/base/indices.h"
#include "controller/model/job_slurm.h"
#include "init/base/text.h"

enum field { ID, STATE, EXIT, START, END, PARTITION, NODES, RESTARTS, REASON, FIELDS };

/* The fields of a line in their order, the last one being what is left of it. */
static const struct {
	int len;
	enum field order[FIELDS];
} lists[] = {
	[SLURM_QUEUE] = { 9, { ID, STATE, EXIT, START, END, PARTITION, NODES, RESTARTS, REASON } },
	[SLURM_ACCOUNT] = { 8, { ID, STATE, EXIT, START, END, PARTITION, NODES, REASON } },
};

const char *const slurm_list_environment[] = { "SLURM_TIME_FORMAT=%s", "SLURM_BITSTR_LEN=0", NULL };

/* False when there is none; one that is too long, or holds a NUL, is empty. */
static bool cut(struct span *text, struct span *ret)
{
	const uint8_t *newline;

	if (text->len == 0)
		return false;
	newline = memchr(text->ptr, '\n', text->len);
	*ret = span_cut(text, newline ? (size_t)(newline - text->ptr) : text->len);
	if (newline)
		span_cut(text, 1);
	if (ret->len >= SLURM_LINE_MAX || memchr(ret->ptr, '\0', ret->len))
		ret->len = 0;
	return true;
}

char *slurm_cut_line(struct span *text)
{
	struct span line;

	return cut(text, &line) ? str_dup_len((const char *)line.ptr, line.len) : NULL;
}

/* Splits at '|' in place; a field that the list does not have is empty. */
static bool split(enum slurm_list list, char *line, char *fields[FIELDS])
{
	static char empty[1];

	for (int i = 0; i < FIELDS; i++)
		fields[i] = empty;
	for (int i = 0; i < lists[list].len; i++) {
		fields[lists[list].order[i]] = line;
		if (i == lists[list].len - 1)
			break;
		line = strchr(line, '|');
		if (!line)
			return false;
		*line++ = '\0';
	}
	return true;
}

static uint64_t parse_time(const char *text)
{
	uint64_t seconds;

	/* "N/A", "Unknown" and "None" are not known. */
	return text_parse_uint(text, SLURM_SECONDS_MAX, &seconds) ? seconds : 0;
}

/* "123", "123_4" or "123_[5-9%2]"; what is behind the number is cut off, in place. */
static bool take_id(char *text, struct slurm_line *ret)
{
	size_t digits = strspn(text, "0123456789");
	char *tasks = text + digits, *close;

	if (digits == 0 || digits >= SLURM_ID_MAX)
		return false;
	ret->tasks = NULL;
	if (*tasks == '_') {
		*tasks++ = '\0';
		close = strchr(tasks, ']');
		if (*tasks == '[' && close && close[1] == '\0') {
			*close = '\0';
			tasks++;
		}
		ret->tasks = tasks;
		if (!indices_are_valid(tasks))
			return false;
	} else if (*tasks != '\0') {
		return false;
	}
	memcpy(ret->id, text, digits + 1);
	return true;
}

/* Words that stand for nothing. */
static void take_text(char *out, size_t size, const char *text)
{
	if (strcmp(text, "None") != 0 && strcmp(text, "None assigned") != 0 &&
	    strcmp(text, "(null)") != 0)
		jobdir_copy_text(out, size, text);
}

/* A list of nodes that is cut must not end within a name or within brackets. */
static void take_nodes(char out[BACKEND_NODES_MAX], const char *text)
{
	const char *open, *close;
	char *comma;

	take_text(out, BACKEND_NODES_MAX, text);
	if (strlen(text) < BACKEND_NODES_MAX)
		return;
	comma = strrchr(out, ',');
	if (!comma)
		comma = out;
	*comma = '\0';
	open = strrchr(out, '[');
	close = strrchr(out, ']');
	if (open && (!close || close < open))
		memcpy(comma, "]", 2);
}

/* Before a job runs, its start is a guess; before it ends, its end is its limit. */
static void set_times(struct observation *ret, const struct slurm_facts *facts)
{
	if (ret->state != JOB_QUEUED)
		ret->started_ns = facts->start_s * NSEC_PER_SEC;
	if (job_state_is_ended(ret->state))
		ret->ended_ns = facts->end_s * NSEC_PER_SEC;
	if (facts->has_restarts && (ret->started_ns || facts->restarts))
		ret->attempts = facts->restarts + (ret->started_ns != 0);
}

static void set_exit(struct observation *ret, uint64_t code, uint64_t signal)
{
	if (!job_state_is_ended(ret->state))
		return;
	if (signal == SLURM_SIGNAL_OOM)
		signal = SIGKILL;
	/* A job that its node, its limit or somebody ended is not one that ended with status 0. */
	ret->exit_code = signal == 0 && (code != 0 || ret->state == JOB_SUCCEEDED)
				 ? (int)(code & 0xff)
				 : JOB_NO_EXIT_CODE;
	ret->signal = (int)(signal & 0x7f);
}

void slurm_observe_facts(const struct slurm_facts *facts, struct observation *ret)
{
	*ret = (struct observation){ .state = job_slurm_state(facts->state),
				     .exit_code = JOB_NO_EXIT_CODE };
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), facts->state);
	take_text(ret->reason, sizeof(ret->reason), facts->reason);
	take_text(ret->queue, sizeof(ret->queue), facts->partition);
	take_nodes(ret->node_list, facts->nodes);
	set_times(ret, facts);
	set_exit(ret, facts->exit_code, facts->signal);
}

/* "3:0", or the wait status that squeue printed before Slurm 23: "768". */
static bool parse_exit(const char *text, uint64_t *ret_code, uint64_t *ret_signal)
{
	const char *colon = strchr(text, ':');
	char code[8];
	uint64_t status;

	if (colon) {
		size_t len = (size_t)(colon - text);

		if (len >= sizeof(code))
			return false;
		memcpy(code, text, len);
		code[len] = '\0';
		return text_parse_uint(code, 255, ret_code) &&
		       text_parse_uint(colon + 1, 127, ret_signal);
	}
	if (!text_parse_uint(text, UINT32_MAX, &status))
		return false;
	*ret_code = status >> 8;
	*ret_signal = status & 0x7f;
	return true;
}

int slurm_next_line(enum slurm_list list, struct span *text, struct slurm_line *ret)
{
	char *fields[FIELDS];
	struct slurm_facts facts = { 0 };
	struct span line;

	if (!cut(text, &line))
		return -1;
	memcpy(ret->text, line.ptr, line.len);
	ret->text[line.len] = '\0';
	if (!split(list, ret->text, fields) || fields[STATE][0] == '\0' ||
	    !parse_exit(fields[EXIT], &facts.exit_code, &facts.signal) || !take_id(fields[ID], ret))
		return 0;
	facts.state = fields[STATE];
	facts.reason = fields[REASON];
	facts.partition = fields[PARTITION];
	facts.nodes = fields[NODES];
	facts.start_s = parse_time(fields[START]);
	facts.end_s = parse_time(fields[END]);
	facts.has_restarts = text_parse_uint(fields[RESTARTS], UINT32_MAX, &facts.restarts);
	slurm_observe_facts(&facts, &ret->seen);
	return 1;
}
