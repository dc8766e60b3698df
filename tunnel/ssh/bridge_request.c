/* SPDX-License-Identifier: MIT */
/* What a channel asks the job for; see bridge_channel.h. */
#include "bridge_channel.h"

#include "init/base/alloc.h"
#include "init/base/text.h"
#include "tunnel/wire/process.h"

static char *unix_path(const char *path)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(SIZE_MAX / 2);

	/* So large a buffer has room. */
	(void)!(buf_printf(&b, "/unix/") && text_append_percent(&b, path));
	return buf_take_str(&b);
}

static void put_environment(const struct bridge_channel *c, struct process_start *p)
{
	const struct ssh_start *start = c->start;

	for (size_t i = 0; i < MIN(start->env_len, PROCESS_ENV_MAX - 1); i++)
		p->env[p->env_len++] = (struct process_env){ span_of_str(start->env[i].name),
							     span_of_str(start->env[i].value) };
	if (start->wants_agent && c->bridge->agent_path)
		p->env[p->env_len++] = (struct process_env){ span_of_str("SSH_AUTH_SOCK"),
							     span_of_str(c->bridge->agent_path) };
}

/* START goes before all that the client sent meanwhile; a new stream has room for the longest. */
static bool write_start(struct bridge_channel *c)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(PROCESS_VALUE_MAX + CAPSULE_HEAD_MAX);
	struct process_start p = { .kind = PROCESS_SHELL };
	const struct ssh_start *start = c->start;

	if (start->kind == SSH_START_EXEC)
		p.kind = PROCESS_EXEC;
	else if (start->kind == SSH_START_SUBSYSTEM)
		p.kind = PROCESS_SUBSYSTEM;
	if (start->command)
		p.command = span_of_str(start->command);
	put_environment(c, &p);
	if (start->pty) {
		p.has_pty = true;
		p.term = span_of_str(start->pty->term);
		p.modes = start->pty->modes;
		p.window = (struct process_window){ start->pty->columns, start->pty->rows,
						    start->pty->width_px, start->pty->height_px };
	}
	return process_start_format(&p, &b) && h3_stream_write(c->stream, buf_span(&b));
}

static void request(struct bridge_channel *c)
{
	cleanup_free char *path = c->type == SSH_CHANNEL_UNIX ? unix_path(c->target) : NULL;
	struct h3_request r = { .method = "CONNECT", .authority = "job" };
	struct err err = { 0 };

	switch (c->type) {
	case SSH_CHANNEL_SESSION:
		r.protocol = "berth-process";
		r.path = "/process";
		r.urgency = c->typed ? H3_URGENCY_TYPED : H3_URGENCY_DEFAULT;
		break;
	case SSH_CHANNEL_TCP:
		r.authority = c->target;
		break;
	case SSH_CHANNEL_UNIX:
		r.protocol = "berth-unix";
		r.path = path;
		break;
	case SSH_CHANNEL_FORWARDED:
		r.protocol = "berth-accept";
		r.path = c->target;
		break;
	}
	c->requested = true;
	if (h3_conn_request(c->bridge->conn, &r, &bridge_stream_ops, c, &c->stream, &err) < 0)
		flow_fail(c, &err);
	else if (c->type == SSH_CHANNEL_SESSION && !write_start(c))
		flow_fail(c, &(struct err){ ERR_LIMIT, 0, "the command is too long" });
	else
		flow_up(c);
}

/* Whether a session has to wait until the job says where the agent listens. */
static bool waits_for_agent(const struct bridge_channel *c)
{
	return c->start->wants_agent && c->bridge->agent && !c->bridge->agent_path;
}

void request_when_possible(struct bridge_channel *c)
{
	bool ready = true;

	if (c->type == SSH_CHANNEL_SESSION)
		ready = c->start && !waits_for_agent(c);
	else if (c->type == SSH_CHANNEL_FORWARDED)
		ready = c->opened;
	if (ready && c->bridge->conn && c->ssh && !c->requested && !c->failed)
		request(c);
}
