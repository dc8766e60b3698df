/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A slurmrestd: which versions of its interface it offers, and calls with the token that it wants.
 * A token is got with the first call, and another one when that is refused (auth/token.h).
 *
 * The version is the newest of those that we know and the server has; it is asked for with a ping
 * of each, the newest first, so that the setting `api` saves time. Refusals are errors in Slurm's
 * own words, with advice (slurm_explain()).
 */

#include "controller/auth/token.h"
#include "controller/backends/backend.h"
#include "controller/http/http.h"
#include "controller/model/json.h"

#define SLURMREST_OLDEST 38 /* v0.0.38 */
#define SLURMREST_NEWEST 42
/* Ten thousand jobs of v0.0.42 take about 100 MB. */
#define SLURMREST_ANSWER_MAX ((size_t)256 * 1024 * 1024)

struct slurmrest {
	struct backend base;
	struct http *http;
	char *user;
	struct token_source *tokens; /* borrowed; NULL: none is sent */
	unsigned int version;	     /* 0: not asked for yet */
	unsigned int release;	     /* of Slurm itself, 2311 for 23.11; 0: it has not said yet */
};

static inline struct slurmrest *slurmrest_of(struct backend *backend)
{
	return (struct slurmrest *)backend;
}

struct slurmrest_call {
	const char *method; /* NULL: GET */
	const char *path;   /* behind the version: "/job/7" */
	const json_t *body;
	bool is_accounting; /* of slurmdbd */
	bool may_repeat;
};

/* Which version is spoken, asked for when it is not known yet. */
int slurmrest_find_version(struct slurmrest *rest, struct err *err) attr_must_use;

/* The first Slurm that takes a task of an array, after v0.0.38, for more than its array. */
#define SLURMREST_TELLS_TASKS 2411

/*
 * The answer, to be released. ERR_NOT_FOUND: no such job, or no such call in this version.
 * ERR_DENIED: the token, with what to do about it.
 */
int slurmrest_call(struct slurmrest *rest, const struct slurmrest_call *call, json_t **ret,
		   struct err *err) attr_must_use;

/* "v0.0.38" to "v0.0.42"; 0 for anything else. */
unsigned int slurmrest_parse_version(const char *text);
