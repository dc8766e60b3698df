/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Requests to one HTTP server, over TCP, TLS or a Unix socket; what every backend with an HTTP
 * interface is built on. A request has a time limit that holds for all of it, attempts and pauses
 * included; a body has a largest size; connections are kept and used again. Redirects are not
 * followed: requests carry tokens.
 *
 *	cleanup(http_close) struct http *http = NULL;
 *	cleanup(http_response_finish) struct http_response response = { 0 };
 *
 *	if (http_open("unix:/run/slurmrestd.sock", &http, err) < 0 ||
 *	    http_send(http, &(struct http_request){ .path = "/jobs" }, &response, err) < 0)
 *		return -1;	(no answer, or none that is HTTP)
 *	if (response.status != 200)
 *		...		(the server says no, in its own words)
 *
 * An attempt that failed is repeated, after a pause that doubles and is random (jitter), while the
 * time limit allows it: when nothing can have reached the server (no connection), when the server
 * says "later" (429 and 503, after its Retry-After), and, for requests that may be done twice, also
 * after a broken connection, 502 and 504.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define HTTP_TRIES 4
#define HTTP_TIMEOUT_MS 60000
#define HTTP_BODY_MAX (16 * 1024 * 1024)

struct http;

struct http_request {
	const char *method;	    /* NULL: GET */
	const char *path;	    /* with its query, escaped; begins with a slash */
	const char *const *headers; /* "Name: value", NULL-terminated; or NULL */
	const char *content_type;   /* of the body */
	struct span body;
	unsigned int timeout_ms; /* 0: HTTP_TIMEOUT_MS */
	size_t body_max;	 /* of the response; 0: HTTP_BODY_MAX */
	bool may_repeat; /* doing it twice is doing it once; GET, PUT and DELETE always may */
};

struct http_response {
	int status;
	struct buf body;
};

void http_response_finish(struct http_response *response);
DEFINE_CLEANUP_VALUE(struct http_response, http_response_finish)

/*
 * url: http://HOST[:PORT][/PATH], https://..., or unix:/PATH/OF/SOCKET. Nothing is sent yet.
 * ERR_INVALID for anything else; ERR_UNAVAILABLE without libcurl.
 */
int http_open(const char *url, struct http **ret, struct err *err) attr_must_use;
struct http *http_close(struct http *http);
DEFINE_CLEANUP(struct http, http_close)

/* Whether http_open() would take it. */
bool http_url_is_valid(const char *url);

/*
 * Any answer is success, whatever its status. ERR_UNAVAILABLE: nobody could be reached.
 * ERR_TIMEOUT, ERR_LIMIT (body_max), ERR_PROTOCOL (not HTTP, or it broke off), ERR_DENIED (its
 * certificate).
 */
int http_send(struct http *http, const struct http_request *request, struct http_response *ret,
	      struct err *err) attr_must_use;

/*
 * Sets the error that a status from 400 on stands for, in general words, and returns -1: for when
 * the server gave none of its own.
 */
int http_refuse(int status, struct err *err);
