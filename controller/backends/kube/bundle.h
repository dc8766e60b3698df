/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How berth's programs come into a pod. In order of preference of those who run a cluster:
 *
 *	a volume that is an image (setting `bundle_volume`; servers with the feature ImageVolume)
 *	an image whose init container copies them (setting `bundle_image`)
 *	neither: parts of them in ConfigMaps, which hold 1 MiB each, brought once a version
 *
 * ConfigMaps are called berth-DIGEST-1 and so on, are the same for all jobs of a namespace, and are
 * never changed. berth-DIGEST, without a number, is made last and tells that all are there; no pod
 * uses it. A Job names what it needs in the label berth.bundle, by which is known what nobody needs
 * any more: the mark goes first, then it is looked once more for Jobs, then the rest goes. Whoever
 * submits a Job meanwhile, finds no mark, and parts that are there still, writes a note into each:
 * what is removed is removed only as it was when it was listed.
 */

#include "controller/backends/kube/client.h"

#define KUBE_LABEL_BUNDLE "berth.bundle"
/* Of the 1 MiB that all of a ConfigMap may have. */
#define KUBE_PART_MAX ((size_t)1000 * 1000)
#define KUBE_PIECES_MAX 96
#define KUBE_BUNDLE_NAME_SIZE 40

/* Its files, those that are always there first; NULL-terminated. */
extern const char *const kube_bundle_files[];

/* A file, or what of it fits into one ConfigMap. */
struct kube_piece {
	const char *file;
	uint64_t offset;
	size_t len;
	unsigned int map; /* from 1 */
	int part;	  /* -1: the whole file */
};

struct kube_bundle {
	const char *image, *volume; /* references; or NULL. Borrowed */
	char name[KUBE_BUNDLE_NAME_SIZE];
	struct kube_piece pieces[KUBE_PIECES_MAX];
	size_t len;
	unsigned int maps;
};

/* How the files of this directory, called after their digest, are spread over ConfigMaps. */
int kube_bundle_plan(const char *dir, struct kube_bundle *ret, struct err *err) attr_must_use;

/* Brings what is not there yet. ERR_DENIED says what to set instead. */
int kube_bundle_bring(struct kube *kube, const char *dir, const struct kube_bundle *bundle,
		      struct err *err) attr_must_use;

/* Removes those that no Job needs. */
int kube_bundle_collect(struct kube *kube, struct err *err) attr_must_use;
