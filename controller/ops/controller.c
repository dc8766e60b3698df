/* SPDX-License-Identifier: MIT */
/* What all operations work on; see controller.h. */
#include "controller.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/ops/internal.h"

int controller_open(struct controller **ret, struct err *err)
{
	cleanup(controller_close) struct controller *c = new_zero(struct controller);

	if (paths_init(&c->paths, err) < 0 || paths_make_state(&c->paths, err) < 0 ||
	    store_open(c->paths.database, &c->store, err) < 0)
		return -1;
	c->ssh = (struct sshconf){
		.config = c->paths.ssh_config,
		.jobs_dir = c->paths.ssh_jobs_dir,
		.state_dir = c->paths.state_dir,
		.known_hosts = c->paths.known_hosts,
		.program = c->paths.program,
	};
	*ret = take_ptr(c);
	return 0;
}

struct controller *controller_close(struct controller *c)
{
	if (c) {
		for (size_t i = 0; i < c->backends_len; i++)
			backend_close(c->backends[i]);
		store_close(c->store);
		paths_finish(&c->paths);
		free(c);
	}
	return NULL;
}

void controller_use_backend(struct controller *c, struct backend *backend)
{
	for (size_t i = 0; i < c->backends_len; i++) {
		if (strcmp(backend_name(c->backends[i]), backend_name(backend)) == 0) {
			backend_close(c->backends[i]);
			c->backends[i] = backend;
			return;
		}
	}
	assert(c->backends_len < CONTROLLER_BACKENDS_MAX);
	c->backends[c->backends_len++] = backend;
}

int controller_backend(struct controller *c, const char *name, struct backend **ret,
		       struct err *err)
{
	struct backend *backend;

	for (size_t i = 0; i < c->backends_len; i++) {
		if (strcmp(backend_name(c->backends[i]), name) == 0) {
			*ret = c->backends[i];
			return 0;
		}
	}
	if (backend_open(name, &backend, err) < 0)
		return -1;
	controller_use_backend(c, backend);
	*ret = backend;
	return 0;
}

uint64_t controller_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

void notes_add(struct notes *notes, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	if (notes->len == NOTES_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	notes->items[notes->len++] = str_dup(text);
}

void notes_finish(struct notes *notes)
{
	for (size_t i = 0; i < notes->len; i++)
		free(notes->items[i]);
	*notes = (struct notes){ 0 };
}
