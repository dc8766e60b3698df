/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What readers of YAML files share: a parser over a text in memory, and errors that begin with
 * FILE:LINE:COLUMN. Anchors and aliases are not understood, so that a small file stays small.
 *
 *	cleanup(yaml_close) struct yaml y = { 0 };
 *
 *	if (yaml_open(&y, "job.yaml", text, err) < 0)
 *		return -1;
 *	while ((root = yaml_next(&y)))
 *		...
 *	return yaml_check_end(&y, err);
 */

/* The header's conveniences allocate on the stack, which is refused here, and are not needed. */
#define FY_ALLOCA_COPY_FREE(text, len) NULL
#define FY_ALLOCA_COPY_FREE_NO_NULL(text, len) NULL

#include <libfyaml.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"
#include "init/base/span.h"

struct yaml {
	const char *name; /* of the file, for messages */
	struct fy_diag *diag;
	struct fy_parser *parser;
	struct fy_document *document;
	struct fy_node *at; /* what an error is about: the last scalar that was read */
	char complaint[ERR_TEXT_MAX / 2];
};

/* The text must outlive the reader, which must not move. ERR_INVALID: it is not in UTF-8. */
int yaml_open(struct yaml *y, const char *name, struct span text, struct err *err) attr_must_use;
void yaml_close(struct yaml *y);
DEFINE_CLEANUP_VALUE(struct yaml, yaml_close)

/* The root of the next document that is not empty; NULL at the end, or where it is no YAML. */
struct fy_node *yaml_next(struct yaml *y) attr_must_use;

/* After the last document: says what was wrong, if that was why it was the last. */
int yaml_check_end(struct yaml *y, struct err *err) attr_must_use;

/* Puts FILE:LINE:COLUMN of y->at, and the name of the key unless NULL, before what is wrong. */
int yaml_place(const struct yaml *y, const char *key, struct err *err);

/* The bytes of a scalar, which hold no NUL; NULL and *err for anything else. */
const char *yaml_text(struct yaml *y, struct fy_node *node, size_t *ret_len, struct err *err)
	attr_must_use;
