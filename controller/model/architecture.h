/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Architectures of machines, programs and images. There is one name for each, Go's, which images
 * and Kubernetes use ("amd64", "arm64"); what others call it is understood: uname, Slurm, and the
 * header of a program. Pure, no I/O; what is read is foreign.
 *
 *	architecture_name("x86_64")	"amd64"
 *	architecture_name("vax")	NULL
 *
 * To add one: a line in the table in architecture.c.
 */

#include <stdbool.h>
#include <stddef.h>

#include "init/base/span.h"

#define ARCHITECTURES_MAX 8  /* as many as there are */
#define ARCHITECTURE_HEAD 20 /* bytes at the beginning of a program that tell */

/* Its one name; NULL: there is none of that name. The result is a constant. */
const char *architecture_name(const char *word);

/* Of the machine that this program runs on; NULL when it has no name here. */
const char *architecture_here(void);

/* Of a program, by the first bytes of its file (elf(5)); NULL: it is none, or of no known kind. */
const char *architecture_of_program(struct span head);

/* All names, separated by commas, for messages. */
#define ARCHITECTURE_NAMES "amd64, arm64, arm, 386, ppc64le, riscv64, s390x and loong64"

/* Those of a cluster's nodes. All-zero: nothing is known. */
struct architectures {
	const char *items[ARCHITECTURES_MAX];
	size_t len;
};

/* Adds one, by whatever name, unless it is there or unknown. */
void architectures_add(struct architectures *list, const char *word);
bool architectures_have(const struct architectures *list, const char *name);
