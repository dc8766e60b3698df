/* SPDX-License-Identifier: MIT */
/* Addresses as text: what is accepted is written as an equal address, and never as a mapped one. */
#include "tests/fuzz/fuzz.h"

#include <netinet/in.h>
#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/net/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = str_dup_len((const char *)bytes, len);
	struct quic_addr addr, again;
	char out[ADDR_TEXT_MAX];

	if (!addr_parse_listen(text, &addr))
		return 0;
	addr_format(&addr, out);
	assert(addr_parse_listen(out, &again) && addr_equal(&addr, &again));
	assert(addr_family(&addr) != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&addr.v6.sin6_addr));
	if (addr_parse(text, &again))
		assert(addr_equal(&addr, &again) && addr_port(&addr) > 0);
	return 0;
}
