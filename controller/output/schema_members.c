/* SPDX-License-Identifier: MIT */
/* The members of what is listed; see schema_members.h. */
#include "schema_members.h"

#include <stddef.h>

/* clang-format off */
static const struct member jobs[] = {
	{ "id", MEMBER_TEXT, MEMBER_ALWAYS, "the name of the job: job-7", NULL },
	{ "uid", MEMBER_TEXT, MEMBER_ALWAYS, "names its directory; never used again", NULL },
	{ "name", MEMBER_TEXT, MEMBER_NULL, "the user's name for it", NULL },
	{ "cluster", MEMBER_TEXT, MEMBER_ALWAYS, "where it was submitted", NULL },
	{ "backend", MEMBER_TEXT, MEMBER_ALWAYS, "what runs the jobs of that cluster", NULL },
	{ "queue", MEMBER_TEXT, MEMBER_NULL, "the queue it is in, or was submitted to", NULL },
	{ "jobset", MEMBER_TEXT, MEMBER_NULL, "the user's name for jobs that belong together", NULL },
	{ "user", MEMBER_TEXT, MEMBER_NULL, "whose it is", NULL },
	{ "native_id", MEMBER_TEXT, MEMBER_NULL, "the scheduler's id", NULL },
	{ "state", MEMBER_STATE, MEMBER_ALWAYS, "how it is", NULL },
	{ "native_state", MEMBER_TEXT, MEMBER_NULL, "the scheduler's own word", NULL },
	{ "reason", MEMBER_TEXT, MEMBER_NULL, "why it waits, or how it ended", NULL },
	{ "exit_code", MEMBER_NUMBER, MEMBER_NULL, "of the command, 0 to 255", NULL },
	{ "signal", MEMBER_NUMBER, MEMBER_NULL, "that ended the command", NULL },
	{ "attempts", MEMBER_NUMBER, MEMBER_ALWAYS, "how often it was started; 0: not known", NULL },
	{ "created", MEMBER_TIME, MEMBER_NULL, "when it was submitted", NULL },
	{ "started", MEMBER_TIME, MEMBER_NULL, "when it began", NULL },
	{ "ended", MEMBER_TIME, MEMBER_NULL, "when it ended", NULL },
	{ "nodes", MEMBER_NUMBER, MEMBER_ALWAYS, "how many it has", NULL },
	{ "node_list", MEMBER_TEXT, MEMBER_NULL, "which, as the scheduler writes them", NULL },
	{ "ranks", MEMBER_NUMBER, MEMBER_ALWAYS, "how many it has", NULL },
	{ "array", MEMBER_TEXT, MEMBER_NULL, "the indices of its tasks", NULL },
	{ "directory", MEMBER_TEXT, MEMBER_ALWAYS, "the job directory", NULL },
	{ "command", MEMBER_TEXT, MEMBER_ALWAYS, "the command on one line, cut when it is long", NULL },
	{ 0 },
};

static const struct member job_counts[] = {
	{ "state", MEMBER_STATE, MEMBER_OPTIONAL, "with --group-by state", NULL },
	{ "queue", MEMBER_TEXT, MEMBER_OPTIONAL, "with --group-by queue", NULL },
	{ "jobset", MEMBER_TEXT, MEMBER_OPTIONAL, "with --group-by jobset", NULL },
	{ "user", MEMBER_TEXT, MEMBER_OPTIONAL, "with --group-by user", NULL },
	{ "backend", MEMBER_TEXT, MEMBER_OPTIONAL, "with --group-by backend", NULL },
	{ "jobs", MEMBER_NUMBER, MEMBER_ALWAYS, "how many there are", NULL },
	{ 0 },
};

static const struct member job_runs[] = {
	{ "id", MEMBER_TEXT, MEMBER_ALWAYS, "job-7_3, or job-7 of a job that is no array", NULL },
	{ "task", MEMBER_NUMBER, MEMBER_NULL, "the index in the array", NULL },
	{ "attempt", MEMBER_NUMBER, MEMBER_ALWAYS, "from 1; 0: not started yet", NULL },
	{ "state", MEMBER_STATE, MEMBER_ALWAYS, "how it is", NULL },
	{ "native_state", MEMBER_TEXT, MEMBER_NULL, "the scheduler's own word", NULL },
	{ "reason", MEMBER_TEXT, MEMBER_NULL, "why it waits, or how it ended", NULL },
	{ "exit_code", MEMBER_NUMBER, MEMBER_NULL, "of the command, 0 to 255", NULL },
	{ "signal", MEMBER_NUMBER, MEMBER_NULL, "that ended the command", NULL },
	{ "started", MEMBER_TIME, MEMBER_NULL, "when it began", NULL },
	{ "ended", MEMBER_TIME, MEMBER_NULL, "when it ended", NULL },
	{ "max_rss", MEMBER_NUMBER, MEMBER_NULL, "bytes, of the largest process or step", NULL },
	{ "cpu_ms", MEMBER_NUMBER, MEMBER_NULL, "user and system time", NULL },
	{ "node_list", MEMBER_TEXT, MEMBER_NULL, "where it ran", NULL },
	{ 0 },
};

