/* SPDX-License-Identifier: MIT */
/*
 * Channel requests (RFC 4254 sections 5.4 and 6): a table. To add one, write a function and a line;
 * README.md says how. Global requests are in global.c.
 *
 * Answers come in the order of the requests (RFC 4254 section 5.4), and a start may be answered
 * much later: answers to what follows it wait in c->replies.
 */
#include "engine.h"

#include "init/base/alloc.h"

#define REQUEST_NAME_MAX 64
#define COMMAND_MAX (128 * 1024 - 1) /* as long as one argument may be (execve(2)) */
#define SUBSYSTEM_MAX 256
#define TERM_MAX 256
#define MODES_MAX 2048
#define ENV_NAME_MAX 256
#define ENV_VALUE_MAX (32 * 1024)
#define ENV_LEN_MAX 256
#define ENV_BYTES_MAX (256 * 1024)
#define SIGNAL_NAME_MAX 32

struct session *session_free(struct session *session)
{
	if (!session)
		return NULL;
	for (size_t i = 0; i < session->start.env_len; i++) {
		free((void *)(uintptr_t)session->env[i].name);
		free((void *)(uintptr_t)session->env[i].value);
	}
	free(session->env);
	free((void *)(uintptr_t)session->start.command);
	free((void *)(uintptr_t)session->pty.term);
	free((void *)(uintptr_t)session->pty.modes.ptr);
	free(session);
	return NULL;
}

struct channel_request {
	const char *name;
	bool before_start; /* only before the command is known */
	enum answer (*run)(struct ssh_channel *c, struct wire *r);
};

static void read_size(struct wire *r, struct ssh_pty *pty)
{
	pty->columns = wire_u32(r);
	pty->rows = wire_u32(r);
	pty->width_px = wire_u32(r);
	pty->height_px = wire_u32(r);
}

static enum answer run_pty(struct ssh_channel *c, struct wire *r)
{
	struct ssh_pty *pty = &c->session->pty;
	cleanup_free char *term = wire_text(r, TERM_MAX);
	struct ssh_pty size = { 0 };
	struct span modes;

	read_size(r, &size);
	modes = wire_string(r, MODES_MAX);
	if (!wire_end(r))
		return ANSWER_MALFORMED;
	if (c->session->start.pty)
		return ANSWER_NO;
	*pty = size;
	pty->term = take_ptr(term);
	pty->modes = span_of(modes.len ? str_dup_len((const char *)modes.ptr, modes.len) : NULL,
			     modes.len);
	c->session->start.pty = pty;
	return ANSWER_YES;
}

static enum answer run_window_change(struct ssh_channel *c, struct wire *r)
{
	struct ssh_server *s = c->server;
	struct ssh_pty size = { 0 };

	read_size(r, &size);
	if (!wire_end(r))
		return ANSWER_MALFORMED;
	if (!c->session->start.pty)
		return ANSWER_NO;
	size.term = c->session->pty.term;
	size.modes = c->session->pty.modes;
	c->session->pty = size;
	/* Before the start it is part of the start. */
	if (c->start_asked && !c->start_failed)
		s->config.ops->window_change(s->config.owner, c, &c->session->pty);
	return ANSWER_YES;
}

/* A string that a user may well make too long: that is refused, and does not end the connection. */
static bool is_text(struct span s, size_t max)
{
	return s.len <= max && (s.len == 0 || !memchr(s.ptr, 0, s.len));
}

static char *copy(struct span s)
{
	return str_dup_len(s.len ? (const char *)s.ptr : "", s.len);
}

static bool is_env_name(struct span name)
{
	return name.len > 0 && is_text(name, ENV_NAME_MAX) && !memchr(name.ptr, '=', name.len);
}

static enum answer run_env(struct ssh_channel *c, struct wire *r)
{
	struct session *session = c->session;
	size_t len = session->start.env_len;
	struct span name = wire_string(r, PACKET_PAYLOAD_MAX);
	struct span value = wire_string(r, PACKET_PAYLOAD_MAX);

	if (!wire_end(r))
		return ANSWER_MALFORMED;
	if (!is_env_name(name) || !is_text(value, ENV_VALUE_MAX) || len == ENV_LEN_MAX ||
	    name.len + value.len > ENV_BYTES_MAX - session->env_bytes)
		return ANSWER_NO;
	session->env_bytes += name.len + value.len;
	if (len == session->env_size) {
		session->env_size = len ? 2 * len : 8;
		session->env = alloc_grow(session->env, session->env_size, sizeof(*session->env));
	}
	session->env[len] = (struct ssh_env){ .name = copy(name), .value = copy(value) };
	session->start.env = session->env;
	session->start.env_len++;
	return ANSWER_YES;
}

/* The job listens once for the whole connection; each session that asks learns where. */
static enum answer run_agent(struct ssh_channel *c, struct wire *r, const char *channel_type)
{
	if (!wire_end(r))
		return ANSWER_MALFORMED;
	if (!listener_want_agent(c->server, channel_type))
		return ANSWER_NO;
	c->session->start.wants_agent = true;
	return ANSWER_YES;
}

static enum answer run_auth_agent(struct ssh_channel *c, struct wire *r)
{
	return run_agent(c, r, "auth-agent@openssh.com");
}

/* As EXT_INFO offers it (draft-ietf-sshm-ssh-agent): the same by names of the IETF. */
static enum answer run_agent_req(struct ssh_channel *c, struct wire *r)
{
	return run_agent(c, r, "agent-connect");
}

