/* SPDX-License-Identifier: MIT */
/* Loads libcurl; see curl.h. */
#include "curl.h"

#include <dlfcn.h>
#include <string.h>

#include "init/base/macro.h"

/* The same calls with either library for TLS behind them. */
static const char *const libraries[] = { "libcurl.so.4", "libcurl-gnutls.so.4" };

static const struct {
	const char *name;
	size_t offset;
} calls[] = {
#define X(name) { "curl_" #name, offsetof(struct curl_calls, name) },
	CURL_CALLS(X)
#undef X
};

static void *open_library(void)
{
	void *library = NULL;

	for (size_t i = 0; i < ARRAY_LEN(libraries) && !library; i++)
		library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
	return library;
}

int curl_load(const struct curl_calls **ret, struct err *err)
{
	static struct curl_calls loaded;
	static bool is_loaded;
	void *library;

	*ret = &loaded;
	if (is_loaded)
		return 0;
	library = open_library();
	if (!library)
		return err_set(err, ERR_UNAVAILABLE,
			       "no libcurl on this machine: install it (libcurl4 on Debian)");
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		void *call = dlsym(library, calls[i].name);

		if (!call)
			return err_set(err, ERR_UNAVAILABLE,
				       "this libcurl has no %s: it is too old", calls[i].name);
		memcpy((char *)&loaded + calls[i].offset, &call, sizeof(call));
	}
	if (loaded.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_INTERNAL, "libcurl does not start");
	is_loaded = true;
	return 0;
}