static const struct member errors[] = {
	{ "id", MEMBER_TEXT, MEMBER_ALWAYS, "job-7, or job-7_3 for a task of an array", NULL },
	{ "name", MEMBER_TEXT, MEMBER_NULL, "the user's name for it", NULL },
	{ "cluster", MEMBER_TEXT, MEMBER_ALWAYS, "where it was submitted", NULL },
	{ "native_id", MEMBER_TEXT, MEMBER_NULL, "the scheduler's id", NULL },
	{ "state", MEMBER_STATE, MEMBER_ALWAYS, "how it ended", NULL },
	{ "native_state", MEMBER_TEXT, MEMBER_NULL, "the scheduler's own word", NULL },
	{ "reason", MEMBER_TEXT, MEMBER_NULL, "the scheduler's reason", NULL },
	{ "explanation", MEMBER_TEXT, MEMBER_ALWAYS, "what that means, for people", NULL },
	{ "exit_code", MEMBER_NUMBER, MEMBER_NULL, "of the command, 0 to 255", NULL },
	{ "signal", MEMBER_NUMBER, MEMBER_NULL, "that ended the command", NULL },
	{ "attempts", MEMBER_NUMBER, MEMBER_ALWAYS, "how often it was started; 0: not known", NULL },
	{ "started", MEMBER_TIME, MEMBER_NULL, "when it began", NULL },
	{ "ended", MEMBER_TIME, MEMBER_NULL, "when it ended", NULL },
	{ "node_list", MEMBER_TEXT, MEMBER_NULL, "where it ran", NULL },
	{ "stderr", MEMBER_TEXT, MEMBER_NULL, "the last lines of standard error", NULL },
	{ 0 },
};

static const struct member clusters[] = {
	{ "name", MEMBER_TEXT, MEMBER_ALWAYS, "as the configuration calls it", NULL },
	{ "backend", MEMBER_TEXT, MEMBER_ALWAYS, "what runs its jobs", NULL },
	{ "login", MEMBER_TEXT, MEMBER_NULL, "the login node", NULL },
	{ "platform", MEMBER_TEXT, MEMBER_NULL, "what its site calls the part of it", NULL },
	{ "system", MEMBER_TEXT, MEMBER_NULL, "what FirecREST calls the machine", NULL },
	{ "url", MEMBER_TEXT, MEMBER_NULL, "its server", NULL },
	{ "architecture", MEMBER_TEXT, MEMBER_NULL, "what its nodes are, as configured", NULL },
	{ "current", MEMBER_TRUTH, MEMBER_ALWAYS, "jobs go there unless something else is said", NULL },
	{ 0 },
};

#define NODE_MEMBERS \
	{ "name", MEMBER_TEXT, MEMBER_ALWAYS, "of the node", NULL }, \
	{ "state", MEMBER_TEXT, MEMBER_ALWAYS, "the scheduler's own word", NULL }, \
	{ "queues", MEMBER_TEXT, MEMBER_ALWAYS, "that lead to it, separated by commas", NULL }, \
	{ "cpus", MEMBER_NUMBER, MEMBER_ALWAYS, "that it has", NULL }, \
	{ "cpus_used", MEMBER_NUMBER, MEMBER_ALWAYS, "that jobs have", NULL }, \
	{ "memory", MEMBER_NUMBER, MEMBER_ALWAYS, "bytes", NULL }, \
	{ "memory_used", MEMBER_NUMBER, MEMBER_ALWAYS, "bytes that jobs have", NULL }, \
	{ "gpus", MEMBER_NUMBER, MEMBER_ALWAYS, "of all types", NULL }, \
	{ "gpus_used", MEMBER_NUMBER, MEMBER_ALWAYS, "that jobs have", NULL }, \
	{ "gres", MEMBER_TEXT, MEMBER_NULL, "generic resources, in the scheduler's words", NULL }, \
	{ "gres_used", MEMBER_TEXT, MEMBER_NULL, "those that jobs have", NULL }, \
	{ "features", MEMBER_TEXT, MEMBER_NULL, "separated by commas", NULL }, \
	{ "architecture", MEMBER_TEXT, MEMBER_NULL, "what its machine is, in the scheduler's words", NULL }, \
	{ "reason", MEMBER_TEXT, MEMBER_NULL, "why it is not available", NULL }

static const struct member nodes[] = { NODE_MEMBERS, { 0 } };

