/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of the implementation by FirecREST share; see firecrest.h. */

#include "controller/files/firecrest.h"
#include "controller/files/s3.h"
#include "controller/firecrest/answer.h"

#define OPS "/filesystem/{system}/ops/"

struct fs_firecrest {
	struct fs base;
	struct firecrest *fc;
	char *account, *home;
	uint64_t wait_ns, refused;
	/* Of the system's description, asked for when it is needed. */
	bool is_described;
	uint64_t direct_max;
	char method[32];   /* of large transfers: "s3", "streamer", "wormhole", or "" */
	bool has_no_trees; /* an archive was refused */
	/* The last file that was read in parts, and what is in it. */
	char *read_path;
	struct buf read_bytes;
};

struct fs_firecrest *fs_firecrest_of(struct fs *fs);

/*
 * The largest file that comes in one answer: servers have a command write it in Base64 (RFC 4648),
 * and take less of any command's output than the largest file that they take.
 */
static inline uint64_t firecrest_fetch_max(uint64_t direct_max)
{
	return (direct_max - 1) / 4 * 3;
}

/* Fills in what it has of the system. */
int fs_firecrest_describe(struct fs_firecrest *f, struct err *err) attr_must_use;

/* The absolute path that an operand means. free() it. */
int fs_firecrest_path(struct fs_firecrest *f, const char *path, char **ret, struct err *err)
	attr_must_use;

/* A body with one path or two; NULL and an error for one that is no UTF-8. */
json_t *fs_firecrest_body(const char *source, const char *target, struct err *err) attr_must_use;

/* A call with a body, whose answer says nothing. Takes the body over; NULL has failed before. */
int fs_firecrest_do(struct fs_firecrest *f, const char *method, const char *path, json_t *body,
		    struct err *err) attr_must_use;

/*
 * firecrest_job.c: a call of /filesystem/{system}/transfer, which starts a job. Takes the body
 * over.
 */
int fs_firecrest_start(struct fs_firecrest *f, const char *path, json_t *body, json_t **ret,
		       struct err *err) attr_must_use;

/* Of the job of such an answer. 1: it ended well; 0: it has not ended; -1: nobody tells. */
#define FS_FIRECREST_BROKE 2 /* it ended otherwise: *err says how */
int fs_firecrest_look(struct fs_firecrest *f, const json_t *started, struct err *err) attr_must_use;

/* Until it ended well. ERR_SYSTEM: otherwise; ERR_TIMEOUT: not in time. */
int fs_firecrest_wait(struct fs_firecrest *f, const json_t *started, struct err *err) attr_must_use;
int fs_firecrest_refuse_wait(const json_t *started, struct err *err);
/* Of a job that said it was done, as the servers' own scripts do also when they failed. */
int fs_firecrest_refuse_end(struct fs_firecrest *f, const json_t *started, struct err *err);
/* Cancels it, if that can be. */
void fs_firecrest_give_up(struct fs_firecrest *f, const json_t *started);

/* Sleeps; each time twice as long. */
#define FS_FIRECREST_LOOK_NS (100 * NSEC_PER_MSEC)
#define FS_FIRECREST_LOOK_MAX_NS (5 * NSEC_PER_SEC)

struct fs_firecrest_pause {
	uint64_t ns, max_ns;
};

void fs_firecrest_pause(struct fs_firecrest_pause *pause);
uint64_t fs_firecrest_now_ns(void);

/* How often others are asked for when URLs have become too old. */
#define FS_FIRECREST_ASKS 3

/*
 * firecrest_store.c: a transfer through the store. fs_firecrest_begin() asks the server to begin,
 * and *ret is kept for a later run; size: of what it gets. fs_firecrest_interrupted(): what an
 * interrupted run began, if it is to be gone on with, or NULL; its URLs may be too old by now,
 * which the store will say. fs_firecrest_end(): what was begun is of no use any more, but to a
 * later run if it is kept.
 */
int fs_firecrest_begin(struct fs_firecrest *f, const char *call, const char *path,
		       const struct fs_transfer *t, const uint64_t *size, json_t **ret,
		       struct err *err) attr_must_use;
