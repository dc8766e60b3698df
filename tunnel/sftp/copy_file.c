/* SPDX-License-Identifier: MIT */
/* One file on its way from a server to another; see copy.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "copy_file.h"
#include "init/base/alloc.h"

/* So much is summed up in one request, so that none takes long. */
#define SUM_STEP (UINT64_C(256) * 1024 * 1024)
#define NAME_LEN_MAX 255

static void advance(struct copy_file *f);

char *copy_part_path(const char *path, bool resume)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char suffix[32] = ".berth-part";
	uint32_t random = 0;

	if (!resume) {
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			abort();
		snprintf(suffix, sizeof(suffix), ".%08x.berth-part", (unsigned int)random);
	}
	return str_printf("%.*s.%.*s%s", (int)(name - path), path,
			  (int)(NAME_LEN_MAX - 1 - strlen(suffix)), name, suffix);
}

static struct sftp_client *side(const struct copy_file *f, bool is_source)
{
	return is_source ? f->copy->config.from : f->copy->config.to;
}

void copy_file_fail(struct copy_file *f, bool is_source, const struct err *why)
{
	if (!f->failed)
		copy_fail(f->copy, is_source, is_source ? f->from : f->to, why);
	f->failed = true;
}

static void ask(struct copy_file *f, bool is_source, struct sftp_request *request,
		sftp_answered *answered)
{
	f->waiting++;
	sftp_client_ask(side(f, is_source), request, answered, f);
}

/* The end of every callback: when nothing is under way any more, on to the next state. */
void copy_file_answered(struct copy_file *f)
{
	assert(f->waiting > 0);
	if (--f->waiting == 0 && (f->state != COPY_COPYING || f->failed))
		advance(f);
}

static void on_plain(struct copy_file *f, bool is_source, const struct sftp_answer *answer)
{
	struct err why = { 0 };

	if (sftp_answer_check(answer, SFTP_TYPE_STATUS, &why) < 0)
		copy_file_fail(f, is_source, &why);
	copy_file_answered(f);
}

static void on_source_status(void *user, const struct sftp_answer *answer)
{
	on_plain(user, true, answer);
}

static void on_status(void *user, const struct sftp_answer *answer)
{
	on_plain(user, false, answer);
}

/* Opening */

static void take_handle(struct copy_file *f, bool is_source, const struct sftp_answer *answer)
{
	struct copy_handle *handle = is_source ? &f->from_handle : &f->to_handle;
	struct err why = { 0 };

	if (sftp_answer_check(answer, SFTP_TYPE_HANDLE, &why) == 0 &&
	    (answer->bytes.len == 0 || answer->bytes.len > SFTP_HANDLE_MAX))
		err_set(&why, ERR_PROTOCOL, "a handle of a length that none has");
	if (why.kind != ERR_NONE) {
		copy_file_fail(f, is_source, &why);
	} else {
		memcpy(handle->bytes, answer->bytes.ptr, answer->bytes.len);
		handle->len = answer->bytes.len;
		f->made |= !is_source && f->part;
	}
	copy_file_answered(f);
}

static void on_source_opened(void *user, const struct sftp_answer *answer)
{
	take_handle(user, true, answer);
}

static void on_opened(void *user, const struct sftp_answer *answer)
{
	take_handle(user, false, answer);
}

struct span copy_file_handle(const struct copy_file *f, bool is_source)
{
	const struct copy_handle *handle = is_source ? &f->from_handle : &f->to_handle;

	return span_of(handle->bytes, handle->len);
}

static uint64_t open_flags(const struct copy_file *f)
{
	const struct copy_options *options = &f->copy->config.options;
	uint64_t flags = SFTP_OPEN_WRITE;

	if (f->copy->config.target_is_stream)
		return flags | SFTP_OPEN_APPEND;
	if (!f->part)
		return flags;
	/* Sums are taken through the same handle. */
	if (options->resume || options->verify)
		flags |= SFTP_OPEN_READ;
	/* What is resumed has a name that can be foreseen: a listing could put a link there. */
	return flags | SFTP_OPEN_CREATE |
	       (options->resume ? SFTP_OPEN_NOFOLLOW : SFTP_OPEN_EXCLUSIVE);
}

static void enter_opening(struct copy_file *f)
{
	struct sftp_request from = {
		.op = SFTP_OPEN,
		.path = span_of_str(f->from),
		.flags = SFTP_OPEN_READ,
	};
	struct sftp_request to = {
		.op = SFTP_OPEN,
		.path = span_of_str(f->part ? f->part : f->to),
		.flags = open_flags(f),
		/* The other side's umask applies. What is resumed must be opened once more. */
		.attrs = { .flags = SFTP_ATTR_MODE,
			   .mode = (f->attrs.mode & 0777) |
				   (f->copy->config.options.resume ? 0600 : 0) },
	};

	ask(f, true, &from, on_source_opened);
	ask(f, false, &to, on_opened);
}

