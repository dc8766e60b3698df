/* SPDX-License-Identifier: MIT */
#pragma once

/* What the command line of exec asks for, as a START capsule (wire/process.h). */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"
#include "init/base/opt.h"

struct exec_wish {
	bool terminal;	     /* of the size that ours has */
	struct opt_list env; /* "NAME=VALUE", or "NAME" with the value that it has here */
	const char *workdir; /* NULL: the job's */
};

/* argv has at least one item. Appends the whole capsule. */
int exec_start(const struct exec_wish *wish, int argc, char **argv, struct buf *ret,
	       struct err *err) attr_must_use;
