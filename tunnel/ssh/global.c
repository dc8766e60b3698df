/* SPDX-License-Identifier: MIT */
/*
 * Global requests (RFC 4254 section 4): a table, and a queue of answers. To add one, write a
 * function and a line.
 */
#include "engine.h"

#define REQUEST_NAME_MAX 64

struct global_request {
	const char *name;
	enum answer (*run)(struct ssh_server *s, struct global_request_in *in);
};

static enum answer run_no_more_sessions(struct ssh_server *s, struct global_request_in *in)
{
	if (!wire_end(in->r))
		return ANSWER_MALFORMED;
	s->no_more_sessions = true;
	return ANSWER_YES;
}

/*
 * What is not here is refused: proofs of host keys that we never announce
 * (hostkeys-prove-00@openssh.com), and keepalive@openssh.com, to which any answer will do.
 */
static const struct global_request global_requests[] = {
	{ "cancel-streamlocal-forward@openssh.com", run_cancel_streamlocal_forward },
	{ "cancel-tcpip-forward", run_cancel_tcpip_forward },
	{ "no-more-sessions@openssh.com", run_no_more_sessions },
	{ "streamlocal-forward@openssh.com", run_streamlocal_forward },
	{ "tcpip-forward", run_tcpip_forward },
};

static struct global_reply *reply_at(struct ssh_server *s, uint64_t number)
{
	return &s->replies.items[number % GLOBAL_REPLIES_MAX];
}

static void send_reply(struct ssh_server *s, const struct global_reply *reply)
{
	for (uint32_t i = 0; i < reply->count; i++) {
		struct buf *b = message_begin(s, reply->answer == ANSWER_YES ? MSG_REQUEST_SUCCESS
									     : MSG_REQUEST_FAILURE);

		if (reply->has_port)
			wire_put_u32(b, reply->port);
		message_send(s);
	}
}

static void flush(struct ssh_server *s)
{
	struct global_replies *q = &s->replies;

	for (; q->len > 0 && reply_at(s, q->first)->answer != ANSWER_LATER; q->first++, q->len--)
		send_reply(s, reply_at(s, q->first));
}

static bool push(struct ssh_server *s, const struct global_reply *reply)
{
	struct global_replies *q = &s->replies;
	struct global_reply *last = reply_at(s, q->first + q->len + GLOBAL_REPLIES_MAX - 1);

	/* A client that waits for hours asks again and again whether we are alive. */
	if (q->len > 0 && reply->answer == ANSWER_NO && last->answer == ANSWER_NO) {
		last->count++;
		return last->count < UINT32_MAX;
	}
	if (q->len == GLOBAL_REPLIES_MAX)
		return false;
	*reply_at(s, q->first + q->len++) = *reply;
	return true;
}

bool global_reply_later(struct ssh_server *s, uint64_t *ret)
{
	*ret = s->replies.first + s->replies.len;
	return push(s, &(struct global_reply){ .answer = ANSWER_LATER, .count = 1 });
}

void global_reply_settle(struct ssh_server *s, uint64_t number, const struct global_reply *reply)
{
	*reply_at(s, number) = *reply;
	flush(s);
}

static int answer_in_order(struct ssh_server *s, enum answer answer, struct err *err)
{
	bool waits = s->replies.len > 0;

	if (!push(s, &(struct global_reply){ .answer = answer, .count = 1 }))
		return err_set(err, ERR_LIMIT, "too many requests at once");
	if (waits)
		send_sign_of_life(s);
	else
		flush(s);
	return 0;
}

int on_global_request(struct ssh_server *s, struct span payload, struct err *err)
{
	struct wire r = wire_of(payload);
	struct span name = wire_string(&r, REQUEST_NAME_MAX);
	struct global_request_in in = { .r = &r, .wants_reply = wire_bool(&r) };
	enum answer answer = ANSWER_NO;

	if (r.bad)
		return malformed(err, "GLOBAL_REQUEST");
	for (size_t i = 0; i < ARRAY_LEN(global_requests); i++)
		if (span_equal_str(name, global_requests[i].name))
			answer = global_requests[i].run(s, &in);
	if (answer == ANSWER_MALFORMED)
		return malformed(err, "GLOBAL_REQUEST");
	if (answer == ANSWER_LATER || !in.wants_reply)
		return 0;
	return answer_in_order(s, answer, err);
}