/* Resuming and verifying */

static void on_sized(void *user, const struct sftp_answer *answer)
{
	struct copy_file *f = user;
	struct err why = { 0 };

	if (sftp_answer_check(answer, SFTP_TYPE_ATTRS, &why) < 0)
		copy_file_fail(f, false, &why);
	f->there = answer->attrs.size;
	f->sum_end = f->there;
	copy_file_answered(f);
}

static void enter_sizing(struct copy_file *f)
{
	struct sftp_request request = { .op = SFTP_FSTAT, .handle = copy_file_handle(f, false) };

	ask(f, false, &request, on_sized);
}

/* "check-file", the algorithm, one sum. */
static void take_sum(struct copy_file *f, bool is_source, const struct sftp_answer *answer)
{
	struct err why = { 0 };
	struct span body = answer->body, name;

	if (sftp_answer_check(answer, SFTP_TYPE_EXTENDED_REPLY, &why) == 0 &&
	    (!sftp_cut_string(&body, &name) || !sftp_cut_string(&body, &name) ||
	     body.len != COPY_SUM_LEN))
		err_set(&why, ERR_PROTOCOL, "no sum that can be compared");
	if (why.kind != ERR_NONE)
		copy_file_fail(f, is_source, &why);
	else
		memcpy(f->sums[is_source], body.ptr, COPY_SUM_LEN);
	copy_file_answered(f);
}

static void on_source_sum(void *user, const struct sftp_answer *answer)
{
	take_sum(user, true, answer);
}

static void on_sum(void *user, const struct sftp_answer *answer)
{
	take_sum(user, false, answer);
}

static void enter_sums(struct copy_file *f)
{
	for (int is_source = 0; is_source < 2; is_source++) {
		struct sftp_request request = {
			.op = SFTP_CHECK_FILE_HANDLE,
			.handle = copy_file_handle(f, is_source),
			.text = span_of_str("sha256"),
			.offset = f->sum_at,
			.length = MIN(SUM_STEP, f->sum_end - f->sum_at),
		};

		if (f->sum_at < f->sum_end)
			ask(f, is_source, &request, is_source ? on_source_sum : on_sum);
	}
}

static void enter_truncating(struct copy_file *f)
{
	struct sftp_request request = {
		.op = SFTP_FSETSTAT,
		.handle = copy_file_handle(f, false),
		.attrs = { .flags = SFTP_ATTR_SIZE },
	};

	f->there = 0;
	ask(f, false, &request, on_status);
}

/* The end */

static void enter_setting(struct copy_file *f)
{
	struct sftp_request request = { .op = SFTP_FSETSTAT,
					.handle = copy_file_handle(f, false),
					.attrs = f->attrs };

	if (!f->copy->config.options.preserve || !f->part)
		return;
	request.attrs.flags &= SFTP_ATTR_MODE | SFTP_ATTR_TIMES;
	ask(f, false, &request, on_status);
}

static void enter_closing(struct copy_file *f)
{
	for (int is_source = 0; is_source < 2; is_source++) {
		struct sftp_request request = { .op = SFTP_CLOSE,
						.handle = copy_file_handle(f, is_source) };

		if (request.handle.len > 0)
			ask(f, is_source, &request, is_source ? on_source_status : on_status);
	}
}

static void enter_naming(struct copy_file *f)
{
	struct sftp_request request = { .op = SFTP_POSIX_RENAME,
					.path = span_of_str(f->part),
					.path2 = span_of_str(f->to) };

	ask(f, false, &request, on_status);
}

static void enter_removing(struct copy_file *f)
{
	struct sftp_request request = { .op = SFTP_REMOVE, .path = span_of_str(f->part) };

	ask(f, false, &request, on_status);
}

static void enter_copying(struct copy_file *f)
{
	f->at = f->copied = f->there;
	f->copy->totals.bytes += f->there;
}

static void (*const enter[])(struct copy_file *f) = {
	[COPY_OPENING] = enter_opening, [COPY_SIZING] = enter_sizing,
	[COPY_CHECKING] = enter_sums,	[COPY_TRUNCATING] = enter_truncating,
	[COPY_COPYING] = enter_copying, [COPY_VERIFYING] = enter_sums,
	[COPY_SETTING] = enter_setting, [COPY_CLOSING] = enter_closing,
	[COPY_NAMING] = enter_naming,	[COPY_REMOVING] = enter_removing,
};

