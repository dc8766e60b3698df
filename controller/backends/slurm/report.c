/* SPDX-License-Identifier: MIT */
/* Slurm's own work and its queue; see report.h. */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/list.h"
#include "init/base/indices.h"
#include "controller/model/job_slurm.h"
#include "init/base/text.h"

#define NUMBER_MAX ((uint64_t)SLURM_SECONDS_MAX)
#define IDS_MAX (120 * 1024) /* one argument of a program (execve(2)) */

enum section { TOP, MAIN, BACKFILL, OTHER };

/* How a heading of sdiag begins; what it prints about messages is not told. */
static const struct {
	const char *words;
	enum section section;
} headings[] = {
	{ "Main schedule statistics", MAIN },
	{ "Backfilling stats", BACKFILL },
	{ "Main scheduler exit", OTHER },
	{ "Backfill exit", OTHER },
	{ "Latency for", OTHER },
	{ "Remote Procedure", OTHER },
	{ "Pending RPC", OTHER },
};

static const struct {
	enum section section;
	const char *title;
	enum report_fact fact;
} lines[] = {
	{ TOP, "Data since", REPORT_FACT_SINCE },
	{ TOP, "Server thread count", REPORT_FACT_THREADS },
	{ TOP, "Agent queue size", REPORT_FACT_AGENT_QUEUE },
	{ TOP, "DBD Agent queue size", REPORT_FACT_ACCOUNTING_QUEUE },
	{ TOP, "Jobs submitted", REPORT_FACT_SUBMITTED },
	{ TOP, "Jobs started", REPORT_FACT_STARTED },
	{ TOP, "Jobs completed", REPORT_FACT_COMPLETED },
	{ TOP, "Jobs canceled", REPORT_FACT_CANCELLED },
	{ TOP, "Jobs failed", REPORT_FACT_FAILED },
	{ TOP, "Jobs pending", REPORT_FACT_PENDING },
	{ TOP, "Jobs running", REPORT_FACT_RUNNING },
	{ MAIN, "Last cycle", REPORT_FACT_CYCLE_LAST },
	{ MAIN, "Max cycle", REPORT_FACT_CYCLE_MAX },
	{ MAIN, "Total cycles", REPORT_FACT_CYCLES },
	{ MAIN, "Mean cycle", REPORT_FACT_CYCLE_MEAN },
	{ MAIN, "Mean depth cycle", REPORT_FACT_DEPTH_MEAN },
	{ MAIN, "Last queue length", REPORT_FACT_QUEUE_LENGTH },
	{ BACKFILL, "Total backfilled jobs (since last slurm start)", REPORT_FACT_BACKFILLED },
	{ BACKFILL, "Total backfilled jobs (since last stats cycle start)",
	  REPORT_FACT_BACKFILLED_SINCE },
	{ BACKFILL, "Total cycles", REPORT_FACT_BACKFILL_CYCLES },
	{ BACKFILL, "Last cycle when", REPORT_FACT_BACKFILL_WHEN },
	{ BACKFILL, "Last cycle", REPORT_FACT_BACKFILL_LAST },
	{ BACKFILL, "Max cycle", REPORT_FACT_BACKFILL_MAX },
	{ BACKFILL, "Mean cycle", REPORT_FACT_BACKFILL_MEAN },
	{ BACKFILL, "Depth Mean", REPORT_FACT_BACKFILL_DEPTH },
	{ BACKFILL, "Depth Mean (try depth)", REPORT_FACT_BACKFILL_TRIED },
	{ BACKFILL, "Last queue length", REPORT_FACT_BACKFILL_QUEUE },
	{ BACKFILL, "Queue length mean", REPORT_FACT_BACKFILL_QUEUE_MEAN },
};

static bool begins_with(const char *text, const char *words)
{
	return strncmp(text, words, strlen(words)) == 0;
}

/* "	Last cycle:   87", "Data since      Sat Nov 21 19:47:11 2026 (1795290431)". */
static bool parse_value(char *text, enum report_unit unit, uint64_t *ret)
{
	if (unit == REPORT_TIME) {
		char *open = strrchr(text, '(');

		if (!open)
			return false;
		text = open + 1;
		text[strcspn(text, ")")] = '\0';
	}
	text += strspn(text, " \t");
	text[strcspn(text, " \t\r")] = '\0';
	return text_parse_uint(text, NUMBER_MAX, ret);
}

