/* SPDX-License-Identifier: MIT */
/* When a job is held, and until when; see hold.h. */
#include "hold.h"

#include <stdio.h>
#include <string.h>

#include "init/base/text.h"

#define DURATION_MAX 32
#define STATUS_OF_SIGNAL 128

static bool is_told(const struct hold *h, int signo)
{
	return h->told >> (signo - 1) & 1;
}

bool hold_parse(const char *text, struct hold *ret)
{
	const char *comma = strchrnul(text, ',');
	char duration[DURATION_MAX];
	uint64_t ns = 0;

	if ((*comma && strcmp(comma, ",on-failure") != 0) || comma - text >= DURATION_MAX)
		return false;
	snprintf(duration, sizeof(duration), "%.*s", (int)(comma - text), text);
	if (!text_parse_duration(duration, &ns))
		return false;
	*ret = (struct hold){ .ns = ns, .only_on_failure = *comma != '\0' };
	return true;
}

void hold_note(struct hold *h, int signo)
{
	h->told |= UINT64_C(1) << (signo - 1);
}

bool hold_is_due(const struct hold *h, int exit_status)
{
	int signo = exit_status - STATUS_OF_SIGNAL;

	if (h->ns == 0 || (h->only_on_failure && exit_status == 0) || is_told(h, SIGTERM))
		return false;
	return !(signo == SIGHUP || signo == SIGINT || signo == SIGQUIT) || !is_told(h, signo);
}

enum hold_order hold_order_of(int signo)
{
	if (signo == SIGHUP || signo == SIGINT || signo == SIGQUIT || signo == SIGTERM ||
	    signo == SIGURG)
		return HOLD_END;
	return signo == SIGUSR1 ? HOLD_ANEW : HOLD_GO_ON;
}
