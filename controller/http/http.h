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
 *
 * A body that is long, or never ends, is taken piece by piece: `received` gets what comes while
 * http_send() runs, a stream (stream.h) is read when its owner likes, and http_upgrade() ends HTTP
 * and leaves a connection of bytes.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define HTTP_TRIES 4
#define HTTP_TIMEOUT_MS 60000
#define HTTP_BODY_MAX (16 * 1024 * 1024)
/* A timeout: none at all. Who sends such a request has another way to end it. */
#define HTTP_FOREVER UINT32_MAX

struct http;

/* A header of the answer that is asked for; of an answer without it the value is "". */
#define HTTP_WANTED_SIZE 4096

struct http_wanted {
	const char *name;
	char value[HTTP_WANTED_SIZE]; /* the first one of that name; longer ones count as none */
};

/* A body that is read from a descriptor (pread(2)) while it is sent, or from somewhere else. */
struct http_source {
	int fd;
	/* Instead: all of these bytes; -1 ends the request. Or NULL. */
	int (*read)(void *owner, uint64_t offset, void *room, size_t len, struct err *err);
	uint64_t offset, len;
	/* What was read from there on; at is 0 again when it is sent anew. Or NULL. */
	void (*sent)(void *owner, uint64_t at, struct span bytes);
	void *owner;
};

struct http_response {
	int status;
	struct buf body;
};

struct http_request {
	const char *method;	    /* NULL: GET */
	const char *path;	    /* with its query, escaped; begins with a slash */
	const char *const *headers; /* "Name: value", NULL-terminated; or NULL */
	const char *content_type;   /* of the body */
	struct span body;
	const struct http_source *source; /* instead of body; or NULL */
	unsigned int stall_ms;		  /* so long nothing may move; 0: the timeout holds */
	unsigned int timeout_ms;	  /* 0: HTTP_TIMEOUT_MS */
	size_t body_max;		  /* of the response; 0: HTTP_BODY_MAX */
	bool may_repeat; /* doing it twice is doing it once; GET, PUT and DELETE always may */
	/*
	 * The body of an answer below 300 goes there piece by piece, and body_max does not hold for
	 * it. 0: go on; 1: enough, which is success; -1: failed, and so does the request. Nothing
	 * is repeated after the first piece.
	 */
	int (*received)(void *owner, struct span bytes, struct err *err);
	/*
	 * Of requests that go together: is told when the answer is there, of whatever status.
	 * False: those that have not begun are not sent any more (ERR_UNAVAILABLE). Or NULL.
	 */
	bool (*answered)(void *owner, const struct http_response *response);
	void *owner;
	struct http_wanted *wanted; /* headers of the answer, ending with a NULL name; or NULL */
};

/*
 * Who is trusted and who we are, as PEM text; all-zero is the machine's authorities and nobody. A
 * certificate goes with its key.
 */
struct http_tls {
	struct span authorities; /* these alone */
	struct span certificate;
	struct span key;
	bool is_unchecked; /* whoever answers is believed: for who was told to */
	/* The name in its certificate, where that is not the one in its address; or NULL. */
	const char *server_name;
	/* http://, https:// or socks5://, in place of the one in the environment; or NULL. */
	const char *proxy;
};

void http_response_finish(struct http_response *response);
DEFINE_CLEANUP_VALUE(struct http_response, http_response_finish)

/*
 * url: http://HOST[:PORT][/PATH], https://..., or unix:/PATH/OF/SOCKET. Nothing is sent yet.
 * ERR_INVALID for anything else; ERR_UNAVAILABLE without libcurl.
 */
int http_open(const char *url, struct http **ret, struct err *err) attr_must_use;

/* The same with TLS of one's own; its texts are copied, and wiped at the end. */
int http_open_tls(const char *url, const struct http_tls *tls, struct http **ret, struct err *err)
	attr_must_use;
/*
 * The server is what speaks on the standard input and output of a program, which is started for
 * each connection and found in PATH: `ssh host docker system dial-stdio`. Its standard error is
 * ours. name: the server's, for messages.
 */
int http_open_program(const char *name, const char *const *argv, struct http **ret, struct err *err)
	attr_must_use;

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
 * Asks for a connection that is HTTP no more (Upgrade, RFC 9110 section 7.8) and returns a
 * descriptor of it, which is one end of a socket: what is written there reaches the server, and so
 * back. An answer of 101 or 200 is a yes; any other is refused with its body in *ret, whose status
 * is set in any case. Through TLS a child process of ours carries the bytes, and ends with either
 * end. The request has no timeout once it is answered.
 */
int http_upgrade(struct http *http, const struct http_request *request, int *ret_fd,
		 struct http_response *ret, struct err *err) attr_must_use;

/*
 * Sends all of them at the same time, over few connections (with a source or `received` as many as
 * there are connections: when one has ended, the next begins), in whatever order; attempts that
 * failed are repeated as with http_send(), the longest time limit of any holds for all. ret and
 * errs have a place for each request; errs[i].kind is ERR_NONE where there is an answer. -1: not
 * for all.
 */
int http_send_many(struct http *http, const struct http_request *requests, size_t len,
		   struct http_response *ret, struct err *errs) attr_must_use;

/*
 * Sets the error that a status from 400 on stands for, in general words, and returns -1: for when
 * the server gave none of its own.
 */
int http_refuse(int status, struct err *err);
