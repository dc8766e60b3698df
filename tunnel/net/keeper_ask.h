/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What becomes of a job that does not answer any more is asked of whoever started it (refresher.h):
 * one that was killed, or whose way in ended with it, says nothing itself. It is asked as soon as
 * nobody takes our packets, or 15 s after a heartbeat without an answer; while that lasts, again
 * after 15 s, then ever less often, as a network that is away for an hour is no reason to trouble a
 * scheduler.
 */

#include "tunnel/net/keeper.h"

/* What is due. True: a question is under way, whose answer is to be waited for. */
bool keeper_ask_tick(struct keeper *keeper, uint64_t now, uint64_t unanswered);
/* 1: *ret says why the job cannot be entered any more. 0: nobody knows of that. */
int keeper_ask_answer(const struct keeper *keeper, struct err *ret);
/* closed is called with the keeper, at once when nothing was asked. */
void keeper_ask_close(struct keeper *keeper, void (*closed)(void *owner));
