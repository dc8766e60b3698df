/* SPDX-License-Identifier: MIT */
/* Which message is legal in which state; see message.h. */
#include "message.h"

#include "engine.h"

#define IN(state) (1u << STATE_##state)
#define FIRST_KEX (IN(KEXINIT) | IN(KEX) | IN(NEWKEYS))
#define RUNNING (IN(SERVICE) | IN(AUTH) | IN(OPEN))
#define REKEYING (IN(REKEX) | IN(RENEWKEYS))

struct rule {
	const char *name;
	unsigned int legal; /* in these states */
	/* Also in these, unless key exchange is strict: then nothing but the exchange itself may
	 * come before the first keys (kex-strict, against CVE-2023-48795). */
	unsigned int lax;
	message_handler *handler;
};

/*
 * What a server sends, and what a client may only send in reply to requests that we never make, has
 * a name here and no state. CVE-2018-10933 and CVE-2025-32433 were both a message that some handler
 * took in a state where this table has none.
 */
#define NEVER(name) [MSG_##name] = { #name, 0, 0, NULL }
/* clang-format off */
static const struct rule rules[256] = {
	[MSG_DISCONNECT]            = { "DISCONNECT", FIRST_KEX | RUNNING | REKEYING, 0, on_disconnect },
	[MSG_IGNORE]                = { "IGNORE", RUNNING | REKEYING, FIRST_KEX, on_ignored },
	[MSG_UNIMPLEMENTED]         = { "UNIMPLEMENTED", RUNNING | REKEYING, FIRST_KEX, on_ignored },
	[MSG_DEBUG]                 = { "DEBUG", RUNNING | REKEYING, FIRST_KEX, on_ignored },
	[MSG_SERVICE_REQUEST]       = { "SERVICE_REQUEST", IN(SERVICE), 0, on_service_request },
	NEVER(SERVICE_ACCEPT),
	[MSG_EXT_INFO]              = { "EXT_INFO", IN(SERVICE), 0, on_ignored },
	NEVER(NEWCOMPRESS),
	[MSG_KEXINIT]               = { "KEXINIT", IN(KEXINIT) | RUNNING, 0, on_kexinit },
	[MSG_NEWKEYS]               = { "NEWKEYS", IN(NEWKEYS) | IN(RENEWKEYS), 0, on_newkeys },
	[MSG_KEX_INIT]              = { "KEX_INIT", IN(KEX) | IN(REKEX), 0, on_kex_init },
	NEVER(KEX_REPLY),
	/* After success further requests are ignored (RFC 4252 section 5.1). */
	[MSG_USERAUTH_REQUEST]      = { "USERAUTH_REQUEST", IN(AUTH) | IN(OPEN), 0, on_userauth_request },
	NEVER(USERAUTH_FAILURE),
	NEVER(USERAUTH_SUCCESS),
	NEVER(USERAUTH_BANNER),
	NEVER(USERAUTH_INFO_REQUEST),
	NEVER(USERAUTH_INFO_RESPONSE),
	[MSG_GLOBAL_REQUEST]        = { "GLOBAL_REQUEST", IN(OPEN), 0, on_global_request },
	NEVER(REQUEST_SUCCESS),
	NEVER(REQUEST_FAILURE),
	[MSG_CHANNEL_OPEN]          = { "CHANNEL_OPEN", IN(OPEN), 0, on_channel_open },
	/* Answers to what we opened for a listener. */
	[MSG_CHANNEL_OPEN_CONFIRMATION] = { "CHANNEL_OPEN_CONFIRMATION", IN(OPEN), 0, on_channel_open_confirmation },
	[MSG_CHANNEL_OPEN_FAILURE]  = { "CHANNEL_OPEN_FAILURE", IN(OPEN), 0, on_channel_open_failure },
	[MSG_CHANNEL_WINDOW_ADJUST] = { "CHANNEL_WINDOW_ADJUST", IN(OPEN), 0, on_channel_window_adjust },
	[MSG_CHANNEL_DATA]          = { "CHANNEL_DATA", IN(OPEN), 0, on_channel_data },
	[MSG_CHANNEL_EXTENDED_DATA] = { "CHANNEL_EXTENDED_DATA", IN(OPEN), 0, on_channel_extended_data },
	[MSG_CHANNEL_EOF]           = { "CHANNEL_EOF", IN(OPEN), 0, on_channel_eof },
	[MSG_CHANNEL_CLOSE]         = { "CHANNEL_CLOSE", IN(OPEN), 0, on_channel_close },
	[MSG_CHANNEL_REQUEST]       = { "CHANNEL_REQUEST", IN(OPEN), 0, on_channel_request },
	NEVER(CHANNEL_SUCCESS),
	NEVER(CHANNEL_FAILURE),
};
/* clang-format on */

enum message_verdict message_check(enum ssh_state state, bool strict, uint8_t number,
				   message_handler **ret_handler)
{
	const struct rule *rule = &rules[number];
	unsigned int legal = rule->legal | (strict ? 0 : rule->lax);

	if (legal & 1u << state) {
		*ret_handler = rule->handler;
		return MESSAGE_LEGAL;
	}
	return !rule->name && RUNNING & 1u << state ? MESSAGE_UNKNOWN : MESSAGE_ILLEGAL;
}

const char *message_name(uint8_t number)
{
	return rules[number].name ? rules[number].name : "unknown";
}

const char *message_state_name(enum ssh_state state)
{
	static const char *const names[] = {
#define X(name) [STATE_##name] = #name,
		SSH_STATES(X)
#undef X
	};

	return names[state];
}
