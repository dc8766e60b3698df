/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Images in registries: what an image runs and on which machines, without pulling it. Two or three
 * small requests by the OCI distribution protocol, with the credentials of the container tools
 * (credentials.h). What comes is checked against its digest.
 *
 *	cleanup(oci_image_finish) struct oci_image image = { 0 };
 *
 *	if (oci_inspect("alpine:3.19", "arm64", &image, err) < 0)
 *		return -1;
 */

#include "controller/model/image.h"
#include "init/base/err.h"

/*
 * Asks about an image for an architecture, in Go's words or uname's ("amd64" is "x86_64"); NULL is
 * any: this machine's where there is one. ERR_UNSUPPORTED: the image is not there for it (the error
 * says for which it is), or it is in no registry. ERR_NOT_FOUND: no such image, or none that these
 * credentials may see. ERR_DENIED: they are wrong.
 */
int oci_inspect(const char *reference, const char *arch, struct oci_image *ret, struct err *err)
	attr_must_use;

/* What is asked before a job is handed over: nobody waits long for it. */
struct oci_question {
	const char *reference;
	const char *arch;      /* as above, but never NULL */
	unsigned int limit_ms; /* of all requests together */
};

/*
 * The same in a limited time. 1: the image is not there for this architecture, and of *ret only its
 * name and its platforms are set. How many requests it took is told to the log (info).
 */
int oci_ask(const struct oci_question *question, struct oci_image *ret, struct err *err)
	attr_must_use;

/* Says, as ERR_UNSUPPORTED, for which machines it is instead; returns -1. */
int oci_refuse(const struct oci_words *platforms, const char *arch, struct err *err);

/* "amd64" for "x86_64"; what is not known stays as it is. */
const char *oci_arch(const char *word);
