/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What requests, streams and upgraded connections share: a server, and how a handle of libcurl is
 * told about it. For the files of this folder alone.
 */

#include "controller/http/curl.h"
#include "controller/http/http.h"

#define HTTP_CONNECT_MS 10000

struct http {
	const struct curl_calls *curl;
	CURL *easy;
	char *url;  /* as the user wrote it */
	char *base; /* "http://host:port", without a slash at the end */
	char *socket;
	char **program;	     /* NULL-terminated, or NULL */
	struct http_tls tls; /* owns its texts */
	char why[CURL_ERROR_SIZE];
};

/* A connection that a program is at the other end of; or -1. */
int http_dial(const struct http *http);

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
