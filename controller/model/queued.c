/* SPDX-License-Identifier: MIT */
/* The scheduler's queue; see queued.h. */
#include "queued.h"

#include <string.h>
#include <strings.h>

#include "init/base/indices.h"

static void finish(struct queued *entry)
{
	free(entry->tasks);
	free(entry->queues);
	free(entry->reason);
	free(entry->dependency);
	free(entry->nodes);
	*entry = (struct queued){ 0 };
}

void queued_list_finish(struct queued_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		finish(&list->items[i]);
	free(list->items);
	*list = (struct queued_list){ 0 };
}

void queued_list_take(struct queued_list *list, struct queued *entry)
{
	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	list->items[list->len++] = *entry;
	*entry = (struct queued){ 0 };
}

/* Of a job whose tasks are asked for, the entry must have the first of them. */
static bool is_of(const struct queued *entry, const struct job *job)
{
	uint64_t task;

	if (strcmp(entry->id, job->native_id) != 0)
		return false;
	return !job->only[0] || !indices_next(job->only, 0, &task) ||
	       indices_have(entry->tasks, task);
}

const struct queued *queued_list_find(const struct queued_list *list, const struct job *job)
{
	const struct queued *found = NULL;

	for (size_t i = 0; i < list->len; i++) {
		const struct queued *entry = &list->items[i];

		if (is_of(entry, job) && (!found || entry->state == JOB_QUEUED))
			found = entry;
	}
	return found;
}

/* Reasons of jobs that wait for something else than their turn, or how they begin. */
static const char *const blocking[] = { "Dependency", "JobHeld", "BeginTime", "JobArrayTaskLimit",
					"DependencyNeverSatisfied" };

bool queued_is_in_line(const struct queued *entry)
{
	if (entry->state != JOB_QUEUED || entry->priority == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(blocking); i++) {
		if (strncmp(entry->reason, blocking[i], strlen(blocking[i])) == 0)
			return false;
	}
	return true;
}

static bool is_in_queue(const struct queued *entry, const char *queue, size_t len)
{
	for (const char *p = entry->queues; *p; p += strspn(p, ",")) {
		size_t own = strcspn(p, ",");

		if (own == len && memcmp(p, queue, len) == 0)
			return true;
		p += own;
	}
	return false;
}

static bool goes_first(const struct queued *a, const struct queued *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->submitted_ns != b->submitted_ns)
		return a->submitted_ns < b->submitted_ns;
	/* Numbers without leading zeros: the shorter is the smaller. */
	return strlen(a->id) != strlen(b->id) ? strlen(a->id) < strlen(b->id)
					      : strcmp(a->id, b->id) < 0;
}

uint64_t queued_position(const struct queued_list *list, const struct queued *entry,
			 uint64_t *ret_of)
{
	size_t len = strcspn(entry->queues, ",");
	uint64_t before = 0;

	*ret_of = 0;
	for (size_t i = 0; i < list->len; i++) {
		const struct queued *other = &list->items[i];

		if (!queued_is_in_line(other) || !is_in_queue(other, entry->queues, len))
			continue;
		*ret_of += other->count;
		if (other != entry && goes_first(other, entry))
			before += other->count;
	}
	return queued_is_in_line(entry) ? before + 1 : 0;
}

void queue_report_list_finish(struct queue_report_list *list)
{
	for (size_t i = 0; i < list->len; i++) {
		free(list->items[i].name);
		free(list->items[i].state);
	}
	free(list->items);
	*list = (struct queue_report_list){ 0 };
}

struct queue_report *queue_report_list_add(struct queue_report_list *list, const char *name,
					   const char *state)
{
	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	list->items[list->len] =
		(struct queue_report){ .name = str_dup(name), .state = str_dup(state) };
	return &list->items[list->len++];
}

/* The earlier of two moments, of which 0 is none. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

static void count(struct queue_report *queue, const struct queued *job)
{
	if (queued_is_in_line(job)) {
		queue->waiting += job->count;
		queue->cpus_waiting += job->count * job->cpus;
		queue->oldest_ns = earlier(queue->oldest_ns,
					   job->eligible_ns ? job->eligible_ns : job->submitted_ns);
		queue->next_ns = earlier(queue->next_ns, job->start_ns);
	} else if (job->state == JOB_QUEUED) {
		queue->blocked += job->count;
	} else if (!job_state_is_ended(job->state)) {
		queue->running += job->count;
		queue->cpus_running += job->count * job->cpus;
	}
}

void queue_report_count(struct queue_report_list *list, const struct queued_list *jobs)
{
	for (size_t i = 0; i < list->len; i++) {
		struct queue_report *queue = &list->items[i];

		for (size_t n = 0; n < jobs->len; n++) {
			if (is_in_queue(&jobs->items[n], queue->name, strlen(queue->name)))
				count(queue, &jobs->items[n]);
		}
	}
}

/* The first whose word the reason begins with, in any case. */
static const struct {
	const char *word, *text;
} reasons[] = {
	{ "Priority", "jobs with a higher priority go first" },
	{ "Resources", "it is its turn: it waits for nodes to become free" },
	{ "DependencyNeverSatisfied",
	  "a job that it was to wait for failed, so that it will never start: cancel it" },
	{ "Dependency", "it waits for other jobs" },
	{ "JobHeldUser", "it is held: 'berth release' lets it go" },
	{ "JobHeldAdmin",
	  "an operator holds it, and only one can 'berth release' it: ask the site" },
	{ "BeginTime", "it is to begin later" },
	{ "JobArrayTaskLimit", "as many tasks of its array run as may at a time" },
	{ "PartitionTimeLimit", "it asks for more time than its queue allows: lower --time" },
	{ "PartitionNodeLimit", "it asks for more nodes than its queue allows" },
	{ "PartitionDown", "its queue is down: choose another, or wait" },
	{ "PartitionInactive", "its queue is not active: choose another, or wait" },
	{ "ReqNodeNotAvail", "a node that it asks for is down, drained or reserved" },
	{ "Nodes required", "nodes that it needs are down, drained or reserved" },
	{ "BadConstraints",
	  "no node has what it asks for: 'berth find node-with' shows what there is" },
	{ "NodeDown", "a node that it needs is down" },
	{ "Licenses", "it waits for licences" },
	{ "Reservation", "it waits for its reservation to begin" },
	{ "QOS", "it is at a limit of its quality of service" },
	{ "Assoc", "it is at a limit of the account" },
	{ "MaxMem", "it asks for more memory than is allowed" },
	{ "InvalidAccount", "its account is not valid: choose another with --account" },
	{ "InvalidQOS", "its quality of service is not valid: choose another with --qos" },
	{ "Cleaning", "its last run is being cleared away" },
};

const char *queued_explain(const char *reason)
{
	if (!reason[0])
		return "the scheduler has not looked at it yet";
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (strncasecmp(reason, reasons[i].word, strlen(reasons[i].word)) == 0)
			return reasons[i].text;
	}
	return NULL;
}
