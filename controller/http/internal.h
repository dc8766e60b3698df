/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What requests, streams and upgraded connections share: a server, and how a handle of libcurl is
 * told about it. For the files of this folder alone.
 */

#include "controller/http/curl.h"
#include "controller/http/http.h"
#include "init/base/err.h"

#define HTTP_CONNECT_MS 10000

struct http {
	const struct curl_calls *curl;
	CURL *easy;
	char *url;  /* as the user wrote it */
	char *base; /* "http://host:port", without a slash at the end */
	char *socket;
	char **program;	     /* NULL-terminated, or NULL */
	int listener;	     /* where programs take connections; -1: there is no program */
	char *listening;     /* its abstract name, without the NUL before it */
	struct http_tls tls; /* owns its texts */
	char *proxy;
	/* Of a server whose certificate has another name: `base` has that, and here is where. */
	struct curl_slist *connect_to;
	char *host;   /* header, or NULL */
	CURLM *multi; /* of requests that go together; NULL until there are some */
};

/* One attempt at a request: what became of it. It must stay where it is while it runs. */
struct attempt {
	struct http *http;
	const struct http_request *request;
	CURL *easy;
	struct curl_slist *headers;
	CURLcode code;
	struct http_response *response;
	bool is_too_large;
	uint64_t wait_ms; /* that the server asks for */
	bool has_pieces;  /* the owner got some */
	bool is_enough;	  /* and wants no more */
	bool is_refused;  /* or failed: err says why */
	struct err err;
	uint64_t source_at; /* so much of the source was read */
	char why[CURL_ERROR_SIZE];
};

/* Makes the listener; and starts a program that takes the next connection there. */
int http_listen(struct http *http, struct err *err) attr_must_use;
bool http_dial(const struct http *http);

/* Makes attempt->easy ready to be performed; http, request and response are set. */
void http_attempt_begin(struct attempt *attempt, uint64_t deadline_ms);
/* source.c: what of it is about a source and stalling. */
void http_attempt_set_source(struct attempt *attempt);
/* After it was performed, with attempt->code set. */
void http_attempt_end(struct attempt *attempt);
/* 0 when it has an answer, else why not. */
int http_attempt_explain(const struct attempt *attempt, struct err *err);
bool http_attempt_is_worth_another(const struct attempt *attempt);

uint64_t http_now_ms(void);
void http_sleep_ms(uint64_t ms);
/* When the request has to have come to its end. */
uint64_t http_deadline_ms(const struct http_request *request);
/* What the server asks for, or a random part of a time that doubles. */
uint64_t http_pause_ms(unsigned int tries, uint64_t asked_ms);

/* Headers may hold tokens: they are wiped when they are freed. */
struct curl_slist *http_make_headers(const struct http *http, const struct http_request *request);
void http_free_headers(const struct http *http, struct curl_slist *list);

/* Tells a handle where the server is and how it is trusted; and what is asked of it. */
void http_set_target(const struct http *http, CURL *easy);
void http_set_request(const struct http *http, CURL *easy, const struct http_request *request,
		      struct curl_slist *headers);

/* Sets the error that a code of libcurl's stands for, and returns -1. why: its words, or "". */
int http_explain(const struct http *http, const char *why, CURLcode code, unsigned int timeout_ms,
		 struct err *err);
