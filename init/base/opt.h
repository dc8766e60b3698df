/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Options are a table; the parser and --help read it.
 *
 *	struct args { const char *image; uint64_t nodes; bool quiet; struct opt_list env; };
 *
 *	static const struct opt opts[] = {
 *		OPT_STR('i', "image", struct args, image, "REF", "container image to run in"),
 *		OPT_UINT('N', "nodes", struct args, nodes, "COUNT", "number of nodes"),
 *		OPT_FLAG('q', "quiet", struct args, quiet, "print only the name"),
 *		OPT_LIST('e', "env", struct args, env, "KEY=VALUE", "set a variable (repeatable)"),
 *		OPT_END,
 *	};
 *
 * The table stores offsets, so it is static const, and a member of the wrong type fails to compile.
 * Strings point into argv. "--name VALUE", "--name=VALUE", "-nVALUE", "-n VALUE", grouped flags and
 * "--" are understood; "--no-name" clears a flag. Short name 0 means none.
 */

#include <stdbool.h>
#include <stdio.h>

#include "err.h"
#include "macro.h"

#define OPT_LIST_MAX 256

struct opt_list {
	const char *items[OPT_LIST_MAX];
	size_t len;
};

enum opt_type {
	OPT_TYPE_END,
	OPT_TYPE_FLAG,
	OPT_TYPE_COUNT,
	OPT_TYPE_STR,
	OPT_TYPE_UINT,
	OPT_TYPE_DURATION,
	OPT_TYPE_SIZE,
	OPT_TYPE_LIST
};

struct opt {
	enum opt_type type;
	char short_name;
	const char *name;
	size_t offset;
	const char *value_name;
	const char *help; /* NULL hides the option */
};

/* Evaluates to the member's offset; does not compile unless the member has the type. */
#define OPT_OFFSET(args_type, member, member_type)                                          \
	(offsetof(args_type, member) +                                                      \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((args_type *)0)->member), \
						      member_type)                          \
				 ? 1                                                        \
				 : -1]))

#define OPT_FLAG(s, n, t, m, h)                                            \
	{                                                                  \
		OPT_TYPE_FLAG, (s), (n), OPT_OFFSET(t, m, bool), NULL, (h) \
	}
/* how often it is given: -vvv */
#define OPT_COUNT(s, n, t, m, h)                                                \
	{                                                                       \
		OPT_TYPE_COUNT, (s), (n), OPT_OFFSET(t, m, uint64_t), NULL, (h) \
	}
#define OPT_STR(s, n, t, m, v, h)                                                \
	{                                                                        \
		OPT_TYPE_STR, (s), (n), OPT_OFFSET(t, m, const char *), (v), (h) \
	}
#define OPT_UINT(s, n, t, m, v, h)                                            \
	{                                                                     \
		OPT_TYPE_UINT, (s), (n), OPT_OFFSET(t, m, uint64_t), (v), (h) \
	}
/* nanoseconds */
#define OPT_DURATION(s, n, t, m, v, h)                                            \
	{                                                                         \
		OPT_TYPE_DURATION, (s), (n), OPT_OFFSET(t, m, uint64_t), (v), (h) \
	}
/* bytes */
#define OPT_SIZE(s, n, t, m, v, h)                                            \
	{                                                                     \
		OPT_TYPE_SIZE, (s), (n), OPT_OFFSET(t, m, uint64_t), (v), (h) \
	}
#define OPT_LIST(s, n, t, m, v, h)                                                   \
	{                                                                            \
		OPT_TYPE_LIST, (s), (n), OPT_OFFSET(t, m, struct opt_list), (v), (h) \
	}
#define OPT_END                                      \
	{                                            \
		OPT_TYPE_END, 0, NULL, 0, NULL, NULL \
	}

enum opt_mode {
	OPT_STOP_AT_OPERAND,	 /* operands end the options: `berth-init [options] command -x` */
	OPT_PERMUTE,		 /* options may follow operands: `berth get jobs -o json` */
	OPT_PERMUTE_KEEP_DASHES, /* and "--" stays an operand: `berth run train -N 2 -- python x` */
};

/*
 * Reads the options in argv[1..] into *args and moves the operands to the front of argv (argv[0] is
 * the first operand afterwards); returns how many there are, or -1. "--" ends the options and is
 * dropped, unless the mode keeps it.
 */
int opt_parse(const struct opt *table, enum opt_mode mode, int argc, char **argv, void *args,
	      struct err *err) attr_must_use;

/*
 * The same with several tables, each with what it fills; ends with one whose opts are NULL. An
 * option that stands in two tables is the first one's.
 */
struct opt_target {
	const struct opt *opts;
	void *args;
};

int opt_parse_targets(const struct opt_target *targets, enum opt_mode mode, int argc, char **argv,
		      struct err *err) attr_must_use;

/* One line an option, aligned. */
void opt_print_help(const struct opt *table, FILE *out);