static const struct member fits[] = {
	NODE_MEMBERS,
	{ "fits", MEMBER_TEXT, MEMBER_ALWAYS, "now, later or out-of-order", NULL },
	{ 0 },
};

static const struct member queues[] = {
	{ "name", MEMBER_TEXT, MEMBER_ALWAYS, "of the queue", NULL },
	{ "state", MEMBER_TEXT, MEMBER_ALWAYS, "the scheduler's own word", NULL },
	{ "nodes", MEMBER_NUMBER, MEMBER_ALWAYS, "that it leads to", NULL },
	{ "nodes_idle", MEMBER_NUMBER, MEMBER_ALWAYS, "without a job", NULL },
	{ "cpus", MEMBER_NUMBER, MEMBER_ALWAYS, "of these nodes", NULL },
	{ "cpus_used", MEMBER_NUMBER, MEMBER_ALWAYS, "that jobs have", NULL },
	{ "time_limit", MEMBER_NUMBER, MEMBER_NULL, "of jobs there, seconds", NULL },
	{ "node_list", MEMBER_TEXT, MEMBER_NULL, "as the scheduler writes it", NULL },
	{ 0 },
};

static const struct member reservations[] = {
	{ "name", MEMBER_TEXT, MEMBER_ALWAYS, "of the reservation", NULL },
	{ "state", MEMBER_TEXT, MEMBER_NULL, "the scheduler's own word", NULL },
	{ "starts", MEMBER_TIME, MEMBER_NULL, "from when on it holds", NULL },
	{ "ends", MEMBER_TIME, MEMBER_NULL, "until when", NULL },
	{ "node_list", MEMBER_TEXT, MEMBER_NULL, "as the scheduler writes it", NULL },
	{ "features", MEMBER_TEXT, MEMBER_NULL, "that its nodes have", NULL },
	{ "users", MEMBER_TEXT, MEMBER_NULL, "who may use it, where that is told", NULL },
	{ 0 },
};

static const struct member gpu_types[] = {
	{ "type", MEMBER_TEXT, MEMBER_NULL, "as the scheduler calls it", NULL },
	{ "gpus", MEMBER_NUMBER, MEMBER_ALWAYS, "of this type", NULL },
	{ "gpus_used", MEMBER_NUMBER, MEMBER_ALWAYS, "that jobs have", NULL },
	{ "gpus_free", MEMBER_NUMBER, MEMBER_ALWAYS, "of nodes that are in order", NULL },
	{ 0 },
};

static const struct member resources[] = {
	{ "queue", MEMBER_TEXT, MEMBER_NULL, "null: all nodes together", NULL },
	{ "nodes", MEMBER_NUMBER, MEMBER_ALWAYS, "how many there are", NULL },
	{ "nodes_used", MEMBER_NUMBER, MEMBER_ALWAYS, "that jobs have something of", NULL },
	{ "nodes_idle", MEMBER_NUMBER, MEMBER_ALWAYS, "in order and without a job", NULL },
	{ "cpus", MEMBER_NUMBER, MEMBER_ALWAYS, "how many there are", NULL },
	{ "cpus_used", MEMBER_NUMBER, MEMBER_ALWAYS, "that jobs have", NULL },
	{ "cpus_free", MEMBER_NUMBER, MEMBER_ALWAYS, "of nodes that are in order", NULL },
	{ "memory", MEMBER_NUMBER, MEMBER_ALWAYS, "bytes", NULL },
	{ "memory_used", MEMBER_NUMBER, MEMBER_ALWAYS, "bytes that jobs have", NULL },
	{ "memory_free", MEMBER_NUMBER, MEMBER_ALWAYS, "bytes of nodes that are in order", NULL },
	{ "gpus", MEMBER_NUMBER, MEMBER_ALWAYS, "of all types", NULL },
	{ "gpus_used", MEMBER_NUMBER, MEMBER_ALWAYS, "that jobs have", NULL },
	{ "gpus_free", MEMBER_NUMBER, MEMBER_ALWAYS, "of nodes that are in order", NULL },
	{ "gpu_types", MEMBER_LIST, MEMBER_ALWAYS, "the same for each type", gpu_types },
	{ 0 },
};

