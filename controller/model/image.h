/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What is known of an image of containers without having it: what it runs, and on which machines.
 */

#include <stddef.h>

#include "init/base/cleanup.h"

#define OCI_PLATFORM_SIZE 64
#define OCI_WORDS_MAX 4096

struct oci_words {
	char **items;
	size_t len;
};

struct oci_image {
	char *name;			  /* in full: REGISTRY/REPOSITORY:TAG */
	char *digest;			  /* of the manifest that was chosen */
	char platform[OCI_PLATFORM_SIZE]; /* of that: "linux/arm64/v8" */
	struct oci_words platforms;	  /* all that there are */
	/* What it runs when nothing else is said, and how. */
	struct oci_words entrypoint, command;
	struct oci_words env; /* NAME=VALUE */
	char *user;	      /* "" for root, as all texts that are not given */
	char *directory;
};

void oci_image_finish(struct oci_image *image);
DEFINE_CLEANUP_VALUE(struct oci_image, oci_image_finish)
