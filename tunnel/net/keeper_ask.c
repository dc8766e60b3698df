/* SPDX-License-Identifier: MIT */
/* Asking what became of a job that is silent; see keeper_ask.h. */
#include "keeper_ask.h"

#include "init/base/log.h"

#define UNANSWERED_FOR (15 * NSEC_PER_SEC)
#define PAUSE_FIRST (15 * NSEC_PER_SEC)
#define PAUSE_MAX (600 * NSEC_PER_SEC)

static void on_answer(void *owner, const struct err *why)
{
	struct keeper *k = owner;

	if (why)
		k->ended = *why;
}

static bool has_reason(const struct keeper *k, uint64_t unanswered)
{
	return unanswered >= UNANSWERED_FOR ||
	       attempt_refused_since(k->config.attempt) != CLOCK_NEVER;
}

bool keeper_ask_tick(struct keeper *k, uint64_t now, uint64_t unanswered)
{
	if (!k->config.refresh)
		return false;
	if (k->refresher.is_running)
		return true;
	if (!has_reason(k, unanswered)) {
		k->ask_at = 0;
		k->ask_pause = PAUSE_FIRST;
		k->ended = (struct err){ 0 };
		return false;
	}
	if (k->ended.kind != ERR_NONE || now < k->ask_at || k->refresher.is_open)
		return false;
	log_debug("%s: no answer: what became of it?", k->config.name);
	k->ask_at = now + k->ask_pause;
	k->ask_pause = MIN(2 * k->ask_pause, PAUSE_MAX);
	refresher_start(&k->refresher, &(struct refresher_config){ .loop = k->config.loop,
								   .argv = k->config.refresh,
								   .done = on_answer,
								   .owner = k,
								   .is_quiet = true });
	return true;
}

int keeper_ask_answer(const struct keeper *k, struct err *ret)
{
	if (k->ended.kind == ERR_NONE)
		return 0;
	*ret = k->ended;
	return 1;
}

void keeper_ask_close(struct keeper *k, void (*closed)(void *owner))
{
	refresher_close(&k->refresher, closed, k);
}