/* The title is all that stands before the colon, or before the blanks where there is none. */
static bool has_title(const char *line, const char *title)
{
	size_t len = strlen(title);

	return begins_with(line, title) && (line[len] == ':' || begins_with(line + len, "  "));
}

static bool take_line(enum section section, char *line, struct scheduler_report *ret)
{
	uint64_t value;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (lines[i].section != section || !has_title(line, lines[i].title))
			continue;
		if (!parse_value(line + strlen(lines[i].title) + 1,
				 report_facts[lines[i].fact].unit, &value))
			return false;
		report_set(ret, lines[i].fact, value);
		return true;
	}
	return false;
}

bool slurm_parse_report(struct span text, struct scheduler_report *ret)
{
	enum section section = TOP;
	bool has_any = false;
	char *line;

	*ret = (struct scheduler_report){ 0 };
	while ((line = slurm_cut_line(&text))) {
		for (size_t i = 0; i < ARRAY_LEN(headings); i++) {
			if (begins_with(line, headings[i].words))
				section = headings[i].section;
		}
		has_any |= take_line(section, line + strspn(line, "\t"), ret);
		free(line);
	}
	return has_any;
}

enum field {
	ID,
	QUEUES,
	STATE,
	CPUS,
	PRIORITY,
	SUBMITTED,
	ELIGIBLE,
	START,
	PLANNED,
	NODES,
	DEPENDENCY,
	REASON,
	FIELDS
};

/* A copy for people; "" for the words that stand for nothing. */
static char *copy(const char *text)
{
	static const char *const nothing[] = { "(null)", "None", "N/A" };
	char *own;

	for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
		if (strcmp(text, nothing[i]) == 0)
			return str_dup("");
	}
	own = str_dup(text);
	text_make_printable(own);
	return own;
}

static uint64_t number(const char *text, uint64_t max)
{
	uint64_t value;

	return text_parse_uint(text, max, &value) ? value : 0;
}

/* "123", "123_4" or "123_[5-9%2]": the number, and what is behind it, cut apart in place. */
static bool take_id(char *text, struct queued *ret)
{
	size_t digits = strspn(text, "0123456789");
	char *tasks = text + digits;

	if (digits == 0 || digits >= QUEUED_ID_SIZE)
		return false;
	memcpy(ret->id, text, digits);
	ret->id[digits] = '\0';
	tasks += *tasks == '_';
	tasks += *tasks == '[';
	tasks[strcspn(tasks, "]")] = '\0';
	if (*tasks && !indices_are_valid(tasks))
		return false;
	ret->count = *tasks ? indices_count(tasks) : 1;
	ret->tasks = str_dup(tasks);
	return true;
}

int slurm_next_queued(struct span *text, struct queued *ret)
{
	cleanup_free char *line = slurm_cut_line(text);
	char *fields[FIELDS];

	if (!line)
		return -1;
	*ret = (struct queued){ 0 };
	if (!slurm_split(line, fields, FIELDS) || !take_id(fields[ID], ret))
		return 0;
	ret->state = job_slurm_state(fields[STATE]);
	ret->queues = copy(fields[QUEUES]);
	ret->reason = copy(fields[REASON]);
	ret->dependency = copy(fields[DEPENDENCY]);
	ret->nodes = copy(ret->state == JOB_QUEUED ? fields[PLANNED] : fields[NODES]);
	ret->cpus = number(fields[CPUS], UINT32_MAX);
	ret->priority = number(fields[PRIORITY], UINT32_MAX);
	ret->submitted_ns = number(fields[SUBMITTED], SLURM_SECONDS_MAX) * NSEC_PER_SEC;
	ret->eligible_ns = number(fields[ELIGIBLE], SLURM_SECONDS_MAX) * NSEC_PER_SEC;
	ret->start_ns = number(fields[START], SLURM_SECONDS_MAX) * NSEC_PER_SEC;
	return 1;
}

static void add_factor(struct priority *priority, const char *name, const char *text)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno || value == 0 ||
	    priority->len == QUEUED_FACTORS_MAX)
		return;
	snprintf(priority->factors[priority->len].name, QUEUED_FACTOR_SIZE, "%s", name);
	priority->factors[priority->len++].value = value;
}

