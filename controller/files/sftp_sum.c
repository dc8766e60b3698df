/* SPDX-License-Identifier: MIT */
/* Checksums and archives of what is behind SFTP; see sftp.h. */
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/files/sftp_internal.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define READS 64 /* under way at once */
#define COMPLAINT_MAX 240
#define PART_SUFFIX ".berth-part"

/* Asking the server */

struct sum {
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct err why;
};

/* "check-file", "sha256", the sum: draft-ietf-secsh-filexfer-extensions-00 section 3. */
static void on_sum(void *user, const struct sftp_answer *answer)
{
	struct sum *sum = user;
	struct span body = answer->body, word;

	if (sftp_answer_check(answer, SFTP_TYPE_EXTENDED_REPLY, &sum->why) < 0)
		return;
	if (!sftp_cut_string(&body, &word) || !sftp_cut_string(&body, &word) ||
	    body.len != sizeof(sum->digest))
		err_set(&sum->why, ERR_PROTOCOL, "the answer is no sum");
	else
		memcpy(sum->digest, body.ptr, sizeof(sum->digest));
}

/* Reading it, where the server knows no sums */

struct reading {
	struct fs_sftp *s;
	struct buf handle;
	uint64_t at;
	SHA2_CTX hash;
	uint8_t *bytes; /* READS * READ_MAX */
	struct piece {
		struct reading *reading;
		size_t len;
	} pieces[READS];
	struct err why;
};

static void on_piece(void *user, const struct sftp_answer *answer)
{
	struct piece *piece = user;
	struct reading *r = piece->reading;

	piece->len = 0;
	if (answer->type == SFTP_TYPE_STATUS && answer->code == SFTP_STATUS_EOF)
		return;
	if (sftp_answer_check(answer, SFTP_TYPE_DATA, &r->why) < 0)
		return;
	if (answer->bytes.len > READ_MAX) {
		err_set(&r->why, ERR_PROTOCOL, "more bytes than were asked for");
		return;
	}
	piece->len = answer->bytes.len;
	memcpy(r->bytes + (size_t)(piece - r->pieces) * READ_MAX, answer->bytes.ptr, piece->len);
}

/* 1: there may be more; 0: that was the end. Behind a piece that is short, all is asked again. */
static int hash_some(struct reading *r, struct err *err)
{
	for (size_t i = 0; i < READS; i++) {
		struct sftp_request request = { .op = SFTP_READ,
						.handle = buf_span(&r->handle),
						.offset = r->at + i * READ_MAX,
						.length = READ_MAX };

		r->pieces[i].reading = r;
		sftp_client_ask(&r->s->client, &request, on_piece, &r->pieces[i]);
	}
	if (fs_sftp_wait(r->s, err) < 0)
		return -1;
	if (r->why.kind != ERR_NONE)
		return err_set(err, r->why.kind, "%s", r->why.text);
	for (size_t i = 0; i < READS; i++) {
		SHA256Update(&r->hash, r->bytes + i * READ_MAX, r->pieces[i].len);
		r->at += r->pieces[i].len;
		if (r->pieces[i].len < READ_MAX)
			return r->pieces[i].len > 0 || i > 0;
	}
	return 1;
}

static int hash_by_reading(struct fs_sftp *s, const char *path, uint8_t *digest, struct err *err)
{
	struct sftp_request open = { .op = SFTP_OPEN, .flags = SFTP_OPEN_READ };
	cleanup_free struct reading *r = new_zero(struct reading);
	cleanup_free uint8_t *bytes = new_array(uint8_t, READS * READ_MAX);
	int result = fs_sftp_open_handle(s, &open, path, &r->handle, err);

	r->s = s;
	r->bytes = bytes;
	SHA256Init(&r->hash);
	if (result == 0) {
		do
			result = hash_some(r, err);
		while (result > 0);
	}
	SHA256Final(digest, &r->hash);
	fs_sftp_close_handle(s, &r->handle);
	return result;
}

int fs_sftp_checksum(struct fs *fs, const char *path, char ret[FS_DIGEST_SIZE], struct err *err)
{
	struct fs_sftp *s = fs_sftp_of(fs);
	struct sftp_request request = { .op = SFTP_CHECK_FILE_NAME, .text = span_of_str("sha256") };
	cleanup_free char *there = NULL;
	struct sum sum = { 0 };

	if (fs_sftp_expand(s, path, &there, err) < 0)
		return -1;
	request.path = span_of_str(there);
	sftp_client_ask(&s->client, &request, on_sum, &sum);
	if (fs_sftp_wait(s, err) < 0)
		return -1;
	if (sum.why.kind == ERR_UNSUPPORTED) {
		if (hash_by_reading(s, there, sum.digest, err) < 0)
			return -1;
	} else if (sum.why.kind != ERR_NONE) {
		return err_set(err, sum.why.kind, "%s", sum.why.text);
	}
	text_hex(span_of(sum.digest, sizeof(sum.digest)), ret, FS_DIGEST_SIZE);
	return 0;
}

/* Archives */

static int run_tar(struct fs_sftp *s, const char *const *argv, struct err *err)
{
	const struct child_plan plan = { .argv = argv };
	cleanup(child_finish) struct child child = { 0 };
	char why[COMPLAINT_MAX];

	if ((s->runner ? s->runner->run(s->runner->owner, argv, &child, err)
		       : child_run(&plan, &child, err)) < 0)
		return -1;
	if (child.status == 0)
		return 0;
	child_complaint(&child, why, sizeof(why));
	text_make_printable(why);
	if (child.status == 127)
		return err_set(err, ERR_UNSUPPORTED, "there is no tar there: %s", why);
	return err_set(err, ERR_SYSTEM, "tar: %s", why[0] ? why : "failed");
}

/* It gets its name when it is complete. */
static int pack(struct fs *fs, const char *from, const char *to, struct err *err)
{
	cleanup_free char *part = str_printf("%s" PART_SUFFIX, to), *dir = str_dup(from);
	char *name = strrchr(dir, '/');
	const char *const argv[] = { "tar", "-czf",   part, "-C", name == dir ? "/" : dir,
				     "--",  name + 1, NULL };

	if (name[1] == '\0')
		return err_set(err, ERR_INVALID, "all of it goes into no archive");
	*name = '\0';
	if (run_tar(fs_sftp_of(fs), argv, err) == 0 && fs->ops->rename(fs, part, to, err) == 0)
		return 0;
	fs->ops->remove(fs, part, false, NULL);
	return -1;
}

static int unpack(struct fs *fs, const char *from, const char *to, struct err *err)
{
	cleanup_free char *dir = NULL;
	const char *argv[] = { "tar", "-xzf", from, "-C", NULL, NULL };

	if (fs_make_dir(fs, to, true, err) < 0 || fs->ops->resolve(fs, to, &dir, err) < 0)
		return -1;
	argv[4] = dir;
	return run_tar(fs_sftp_of(fs), argv, err);
}

/* Absolute paths: a colon or dash in front would mean something to tar. */
int fs_sftp_archive(struct fs *fs, const struct fs_archive *archive, struct err *err)
{
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	cleanup_free char *from = NULL, *to = NULL;

	if (fs->ops->stat(fs, archive->from, archive->unpacks, &entry, err) < 0 ||
	    fs_resolve_link(fs, archive->from, &from, err) < 0)
		return -1;
	if (archive->unpacks)
		return unpack(fs, from, archive->to, err);
	if (fs_resolve_link(fs, archive->to, &to, err) < 0)
		return -1;
	return pack(fs, from, to, err);
}
