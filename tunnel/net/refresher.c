/* SPDX-License-Identifier: MIT */
/* Brings an endpoint file up to date; see refresher.h. */
#include "refresher.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "init/base/fd.h"

#define SAID_MAX 200
#define STATUS_OVER 1

static void on_closed(uv_handle_t *handle)
{
	struct refresher *r = handle->data;

	r->is_open = false;
	if (r->closed)
		r->closed(r->owner);
}

/* The first line that it printed, for a terminal. */
static void read_said(const struct refresher *r, char ret[SAID_MAX])
{
	ssize_t len = pread(r->said, ret, SAID_MAX - 1, 0);

	ret[len > 0 ? len : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	for (char *p = ret; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
	struct refresher *r = process->data;
	char said[SAID_MAX];
	struct err why;

	r->is_running = false;
	read_said(r, said);
	r->said = fd_close(r->said);
	err_set(&why, ERR_UNAVAILABLE, "%s", said[0] ? said : "it cannot be entered");
	uv_close((uv_handle_t *)process, on_closed);
	if (r->done)
		r->done(r->owner, status == STATUS_OVER && signal == 0 ? &why : NULL);
}

void refresher_start(struct refresher *r, const struct refresher_config *config)
{
	uv_stdio_container_t stdio[] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD },
		{ .flags = config->is_quiet ? UV_IGNORE : UV_INHERIT_FD, .data.fd = STDERR_FILENO },
	};
	const uv_process_options_t options = {
		.file = config->argv[0],
		.args = (char **)(uintptr_t)config->argv, /* only read */
		.exit_cb = on_exit_of,
		.stdio = stdio,
		.stdio_count = (int)ARRAY_LEN(stdio),
	};

	*r = (struct refresher){ .done = config->done,
				 .owner = config->owner,
				 .was_started = true };
	r->said = memfd_create("berth-refresh", MFD_CLOEXEC);
	stdio[1].data.fd = r->said;
	r->process.data = r;
	r->is_open = true;
	r->is_running = uv_spawn(config->loop, &r->process, &options) == 0;
	if (!r->is_running)
		on_exit_of(&r->process, -1, 0);
}

void refresher_close(struct refresher *r, void (*closed)(void *owner), void *owner)
{
	r->done = NULL;
	r->closed = closed;
	r->owner = owner;
	if (r->is_running) {
		r->is_running = false;
		r->said = fd_close(r->said);
		uv_close((uv_handle_t *)&r->process, on_closed);
	} else if (!r->is_open) {
		closed(owner);
	}
}
