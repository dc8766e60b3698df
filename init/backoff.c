/* SPDX-License-Identifier: MIT */
/* Waiting longer and longer; see backoff.h. */
#include "backoff.h"

uint64_t backoff_next(struct backoff *b, uint64_t ran)
{
	if (b->last == 0 || ran >= BACKOFF_LAST)
		b->last = BACKOFF_FIRST;
	else
		b->last = MIN(b->last * 2, BACKOFF_LAST);
	return b->last;
}
