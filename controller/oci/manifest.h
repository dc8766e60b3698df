/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a registry answers (OCI distribution and image specifications 1.1, and Docker's manifests of
 * version 2, which are the same but for their media types): manifests, indices, the configuration
 * of an image, and the challenge for a token. Pure, no I/O; all of it is foreign.
 */

#include "controller/model/image.h"
#include "controller/oci/reference.h"
#include "init/base/err.h"
#include "init/base/span.h"

#define MANIFEST_MAX ((size_t)4 * 1024 * 1024) /* of a manifest, an index or a configuration */
#define MANIFEST_PLATFORMS_MAX 128
#define CHALLENGE_TEXT_SIZE 1024

/* What is asked for: all kinds that can be read. */
#define MANIFEST_ACCEPT                                               \
	"application/vnd.oci.image.index.v1+json, "                   \
	"application/vnd.oci.image.manifest.v1+json, "                \
	"application/vnd.docker.distribution.manifest.list.v2+json, " \
	"application/vnd.docker.distribution.manifest.v2+json"

struct manifest_platform {
	char name[OCI_PLATFORM_SIZE]; /* "linux/arm64/v8" */
	char digest[OCI_DIGEST_SIZE];
};

struct manifest {
	/* Of an index; without what is no image (attestations). */
	bool is_index;
	struct manifest_platform *platforms;
	size_t platforms_len;
	char config[OCI_DIGEST_SIZE]; /* of a manifest */
};

void manifest_finish(struct manifest *manifest);
DEFINE_CLEANUP_VALUE(struct manifest, manifest_finish)

int manifest_parse(struct span text, struct manifest *ret, struct err *err) attr_must_use;

/*
 * The line of an index for this architecture, "linux" being understood; NULL when there is none.
 * Of several variants the plain one is taken, else the first.
 */
const struct manifest_platform *manifest_find(const struct manifest *index, const char *arch);

/* Adds what the configuration of an image says. Texts for people come out printable. */
int manifest_parse_config(struct span text, struct oci_image *ret, struct err *err) attr_must_use;

/* RFC 6750 section 3, RFC 7617: what a registry wants to see first. */
struct challenge {
	bool is_basic; /* else bearer: a token from the realm */
	char realm[CHALLENGE_TEXT_SIZE];
	char service[CHALLENGE_TEXT_SIZE];
	char scope[CHALLENGE_TEXT_SIZE];
};

/* False for what is neither, or does not say where tokens are to be had. */
bool challenge_parse(const char *header, struct challenge *ret) attr_must_use;
