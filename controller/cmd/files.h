/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the verbs of files share: operands that are CLUSTER:PATH, JOB:PATH or a path of this
 * machine, one after the other, with one connection for those of one place.
 *
 *	struct args { struct files_args files; bool recursive; };
 *
 *	static const struct opt opts[] = { ..., FILES_OPTS(struct args, files), OPT_END };
 *
 *	return cmd_files_each(&args->files, argc, argv, each, &state, err);
 */

#include "controller/cmd/cmd.h"
#include "controller/ops/files.h"
#include "controller/output/output.h"

struct files_args {
	uint64_t wait_ns;
};

#define FILES_OPTS(type, member) CMD_OPT_WAIT(type, member.wait_ns)

/* What details say about operands. */
#define FILES_DETAILS                                                                       \
	"Operands are CLUSTER:PATH (as its login node sees it, from your home there on),\n" \
	"JOB:PATH (in the job, from its working directory on), or a path of this machine."

struct files_visit {
	struct controller *c;
	struct files *files;
	const char *operand; /* as the user wrote it */
	const char *path;    /* in files */
};

/* Each operand in turn; the first that fails ends it. */
int cmd_files_each(const struct files_args *args, int argc, char **argv,
		   int (*each)(void *arg, const struct files_visit *visit, struct err *err),
		   void *arg, struct err *err) attr_must_use;

/*
 * The operands of a verb that has two paths of one place: "hpc:a" with "hpc:b" or, of the same
 * place, ERR_INVALID otherwise. *ret_visit is about the first; *ret_to is the second's path.
 */
int cmd_files_pair(const struct files_args *args, char **argv,
		   int (*pair)(void *arg, const struct files_visit *visit, const char *to,
			       struct err *err),
		   void *arg, struct err *err) attr_must_use;

/* "table", "json" and the others of --output, without a terminal's width: names are not cut. */
int cmd_files_output(const char *format, struct output *ret, struct err *err) attr_must_use;
