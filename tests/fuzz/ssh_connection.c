/* SPDX-License-Identifier: MIT */
/*
 * Everything after authentication, without its cipher: a list of steps. A step is a byte that says
 * what happens; 0 to 199 is a message of the client's (two bytes of length, payload), the others
 * are what the owner does to one of its channels, or from 230 on to one of its listeners.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/unit/ssh_peer.h"

#define STEP_OWNER 200
#define STEP_LISTENER 230
#define STEPS_MAX 400

static uint8_t filler[4096];

static void send_payload(struct peer *p, struct span payload)
{
	int r;

	if (payload.len == 0)
		return;
	r = packet_write(&p->writer, &p->out, payload, (struct span){ 0 }, NULL);
	assert(r == 0);
	peer_flush(p);
}

static void write_some(struct ssh_channel *c, enum ssh_output output)
{
	size_t room = ssh_channel_room(c);

	ssh_channel_write(c, output, span_of(filler, MIN(room, sizeof(filler))));
}

static void refuse(struct ssh_channel *c)
{
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "not now");
	ssh_channel_refuse(c, &why);
}

/* The job listens, or does not, or somebody connects where it does. */
static void act_listener(struct peer *p, uint8_t what, uint8_t which)
{
	struct ssh_listener **place = &p->seen.listeners[which % PEER_CHANNELS_MAX], *l = *place;

	if (what % 4 == 0)
		p->seen.on_listen = which % 3;
	if (!l || what % 4 == 0)
		return;
	if (!l->started) {
		ssh_listener_started(l, what % 2, which);
		if (what % 2 == 0)
			*place = NULL;
		return;
	}
	p->seen.channels[what % PEER_CHANNELS_MAX] = ssh_listener_open(l, "::1", which);
}

/* An owner never does what server.h forbids: it answers an open once, and before all else. */
static void act(struct peer *p, uint8_t what, uint8_t which)
{
	struct ssh_channel **place = &p->seen.channels[which % PEER_CHANNELS_MAX], *c = *place;
	size_t held;

	if (!c)
		return;
	if (c->opening)
		return;
	if (!c->accepted) {
		if (what % 2) {
			ssh_channel_accept(c);
		} else {
			refuse(c);
			*place = NULL;
		}
		return;
	}
	held = c->window - c->credit - c->consumed;
	switch (what % 10) {
	case 0:
		write_some(c, SSH_STDOUT);
		break;
	case 1:
		write_some(c, SSH_STDERR);
		break;
	case 2:
		ssh_channel_eof(c);
		break;
	case 3:
		ssh_channel_exit_status(c, which);
		break;
	case 4:
		ssh_channel_exit_signal(c, "KILL", which & 1);
		break;
	case 5:
		ssh_channel_close(c);
		break;
	case 6:
		ssh_channel_started(c, which & 1);
		break;
	case 7:
		ssh_channel_consumed(c, held / (which % 3u + 1));
		break;
	case 8:
		ssh_channel_stop_input(c);
		break;
	default:
		p->seen.on_open = which % 3;
		p->seen.on_start = which / 3 % 3;
		p->seen.keep_data = which & 128;
	}
}

static void check(const struct peer *p)
{
	const struct ssh_server *s = p->server;
	uint64_t windows = 0;
	size_t opening = 0;

	for (uint32_t id = 0; id < s->channels_size; id++) {
		const struct ssh_channel *c = s->channels[id];

		if (!c)
			continue;
		assert(c->id == id && c->credit + (uint64_t)c->consumed <= c->window);
		windows += c->window;
		opening += c->opening;
	}
	assert(windows == s->windows && opening == s->opening_len);
	assert(s->replies.len <= GLOBAL_REPLIES_MAX && s->listeners_len <= LISTENERS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct wire r = wire_of(span_of(bytes, len));
	struct peer p;

	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_OPEN);
	for (int i = 0; i < STEPS_MAX && r.left.len > 0 && !p.over; i++) {
		uint8_t step = wire_u8(&r), a = wire_u8(&r), b = wire_u8(&r);

		if (step >= STEP_LISTENER)
			act_listener(&p, a, b);
		else if (step >= STEP_OWNER)
			act(&p, a, b);
		else
			send_payload(&p, wire_bytes(&r, MIN((size_t)(a << 8 | b), r.left.len)));
		if (step % 4 == 0)
			ssh_server_output_taken(p.server, ssh_server_output(p.server).len);
		check(&p);
	}
	peer_finish(&p);
	return 0;
}
