/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * FirecREST version 2: files, jobs and the state of one system behind a REST API. This is the
 * client of one system of one server, which knows addresses, tokens, errors and limits of the API,
 * and nothing of jobs or files; the calls are those of its published description (OpenAPI 2.5.4).
 *
 *	const char *const query[] = { "path", "/scratch/me", NULL };
 *	const struct firecrest_request list = { .path = "/filesystem/{system}/ops/ls",
 *						.query = query };
 *	cleanup(json_release) json_t *answer = NULL;
 *
 *	if (firecrest_call(fc, &list, &answer, err) < 0)
 *		return -1;	(ERR_NOT_FOUND: there is no such directory)
 *
 * A token that is refused (401) is replaced once and the request sent again. What is safe to repeat
 * is repeated after a broken connection, 502, 503 and 504; everything is after 429, as late as the
 * server asks (http.h). Errors are the server's own words, without control characters.
 *
 * What a server does with a path that has a single quote is found out once (quoting.h). A path with
 * a control character is refused here, before it gets there.
 */

#include "controller/auth/token.h"
#include "controller/model/json.h"
#include "init/base/buf.h"

#define FIRECREST_ANSWER_MAX ((size_t)64 * 1024 * 1024)
#define FIRECREST_TIMEOUT_MS 120000
/* Of files that go directly, where a system does not tell its own limit. */
#define FIRECREST_DIRECT_MAX ((size_t)5 * 1024 * 1024)

struct firecrest;

struct firecrest_config {
	const char *url;	     /* https://HOST[/PREFIX], to which the paths below are added */
	const char *system_name;     /* the name of the machine */
	struct token_source *tokens; /* borrowed; NULL: requests go without a token */
	bool is_pbs;		     /* what its scheduler is; else Slurm */
};

/* Nothing is sent yet. ERR_INVALID names the setting that is missing. */
int firecrest_open(const struct firecrest_config *config, struct firecrest **ret, struct err *err)
	attr_must_use;
struct firecrest *firecrest_close(struct firecrest *fc);
DEFINE_CLEANUP(struct firecrest, firecrest_close)

const char *firecrest_url(const struct firecrest *fc);
const char *firecrest_system(const struct firecrest *fc);
bool firecrest_is_pbs(const struct firecrest *fc);

/* How many requests were made, second attempts after a 401 among them. */
uint64_t firecrest_requests(const struct firecrest *fc);

struct firecrest_request {
	const char *method;	  /* NULL: GET */
	const char *path;	  /* "/filesystem/{system}/ops/ls": {system} is put in */
	const char *const *query; /* name, value, ..., NULL; escaped here */
	const json_t *body;
	bool may_repeat;	 /* a POST that does once what it is told twice */
	unsigned int timeout_ms; /* 0: FIRECREST_TIMEOUT_MS */
};

/*
 * The answer, to be released; an empty object where there is no body. By status: ERR_NOT_FOUND,
 * ERR_DENIED (401, 403), ERR_EXISTS, ERR_LIMIT (413, 429), ERR_TIMEOUT (408, 504), ERR_UNAVAILABLE
 * (424: the server does not reach the system; 503), ERR_INVALID (other 4xx), ERR_SYSTEM (500).
 * ERR_PROTOCOL: what came is no JSON.
 */
int firecrest_call(struct firecrest *fc, const struct firecrest_request *request, json_t **ret,
		   struct err *err) attr_must_use;

/*
 * Many at the same time, where their order does not matter. ret and errs have a place for each:
 * errs[i].kind is ERR_NONE where ret[i] is an answer to release, else ret[i] is NULL. -1: not all
 * have one.
 */
int firecrest_call_many(struct firecrest *fc, const struct firecrest_request *requests, size_t len,
			json_t **ret, struct err *errs) attr_must_use;

/*
 * A small file, in one piece: firecrest_upload() makes it, or puts other bytes into the one that is
 * there, in a directory that is there; firecrest_download() appends what is in it. ERR_LIMIT: it is
 * larger than the server takes in this way.
 */
int firecrest_upload(struct firecrest *fc, const char *dir, const char *name, struct span bytes,
		     struct err *err) attr_must_use;
int firecrest_download(struct firecrest *fc, const char *path, struct buf *ret, struct err *err)
	attr_must_use;

/* ERR_INVALID for a path that the API cannot be told: see above. It has to be absolute. */
int firecrest_check_path(const char *path, struct err *err) attr_must_use;
