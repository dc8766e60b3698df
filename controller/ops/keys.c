/* SPDX-License-Identifier: MIT */
/* Key files, made by `berth-tunnel keygen`: the controller itself never sees a key. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/ops/connect.h"
#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/ops/place.h"
#include "controller/run/argv.h"
#include "controller/run/child.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define KEYGEN_TIMEOUT_MS 30000
#define JOB_FILE_MAX (1024 * 1024)
/* How long a job may take to let a new key in: it reads the file, perhaps over a slow network. */
#define PROOF_WAIT "10s"
#define KNOCK_TIMEOUT_MS 20000
#define RANKS_ASKED 64

static int check_keygen(struct child *child, const char *program, struct err *err)
{
	char why[256];

	if (child->status == 0)
		return 0;
	child_complaint(child, why, sizeof(why));
	return err_set(err, ERR_SYSTEM, "cannot make keys: %s ended with status %d: %s", program,
		       child->status, why);
}

static int keygen(const struct argv *argv, struct err *err)
{
	const struct child_plan plan = { .argv = argv_words(argv),
					 .timeout_ms = KEYGEN_TIMEOUT_MS };
	cleanup(child_finish) struct child child = { 0 };

	if (child_run(&plan, &child, err) < 0)
		return err_wrap(err, "cannot make keys");
	return check_keygen(&child, argv->items[0], err);
}

int keys_make_host(struct controller *c, const char *tunnel, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };

	if (fs_exists(c->paths.host_key) && fs_exists(c->paths.known_hosts))
		return 0;
	argv_add_words(&argv, tunnel, "keygen", "--host-key", c->paths.host_key, "--known-hosts",
		       c->paths.known_hosts, "--alias", "berth", NULL);
	return keygen(&argv, err);
}

/* Brings a file that keygen made here to where the job is. */
static int move_there(struct site *site, const char *from, const char *to, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(JOB_FILE_MAX);

	if (fs_read_file(from, JOB_FILE_MAX, &text, err) < 0 ||
	    site_write(site, to, buf_span(&text), 0600, err) < 0)
		return -1;
	return fs_remove_tree(from, err);
}

int keys_begin_job(struct controller *c, const struct where *where, struct making *m,
		   struct err *err)
{
	cleanup_free char *client_file = paths_client_key(&c->paths, m->job->uid);
	struct child_plan plan = { .timeout_ms = KEYGEN_TIMEOUT_MS };

	m->job_file = fs_join(m->job->directory, "tunnel.json");
	m->staged = str_printf("%s.job.part", client_file);
	m->relays = str_printf("%s.relays.part", client_file);
	argv_add_words(&m->argv, m->tunnel, "keygen", "--job-file",
		       m->site ? m->staged : m->job_file, "--client-file", client_file, NULL);
	for (size_t i = 0; i < m->spec->allow.len; i++)
		argv_add_words(&m->argv, "--allow", m->spec->allow.items[i], NULL);
	if (place_add_paths(c, where, m->relays, &m->argv, err) < 0)
		return -1;
	plan.argv = argv_words(&m->argv);
	if (child_start(&plan, &m->running, err) < 0)
		return err_wrap(err, "cannot make keys");
	return 0;
}

int keys_end_job(struct making *m, struct err *err)
{
	cleanup(child_finish) struct child child = { 0 };

	if (child_end(m->running, &child, err) < 0)
		return err_wrap(err, "cannot make keys");
	if (check_keygen(&child, m->argv.items[0], err) < 0 || fs_remove_tree(m->relays, err) < 0)
		return -1;
	return m->site ? move_there(m->site, m->staged, m->job_file, err) : 0;
}

void making_finish(struct making *m)
{
	struct err why;

	m->running = running_stop(m->running);
	if (m->relays && fs_remove_tree(m->relays, &why) < 0)
		log_debug("%s", why.text);
	argv_finish(&m->argv);
	free(m->job_file);
	free(m->staged);
	free(m->relays);
}

/* What replacing a key needs to know; filled by open_rekey(). */
struct rekey {
	struct controller *c;
	const struct job *job;
	struct site *site;
	char *job_file, *client_file, *next_file, *tickets;
	char *endpoint; /* of a rank that listens, or NULL */
	unsigned int rank;
	bool has_client;
	struct bundle bundle;
};

static void rekey_finish(struct rekey *x)
{
	if (x->site && x->job_file)
		unlink(x->job_file);
	free(x->job_file);
	free(x->client_file);
	free(x->next_file);
	free(x->tickets);
	free(x->endpoint);
	bundle_finish(&x->bundle);
}
DEFINE_CLEANUP_VALUE(struct rekey, rekey_finish)

/* One rank is enough: all of them read the same file. */
static int find_listening(struct rekey *x, struct err *err)
{
	struct backend *backend;
	uint64_t rank = 0;

	if (x->job->state != JOB_RUNNING)
		return 0;
	if (controller_backend(x->c, x->job->cluster, &backend, err) < 0)
		return -1;
	for (unsigned int asked = 0;
	     asked < RANKS_ASKED && job_next_rank(x->job, rank, &rank) && !x->endpoint; asked++) {
		x->rank = (unsigned int)rank++;
		if (place_endpoint(x->c, backend, x->job, x->rank, &x->endpoint, NULL, NULL) < 0)
			x->endpoint = NULL;
	}
	return 0;
}

