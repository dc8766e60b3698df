/* SPDX-License-Identifier: MIT */
/* Key files, made by `berth-tunnel keygen`: the controller itself never sees a key. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/ops/internal.h"
#include "controller/ops/place.h"
#include "controller/ops/spare.h"
#include "controller/run/argv.h"
#include "controller/run/child.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define KEYGEN_TIMEOUT_MS 30000
#define WORKSTATION_MAX 63
#define JOB_FILE_MAX (1024 * 1024)

/* What keygen says of what it was asked for: that is the user's to know, and nothing went wrong. */
static const struct {
	int status;
	enum err_kind kind;
} refusals[] = { { 64, ERR_INVALID }, { 66, ERR_NOT_FOUND }, { 69, ERR_LIMIT } };

static int check_keygen(struct child *child, const char *program, struct err *err)
{
	static const char prefix[] = "berth-tunnel: ";
	char why[256];

	if (child->status == 0)
		return 0;
	child_complaint(child, why, sizeof(why));
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		if (child->status == refusals[i].status &&
		    strncmp(why, prefix, strlen(prefix)) == 0)
			return err_set(err, refusals[i].kind, "%s", why + strlen(prefix));
	}
	return err_set(err, ERR_SYSTEM, "cannot make keys: %s ended with status %d: %s", program,
		       child->status, why);
}

int keys_generate(const struct argv *argv, struct err *err)
{
	const struct child_plan plan = { .argv = argv_words(argv),
					 .timeout_ms = KEYGEN_TIMEOUT_MS };
	cleanup(child_finish) struct child child = { 0 };

	if (child_run(&plan, &child, err) < 0)
		return err_wrap(err, "cannot make keys");
	return check_keygen(&child, argv->items[0], err);
}

void keys_add_workstation(struct argv *argv)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.-_";
	char name[HOST_NAME_MAX + 1] = "";

	if (gethostname(name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	name[strcspn(name, ".")] = '\0';
	if (name[0] == '\0' || name[strspn(name, plain)] != '\0' || strlen(name) > WORKSTATION_MAX)
		snprintf(name, sizeof(name), "workstation");
	argv_add_words(argv, "--workstation", name, NULL);
}

int keys_make_host(struct controller *c, const char *tunnel, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };

	if (fs_exists(c->paths.host_key) && fs_exists(c->paths.known_hosts))
		return 0;
	argv_add_words(&argv, tunnel, "keygen", "--host-key", c->paths.host_key, "--known-hosts",
		       c->paths.known_hosts, "--alias", "berth", NULL);
	return keys_generate(&argv, err);
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

	m->is_staged = m->site != NULL;
	m->job_file = fs_join(m->job->directory, "tunnel.json");
	m->staged = str_printf("%s.job.part", client_file);
	m->relays = str_printf("%s.relays.part", client_file);
	argv_add_words(&m->argv, m->tunnel, "keygen", "--job-file",
		       m->site ? m->staged : m->job_file, "--client-file", client_file, NULL);
	keys_add_workstation(&m->argv);
	for (size_t i = 0; i < m->spec->allow.len; i++)
		argv_add_words(&m->argv, "--allow", m->spec->allow.items[i], NULL);
	if (place_add_paths(c, where, m->relays, &m->argv, err) < 0)
		return -1;
	if (spare_take(c, m, client_file)) {
		m->is_staged = m->site || rename(m->staged, m->job_file) < 0;
		return 0;
	}
	plan.argv = argv_words(&m->argv);
	if (child_start(&plan, &m->running, err) < 0)
		return err_wrap(err, "cannot make keys");
	return 0;
}

static int end_keygen(struct making *m, struct err *err)
{
	cleanup(child_finish) struct child child = { 0 };

	if (child_end(m->running, &child, err) < 0)
		return err_wrap(err, "cannot make keys");
	if (check_keygen(&child, m->argv.items[0], err) < 0)
		return -1;
	return fs_remove_tree(m->relays, err);
}

int keys_end_job(struct making *m, struct err *err)
{
	if (m->running && end_keygen(m, err) < 0)
		return -1;
	return m->is_staged ? move_there(m->site, m->staged, m->job_file, err) : 0;
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