/* After two sums: go on with the next range, or with what follows when all are equal. */
static enum copy_state after_sums(struct copy_file *f, enum copy_state equal)
{
	static const struct err differ = { ERR_SYSTEM, 0,
					   "the copy is not what the source has now; try again" };
	uint64_t step = MIN(SUM_STEP, f->sum_end - f->sum_at);

	if (step > 0 && memcmp(f->sums[0], f->sums[1], COPY_SUM_LEN) != 0) {
		if (f->state == COPY_CHECKING)
			return COPY_TRUNCATING;
		copy_file_fail(f, false, &differ);
		return COPY_CLOSING;
	}
	f->sum_at += step;
	return f->sum_at < f->sum_end ? f->state : equal;
}

static enum copy_state after_copying(struct copy_file *f)
{
	f->sum_at = 0;
	f->sum_end = f->copied;
	return f->copy->config.options.verify && f->part ? COPY_VERIFYING : COPY_SETTING;
}

static enum copy_state after_closing(const struct copy_file *f)
{
	if (!f->failed)
		return f->part ? COPY_NAMING : COPY_DONE;
	return f->made && !f->copy->config.options.resume ? COPY_REMOVING : COPY_DONE;
}

static enum copy_state next_state(struct copy_file *f)
{
	if (f->failed && f->state < COPY_CLOSING)
		return COPY_CLOSING;
	switch (f->state) {
	case COPY_OPENING:
		return f->copy->config.options.resume && f->part ? COPY_SIZING : COPY_COPYING;
	case COPY_SIZING:
		return f->there > f->attrs.size ? COPY_TRUNCATING : COPY_CHECKING;
	case COPY_CHECKING:
		return after_sums(f, COPY_COPYING);
	case COPY_TRUNCATING:
		return COPY_COPYING;
	case COPY_COPYING:
		return after_copying(f);
	case COPY_VERIFYING:
		return after_sums(f, COPY_SETTING);
	case COPY_SETTING:
		return COPY_CLOSING;
	case COPY_CLOSING:
		return after_closing(f);
	case COPY_NAMING:
		return f->failed ? COPY_REMOVING : COPY_DONE;
	case COPY_REMOVING:
	case COPY_DONE:
		break;
	}
	return COPY_DONE;
}

static void free_file(struct copy_file *f)
{
	*f->link = f->next;
	if (f->next)
		f->next->link = f->link;
	f->copy->files_len--;
	free(f->from);
	free(f->to);
	free(f->part);
	free(f);
}

static void advance(struct copy_file *f)
{
	do {
		f->state = next_state(f);
		if (f->state == COPY_DONE) {
			if (!f->failed)
				f->copy->totals.files++;
			copy_dir_release(f->copy, f->dir);
			free_file(f);
			return;
		}
		enter[f->state](f);
	} while (f->waiting == 0 && f->state != COPY_COPYING);
}

void copy_file_start(struct copy *copy, struct copy_dir *dir, char *from, char *to,
		     const struct sftp_attrs *attrs)
{
	struct copy_file *f = new_zero(struct copy_file);
	bool direct = copy->config.target_is_stream || (!dir && copy->is_device);

	*f = (struct copy_file){
		.copy = copy,
		.dir = dir,
		.next = copy->files,
		.link = &copy->files,
		.from = from,
		.to = to,
		.part = direct ? NULL : copy_part_path(to, copy->config.options.resume),
		.attrs = *attrs,
		.sequential = copy->config.source_is_stream || attrs->size == 0,
	};
	if (copy->config.source_is_stream)
		f->attrs.mode = S_IFREG | 0666; /* that of a new file, not of a pipe */
	f->end = f->sequential ? UINT64_MAX : attrs->size;
	if (f->next)
		f->next->link = &f->next;
	copy->files = f;
	copy->files_len++;
	copy->totals.bytes_seen += attrs->size;
	if (copy->config.ops->began)
		copy->config.ops->began(copy->config.user, from);
	f->state = COPY_OPENING;
	enter_opening(f);
}

void copy_files_turn(struct copy *copy)
{
	struct copy_file *next;

	for (struct copy_file *f = copy->files; f; f = next) {
		next = f->next;
		if (f->state == COPY_COPYING && copy_data_more(f))
			advance(f);
	}
}

void copy_files_stop(struct copy *copy)
{
	struct copy_file *next;

	for (struct copy_file *f = copy->files; f; f = next) {
		next = f->next;
		f->failed = true;
		if (f->waiting == 0)
			advance(f);
	}
}

void copy_files_free(struct copy *copy)
{
	while (copy->files)
		free_file(copy->files);
}
