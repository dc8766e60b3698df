/* SPDX-License-Identifier: MIT */
/* The bytes of a file: read in chunks, each written as it comes; see copy_file.h. */
#include <stdlib.h>

#include "copy_file.h"
#include "init/base/alloc.h"

/* So much is copied by a server in one request. */
#define COPY_STEP (UINT64_C(64) * 1024 * 1024)

/* A range that is being read, then written. */
struct chunk {
	struct copy_file *file;
	uint64_t offset;
	size_t len;
};

static void end_chunk(struct chunk *chunk)
{
	struct copy_file *f = chunk->file;

	f->copy->chunks--;
	free(chunk);
	copy_file_answered(f);
}

static void on_written(void *user, const struct sftp_answer *answer)
{
	struct chunk *chunk = user;
	struct copy_file *f = chunk->file;
	struct err why = { 0 };

	if (sftp_answer_check(answer, SFTP_TYPE_STATUS, &why) < 0) {
		copy_file_fail(f, false, &why);
	} else {
		f->copied = MAX(f->copied, chunk->offset + chunk->len);
		f->copy->totals.bytes += chunk->len;
	}
	end_chunk(chunk);
}

/* Within one server: the bytes never leave it. */

static void on_copied(void *user, const struct sftp_answer *answer)
{
	struct chunk *chunk = user;
	struct copy_file *f = chunk->file;

	f->reading = false;
	if (answer->type == SFTP_TYPE_STATUS && answer->code == SFTP_STATUS_OP_UNSUPPORTED) {
		f->copy->is_carried = true;
		f->at = chunk->offset;
		end_chunk(chunk);
		return;
	}
	on_written(chunk, answer);
}

/* One after the other, and not so much that a signal would wait for long. */
static void ask_copy(struct copy_file *f)
{
	struct chunk *chunk = new_zero(struct chunk);
	struct sftp_request request = { .op = SFTP_COPY_DATA };

	*chunk = (struct chunk){ f, f->at, (size_t)MIN(f->end - f->at, COPY_STEP) };
	request.handle = copy_file_handle(f, true);
	request.handle2 = copy_file_handle(f, false);
	request.offset = request.offset2 = chunk->offset;
	request.length = chunk->len;
	f->copy->chunks++;
	f->waiting++;
	f->reading = true;
	f->at += chunk->len;
	sftp_client_ask(f->copy->config.from, &request, on_copied, chunk);
}

/* Through this process */

static void on_read(void *user, const struct sftp_answer *answer);

static void ask_chunk(struct copy_file *f, uint64_t offset, size_t len)
{
	struct sftp_request request = { .op = SFTP_READ,
					.handle = copy_file_handle(f, true),
					.offset = offset,
					.length = len };
	struct chunk *chunk = new_zero(struct chunk);

	*chunk = (struct chunk){ f, offset, len };
	f->copy->chunks++;
	f->waiting++;
	f->reading = true;
	sftp_client_ask(f->copy->config.from, &request, on_read, chunk);
}

/* Less came than was asked for, and it was not the end. */
static void read_rest(struct chunk *chunk, size_t got)
{
	struct copy_file *f = chunk->file;
	struct err why = { 0 };

	if (f->sequential) {
		f->at = chunk->offset + got;
	} else if (f->copy->config.target_is_stream) {
		err_set(&why, ERR_SYSTEM, "it changed while it was read");
		copy_file_fail(f, true, &why);
	} else {
		ask_chunk(f, chunk->offset + got, chunk->len - got);
	}
}

static void on_read(void *user, const struct sftp_answer *answer)
{
	struct chunk *chunk = user;
	struct copy_file *f = chunk->file;
	struct sftp_request request = { .op = SFTP_WRITE, .offset = chunk->offset };
	struct err why = { 0 };

	f->reading = false;
	if ((answer->type == SFTP_TYPE_STATUS && answer->code == SFTP_STATUS_EOF) || f->failed) {
		f->end = MIN(f->end, chunk->offset);
		end_chunk(chunk);
		return;
	}
	if (sftp_answer_check(answer, SFTP_TYPE_DATA, &why) == 0 &&
	    (answer->bytes.len == 0 || answer->bytes.len > chunk->len))
		err_set(&why, ERR_PROTOCOL, "more or less was read than can be");
	if (why.kind != ERR_NONE) {
		copy_file_fail(f, true, &why);
		end_chunk(chunk);
		return;
	}
	if (answer->bytes.len < chunk->len)
		read_rest(chunk, answer->bytes.len);
	chunk->len = answer->bytes.len;
	request.handle = copy_file_handle(f, false);
	request.bytes = answer->bytes;
	sftp_client_ask(f->copy->config.to, &request, on_written, chunk);
}

static bool stays_there(const struct copy_file *f)
{
	const struct copy *copy = f->copy;

	return copy->config.from == copy->config.to && !copy->is_carried && !f->sequential;
}

bool copy_data_more(struct copy_file *f)
{
	if (stays_there(f) && !f->reading && !f->failed && f->at < f->end)
		ask_copy(f);
	while (!stays_there(f) && f->at < f->end && f->copy->chunks < COPY_CHUNKS_MAX &&
	       !f->failed && !(f->sequential && f->reading)) {
		size_t len = (size_t)MIN(f->end - f->at, (uint64_t)SFTP_BYTES_MAX);

		ask_chunk(f, f->at, len);
		f->at += len;
	}
	return f->waiting == 0 && (f->at >= f->end || f->failed);
}
