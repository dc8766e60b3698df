/* SPDX-License-Identifier: MIT */
/* All checks at once, none for long; see doctor.h. */
#include "doctor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "controller/model/json.h"
#include "controller/ops/doctor_check.h"
#include "controller/ops/jobs.h"
#include "controller/ops/where.h"
#include "controller/run/argv.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

#define TASKS_MAX (8 + 2 * CONFIG_NAMES_MAX)
#define LINE_LIMIT (16 * 1024)
#define SAID_MAX (1024 * 1024)
/* The ways into a job are tried with what is known of it after so long. */
#define ENDPOINT_MS 1200

struct task {
	const char *name;
	void (*run)(struct doctor_check *check);
	char *cluster;
	const struct task *after; /* begins when that is over, or is late */
	char *scratch;
	pid_t pid; /* 0: not begun */
	int fd;
	struct buf said;
	struct finding_list findings;
	bool is_over;
};

struct examination {
	const struct ref *ref;
	struct task tasks[TASKS_MAX];
	size_t len;
	char *dir; /* for scratch files */
	uint64_t began_ns;
};

static void examination_finish(struct examination *e)
{
	for (size_t i = 0; i < e->len; i++) {
		free(e->tasks[i].cluster);
		free(e->tasks[i].scratch);
		buf_wipe(&e->tasks[i].said);
		finding_list_finish(&e->tasks[i].findings);
	}
	if (e->dir)
		(void)!fs_remove_tree(e->dir, NULL);
	free(e->dir);
}
DEFINE_CLEANUP_VALUE(struct examination, examination_finish)

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static unsigned int elapsed_ms(const struct examination *e)
{
	return (unsigned int)((monotonic_ns() - e->began_ns) / NSEC_PER_MSEC);
}

/* In a check's own process */

static void print(struct doctor_check *check, const struct finding *finding)
{
	json_t *object = finding_json(finding);
	char *line = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	if (line)
		fprintf(check->out, "%s\n", line);
	free(line);
	fflush(check->out);
}

void doctor_say(struct doctor_check *check, const char *name, enum finding_level level,
		const char *fmt, ...)
{
	cleanup(finding_list_finish) struct finding_list list = { 0 };
	struct finding *finding = finding_list_add(&list, name, check->about ? check->about : "");
	uint64_t now = monotonic_ns();
	char text[FINDING_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	finding_say(finding, level, "%s", text);
	finding->took_ms = (int64_t)((now - check->mark_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
	check->mark_ns = now;
	print(check, finding);
}

int doctor_open(struct controller **ret, struct err *err)
{
	cleanup(controller_close) struct controller *c = new_zero(struct controller);

	if (paths_init(&c->paths, err) < 0)
		return -1;
	c->ssh = (struct sshconf){
		.config = c->paths.ssh_config,
		.jobs_dir = c->paths.ssh_jobs_dir,
		.state_dir = c->paths.state_dir,
		.known_hosts = c->paths.known_hosts,
		.program = c->paths.program,
	};
	*ret = take_ptr(c);
	return 0;
}

int doctor_ask_tunnel(struct doctor_check *check, struct controller *c, const char *const *options,
		      struct err *err)
{
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };
	cleanup(finding_list_finish) struct finding_list list = { 0 };
	cleanup(json_release) json_t *said = NULL;
	struct child_plan plan = { .timeout_ms = check->limit_ms };
	const json_t *each;
	char why[240];
	size_t i;

	if (bundle_find(c->paths.program, &bundle, err) < 0)
		return -1;
	argv_add_words(&argv, bundle.tunnel, "doctor", "--output=json", NULL);
	argv_addf(&argv, "--limit=%ums", MAX(check->limit_ms, 1300U) - 300);
	argv_add_all(&argv, options);
	plan.argv = argv_words(&argv);
	if (child_run(&plan, &child, err) < 0)
		return -1;
	if (json_parse(buf_span(&child.output), SAID_MAX, &said, err) < 0) {
		child_complaint(&child, why, sizeof(why));
		return why[0] ? err_set(err, ERR_UNAVAILABLE, "%s", why) : -1;
	}
	json_array_foreach(json_object_get(said, "findings"), i, each)
		(void)!finding_list_parse(&list, each, NULL);
	for (i = 0; i < list.len; i++) {
		/* It was looked for by us, and told. */
		if (strcmp(list.items[i].check, "endpoint") != 0)
			print(check, &list.items[i]);
	}
	return 0;
}

attr_noreturn static void be_check(const struct examination *e, const struct task *task, int fd)
{
	cleanup_close int nowhere = fd_open("/dev/null", O_RDWR);
	struct doctor_check check = {
		.ref = e->ref,
		.cluster = task->cluster,
		.about = task->cluster,
		.scratch = task->scratch,
		.limit_ms = DOCTOR_MS - MIN(elapsed_ms(e), (unsigned int)DOCTOR_MS),
		.out = fdopen(fd, "w"),
		.mark_ns = monotonic_ns(),
	};

	setpgid(0, 0);
	if (nowhere >= 0) {
		(void)dup2(nowhere, STDIN_FILENO);
		(void)dup2(nowhere, STDOUT_FILENO);
		(void)dup2(nowhere, STDERR_FILENO);
	}
	for (size_t i = 0; task->after && i < task->after->findings.len; i++) {
		if (task->after->findings.items[i].level == FINDING_OK)
			check.file = task->after->findings.items[i].target;
	}
	if (check.out)
		task->run(&check);
	_exit(0);
}

/* In ours */

static void begin(struct examination *e, struct task *task)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		task->is_over = true;
		return;
	}
	task->pid = fork();
	if (task->pid == 0)
		be_check(e, task, ends[1]);
	close(ends[1]);
	task->fd = ends[0];
	if (task->pid < 0) {
		close(ends[0]);
		task->is_over = true;
		return;
	}
	/* Both do it, so that it is done whoever is first. */
	setpgid(task->pid, task->pid);
}