static const struct member connections[] = {
	{ "job", MEMBER_TEXT, MEMBER_ALWAYS, "that is connected", NULL },
	{ "rank", MEMBER_NUMBER, MEMBER_ALWAYS, "of the job", NULL },
	{ "path", MEMBER_TEXT, MEMBER_ALWAYS, "direct, punched, relay, relay-tcp or login", NULL },
	{ "remote", MEMBER_TEXT, MEMBER_ALWAYS, "what is at its end", NULL },
	{ "rtt_us", MEMBER_NUMBER, MEMBER_ALWAYS, "the round trip", NULL },
	{ "packets_sent", MEMBER_NUMBER, MEMBER_ALWAYS, "to the job", NULL },
	{ "packets_lost", MEMBER_NUMBER, MEMBER_ALWAYS, "of these", NULL },
	{ "bytes_sent", MEMBER_NUMBER, MEMBER_ALWAYS, "to the job", NULL },
	{ "bytes_received", MEMBER_NUMBER, MEMBER_ALWAYS, "from the job", NULL },
	{ "heard", MEMBER_TIME, MEMBER_NULL, "when the job was heard last", NULL },
	{ "since", MEMBER_TIME, MEMBER_NULL, "when the connection began", NULL },
	{ "pid", MEMBER_NUMBER, MEMBER_ALWAYS, "of the program on this side", NULL },
	{ 0 },
};

static const struct member queue_reports[] = {
	{ "queue", MEMBER_TEXT, MEMBER_ALWAYS, "its name", NULL },
	{ "state", MEMBER_TEXT, MEMBER_ALWAYS, "the scheduler's own word", NULL },
	{ "waiting", MEMBER_NUMBER, MEMBER_ALWAYS, "jobs in line", NULL },
	{ "blocked", MEMBER_NUMBER, MEMBER_ALWAYS, "held, too early, or dependent on others", NULL },
	{ "running", MEMBER_NUMBER, MEMBER_ALWAYS, "jobs that run", NULL },
	{ "cpus_waiting", MEMBER_NUMBER, MEMBER_ALWAYS, "that jobs in line ask for", NULL },
	{ "cpus_running", MEMBER_NUMBER, MEMBER_ALWAYS, "that jobs have", NULL },
	{ "oldest", MEMBER_TIME, MEMBER_NULL, "since when the one in line that waits longest may start", NULL },
	{ "next_start", MEMBER_TIME, MEMBER_NULL, "the first that the scheduler expects", NULL },
	{ 0 },
};

static const struct member job_reports[] = {
	{ "id", MEMBER_TEXT, MEMBER_ALWAYS, "the name of the job: job-7", NULL },
	{ "name", MEMBER_TEXT, MEMBER_NULL, "the user's name for it", NULL },
	{ "cluster", MEMBER_TEXT, MEMBER_ALWAYS, "where it was submitted", NULL },
	{ "native_id", MEMBER_TEXT, MEMBER_NULL, "the scheduler's id", NULL },
	{ "state", MEMBER_STATE, MEMBER_ALWAYS, "how it is", NULL },
	{ "queue", MEMBER_TEXT, MEMBER_NULL, "in which it waits or runs; several with commas", NULL },
	{ "reason", MEMBER_TEXT, MEMBER_NULL, "the scheduler's word why it waits", NULL },
	{ "explanation", MEMBER_TEXT, MEMBER_NULL, "what that means, for people", NULL },
	{ "position", MEMBER_NUMBER, MEMBER_NULL, "in line, from 1; null: not in line", NULL },
	{ "waiting", MEMBER_NUMBER, MEMBER_NULL, "how many are in line in its queue", NULL },
	{ "priority", MEMBER_NUMBER, MEMBER_NULL, "the higher, the sooner", NULL },
	{ "factors", MEMBER_NUMBERS, MEMBER_ALWAYS, "what the priority is made of, where that is told", NULL },
	{ "dependency", MEMBER_TEXT, MEMBER_NULL, "what it waits for, in the scheduler's words", NULL },
	{ "submitted", MEMBER_TIME, MEMBER_NULL, "when", NULL },
	{ "eligible", MEMBER_TIME, MEMBER_NULL, "since when it may start", NULL },
	{ "expected_start", MEMBER_TIME, MEMBER_NULL, "as the scheduler plans now", NULL },
	{ "expected_nodes", MEMBER_TEXT, MEMBER_NULL, "the same", NULL },
	{ 0 },
};

const struct listed schema_listed[] = {
	{ "jobs", "a job", jobs },
	{ "job-counts", "a number of jobs", job_counts },
	{ "job-runs", "an attempt of a job, or a task of an array", job_runs },
	{ "error", "why a job failed", errors },
	{ "clusters", "a cluster of the configuration", clusters },
	{ "nodes", "a node", nodes },
	{ "node-with", "a node, as berth find shows it", fits },
	{ "queues", "a queue", queues },
	{ "reservations", "nodes that are kept for somebody", reservations },
	{ "resources", "what a queue leads to, or all nodes", resources },
	{ "connections", "how a program is connected to a job", connections },
	{ "scheduling-report", "a scheduler's work", NULL },
	{ "queue-report", "how long a queue is", queue_reports },
	{ "job-report", "how a job stands in the queue", job_reports },
	{ 0 },
};
/* clang-format on */
