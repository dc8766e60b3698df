/* SPDX-License-Identifier: MIT */
/* Jobs of FirecREST that carry files; see firecrest.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/files/firecrest_internal.h"
#include "controller/model/job_slurm.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define TRANSFER "/filesystem/{system}/transfer/"
#define LOG_MAX 300

int fs_firecrest_start(struct fs_firecrest *f, const char *path, json_t *body, json_t **ret,
		       struct err *err)
{
	cleanup_free char *call = str_printf(TRANSFER "%s", path);
	const struct firecrest_request request = { .method = "POST", .path = call, .body = body };
	int result;

	if (!body)
		return -1;
	if (f->account)
		json_object_set_new(body, "account", json_string(f->account));
	result = firecrest_call(f->fc, &request, ret, err);
	json_decref(body);
	return result;
}

uint64_t fs_firecrest_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* What the job wrote last, if that can be read; it is a shell that complains. */
static void read_complaint(struct fs_firecrest *f, const json_t *job, char out[LOG_MAX])
{
	const char *path = firecrest_text(json_object_get(job, "logs"), "errorLog");
	const char *query[] = { "path", path, "lines", "3", NULL };
	const struct firecrest_request request = { .path = "/filesystem/{system}/ops/tail",
						   .query = query };
	cleanup(json_release) json_t *answer = NULL;

	out[0] = '\0';
	if (path[0] != '/' || firecrest_call(f->fc, &request, &answer, NULL) < 0)
		return;
	snprintf(out, LOG_MAX, "%s", firecrest_text(json_object_get(answer, "output"), "content"));
	out[strcspn(out, "\r\n")] = '\0';
	text_make_printable(out);
}

static const json_t *job_of(const json_t *started)
{
	return json_object_get(started, "transferJob");
}

/* Digits, or "". */
static const char *id_of(const json_t *started)
{
	const char *id = firecrest_text(job_of(started), "jobId");

	return id[strspn(id, "0123456789")] == '\0' ? id : "";
}

int fs_firecrest_look(struct fs_firecrest *f, const json_t *started, struct err *err)
{
	const char *id = id_of(started);
	cleanup_free char *path = str_printf("/compute/{system}/jobs/%s", id);
	const struct firecrest_request request = { .path = path };
	cleanup(json_release) json_t *answer = NULL;
	char word[FIRECREST_WORD_MAX], why[LOG_MAX];
	enum job_state state;
	struct err own = { 0 };

	if (!id[0])
		return err_set(err, ERR_PROTOCOL, "the server names no job that carries it");
	if (firecrest_call(f->fc, &request, &answer, &own) < 0) {
		/* Accounting may be late to know it. */
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	}
	firecrest_words(
		json_object_get(json_object_get(json_array_get(json_object_get(answer, "jobs"), 0),
						"status"),
				"state"),
		",", word, sizeof(word));
	state = job_slurm_state(word);
	if (state == JOB_SUCCEEDED || strcmp(word, "F") == 0)
		return 1;
	if (!job_state_is_ended(state))
		return 0;
	read_complaint(f, job_of(started), why);
	err_set(err, ERR_SYSTEM, "the server's job %s that carries it ended: %s%s%s", id, word,
		why[0] ? ": " : "", why);
	return FS_FIRECREST_BROKE;
}

void fs_firecrest_pause(struct fs_firecrest_pause *pause)
{
	nanosleep(&(struct timespec){ .tv_sec = (time_t)(pause->ns / NSEC_PER_SEC),
				      .tv_nsec = (long)(pause->ns % NSEC_PER_SEC) },
		  NULL);
	pause->ns = MIN(pause->ns * 2, pause->max_ns);
}

int fs_firecrest_refuse_wait(const json_t *started, struct err *err)
{
	return err_set(err, ERR_TIMEOUT,
		       "the server's job %s that carries it has not ended: --wait waits longer",
		       id_of(started));
}

int fs_firecrest_refuse_end(struct fs_firecrest *f, const json_t *started, struct err *err)
{
	char why[LOG_MAX];

	read_complaint(f, job_of(started), why);
	return err_set(err, ERR_SYSTEM,
		       "the server's job %s ended as if all were well, and did not do it%s%s",
		       id_of(started), why[0] ? ": " : "", why);
}

int fs_firecrest_wait(struct fs_firecrest *f, const json_t *started, struct err *err)
{
	struct fs_firecrest_pause pause = { .ns = FS_FIRECREST_LOOK_NS,
					    .max_ns = FS_FIRECREST_LOOK_MAX_NS };
	uint64_t begun = fs_firecrest_now_ns();

	for (;;) {
		int ended = fs_firecrest_look(f, started, err);

		if (ended < 0 || ended == FS_FIRECREST_BROKE)
			return -1;
		if (ended > 0)
			break;
		if (fs_firecrest_now_ns() - begun >= f->wait_ns)
			return fs_firecrest_refuse_wait(started, err);
		fs_firecrest_pause(&pause);
	}
	log_info("job %s of the server has ended after another %" PRIu64 " ms", id_of(started),
		 (fs_firecrest_now_ns() - begun) / NSEC_PER_MSEC);
	return 0;
}

void fs_firecrest_give_up(struct fs_firecrest *f, const json_t *started)
{
	const char *id = id_of(started);
	cleanup_free char *path = str_printf("/compute/{system}/jobs/%s", id);
	const struct firecrest_request request = { .method = "DELETE", .path = path };
	cleanup(json_release) json_t *answer = NULL;
	struct err why = { 0 };

	if (id[0] && firecrest_call(f->fc, &request, &answer, &why) < 0)
		log_info("job %s of the server, which carries nothing any more, stays: %s", id,
			 why.text);
}