json_t *fs_firecrest_interrupted(struct fs_firecrest *f, const struct fs_transfer *t);
void fs_firecrest_end(struct fs_firecrest *f, const struct fs_transfer *t, const json_t *started,
		      bool is_kept);
/* How the server carries it, which may be another way than it was asked for: then NULL. */
const json_t *fs_firecrest_directives(const json_t *started, struct err *err);
/* has_begun: they were good for a part of it. */
int fs_firecrest_refuse_urls(bool has_begun, struct err *err);
uint64_t fs_firecrest_ms_since(uint64_t begin_ns);

/*
 * What is too large to go directly; paths are absolute. A file whose URLs become too old half-way
 * goes once more as a whole, then in pieces (firecrest_pieces.c) of step bytes: parts that are in a
 * store belong to one upload, and end with its URLs. fs_firecrest_upload_whole(): 1: they became
 * too old each time, and *most bytes arrived meanwhile.
 */
int fs_firecrest_upload_whole(struct fs_firecrest *f, const char *path,
			      struct fs_transfer *transfer, uint64_t *most, struct err *err)
	attr_must_use;
int fs_firecrest_upload_pieces(struct fs_firecrest *f, const char *path,
			       struct fs_transfer *transfer, uint64_t step, struct err *err)
	attr_must_use;
int fs_firecrest_upload(struct fs_firecrest *f, const char *path, struct fs_transfer *transfer,
			struct err *err) attr_must_use;
int fs_firecrest_fetch(struct fs_firecrest *f, const char *path, struct fs_transfer *transfer,
		       struct err *err) attr_must_use;

/*
 * firecrest_sum.c: the server's sum of a file, unless the transfer has it, asked for by a thread:
 * until it is told, the client (f->fc) is the thread's.
 */
struct fs_firecrest_asking;

struct fs_firecrest_asking *fs_firecrest_ask_sum(struct fs_firecrest *f, const char *path,
						 struct fs_transfer *transfer) attr_must_use;
bool fs_firecrest_asked_sum(const struct fs_firecrest_asking *asking);
/* Waits for it, and fills in what the transfer has for it. Frees it. */
struct fs_firecrest_asking *fs_firecrest_take_sum(struct fs_firecrest_asking *asking);
DEFINE_CLEANUP(struct fs_firecrest_asking, fs_firecrest_take_sum)

/* Packs or unpacks, both absolute; the directory to unpack in has to be there. */
int fs_firecrest_archive(struct fs_firecrest *f, const char *from, const char *to, bool unpacks,
			 struct err *err) attr_must_use;

/*
 * A file that is read byte by byte: all of it (taken over), or nothing yet, which
 * fs_firecrest_stage() has put where it can be read from.
 */
struct fs_bytes *fs_firecrest_staged(struct fs_firecrest *f, const char *path, struct buf *small)
	attr_must_use;
int fs_firecrest_stage(struct fs_bytes *bytes, struct err *err) attr_must_use;

/* Whether two answers of `ls -R` have the same names, kinds and sizes. */
bool fs_firecrest_is_same_tree(const json_t *a, const json_t *b);

/* firecrest_copy.c, firecrest_read.c, firecrest_move.c, firecrest_tree.c: members of the vtable */
int fs_firecrest_copy(struct fs *fs, const char *from, const char *to,
		      const struct fs_entry *source, struct err *err);
int fs_firecrest_bytes(struct fs *fs, const char *path, const struct fs_entry *source, bool writes,
		       struct fs_bytes **ret, struct err *err);
bool fs_firecrest_get_tree(struct fs *fs, const struct fs_tree *tree);
bool fs_firecrest_put_tree(struct fs *fs, const struct fs_tree *tree);
int fs_firecrest_read(struct fs *fs, const char *path, uint64_t offset, size_t max, struct buf *ret,
		      struct err *err);
int fs_firecrest_get(struct fs *fs, const char *path, struct fs_transfer *transfer,
		     struct err *err);
int fs_firecrest_put(struct fs *fs, const char *path, struct fs_transfer *transfer,
		     struct err *err);
