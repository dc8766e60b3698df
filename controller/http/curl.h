/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * libcurl, loaded when the first request is made. Linked, it and the two dozen libraries that it
 * needs would cost every start of berth many times what the rest of it takes, and `berth proxy`,
 * which every ssh waits for, makes no request.
 *
 * The types of the calls are those of curl's own header.
 */

/* Its checks of types are macros around the functions, which are not called by name here. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "init/base/err.h"

#define CURL_CALLS(X)          \
	X(global_init)         \
	X(easy_init)           \
	X(easy_reset)          \
	X(easy_setopt)         \
	X(easy_getinfo)        \
	X(easy_perform)        \
	X(easy_cleanup)        \
	X(easy_pause)          \
	X(easy_send)           \
	X(easy_recv)           \
	X(multi_init)          \
	X(multi_cleanup)       \
	X(multi_setopt)        \
	X(multi_add_handle)    \
	X(multi_remove_handle) \
	X(multi_perform)       \
	X(multi_poll)          \
	X(multi_info_read)     \
	X(slist_append)        \
	X(slist_free_all)

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

struct curl_calls {
#define X(name) __typeof__(curl_##name) *name;
	CURL_CALLS(X)
#undef X
};

/* ERR_UNAVAILABLE, with what to install, when there is no libcurl on this machine. */
int curl_load(const struct curl_calls **ret, struct err *err) attr_must_use;
