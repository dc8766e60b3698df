/* SPDX-License-Identifier: MIT */
/*
 * What the environment says of proxies: the first line is a proxy's URL, the second the exceptions.
 * A proxy that is taken has a host and a port, and no end of a line in what is sent to it.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "tunnel/net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *end = len ? memchr(bytes, '\n', len) : NULL;
	size_t first = end ? (size_t)(end - bytes) : len;
	cleanup_free char *url = str_dup_len((const char *)bytes, first);
	cleanup_free char *list = end ? str_dup_len((const char *)end + 1, len - first - 1) : NULL;
	struct proxy proxy;
	struct err err;

	if (proxy_parse(url, &proxy, &err) == 0) {
		assert(proxy.host[0] && proxy.port > 0);
		assert(!strpbrk(proxy.host, "\r\n @/") && !strpbrk(proxy.credentials, "\r\n"));
		if (list && proxy_is_excepted(list, proxy.host))
			assert(!proxy_is_excepted("", proxy.host));
	}
	if (list && !proxy_is_excepted(list, "relay.example.org"))
		assert(!strstr(list, ",*,"));
	if (list)
		(void)!proxy_is_excepted(list, "10.1.2.3");
	return 0;
}
