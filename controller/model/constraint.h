/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which features nodes must have, as sbatch(1) writes it for --constraint:
 *
 *	a&b, a,b		both
 *	a|b			either; & binds before |
 *	!a			not this one (Slurm does not know it)
 *	(a&b)|c			as one
 *	[a|b]			either, the same one on all nodes
 *	a*2, [a*2&(b|c)*4]	so many nodes with it
 *
 * Slurm asks for nodes of a whole job, here one node is looked at: whether it can be one of them.
 * So of what has a count, a node needs one thing alone, and all of what has none. Parentheses are
 * not nested, nor are brackets, which do not stand in parentheses either: Slurm refuses them.
 */

#include <stdbool.h>

#include "init/base/err.h"

/* ERR_INVALID, with the place, when it is none. */
int constraint_check(const char *constraint, struct err *err) attr_must_use;

/* Whether a node with these features ("a,b") can be one of the nodes; false for what is none. */
bool constraint_allows(const char *constraint, const char *features) attr_must_use;
