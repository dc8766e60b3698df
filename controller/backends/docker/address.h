/* SPDX-License-Identifier: MIT */
#pragma once

/* Where the engine is; see engine.h for the forms of an address and where it is looked for. */

#include "controller/http/http.h"

struct address {
	char *url;   /* as http_open() takes it */
	char *name;  /* for people */
	char *login; /* destination of ssh that leads there, or NULL */
	bool is_here;
	uid_t uid; /* whose socket it is */
	bool has_tls;
	struct http_tls tls; /* whose texts are in these */
	struct buf authorities, certificate, key;
};

void address_finish(struct address *address);
DEFINE_CLEANUP_VALUE(struct address, address_finish)

/* url, tls_dir: the user's, or NULL. */
int address_find(const char *url, const char *tls_dir, struct address *ret, struct err *err)
	attr_must_use;