int slurm_next_factors(struct span *text, char ret_id[QUEUED_ID_SIZE], struct priority *ret)
{
	/* In the order of the format; what nodes and others are worth, by name, comes last. */
	static const char *const names[] = { "",	  "age",      "association",
					     "fairshare", "job_size", "partition",
					     "qos",	  "site",     "nice" };
	cleanup_free char *line = slurm_cut_line(text);
	char *fields[ARRAY_LEN(names) + 1];

	if (!line)
		return -1;
	*ret = (struct priority){ 0 };
	if (!slurm_split(line, fields, ARRAY_LEN(fields)))
		return 0;
	fields[0] += strspn(fields[0], " ");
	fields[0][strcspn(fields[0], " _")] = '\0';
	if (strspn(fields[0], "0123456789") != strlen(fields[0]) || !fields[0][0] ||
	    strlen(fields[0]) >= QUEUED_ID_SIZE)
		return 0;
	memcpy(ret_id, fields[0], strlen(fields[0]) + 1);
	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		add_factor(ret, names[i], fields[i] + strspn(fields[i], " "));
	/* It lowers the priority. */
	for (size_t i = 0; i < ret->len; i++) {
		if (strcmp(ret->factors[i].name, "nice") == 0)
			ret->factors[i].value = -ret->factors[i].value;
	}
	return 1;
}

int slurm_report(struct backend *backend, struct scheduler_report *ret, struct err *err)
{
	static const char *const argv[] = { "sdiag", NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(backend, argv, NULL, &child, err) < 0)
		return -1;
	if (!slurm_parse_report(buf_span(&child.output), ret))
		return err_set(err, ERR_PROTOCOL, "sdiag printed something that is not understood");
	return 0;
}

int slurm_list_queued(struct backend *backend, struct queued_list *ret, struct err *err)
{
	static const char *const argv[] = { "squeue",	"--noheader",	     "--all",
					    "--Format", SLURM_QUEUED_FORMAT, NULL };
	cleanup(child_finish) struct child child = { 0 };
	struct queued entry;
	struct span text;
	int kind;

	if (slurm_run(backend, argv, slurm_list_environment, &child, err) < 0)
		return -1;
	text = buf_span(&child.output);
	while ((kind = slurm_next_queued(&text, &entry)) >= 0) {
		if (kind == 1)
			queued_list_take(ret, &entry);
	}
	return 0;
}

/* About these jobs; ids is NULL for all that wait. */
static int ask_priorities(struct backend *backend, const char *ids, struct child *ret,
			  struct err *err)
{
	const char *const argv[] = {
		"sprio", "--noheader", "--format", SLURM_FACTORS_FORMAT, ids ? "--jobs" : NULL,
		ids,	 NULL
	};

	return slurm_run(backend, argv, NULL, ret, err);
}

int slurm_list_priorities(struct backend *backend, const struct job *const *jobs, size_t len,
			  struct priority *ret, struct err *err)
{
	cleanup(buf_finish) struct buf ids = BUF_INIT(IDS_MAX);
	cleanup(child_finish) struct child some = { 0 }, all = { 0 };
	struct priority priority;
	char id[QUEUED_ID_SIZE];
	struct span text;
	int kind;

	for (size_t i = 0; i < len; i++) {
		ret[i] = (struct priority){ 0 };
		if (!buf_printf(&ids, "%s%s", i > 0 ? "," : "", jobs[i]->native_id))
			return err_set(err, ERR_LIMIT, "too many jobs at once: name some");
	}
	if (ask_priorities(backend, buf_str(&ids), &some, NULL) == 0)
		text = buf_span(&some.output);
	/* Slurm 24.11 says nothing at all when one of them has no priority (yet, or any more). */
	else if (ask_priorities(backend, NULL, &all, err) < 0)
		return -1;
	else
		text = buf_span(&all.output);
	while ((kind = slurm_next_factors(&text, id, &priority)) >= 0) {
		for (size_t i = 0; kind == 1 && i < len; i++) {
			if (strcmp(jobs[i]->native_id, id) == 0)
				ret[i] = priority;
		}
	}
	return 0;
}
