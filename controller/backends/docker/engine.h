/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A container engine and its API (Docker's Engine API; Podman speaks it too): where it is, the
 * version that both sides know, and what it says when it refuses.
 *
 * The address is the user's, else DOCKER_HOST, else the first socket that is there and that we may
 * use: /var/run/docker.sock, then docker.sock and podman/podman.sock in the user's runtime
 * directory, then /run/podman/podman.sock.
 *
 *	unix:/PATH	the engine is on this machine and sees its files
 *	tcp://HOST:PORT	without TLS; with it when there are certificates: a directory with ca.pem,
 *			cert.pem and key.pem, of the configuration or DOCKER_CERT_PATH
 *	ssh://HOST	through ssh, by `docker system dial-stdio` there (or podman's)
 */

#include "controller/http/http.h"
#include "controller/model/json.h"

#define ENGINE_NEWEST 47 /* of version 1.N */
#define ENGINE_OLDEST 40
#define ENGINE_ANSWER_MAX (32 * 1024 * 1024)

struct engine_config {
	const char *url;     /* NULL: find it */
	const char *tls_dir; /* NULL: DOCKER_CERT_PATH, when the address wants TLS */
};

struct engine {
	struct http *http;
	char *address;	      /* for people */
	char *login;	      /* destination of ssh, or NULL */
	bool is_here;	      /* it sees the files of this machine */
	uid_t uid;	      /* of one that is here: who runs it, 0 or a user */
	bool is_podman;	      /* known with the version */
	unsigned int version; /* 1.N; 0: not asked yet */
};

/* Asks nobody yet. ERR_UNAVAILABLE says what to install or to start, ERR_DENIED which group. */
int engine_open(const struct engine_config *config, struct engine **ret, struct err *err)
	attr_must_use;
struct engine *engine_close(struct engine *engine);
DEFINE_CLEANUP(struct engine, engine_close)

/* Finds out the version, once. */
int engine_greet(struct engine *engine, struct err *err) attr_must_use;

struct engine_call {
	const char *method;  /* NULL: GET */
	const char *path;    /* behind the version, escaped */
	json_t *body;	     /* or NULL; borrowed */
	struct span archive; /* a body in place of that */
	const char *header;  /* "Name: value", or NULL */
	unsigned int timeout_ms;
	bool may_repeat;
	/* As http_request's: for what is no JSON. */
	int (*received)(void *owner, struct span bytes, struct err *err);
	void *owner;
};

/*
 * ret: NULL, or the answer, an object or an array (an empty object when it says nothing). Errors
 * are the engine's own words: ERR_NOT_FOUND, ERR_EXISTS (also: not in this state), ERR_INVALID.
 */
int engine_call(struct engine *engine, const struct engine_call *call, json_t **ret,
		struct err *err) attr_must_use;

/* The path of a call with its version, for streams and upgrades. free() it. */
char *engine_path(const struct engine *engine, const char *path);

/* Sets the error that an answer stands for, in the engine's words where it has some; -1. */
int engine_refuse(struct http_response *response, struct err *err);

/* Seconds and fractions since the epoch of "2026-11-21T08:00:00.123456789Z"; 0: none. */
uint64_t engine_time(const char *text);
