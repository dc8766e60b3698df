/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How the backend_ functions call what a backend does: once what stands behind it is reached, and
 * with the backend's name before what goes wrong.
 *
 *	return ask(backend, kill(backend, job, err), err);
 *
 * The operation must be there; a missing one is looked for, and explained, before.
 */

#include "controller/backends/backend.h"

static inline int ask_reach(struct backend *backend, struct err *err)
{
	return backend->ops->reach ? backend->ops->reach(backend, err) : 0;
}

static inline int ask_named(const struct backend *backend, int result, struct err *err)
{
	return result < 0 ? err_wrap(err, "%s", backend->ops->name) : result;
}

#define ask(backend, call, err) \
	ask_named((backend), ask_reach((backend), (err)) < 0 ? -1 : (backend)->ops->call, (err))