static bool is_due(const struct examination *e, const struct task *task)
{
	if (task->pid || task->is_over)
		return false;
	return !task->after || task->after->is_over || elapsed_ms(e) >= ENDPOINT_MS;
}

/* Takes whole lines off what a check has said. */
static void read_lines(struct task *task)
{
	struct span rest = buf_span(&task->said);
	const uint8_t *end;
	size_t taken = 0;

	while ((end = memchr(rest.ptr, '\n', rest.len))) {
		struct span line = span_of(rest.ptr, (size_t)(end - rest.ptr));
		cleanup(json_release) json_t *object = NULL;

		if (json_parse(line, LINE_LIMIT, &object, NULL) == 0)
			(void)!finding_list_parse(&task->findings, object, NULL);
		taken += line.len + 1;
		rest = span_of(end + 1, rest.len - line.len - 1);
	}
	buf_consume(&task->said, taken);
}

static void hear(struct task *task)
{
	char bytes[4096];
	ssize_t len = read(task->fd, bytes, sizeof(bytes));

	if (len > 0 && buf_append(&task->said, bytes, (size_t)len)) {
		read_lines(task);
		return;
	}
	if (len < 0 && errno == EINTR)
		return;
	close(task->fd);
	waitpid(task->pid, NULL, 0);
	task->is_over = true;
}

/* What it started is in its process group. */
static void give_up(struct task *task)
{
	const char *about = task->cluster ? task->cluster : "";

	if (task->pid > 0) {
		kill(-task->pid, SIGKILL);
		kill(task->pid, SIGKILL);
		close(task->fd);
		waitpid(task->pid, NULL, 0);
	}
	task->is_over = true;
	finding_say(finding_list_add(&task->findings, task->name, about), FINDING_FAILURE,
		    "%s%s%s: no answer within %.1f s: something that it asks hangs (a file "
		    "server, a login node, a scheduler)",
		    task->name, about[0] ? " " : "", about, DOCTOR_MS / 1000.0);
}

static int wait_a_while(const struct examination *e)
{
	unsigned int now = elapsed_ms(e);

	return (int)MIN(now < ENDPOINT_MS ? ENDPOINT_MS - now + 1 : DOCTOR_MS,
			now < DOCTOR_MS ? DOCTOR_MS - now : 0);
}

static void run_all(struct examination *e)
{
	struct pollfd fds[TASKS_MAX];
	struct task *who[TASKS_MAX];
	nfds_t len;

	do {
		len = 0;
		for (size_t i = 0; i < e->len; i++) {
			struct task *task = &e->tasks[i];

			if (is_due(e, task))
				begin(e, task);
			if (task->pid > 0 && !task->is_over) {
				fds[len] = (struct pollfd){ .fd = task->fd, .events = POLLIN };
				who[len++] = task;
			}
		}
		if (len == 0 || poll(fds, len, wait_a_while(e)) < 0)
			continue;
		for (nfds_t i = 0; i < len; i++) {
			if (fds[i].revents)
				hear(who[i]);
		}
	} while (len > 0 && elapsed_ms(e) < DOCTOR_MS);
	for (size_t i = 0; i < e->len; i++) {
		if (!e->tasks[i].is_over)
			give_up(&e->tasks[i]);
	}
}

/* What there is to look at */

