/* SPDX-License-Identifier: MIT */
/* Giving and taking the keys of workstations while a job runs; see rekey.h. */
#include "rekey.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/ops/connect.h"
#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/ops/place.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define JOB_FILE_MAX (1024 * 1024)
/* How long a job may take to let a new key in: it reads the file, perhaps over a slow network. */
#define PROOF_WAIT "10s"
#define KNOCK_TIMEOUT_MS 20000
#define RANKS_ASKED 64
#define RANKS_AT_ONCE 16
#define LIST_TIMEOUT_MS 30000
#define LIST_MAX 4096
#define LOCK_PATIENCE_MS 60000
#define CHANGES_MAX 64

struct rank {
	unsigned int number;
	char *endpoint;
};

/* What changing keys needs to know; filled by open_rekey(). */
struct rekey {
	struct controller *c;
	const struct job *job;
	const struct rekey_plan *plan;
	struct backend *backend;
	struct site *site;
	char *job_file, *client_file, *next_file, *tickets;
	struct rank ranks[RANKS_ASKED]; /* that listen */
	size_t ranks_len;
	bool has_client;
	struct bundle bundle;
	struct buf there; /* what the job's file held when it was read or written last */
	int lock;
};

static void rekey_finish(struct rekey *x)
{
	if (x->job_file)
		unlink(x->job_file);
	buf_wipe(&x->there);
	free(x->job_file);
	free(x->client_file);
	free(x->next_file);
	free(x->tickets);
	for (size_t i = 0; i < x->ranks_len; i++)
		free(x->ranks[i].endpoint);
	bundle_finish(&x->bundle);
	fd_close(x->lock); /* last: the next one may begin */
}
DEFINE_CLEANUP_VALUE(struct rekey, rekey_finish)

/* Of those whose endpoint was read, or is here. */
static void keep_listening(struct rekey *x)
{
	uint64_t rank = 0;

	for (unsigned int asked = 0; asked < RANKS_ASKED && job_next_rank(x->job, rank, &rank);
	     asked++, rank++) {
		struct rank *one = &x->ranks[x->ranks_len];

		if (place_keep_endpoint(x->c, x->backend, x->job, (unsigned int)rank,
					&one->endpoint, NULL) < 0)
			continue;
		one->number = (unsigned int)rank;
		x->ranks_len++;
	}
}

/* By their names: a site that lists nothing has read that of the first rank only. */
static int read_endpoints(const struct rekey *x, struct err *err)
{
	cleanup(buf_finish) struct buf names = BUF_INIT(JOB_FILE_MAX);
	uint64_t rank = 0;

	for (unsigned int asked = 0; asked < RANKS_ASKED && job_next_rank(x->job, rank, &rank);
	     asked++, rank++) {
		if (!buf_printf(&names, "endpoint.%" PRIu64 ". ", rank))
			return err_set(err, ERR_LIMIT, "too many ranks");
	}
	return site_prefetch(x->site, &(const char *){ x->job->directory }, 1, buf_str(&names),
			     err);
}

static void find_listening(struct rekey *x)
{
	uint64_t rank = 0;
	struct err why;

	keep_listening(x);
	if (x->ranks_len != 1 || !job_next_rank(x->job, x->ranks[0].number + 1, &rank))
		return;
	if (read_endpoints(x, &why) < 0) {
		log_debug("%s", why.text);
		return;
	}
	free(take_ptr(x->ranks[0].endpoint));
	x->ranks_len = 0;
	keep_listening(x);
}

