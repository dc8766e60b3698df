/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Small programs in a container that runs, started by the API server (`kubectl exec`): what they
 * read is known before, and what they print is an answer.
 *
 *	const char *const argv[] = { "/berth/busybox", "cat", path, NULL };
 *	cleanup(buf_finish) struct buf text = BUF_INIT(4096);
 *
 *	if (kube_ask(kube, &target, &(struct kube_question){ .argv = argv }, &text, err) < 0)
 *		return -1;
 */

#include "controller/backends/kube/reach.h"

struct kube_question {
	const char *const *argv;
	struct span input; /* its end cannot be told to every server: a program has to know it */
};

/*
 * Appends what it prints, at most as much as ret holds, also of one that fails. That is
 * ERR_UNAVAILABLE with what it said on standard error; ERR_NOT_FOUND: the container has no such
 * program.
 */
int kube_ask(struct kube *kube, const struct kube_target *target,
	     const struct kube_question *question, struct buf *ret, struct err *err) attr_must_use;

/* Puts a file there, with mode 0600 and in one step; programs: the directory that has busybox. */
int kube_put_file(struct kube *kube, const struct kube_target *target, const char *programs,
		  const char *path, struct span content, struct err *err) attr_must_use;