/* Elsewhere, keygen works on a copy, which is brought back after each change. */
static int fetch_job_file(const struct rekey *x, struct err *err)
{
	cleanup_free char *there = fs_join(x->job->directory, "tunnel.json");
	cleanup(buf_wipe) struct buf text = BUF_INIT(JOB_FILE_MAX);

	if (site_read(x->site, there, 0, JOB_FILE_MAX, &text, err) < 0)
		return -1;
	return fs_write_file(x->job_file, buf_span(&text), 0600, err);
}

static int bring_job_file(const struct rekey *x, struct err *err)
{
	cleanup_free char *there = fs_join(x->job->directory, "tunnel.json");
	cleanup(buf_wipe) struct buf text = BUF_INIT(JOB_FILE_MAX);

	if (!x->site)
		return 0;
	if (fs_read_file(x->job_file, JOB_FILE_MAX, &text, err) < 0 ||
	    site_write(x->site, there, buf_span(&text), 0600, err) < 0)
		return -1;
	return site_flush(x->site, err);
}

static int open_rekey(struct rekey *x, struct err *err)
{
	struct backend *backend;

	if (ops_check_not_ended(x->job, err) < 0 ||
	    bundle_find(x->c->paths.program, &x->bundle, err) < 0 ||
	    controller_backend(x->c, x->job->cluster, &backend, err) < 0)
		return -1;
	x->site = backend_site(backend);
	x->client_file = paths_client_key(&x->c->paths, x->job->uid);
	x->next_file = str_printf("%s.new", x->client_file);
	x->tickets = paths_client_tickets(&x->c->paths, x->job->uid);
	x->has_client = fs_exists(x->client_file);
	x->job_file = x->site ? str_printf("%s.job.part", x->client_file)
			      : fs_join(x->job->directory, "tunnel.json");
	if (x->site && fetch_job_file(x, err) < 0)
		return -1;
	return find_listening(x, err);
}

static int rekey_files(const struct rekey *x, const char *how, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };

	argv_add_words(&argv, x->bundle.tunnel, "keygen", how, "--job-file", x->job_file, NULL);
	if (strcmp(how, "--revoke") != 0)
		argv_add_words(&argv, "--client-file", x->client_file, NULL);
	if (keygen(&argv, err) < 0)
		return -1;
	return bring_job_file(x, err);
}

/* Goes into the job with a key: it has to look which are good. Returns how that ended, or -1. */
static int knock(const struct rekey *x, const char *client_file, const char *wait,
		 struct child *ret, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	struct child_plan plan = { .timeout_ms = KNOCK_TIMEOUT_MS };

	argv_add_words(&argv, x->bundle.tunnel, "knock", "--client-file", client_file, "--endpoint",
		       x->endpoint, "--wait", wait, NULL);
	argv_addf(&argv, "--rank=%u", x->rank);
	argv_addf(&argv, "--name=job-%" PRIu64, x->job->id);
	plan.argv = argv_words(&argv);
	return child_run(&plan, ret, err) < 0 ? -1 : ret->status;
}

/* The job shall act on what was written, now. It does so within seconds in any case. */
static void hasten(const struct rekey *x)
{
	cleanup(child_finish) struct child child = { 0 };
	struct err why;

	if (x->endpoint && fs_exists(x->client_file) &&
	    knock(x, x->client_file, "0s", &child, &why) < 0)
		log_debug("%s", why.text);
}

static int prove(const struct rekey *x, struct err *err)
{
	cleanup(child_finish) struct child child = { 0 };
	int status = knock(x, x->next_file, PROOF_WAIT, &child, err);
	char why[256];

	if (status == 0)
		return 0;
	if (status > 0) {
		child_complaint(&child, why, sizeof(why));
		err_set(err, ERR_UNAVAILABLE, "%s", why);
	}
	return err_wrap(err,
			"the new key does not get into job-%" PRIu64
			", and the old one is kept: rotate again, or revoke it",
			x->job->id);
}

static int rotate_key(const struct rekey *x, struct err *err)
{
	if (rekey_files(x, "--rotate", err) < 0)
		return -1;
	/* Without a way in that could be lost, or a tunnel to ask, there is nothing to prove. */
	if (x->has_client && x->endpoint && prove(x, err) < 0)
		return -1;
	if (rekey_files(x, "--finish-rotation", err) < 0)
		return -1;
	hasten(x);
	/* Of the old key, and what was in the way when this was interrupted before. */
	if (fs_remove_tree(x->tickets, err) < 0)
		return -1;
	return leftovers_remove_beside(x->c, x->job, err);
}

static int revoke_key(const struct rekey *x, struct err *err)
{
	if (rekey_files(x, "--revoke", err) < 0)
		return -1;
	hasten(x);
	/* Of no use any more; and of none to a thief. */
	if (fs_remove_tree(x->tickets, err) < 0 || leftovers_remove_beside(x->c, x->job, err) < 0)
		return -1;
	if (unlink(x->client_file) < 0 && errno != ENOENT)
		return err_set_errno(err, errno, "remove %s", x->client_file);
	return 0;
}

int ops_replace_keys(struct controller *c, const struct job *job, bool revokes, struct err *err)
{
	cleanup(rekey_finish) struct rekey x = { .c = c, .job = job };

	if (open_rekey(&x, err) < 0)
		return -1;
	return revokes ? revoke_key(&x, err) : rotate_key(&x, err);
}
