/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Message numbers (RFC 4250 section 4.1), and which message is legal when.
 *
 * The state says what the client may send now. It moves along
 *
 *	VERSION -> KEXINIT -> KEX -> NEWKEYS -> SERVICE -> AUTH -> OPEN
 *
 * and a later key exchange leads from SERVICE, AUTH or OPEN through REKEX and RENEWKEYS back to
 * where it began. That we have sent a KEXINIT of our own does not change what the client may send:
 * until its own KEXINIT it does not know of ours. OVER is after the end.
 *
 * The table in message.c is the only place that decides on legality.
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "init/base/span.h"

/*      name                      number */
#define MESSAGES(X)                      \
	X(DISCONNECT, 1)                 \
	X(IGNORE, 2)                     \
	X(UNIMPLEMENTED, 3)              \
	X(DEBUG, 4)                      \
	X(SERVICE_REQUEST, 5)            \
	X(SERVICE_ACCEPT, 6)             \
	X(EXT_INFO, 7)                   \
	X(NEWCOMPRESS, 8)                \
	X(KEXINIT, 20)                   \
	X(NEWKEYS, 21)                   \
	X(KEX_INIT, 30)                  \
	X(KEX_REPLY, 31)                 \
	X(USERAUTH_REQUEST, 50)          \
	X(USERAUTH_FAILURE, 51)          \
	X(USERAUTH_SUCCESS, 52)          \
	X(USERAUTH_BANNER, 53)           \
	X(USERAUTH_INFO_REQUEST, 60)     \
	X(USERAUTH_INFO_RESPONSE, 61)    \
	X(GLOBAL_REQUEST, 80)            \
	X(REQUEST_SUCCESS, 81)           \
	X(REQUEST_FAILURE, 82)           \
	X(CHANNEL_OPEN, 90)              \
	X(CHANNEL_OPEN_CONFIRMATION, 91) \
	X(CHANNEL_OPEN_FAILURE, 92)      \
	X(CHANNEL_WINDOW_ADJUST, 93)     \
	X(CHANNEL_DATA, 94)              \
	X(CHANNEL_EXTENDED_DATA, 95)     \
	X(CHANNEL_EOF, 96)               \
	X(CHANNEL_CLOSE, 97)             \
	X(CHANNEL_REQUEST, 98)           \
	X(CHANNEL_SUCCESS, 99)           \
	X(CHANNEL_FAILURE, 100)

enum message_number {
#define X(name, number) MSG_##name = (number),
	MESSAGES(X)
#undef X
};

/* Numbers of one key exchange method (RFC 4250 section 4.1.2): a wrong guess is one of these. */
#define MSG_KEX_METHOD_FIRST 30
#define MSG_KEX_METHOD_LAST 49

#define SSH_STATES(X) \
	X(VERSION)    \
	X(KEXINIT)    \
	X(KEX)        \
	X(NEWKEYS)    \
	X(SERVICE)    \
	X(AUTH)       \
	X(OPEN)       \
	X(REKEX)      \
	X(RENEWKEYS)  \
	X(OVER)

enum ssh_state {
#define X(name) STATE_##name,
	SSH_STATES(X)
#undef X
};

struct ssh_server;

/* Handles a payload without its message number; -1 ends the connection with the error's text. */
typedef int message_handler(struct ssh_server *s, struct span payload, struct err *err);

enum message_verdict {
	MESSAGE_LEGAL,
	MESSAGE_UNKNOWN, /* to be answered with UNIMPLEMENTED (RFC 4253 section 11.4) */
	MESSAGE_ILLEGAL, /* ends the connection */
};

/* strict: strict key exchange is in force. *ret_handler is set when the message is legal. */
enum message_verdict message_check(enum ssh_state state, bool strict, uint8_t number,
				   message_handler **ret_handler);

const char *message_name(uint8_t number); /* "KEXINIT"; "unknown" */
const char *message_state_name(enum ssh_state state);
