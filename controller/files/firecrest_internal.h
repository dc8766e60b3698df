/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of the implementation by FirecREST share; see firecrest.h. */

#include "controller/files/firecrest.h"
#include "controller/firecrest/answer.h"

#define OPS "/filesystem/{system}/ops/"

struct fs_firecrest {
	struct fs base;
	struct firecrest *fc;
	char *account, *home;
	uint64_t wait_ns;
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

/* firecrest_store.c: what is too large to go directly; paths are absolute. */
int fs_firecrest_upload(struct fs_firecrest *f, const char *path, struct fs_transfer *transfer,
			struct err *err) attr_must_use;
int fs_firecrest_fetch(struct fs_firecrest *f, const char *path, struct fs_transfer *transfer,
		       struct err *err) attr_must_use;

/* Packs or unpacks, both absolute; the directory to unpack in has to be there. */
int fs_firecrest_archive(struct fs_firecrest *f, const char *from, const char *to, bool unpacks,
			 struct err *err) attr_must_use;

/* firecrest_read.c, firecrest_move.c, firecrest_tree.c: members of the vtable */
bool fs_firecrest_get_tree(struct fs *fs, const struct fs_tree *tree);
bool fs_firecrest_put_tree(struct fs *fs, const struct fs_tree *tree);
int fs_firecrest_read(struct fs *fs, const char *path, uint64_t offset, size_t max, struct buf *ret,
		      struct err *err);
int fs_firecrest_get(struct fs *fs, const char *path, struct fs_transfer *transfer,
		     struct err *err);
int fs_firecrest_put(struct fs *fs, const char *path, struct fs_transfer *transfer,
		     struct err *err);
