/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Mustache (mustache(5) and the specification's 1.x cases): variables, sections, inverted sections,
 * comments, partials, changed delimiters, standalone lines; no lambdas, no inheritance. A template
 * is foreign input: its tags nest MUSTACHE_DEPTH_MAX deep at most, and what comes of it fits into
 * the buffer or is an error.
 *
 *	{{name}}	the value, escaped	{{{name}}} {{&name}}	as it is
 *	{{#name}}...{{/name}}	for each item of a list, or once if it is true
 *	{{^name}}...{{/name}}	if it is not there, false, or empty
 *	{{>name}}	another template	{{! a comment }}	{{=<% %>=}}
 *
 * Values are JSON: {{a.b}} goes into objects, {{.}} is the item itself. What is not there is empty.
 * What "escaped" means is the caller's: shell quoting for scripts.
 */

#include <jansson.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define MUSTACHE_DEPTH_MAX 32
#define MUSTACHE_TAGS_MAX 10000

struct mustache {
	const json_t *values;	/* an object */
	const json_t *partials; /* of name and text; or NULL for none */
	bool (*escape)(struct buf *b, const char *value);
};

/*
 * Appends what the template gives. ERR_INVALID, with the line, for a template that is wrong;
 * ERR_LIMIT when it nests too deep or gives more than the buffer may hold.
 */
int mustache_render(const struct mustache *mustache, struct span template, struct buf *ret,
		    struct err *err) attr_must_use;
