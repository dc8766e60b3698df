/* SPDX-License-Identifier: MIT */
/* A backend in memory, for tests; see fake.h. */
#include "fake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "init/base/text.h"

#define JOBS_MAX 16

struct fake_job {
	struct observation seen;
	char printed[256];
};

struct fake {
	struct backend base;
	struct fake_job jobs[JOBS_MAX];
	struct fake_counts counts;
	enum err_kind failure;
	bool stubborn;
	const char *missing;
	const char *lost;
};

static struct fake *fake_of(struct backend *backend)
{
	return container_of(backend, struct fake, base);
}

static int fail(const struct fake *fake, struct err *err)
{
	return err_set(err, fake->failure, "told to fail");
}

/* Native ids are the order of submission. */
static struct fake_job *find(struct fake *fake, const struct job *job)
{
	uint64_t n;

	if (!text_parse_uint(job->native_id, JOBS_MAX - 1, &n) || n >= fake->counts.submits)
		return NULL;
	return &fake->jobs[n];
}

static int submit(struct backend *backend, const struct submission *submission,
		  struct submitted *ret, struct err *err)
{
	struct fake *fake = fake_of(backend);

	(void)submission;
	if (fake->failure != ERR_NONE)
		return fail(fake, err);
	if (fake->counts.submits == JOBS_MAX)
		return err_set(err, ERR_LIMIT, "full");
	snprintf(ret->native_id, sizeof(ret->native_id), "%zu", fake->counts.submits);
	snprintf(ret->degraded, sizeof(ret->degraded), "%s", fake->missing ? fake->missing : "");
	fake_set(fake, fake->counts.submits++, JOB_QUEUED, JOB_NO_EXIT_CODE);
	return 0;
}

static int observe(struct backend *backend, const struct job *const *jobs, size_t len,
		   struct observation *ret, struct err *err)
{
	struct fake *fake = fake_of(backend);

	fake->counts.observes++;
	if (fake->failure != ERR_NONE)
		return fail(fake, err);
	for (size_t i = 0; i < len; i++) {
		struct fake_job *job = find(fake, jobs[i]);

		if (job)
			ret[i] = job->seen;
	}
	return 0;
}

static void expect(struct backend *backend)
{
	fake_of(backend)->counts.expects++;
}

static int find_lost(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		     struct err *err)
{
	struct fake *fake = fake_of(backend);

	(void)job;
	if (fake->failure != ERR_NONE)
		return fail(fake, err);
	if (!fake->lost)
		return 0;
	snprintf(ret_id, BACKEND_ID_MAX, "%s", fake->lost);
	return 1;
}

static int cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		  struct err *err)
{
	struct fake *fake = fake_of(backend);

	fake->counts.cancels++;
	if (fake->failure != ERR_NONE)
		return fail(fake, err);
	for (size_t i = 0; i < len; i++) {
		struct fake_job *own = find(fake, jobs[i]);

		if (own && !fake->stubborn)
			own->seen.state = JOB_CANCELLED;
	}
	return 0;
}

static int act_on(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err)
{
	struct fake *fake = fake_of(backend);

	fake->counts.acts++;
	if (fake->failure != ERR_NONE)
		return fail(fake, err);
	for (size_t i = 0; i < len; i++) {
		struct fake_job *own = find(fake, jobs[i]);

		if (own)
			snprintf(own->seen.reason, sizeof(own->seen.reason), "%s",
				 act_word(act->kind));
		if (own && act->kind == ACT_REQUEUE)
			own->seen.state = JOB_QUEUED;
	}
	return 0;
}

static int kill_now(struct backend *backend, const struct job *job, struct err *err)
{
	struct fake *fake = fake_of(backend);
	struct fake_job *own = find(fake, job);

	fake->counts.kills++;
	if (fake->failure != ERR_NONE)
		return fail(fake, err);
	if (own)
		own->seen.state = JOB_CANCELLED;
	return 0;
}

static int read_log(struct backend *backend, const struct job *job, const struct log_part *part,
		    struct buf *ret, struct err *err)
{
	struct fake_job *own = find(fake_of(backend), job);
	size_t len = own && part->which == LOG_STDOUT ? strlen(own->printed) : 0;
	uint64_t offset = part->offset == LOG_END ? len - MIN(len, part->max) : part->offset;

	if (offset >= len)
		return 0;
	if (!buf_append(ret, own->printed + offset, MIN(len - offset, part->max)))
		return err_set(err, ERR_LIMIT, "no room");
	return 0;
}

static void close_fake(struct backend *backend)
{
	free(fake_of(backend));
}

static const struct backend_ops fake_ops = {
	.name = "fake",
	.submit = submit,
	.observe = observe,
	.expect = expect,
	.find = find_lost,
	.cancel = cancel,
	.act = act_on,
	.cannot = { [ACT_UPDATE] = "cannot change a job: submit another" },
	.kill = kill_now,
	.read_log = read_log,
	.endpoint = jobdir_endpoint,
	.observes_at_once = true,
	.close = close_fake,
};

struct fake *fake_new(void)
{
	struct fake *fake = new_zero(struct fake);

	fake->base.ops = &fake_ops;
	return fake;
}

struct backend *fake_backend(struct fake *fake)
{
	return &fake->base;
}

void fake_set(struct fake *fake, size_t n, enum job_state state, int exit_code)
{
	fake->jobs[n].seen = (struct observation){ .state = state, .exit_code = exit_code };
	snprintf(fake->jobs[n].seen.native_state, BACKEND_WORD_MAX, "fake-%s",
		 job_state_word(state));
}

void fake_print(struct fake *fake, size_t n, const char *text)
{
	snprintf(fake->jobs[n].printed, sizeof(fake->jobs[n].printed), "%s", text);
}

void fake_fail(struct fake *fake, enum err_kind kind)
{
	fake->failure = kind;
}

void fake_be_stubborn(struct fake *fake)
{
	fake->stubborn = true;
}

void fake_degrade(struct fake *fake, const char *what)
{
	fake->missing = what;
}

struct fake_counts fake_counts(const struct fake *fake)
{
	return fake->counts;
}

void fake_lose(struct fake *fake, const char *native_id)
{
	fake->lost = native_id;
}
