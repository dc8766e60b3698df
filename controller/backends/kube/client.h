/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Requests to a Kubernetes API server, as who a kubeconfig says that we are. A token or a plugin's
 * credential is got with the first request, and another one when it has expired or, once a request,
 * when the server answers 401. What the server refuses is an error in its own words (its Status
 * object), with advice where that helps; "later" (429, with Retry-After) is waited for by http.h.
 *
 *	cleanup(kube_close) struct kube *kube = NULL;
 *	cleanup(json_release) json_t *jobs = NULL;
 *
 *	if (kube_open(&config, &kube, err) < 0 ||
 *	    kube_list(kube, "/apis/batch/v1/namespaces/default/jobs", NULL, &jobs, err) < 0)
 *		return -1;
 */

#include "controller/auth/token.h"
#include "controller/backends/kube/kubeconfig.h"
#include "controller/http/stream.h"
#include "controller/http/websocket.h"

#define KUBE_ANSWER_MAX ((size_t)256 * 1024 * 1024)
#define KUBE_PAGE 500
#define KUBE_PAGES_MAX 2000

struct kube_config {
	const char *kubeconfig; /* path, or several with colons; NULL: found as kubectl does */
	const char *context;	/* NULL: the current one */
	const char *namespace;	/* NULL: the context's, then "default" */
	struct token_source
		*tokens; /* outlives the client, and wins over the kubeconfig; or NULL */
};

struct kube {
	struct http *http;
	struct http **retired; /* of certificates before; streams may still use them */
	size_t retired_len;
	struct kube_access access;
	char *namespace;
	struct token_source *tokens; /* borrowed, or `own`, or NULL */
	struct token_source *own;    /* of the kubeconfig's token file */
	struct kube_credential given;
	bool is_ready;	 /* there is a connection with what was given */
	bool names_only; /* of what is asked for now the metadata is enough */
};

/* Reads files, and asks nobody yet. */
int kube_open(const struct kube_config *config, struct kube **ret, struct err *err) attr_must_use;
struct kube *kube_close(struct kube *kube);
DEFINE_CLEANUP(struct kube, kube_close)

struct kube_call {
	const char *method;	  /* NULL: GET */
	const char *path;	  /* with its query, escaped */
	json_t *body;		  /* borrowed; or NULL */
	const char *content_type; /* of the body; NULL: application/json */
	bool may_repeat;
	/* As http_request's: for what is no JSON. */
	int (*received)(void *owner, struct span bytes, struct err *err);
	void *owner;
	size_t answer_max; /* 0: KUBE_ANSWER_MAX */
};

/*
 * ret: NULL, or the answer, to be released. ERR_NOT_FOUND, ERR_EXISTS (also: changed meanwhile),
 * ERR_DENIED, ERR_INVALID, ERR_LIMIT; ERR_UNAVAILABLE for 410 (what was asked about is too old).
 */
int kube_call(struct kube *kube, const struct kube_call *call, json_t **ret, struct err *err)
	attr_must_use;

/*
 * The same for what is no JSON (logs): the body of an answer below 300, unless `received` takes it,
 * and ret is NULL.
 */
int kube_read(struct kube *kube, const struct kube_call *call, struct buf *ret, struct err *err)
	attr_must_use;

/*
 * All items of a list, in pages; selector: of labels, escaped by it, or NULL. A list that grew too
 * old while it was read (410) is read once more from its beginning, in one page.
 */
int kube_list(struct kube *kube, const char *path, const char *selector, json_t **ret,
	      struct err *err) attr_must_use;

/*
 * The same with nothing of the items but their metadata, from servers that can leave the rest out:
 * for things that are large.
 */
int kube_list_names(struct kube *kube, const char *path, const char *selector, json_t **ret,
		    struct err *err) attr_must_use;

/* The same, and the version of the list, which a watch can go on from; free() it. */
int kube_list_at(struct kube *kube, const char *path, const char *selector, json_t **ret,
		 char **ret_version, struct err *err) attr_must_use;

/* When it may be tried again: never with this version, since that is too old (410). */
#define KUBE_TOO_OLD UINT64_MAX

/*
 * An answer that goes on: events of a watch, a log that is followed. What is refused is an error as
 * with kube_call(), and *ret_later_ms when the server wants to be asked again (0: it does not say).
 * The stream has to be closed before the client is.
 */
int kube_stream(struct kube *kube, const char *path, struct http_stream **ret,
		uint64_t *ret_later_ms, struct err *err) attr_must_use;

/* A WebSocket; protocols as http_websocket_open() takes them. Errors as kube_call(). */
int kube_upgrade(struct kube *kube, const char *path, const char *const *protocols,
		 struct http_websocket **ret, struct err *err) attr_must_use;

/* API/namespaces/NAMESPACE/KIND[/NAME], escaped. free() it. */
char *kube_path(const struct kube *kube, const char *api, const char *kind, const char *name);
char *kube_path_in(const char *namespace, const char *api, const char *kind, const char *name);

/*
 * Sets the error that an answer stands for; -1. Pure. body: a Status object, or anything.
 */
int kube_explain(int status, struct span body, struct err *err);
