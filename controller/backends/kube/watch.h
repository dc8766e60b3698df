/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A list that is kept as it is on the server: read once, and then changed by the events that the
 * server sends (kubernetes.io, "Efficient detection of changes"). What goes wrong in between is
 * mended here:
 *
 *   the connection ends: it is opened again where it was, by the version that was seen
 *   that version is too old (410): the list is read anew
 *   later (429), or out of order: it is opened again after a pause that doubles, or the server's
 *   the token expired (401): the plugin or the file is asked again
 *
 *	while (...) {
 *		if (kube_watch_update(watch, 1000, err) < 0)
 *			return -1;
 *		... kube_watch_items(watch) ...
 *	}
 */

#include "controller/backends/kube/client.h"

#define KUBE_EVENT_MAX ((size_t)4 * 1024 * 1024)
#define KUBE_WATCH_PAUSE_MAX_MS 30000

struct kube_watch;

/* path: of the list, copied; selector: of labels, or NULL. Asks nobody yet. */
struct kube_watch *kube_watch_new(struct kube *kube, const char *path, const char *selector);
struct kube_watch *kube_watch_free(struct kube_watch *watch);
DEFINE_CLEANUP(struct kube_watch, kube_watch_free)

/*
 * Takes what has come, and waits for the first of it, at most so long. 1: something changed; 0:
 * nothing did; -1: the list cannot be read, or may not.
 */
int kube_watch_update(struct kube_watch *watch, unsigned int wait_ms, struct err *err)
	attr_must_use;

/* By uid; borrowed, until the next update. */
json_t *kube_watch_items(const struct kube_watch *watch);

/*
 * What an event says, put into the items. *version: where the watch goes on, replaced. 1: an item
 * changed; 0: none did; -1: the server's words, ERR_UNAVAILABLE when the version is too old. Pure.
 */
int kube_watch_apply(struct span line, json_t *items, char **version, struct err *err)
	attr_must_use;