static struct task *add(struct examination *e, const char *name,
			void (*run)(struct doctor_check *check), const char *cluster)
{
	struct task *task = &e->tasks[MIN(e->len, (size_t)TASKS_MAX - 1)];

	if (e->len == TASKS_MAX)
		return task;
	e->len++;
	*task = (struct task){ .name = name, .run = run, .said = BUF_INIT(SAID_MAX) };
	task->cluster = cluster ? str_dup(cluster) : NULL;
	return task;
}

static void add_machine(struct examination *e)
{
	add(e, "configuration", doctor_configuration, NULL);
	add(e, "database", doctor_database, NULL);
	add(e, "keys", doctor_keys, NULL);
	add(e, "ssh", doctor_ssh, NULL);
	add(e, "include", doctor_include, NULL);
	add(e, "programs", doctor_programs, NULL);
}

static int make_scratch(struct examination *e, struct task *task, struct err *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char name[32];

	if (!e->dir) {
		e->dir = fs_join(runtime && fs_exists(runtime) ? runtime : "/tmp",
				 "berth-doctor.XXXXXX");
		if (!mkdtemp(e->dir)) {
			free(take_ptr(e->dir));
			return err_set_errno(err, errno, "make a directory for tokens");
		}
	}
	snprintf(name, sizeof(name), "%zu.json", e->len);
	task->scratch = fs_join(e->dir, name);
	return 0;
}

static int add_relays(struct examination *e, const char *cluster, struct err *err)
{
	return make_scratch(e, add(e, "relays", doctor_relays, cluster), err);
}

/* When the configuration is wrong, that is told by its own check, and nothing is known of these. */
static int add_clusters(struct examination *e, const char *only, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	const struct config *config;

	if (doctor_open(&c, err) < 0)
		return -1;
	if (ops_config(c, &config, NULL) < 0) {
		add(e, "cluster", doctor_cluster, "local");
		return 0;
	}
	for (size_t i = 0; i < config->clusters.len; i++) {
		const struct config_cluster *cluster = &config->clusters.items[i];

		if (only && strcmp(only, cluster->name) != 0)
			continue;
		add(e, "cluster", doctor_cluster, cluster->name);
		/* A job has relays of its own, with which it was submitted. */
		if (!only && config_relays(config, cluster)->len > 0 &&
		    add_relays(e, cluster->name, err) < 0)
			return -1;
	}
	return 0;
}

static int add_job(struct examination *e, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_finish) struct job job = { 0 };
	const struct task *endpoint;

	if (controller_open(&c, err) < 0 || ops_find(c, e->ref, &job, err) < 0 ||
	    add_clusters(e, job.cluster, err) < 0)
		return -1;
	add(e, "job", doctor_state, NULL);
	if (job_state_is_ended(job.state))
		return 0;
	endpoint = add(e, "endpoint", doctor_endpoint, NULL);
	add(e, "ways", doctor_ways, NULL)->after = endpoint;
	return 0;
}

static void examine(struct examination *e, struct finding_list *ret)
{
	fflush(NULL);
	run_all(e);
	for (size_t i = 0; i < e->len; i++) {
		for (size_t j = 0; j < e->tasks[i].findings.len; j++) {
			const struct finding *from = &e->tasks[i].findings.items[j];
			struct finding *to = finding_list_add(ret, from->check, from->target);

			finding_say(to, from->level, "%s", from->text);
			to->took_ms = from->took_ms;
		}
	}
}

int ops_doctor(const struct ref *ref, struct finding_list *ret, struct err *err)
{
	cleanup(examination_finish) struct examination e = { .ref = ref };

	e.began_ns = monotonic_ns();
	add_machine(&e);
	if ((ref ? add_job(&e, err) : add_clusters(&e, NULL, err)) < 0)
		return -1;
	examine(&e, ret);
	return 0;
}

int ops_doctor_relays(struct finding_list *ret, struct err *err)
{
	cleanup(examination_finish) struct examination e = { 0 };
	cleanup(controller_close) struct controller *c = NULL;
	const struct config *config;

	e.began_ns = monotonic_ns();
	if (doctor_open(&c, err) < 0 || ops_config(c, &config, err) < 0)
		return -1;
	for (size_t i = 0; i < config->clusters.len; i++) {
		const struct config_cluster *cluster = &config->clusters.items[i];

		if (config_relays(config, cluster)->len > 0 && ops_is_chosen(c, cluster->name) &&
		    add_relays(&e, cluster->name, err) < 0)
			return -1;
	}
	if (e.len == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "no relay is configured: name one by its URL, or add it with 'berth "
			       "config add clusters.NAME.relays url=https://... key=...'");
	examine(&e, ret);
	return 0;
}
