/* SPDX-License-Identifier: MIT */
/* Ways through NATs of a connection; see keeper_punch.h. */
#include "keeper_punch.h"

#include "init/base/log.h"
#include "tunnel/net/keeper_paths.h"

static const struct path *path_in_use(const struct keeper *k)
{
	return attempt_path(k->config.attempt);
}

static void on_chosen(void *owner, const struct quic_addr *remote, const char *how, uint64_t rtt_ns)
{
	struct keeper *k = owner;
	char text[ADDR_TEXT_MAX];

	addr_format(remote, text);
	log_debug("%s: %s (%s) answers in %.1f ms", k->config.name, text, how,
		  (double)rtt_ns / 1e6);
	k->found = *remote;
	keeper_paths_try_found(k);
}

static void on_lost(void *owner)
{
	struct keeper *k = owner;

	k->found = (struct quic_addr){ 0 };
	if (path_in_use(k)->kind == PATH_PUNCHED)
		keeper_paths_leave(k, "the way through the NATs is closed");
}

/* The job takes no part in it, and will not do so the next minute. */
static void on_over(void *owner)
{
	struct keeper *k = owner;

	k->punch = NULL;
	k->no_punch = true;
	k->found = (struct quic_addr){ 0 };
}

void keeper_punch_look(struct keeper *k)
{
	static const struct punch_ops ops = { on_chosen, on_lost, on_over };
	struct punches *punches = k->config.relays ? relays_punches(k->config.relays) : NULL;
	struct err err;

	if (!punches || k->punch || k->no_punch || path_in_use(k)->kind <= PATH_PUNCHED ||
	    !attempt_is_ready(k->config.attempt))
		return;
	k->punch = punch_request(punches, attempt_h3(k->config.attempt), &ops, k, &err);
	if (k->punch)
		return;
	k->no_punch = true;
	log_debug("%s: no way through NATs: %s", k->config.name, err.text);
}

struct path *keeper_punch_path(struct keeper *k)
{
	if (k->found.len == 0 || !k->config.relays)
		return NULL;
	return path_punched_new(relays_hub(k->config.relays), &k->found);
}

void keeper_punch_leave(struct keeper *k)
{
	if (path_in_use(k)->kind != PATH_PUNCHED)
		return;
	k->found = (struct quic_addr){ 0 };
	if (k->punch)
		punch_lost(k->punch);
}

void keeper_punch_stop(struct keeper *k)
{
	struct punch *punch = k->punch;

	k->punch = NULL;
	k->no_punch = true;
	punch_close(punch);
}
