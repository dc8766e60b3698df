/* SPDX-License-Identifier: MIT */
/* A line of `ls -l` from an SFTP server: its owners, if it has some, are harmless words of it. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "controller/files/sftp.h"
#include "init/base/cleanup.h"

static void check(const char *word)
{
	assert(word[0] != '\0');
	for (const char *p = word; *p; p++)
		assert((unsigned char)*p > ' ' && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *user = NULL, *group = NULL;

	if (fs_sftp_owners(span_of(bytes, len), &user, &group)) {
		check(user);
		check(group);
	} else {
		assert(!user && !group);
	}
	return 0;
}
