/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What registries said of images, for a while: many jobs of one image ask once. It is a text of
 * JSON, which whoever keeps it gives and gets back; the newest OCI_CACHE_MAX answers stay. Pure, no
 * I/O; a text that is damaged holds nothing.
 *
 * A name with a digest always means the same image, and its answer is good forever; a tag may be
 * moved, and a registry that did not answer may do so again.
 */

#include "controller/model/image.h"
#include "init/base/span.h"

#define OCI_CACHE_MAX 32
#define OCI_CACHE_TEXT_MAX ((size_t)1024 * 1024)
#define OCI_CACHE_AGE_S 600

enum oci_known {
	OCI_NOTHING, /* nobody asked, or that was too long ago */
	OCI_SILENT,  /* the registry did not tell */
	OCI_OTHER,   /* it is not for this architecture; its platforms are told */
	OCI_FITS,
};

struct oci_cached {
	const char *name; /* a reference, as it was written */
	const char *arch;
	enum oci_known known;
	const struct oci_image
		*image; /* entrypoint, command, directory and platforms of it are kept */
};

/* What is known of this image at this time; *ret is to be finished. */
enum oci_known oci_cache_find(struct span text, const char *name, const char *arch, uint64_t now_s,
			      struct oci_image *ret);

/* The text with one more answer; NULL when that is too long. free() it. */
char *oci_cache_put(struct span text, const struct oci_cached *answer, uint64_t now_s);