static off_t byte_of(const char *uid)
{
	uint32_t hash = 2166136261;

	for (const char *p = uid; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619;
	return (off_t)hash;
}

/* One at a time of those that run here: they share the client file, and what lies beside it. */
static int lock_job(struct rekey *x, struct err *err)
{
	cleanup_free char *path = fs_join(x->c->paths.state_dir, "keys.lock");
	/* Of a file that stays, each job has a byte. */
	const struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = byte_of(x->job->uid),
		.l_len = 1,
	};
	const struct timespec pause = { .tv_nsec = 20 * 1000000 };

	x->lock = fd_open_mode(path, O_RDWR | O_CREAT, 0600);
	if (x->lock < 0)
		return err_set_errno(err, errno, "open %s", path);
	for (unsigned int waited = 0; fcntl(x->lock, F_OFD_SETLK, &lock) < 0; waited += 20) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_set_errno(err, errno, "lock %s", path);
		if (waited >= LOCK_PATIENCE_MS)
			return err_set(err, ERR_UNAVAILABLE,
				       "another berth is changing keys of job-%" PRIu64
				       ": try again when it is done",
				       x->job->id);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* keygen works on a copy, which is brought back after each change. */
static int fetch_job_file(struct rekey *x, struct err *err)
{
	cleanup_free char *there = fs_join(x->job->directory, "tunnel.json");

	buf_wipe(&x->there);
	x->there = BUF_INIT(JOB_FILE_MAX);
	if (site_read(x->site, there, 0, JOB_FILE_MAX, &x->there, err) < 0)
		return -1;
	return fs_write_file(x->job_file, buf_span(&x->there), 0600, err);
}

/* 1: another workstation changed it meanwhile, and the change is to be made again. */
static int bring_job_file(struct rekey *x, struct err *err)
{
	cleanup_free char *there = fs_join(x->job->directory, "tunnel.json");
	cleanup(buf_wipe) struct buf text = BUF_INIT(JOB_FILE_MAX);
	struct backend *backend;
	int result;

	if (controller_backend(x->c, x->job->cluster, &backend, err) < 0 ||
	    fs_read_file(x->job_file, JOB_FILE_MAX, &text, err) < 0)
		return -1;
	if (span_equal(buf_span(&text), buf_span(&x->there)))
		return 0;
	result = site_replace(x->site, there, buf_span(&x->there), buf_span(&text), 0600, err);
	site_forget(x->site);
	if (result != 0)
		return result;
	buf_wipe(&x->there);
	x->there = text;
	text = BUF_INIT(JOB_FILE_MAX);
	/* To a job that does not see the directory. */
	return backend_deliver(backend, x->job, "tunnel.json", err);
}

static int open_rekey(struct rekey *x, struct err *err)
{
	const char *dir = x->job->directory;
	struct backend *backend;

	if (ops_check_not_ended(x->job, err) < 0 ||
	    bundle_find(x->c->paths.program, &x->bundle, err) < 0 ||
	    controller_backend(x->c, x->job->cluster, &backend, err) < 0)
		return -1;
	x->there = BUF_INIT(JOB_FILE_MAX);
	x->backend = backend;
	x->site = backend_site(backend);
	x->client_file = x->plan->client_file ? str_dup(x->plan->client_file)
					      : paths_client_key(&x->c->paths, x->job->uid);
	x->next_file = str_printf("%s.new", x->client_file);
	x->tickets = str_printf("%s.tickets", x->client_file);
	x->has_client = fs_exists(x->client_file);
	x->job_file = str_printf("%s.job.part", x->client_file);
	if (lock_job(x, err) < 0 ||
	    (!x->plan->is_prefetched && site_prefetch(x->site, &dir, 1, REKEY_PREFETCH, err) < 0) ||
	    fetch_job_file(x, err) < 0)
		return -1;
	if (x->job->state == JOB_RUNNING)
		find_listening(x);
	return 0;
}

/* `how` is an option of keygen; name is a workstation's, or NULL for ours. */
static int change_copy(struct rekey *x, const char *how, const char *name, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	bool revokes = strcmp(how, "--revoke") == 0;

	argv_add_words(&argv, x->bundle.tunnel, "keygen", how, "--job-file", x->job_file, NULL);
	if (!revokes)
		argv_add_words(&argv, "--client-file", x->client_file, NULL);
	if (name)
		argv_add_words(&argv, "--workstation", name, NULL);
	else if (!revokes)
		keys_add_workstation(&argv);
	if (!revokes && x->plan->login)
		argv_add_words(&argv, "--login", x->plan->login, NULL);
	return keys_generate(&argv, err);
}

/*
 * Each step of a rotation may be made again (rotation.h), so that what others change at the same
 * moment is no failure.
 */
static int rekey_files(struct rekey *x, const char *how, const char *name, struct err *err)
{
	for (unsigned int tried = 0; tried < CHANGES_MAX; tried++) {
		int result;

		if (change_copy(x, how, name, err) < 0)
			return -1;
		result = bring_job_file(x, err);
		if (result <= 0)
			return result;
		if (fetch_job_file(x, err) < 0)
			return -1;
	}
	return err_set(err, ERR_UNAVAILABLE,
		       "others change the keys of job-%" PRIu64 " all the time: try again",
		       x->job->id);
}

/* A client that goes into the job with a key, and what it was told. */
struct knock {
	struct argv argv;
	struct running *running;
};

static void knock_finish(struct knock *knock)
{
	knock->running = running_stop(knock->running);
	argv_finish(&knock->argv);
}
DEFINE_CLEANUP_VALUE(struct knock, knock_finish)

static int knock_start(const struct rekey *x, const struct rank *rank, const char *client_file,
		       const char *wait, struct knock *ret, struct err *err)
{
	struct child_plan plan = { .timeout_ms = KNOCK_TIMEOUT_MS };

	argv_add_words(&ret->argv, x->bundle.tunnel, "knock", "--client-file", client_file,
		       "--endpoint", rank->endpoint, "--wait", wait, NULL);
	argv_addf(&ret->argv, "--rank=%u", rank->number);
	argv_addf(&ret->argv, "--name=job-%" PRIu64, x->job->id);
	connect_add_through(x->c, x->backend, x->job, rank->number, &ret->argv);
	plan.argv = argv_words(&ret->argv);
	return child_start(&plan, &ret->running, err);
}

/* 0: the key let it in. */
static int knock_end(struct knock *knock, struct err *err)
{
	cleanup(child_finish) struct child child = { 0 };
	char why[256];

	if (!knock->running || child_end(knock->running, &child, err) < 0)
		return -1;
	if (child.status == 0)
		return 0;
	child_complaint(&child, why, sizeof(why));
	return err_set(err, ERR_UNAVAILABLE, "%s", why);
}

/*
 * Every rank looks which keys are good when somebody comes in, or wants to: now, and not when the
 * next user does, who would be told that the job does not know the key.
 */
static void hasten(const struct rekey *x)
{
	struct err why;

	if (!fs_exists(x->client_file))
		return;
	for (size_t done = 0; done < x->ranks_len; done += RANKS_AT_ONCE) {
		struct knock knocks[RANKS_AT_ONCE] = { 0 };
		size_t len = MIN(x->ranks_len - done, (size_t)RANKS_AT_ONCE);

		for (size_t i = 0; i < len; i++) {
			if (knock_start(x, &x->ranks[done + i], x->client_file, "0s", &knocks[i],
					&why) < 0)
				log_debug("%s", why.text);
		}
		for (size_t i = 0; i < len; i++) {
			if (knock_end(&knocks[i], &why) < 0)
				log_debug("%s", why.text);
			knock_finish(&knocks[i]);
		}
	}
}

/* One rank is enough: all of them read the same file. */
static int prove(const struct rekey *x, struct err *err)
{
	cleanup(knock_finish) struct knock knock = { 0 };

	if (knock_start(x, &x->ranks[0], x->next_file, PROOF_WAIT, &knock, err) == 0 &&
	    knock_end(&knock, err) == 0)
		return 0;
	if (!x->has_client)
		return err_wrap(err,
				"job-%" PRIu64
				" has a key for this workstation, but cannot be entered yet",
				x->job->id);
	return err_wrap(err,
			"the new key does not get into job-%" PRIu64
			", and the old one is kept: rotate again, or revoke it",
			x->job->id);
}

static int rotate_key(struct rekey *x, struct err *err)
{
	int result = 0;
	struct err why;

	if (rekey_files(x, "--rotate", x->plan->workstation, err) < 0)
		return -1;
	/* Without a tunnel to ask there is nothing to prove; without an old key, less to lose. */
	if (x->ranks_len > 0 && !x->plan->client_file && prove(x, x->has_client ? err : &why) < 0) {
		if (x->has_client)
			return -1;
		result = 1;
	}
	if (rekey_files(x, "--finish-rotation", NULL, err) < 0)
		return -1;
	if (result == 0)
		hasten(x);
	/* Of the old key, and what was in the way when this was interrupted before. */
	if (fs_remove_tree(x->tickets, err) < 0 || leftovers_remove_beside(x->c, x->job, err) < 0)
		return -1;
	if (result > 0)
		err_set(err, why.kind, "%s", why.text);
	return result;
}

static int list_keys(const struct rekey *x, struct buf *ret, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };
	struct child_plan plan = { .timeout_ms = LIST_TIMEOUT_MS };
	char why[256];

	argv_add_words(&argv, x->bundle.tunnel, "keygen", "--list", "--job-file", x->job_file,
		       "--client-file", x->client_file, NULL);
	plan.argv = argv_words(&argv);
	if (child_run(&plan, &child, err) < 0)
		return -1;
	if (child.status != 0) {
		child_complaint(&child, why, sizeof(why));
		return err_set(err, ERR_SYSTEM, "cannot read who is let in: %s", why);
	}
	if (!buf_append_span(ret, buf_span(&child.output)))
		return err_set(err, ERR_LIMIT, "too many workstations");
	return 0;
}