static enum answer start(struct ssh_channel *c)
{
	struct ssh_server *s = c->server;

	c->start_asked = true;
	s->config.ops->start(s->config.owner, c, &c->session->start);
	return ANSWER_LATER;
}

static enum answer run_shell(struct ssh_channel *c, struct wire *r)
{
	if (!wire_end(r))
		return ANSWER_MALFORMED;
	c->session->start.kind = SSH_START_SHELL;
	return start(c);
}

static enum answer run_exec(struct ssh_channel *c, struct wire *r)
{
	struct span command = wire_string(r, PACKET_PAYLOAD_MAX);

	if (!wire_end(r))
		return ANSWER_MALFORMED;
	if (!is_text(command, COMMAND_MAX))
		return ANSWER_NO;
	c->session->start.kind = SSH_START_EXEC;
	c->session->start.command = copy(command);
	return start(c);
}

static enum answer run_subsystem(struct ssh_channel *c, struct wire *r)
{
	cleanup_free char *name = wire_text(r, SUBSYSTEM_MAX);

	if (!wire_end(r))
		return ANSWER_MALFORMED;
	c->session->start.kind = SSH_START_SUBSYSTEM;
	c->session->start.command = take_ptr(name);
	return start(c);
}

static enum answer run_signal(struct ssh_channel *c, struct wire *r)
{
	struct ssh_server *s = c->server;
	cleanup_free char *name = wire_text(r, SIGNAL_NAME_MAX);

	if (!wire_end(r))
		return ANSWER_MALFORMED;
	if (!c->start_asked || c->start_failed)
		return ANSWER_NO;
	s->config.ops->signal(s->config.owner, c, name);
	return ANSWER_YES;
}

/* A pty has no line to break; that is no failure. */
static enum answer run_break(struct ssh_channel *c, struct wire *r)
{
	(void)c;
	wire_u32(r);
	return wire_end(r) ? ANSWER_YES : ANSWER_MALFORMED;
}

static enum answer run_eow(struct ssh_channel *c, struct wire *r)
{
	struct ssh_server *s = c->server;

	if (!wire_end(r))
		return ANSWER_MALFORMED;
	if (s->config.ops->output_unwanted && c->start_asked && !c->start_failed)
		s->config.ops->output_unwanted(s->config.owner, c);
	return ANSWER_YES;
}

/*
 * All are of sessions. What is not here is refused, among them x11-req, and keepalive@openssh.com,
 * to which any answer will do.
 */
static const struct channel_request channel_requests[] = {
	{ "agent-req", true, run_agent_req },
	{ "auth-agent-req@openssh.com", true, run_auth_agent },
	{ "break", false, run_break },
	{ "env", true, run_env },
	{ "eow@openssh.com", false, run_eow },
	{ "exec", true, run_exec },
	{ "pty-req", true, run_pty },
	{ "shell", true, run_shell },
	{ "signal", false, run_signal },
	{ "subsystem", true, run_subsystem },
	{ "window-change", false, run_window_change },
};

static const struct channel_request *find_request(struct ssh_channel *c, struct span name)
{
	const struct channel_request *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(channel_requests); i++)
		if (c->session && span_equal_str(name, channel_requests[i].name))
			found = &channel_requests[i];
	return found && found->before_start && c->start_asked ? NULL : found;
}

static void send_answer(struct ssh_channel *c, bool yes)
{
	if (c->close_sent)
		return;
	channel_begin(c, yes ? MSG_CHANNEL_SUCCESS : MSG_CHANNEL_FAILURE);
	message_send(c->server);
}

void ssh_channel_started(struct ssh_channel *c, bool ok)
{
	if (!c->start_asked || c->start_answered)
		return;
	c->start_answered = true;
	c->start_failed = !ok;
	if (c->start_wants_reply)
		send_answer(c, ok);
	for (size_t i = 0; i < c->replies_len; i++)
		send_answer(c, c->replies[i] == ANSWER_YES);
	c->replies_len = 0;
}

static int answer_in_order(struct ssh_channel *c, enum answer answer, struct err *err)
{
	if (!c->start_asked || c->start_answered) {
		send_answer(c, answer == ANSWER_YES);
		return 0;
	}
	if (c->replies_len == CHANNEL_REPLIES_MAX)
		return err_set(err, ERR_LIMIT, "channel %u: too many requests at once", c->id);
	c->replies[c->replies_len++] = (uint8_t)answer;
	send_sign_of_life(c->server);
	return 0;
}

int on_channel_request(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct ssh_channel *c = channel_find(s, &r, "CHANNEL_REQUEST", err);
	struct span name = wire_string(&r, REQUEST_NAME_MAX);
	bool wants_reply = wire_bool(&r);
	const struct channel_request *request;
	enum answer answer = ANSWER_NO;

	if (!c)
		return -1;
	if (r.bad)
		return malformed(err, "CHANNEL_REQUEST");
	/* After our close nothing is answered (RFC 4254 section 5.3). */
	if (c->close_sent)
		return 0;
	request = find_request(c, name);
	/* Known before it runs: the answer may be given inside of it. */
	if (request && request->before_start)
		c->start_wants_reply = wants_reply;
	if (request)
		answer = request->run(c, &r);
	if (answer == ANSWER_MALFORMED)
		return err_set(err, ERR_PROTOCOL, "malformed request %s", request->name);
	if (answer == ANSWER_LATER || !wants_reply)
		return 0;
	return answer_in_order(c, answer, err);
}
