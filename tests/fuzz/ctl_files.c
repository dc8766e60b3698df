/* SPDX-License-Identifier: MIT */
/*
 * What servers of files answer, read from the same bytes: a line of `ls -l` from an SFTP server,
 * whose owners, if it has some, are harmless words of it; an entry of FirecREST's, whose name is
 * one; an error of an S3 store, whose words are harmless.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "controller/files/firecrest.h"
#include "controller/files/s3.h"
#include "controller/files/sftp.h"
#include "init/base/cleanup.h"

static void check(const char *word)
{
	assert(word[0] != '\0');
	for (const char *p = word; *p; p++)
		assert((unsigned char)*p > ' ' && *p != 0x7f);
}

static void read_entry(struct span text)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };

	if (json_parse(text, 1 << 20, &json, NULL) < 0 || !fs_firecrest_entry(json, &entry))
		return;
	assert(entry.name[0] != '\0' && !strchr(entry.name, '/') && entry.mode <= 07777);
	assert(!strchr(entry.user, '\x1b'));
}

static void read_complaint(struct span text)
{
	struct err err = { 0 };

	assert(s3_explain(503, text, &err) == -1 && err.kind == ERR_UNAVAILABLE);
	assert(!strchr(err.text, '\x1b'));
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
	read_entry(span_of(bytes, len));
	read_complaint(span_of(bytes, len));
	return 0;
}
