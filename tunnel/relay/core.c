/* SPDX-License-Identifier: MIT */
/* A relay without its sockets; see core.h. */
#include "core.h"

#include <assert.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/addr.h"
#include "tunnel/relay/control.h"

/* Wrong tokens and signatures from one address: so many at once, and one more each second. */
#define FAILURES_BURST 20
#define FAILURES_PER_SECOND 1
#define ATTEMPTS_PER_SECOND 200
#define ATTEMPTS_SECONDS 20 /* of them at once: all ranks of a large job, behind one NAT */
/* How often what changes slowly is looked at: dates of tokens, streams that fell silent. */
#define TICK_NS (15 * NSEC_PER_SEC)

static const char *const drop_labels[] = {
#define X(symbol, label) label,
	CORE_DROPS(X)
#undef X
};

const char *core_drop_label(enum core_drop why)
{
	return drop_labels[why];
}

static void on_peer(void *owner, const struct leg *leg, uint64_t tag, bool is_here)
{
	(void)owner;
	control_peer(leg->owner, tag, is_here);
}

static void on_replaced(void *owner, struct leg *leg)
{
	(void)owner;
	control_replaced(leg->owner);
}

static const struct legs_ops legs_ops = { on_peer, on_replaced };

struct core *core_new(const struct core_config *config)
{
	struct core *core = new_zero(struct core);
	uint32_t rate = config->address_rate ? config->address_rate : ATTEMPTS_PER_SECOND;

	core->config = *config;
	core->legs = legs_new(&legs_ops, core);
	core->admit = admit_new();
	core->failures = limit_new(FAILURES_BURST, FAILURES_PER_SECOND);
	core->attempts = limit_new(ATTEMPTS_SECONDS * rate, rate);
	return core;
}

struct core *core_free(struct core *core)
{
	if (!core)
		return NULL;
	assert(core->control_count == 0);
	legs_free(core->legs);
	admit_free(core->admit);
	limit_free(core->failures);
	limit_free(core->attempts);
	free(core);
	return NULL;
}

/* Drops the registrations whose token is good no more. */
static void drop_bad(struct core *core)
{
	uint64_t now_s = core->config.wall();
	struct control *next;

	for (struct control *control = core->controls; control; control = next) {
		next = control->next;
		if (!admit_is_good(control->user, now_s))
			control_refuse(control,
				       control->user->is_gone ? RELAY_CODE_TOKEN
							      : RELAY_CODE_EXPIRED,
				       0, NULL);
	}
}

int core_load(struct core *core, struct span text, struct err *err)
{
	if (admit_load(core->admit, text, err) < 0)
		return -1;
	drop_bad(core);
	return 0;
}

void core_drop(struct core *core, enum core_drop why, size_t packets)
{
	core->stats.dropped[why] += packets;
}

void core_forward(struct core *core, struct leg *from, struct leg *to, uint8_t ecn, size_t segment,
		  struct span bytes, uint64_t now)
{
	size_t packets = (bytes.len + segment - 1) / segment, lost = 0;
	const struct control *control = to->owner;

	if (!admit_spend(from->user, bytes.len, now)) {
		core_drop(core, CORE_DROP_RATE, packets);
		return;
	}
	from->packets += packets;
	from->bytes += bytes.len;
	core->stats.packets[from->role] += packets;
	core->stats.bytes[from->role] += bytes.len;
	if (to->path.remote.len > 0)
		core->config.ops->send(core->config.owner, &to->path, ecn, segment, bytes);
	else if (!control->is_over)
		lost = control->ops->forward(control->transport, segment, bytes);
	core_drop(core, CORE_DROP_BLOCKED, lost);
}

void core_route(struct core *core, const struct quic_addr *from, uint64_t tag, uint8_t ecn,
		size_t segment, struct span bytes, uint64_t now)
{
	struct leg *leg = NULL, *to = legs_find(core->legs, from, tag, &leg);

	if (to)
		core_forward(core, leg, to, ecn, segment, bytes, now);
	else
		core_drop(core, CORE_DROP_UNKNOWN, (bytes.len + segment - 1) / segment);
}

/* Time */

static void end_silent(struct core *core, uint64_t now)
{
	struct control *next;

	for (struct control *control = core->controls; control; control = next) {
		next = control->next;
		control->now = now;
		/* QUIC has an idle timeout of its own. */
		if (control->is_stream && now - control->heard_at > CORE_SILENT_NS)
			control_refuse(control, RELAY_CODE_PROTOCOL, 0,
				       "nothing came for too long");
	}
}

uint64_t core_deadline(const struct core *core)
{
	const struct control *first = core->waiting_first;

	return MIN(core->tick_at, first ? first->since + CORE_HELLO_NS : UINT64_MAX);
}

void core_expire(struct core *core, uint64_t now)
{
	struct control *next;

	for (struct control *control = core->waiting_first; control; control = next) {
		next = control->next;
		if (now - control->since < CORE_HELLO_NS)
			break;
		control_refuse(control, RELAY_CODE_PROTOCOL, 0, "no HELLO came");
	}
	if (now < core->tick_at)
		return;
	core->tick_at = now + TICK_NS;
	end_silent(core, now);
	drop_bad(core);
}

static void end_broken(struct control *first)
{
	struct control *next;

	for (struct control *control = first; control; control = next) {
		next = control->next;
		if (control->is_broken && !control->is_over)
			control_refuse(control, RELAY_CODE_PROTOCOL, 0, "it does not read");
	}
}

void core_turn(struct core *core)
{
	/* Ending one tells others, which may be the last straw for them. */
	while (core->any_broken) {
		core->any_broken = false;
		end_broken(core->controls);
		end_broken(core->waiting_first);
	}
}

void core_drain(struct core *core, uint32_t retry_ms)
{
	core->is_draining = true;
	for (struct control *control = core->controls; control; control = control->next)
		control_drain(control, retry_ms);
}
