/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Addresses and forms: what is put into requests, and read out of those that come back through a
 * browser. Pure, no I/O.
 *
 *	cleanup(buf_wipe) struct buf form = BUF_INIT(4096);
 *
 *	if (!url_add_field(&form, "grant_type", "refresh_token") ||
 *	    !url_add_field(&form, "refresh_token", token))
 *		return err_set(err, ERR_LIMIT, ...);
 *	request.content_type = URL_FORM_TYPE;
 *	request.body = buf_span(&form);
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define URL_MAX 4096
#define URL_FORM_TYPE "application/x-www-form-urlencoded"

/*
 * Appends NAME=VALUE to a form or query, after '&' when there is something before it. A space
 * becomes %20, which readers of either take. False: it would be too long; what is there then is of
 * no use.
 */
bool url_add_field(struct buf *form, const char *name, const char *value) attr_must_use;

/*
 * The value of a field in a form or query, decoded; the first when there are several. False when
 * there is none, or when it is wrongly escaped, longer than size, or has a NUL in it.
 */
bool url_field(struct span form, const char *name, char *ret, size_t size) attr_must_use;

/* One or more visible ASCII characters: what can go into a header or an address as it is. */
bool url_is_visible(struct span text);

/*
 * An address that secrets may be sent to: https, or http to this machine alone (127.0.0.1, [::1] or
 * localhost), of at most URL_MAX visible characters, without user, fragment or backslash.
 */
bool url_is_safe(const char *url);

/*
 * Takes a URL apart: what http_open() wants, and the path with its query, at least "/". free()
 * both. The URL has to be safe.
 */
void url_split(const char *url, char **ret_server, char **ret_path);
