/* SPDX-License-Identifier: MIT */
/*
 * Files of `berth export`. The fuzzer cannot guess checksums: the last line is put right first,
 * unless the input begins with 'x'. What is accepted survives being written and read again.
 */
#include "tests/fuzz/fuzz.h"

#include <sha2.h>
#include <string.h>

#include "controller/model/ref.h"
#include "controller/ops/export_file.h"
#include "init/base/text.h"

static void try_file(struct span text)
{
	cleanup(export_file_finish) struct export_file file = { 0 }, again = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * EXPORT_FILE_MAX);
	struct err err = { 0 };

	if (export_file_parse(text, &file, &err) < 0) {
		assert(err.kind == ERR_INVALID && err.text[0] != '\0');
		return;
	}
	assert(job_is_uid(file.job.uid) && file.job.expires_ns > 0 && file.client.len > 0);
	assert(file.job.name[0] == '\0' || ref_check_name(file.job.name, NULL) == 0);
	assert(file.endpoints_len <= EXPORT_FILE_ENDPOINTS_MAX);
	assert(export_file_format(&file, &b));
	/* Written by us it may be longer: characters are escaped. */
	if (buf_len(&b) > EXPORT_FILE_MAX)
		return;
	assert(export_file_parse(buf_span(&b), &again, &err) == 0);
	assert(strcmp(file.job.uid, again.job.uid) == 0);
	assert(strcmp(file.job.command, again.job.command) == 0);
	assert(file.job.state == again.job.state && file.job.tasks == again.job.tasks);
	assert(span_equal(file.client, again.client));
	assert(file.endpoints_len == again.endpoints_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(EXPORT_FILE_MAX);
	uint8_t hash[SHA256_DIGEST_LENGTH];
	char hex[2 * SHA256_DIGEST_LENGTH + 1];
	SHA2_CTX context;

	if (len == 0 || len > EXPORT_FILE_MAX / 2)
		return 0;
	if (bytes[0] == 'x') {
		try_file(span_of(bytes + 1, len - 1));
		return 0;
	}
	SHA256Init(&context);
	SHA256Update(&context, bytes, len);
	SHA256Final(hash, &context);
	text_hex(span_of(hash, sizeof(hash)), hex, sizeof(hex));
	assert(buf_append(&b, bytes, len) && buf_printf(&b, "sha256 %s\n", hex));
	try_file(buf_span(&b));
	return 0;
}
