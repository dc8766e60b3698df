/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Names of images in registries, as people write them and as they are meant: what Docker leaves out
 * is put in (its own registry, "library/" before names without a slash, the tag "latest"), and the
 * forms of other tools are understood ("docker://", enroot's REGISTRY#NAME). Pure, no I/O.
 *
 *	alpine			the registry of Docker, library/alpine, tag latest
 *	nvcr.io/nvidia/pytorch:24.01-py3
 *	localhost:5000/me/x@sha256:...	the digest wins over a tag
 */

#include <stdbool.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"

#define OCI_REFERENCE_MAX 512
#define OCI_DIGEST_SIZE 72 /* "sha256:", 64 digits, NUL */

struct oci_reference {
	char *registry; /* as it is named: HOST[:PORT] */
	char *repository;
	char *tag;		      /* NULL when there is a digest and no tag */
	char digest[OCI_DIGEST_SIZE]; /* "": none */
};

void oci_reference_finish(struct oci_reference *reference);
DEFINE_CLEANUP_VALUE(struct oci_reference, oci_reference_finish)

/*
 * ERR_INVALID, with what is wrong. ERR_UNSUPPORTED: a file, or an image that only a daemon or a
 * folder of this machine has ("docker-daemon:", "oci:", "./x.sqsh").
 */
int oci_reference_parse(const char *text, struct oci_reference *ret, struct err *err) attr_must_use;

/* REGISTRY/REPOSITORY[:TAG][@DIGEST]; free() it. */
char *oci_reference_text(const struct oci_reference *reference) attr_must_use;

/* What a manifest is asked for by: the digest, else the tag. */
const char *oci_reference_which(const struct oci_reference *reference);

/* Where the registry's API is: the registry of Docker has another host for it. */
const char *oci_reference_host(const struct oci_reference *reference);

/* The host that is meant when none is named. */
bool oci_registry_is_default(const char *registry);

/* "sha256:" and 64 digits of lower-case hexadecimal. */
bool oci_digest_is_valid(const char *text);