static int revoke_key(struct rekey *x, const char *workstation, struct err *err)
{
	cleanup(buf_finish) struct buf left = BUF_INIT(LIST_MAX);

	if (rekey_files(x, "--revoke", workstation, err) < 0)
		return -1;
	hasten(x);
	if (list_keys(x, &left, err) < 0)
		return -1;
	if (strstr(buf_str(&left), " here\n"))
		return 0;
	/* Of no use any more; and of none to a thief. */
	if (fs_remove_tree(x->tickets, err) < 0 || leftovers_remove_beside(x->c, x->job, err) < 0)
		return -1;
	if (unlink(x->client_file) < 0 && errno != ENOENT)
		return err_set_errno(err, errno, "remove %s", x->client_file);
	return 0;
}

static const struct rekey_plan plan_here = { 0 };

int ops_rotate_key(struct controller *c, const struct job *job, const struct rekey_plan *plan,
		   struct err *err)
{
	cleanup(rekey_finish) struct rekey x = {
		.c = c, .lock = -1, .job = job, .plan = plan ? plan : &plan_here
	};

	return open_rekey(&x, err) < 0 ? -1 : rotate_key(&x, err);
}

int ops_revoke_keys(struct controller *c, const struct job *job, const char *workstation,
		    struct err *err)
{
	cleanup(rekey_finish) struct rekey x = {
		.c = c, .job = job, .plan = &plan_here, .lock = -1
	};

	return open_rekey(&x, err) < 0 ? -1 : revoke_key(&x, workstation, err);
}

int ops_list_keys(struct controller *c, const struct job *job, struct buf *ret, struct err *err)
{
	cleanup(rekey_finish) struct rekey x = {
		.c = c, .job = job, .plan = &plan_here, .lock = -1
	};

	return open_rekey(&x, err) < 0 ? -1 : list_keys(&x, ret, err);
}
