/* SPDX-License-Identifier: MIT */
/* Large files from FirecREST, through its S3 store; see firecrest.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/files/firecrest_internal.h"
#include "controller/files/hashing.h"
#include "controller/files/journal.h"
#include "init/base/alloc.h"
#include "init/base/log.h"

/* The store is asked often, as that costs nobody's quota; the scheduler seldom. */
#define STORE_NS (50 * NSEC_PER_MSEC)
#define STORE_MAX_NS (1 * NSEC_PER_SEC)
#define LOOK_FIRST_NS (3 * NSEC_PER_SEC)
#define LOOK_LAST_NS (30 * NSEC_PER_SEC)

/* A file on its way here, over however many objects it takes. */
struct fetching {
	struct fs_firecrest *f;
	const char *path;
	struct fs_transfer *transfer;
	bool *has;    /* of each range */
	size_t front; /* so many from the first on */
	struct hashing *hashing;
	struct fs_firecrest_asking *asking;
};

static void fetching_finish(struct fetching *g)
{
	hashing_free(g->hashing);
	fs_firecrest_take_sum(g->asking);
	free(g->has);
}
DEFINE_CLEANUP_VALUE(struct fetching, fetching_finish)

/*
 * The object appears when the server's job has carried it, all at once. The store is asked for it,
 * and the server now and then whether that job still lives.
 */
static int await(const struct fetching *g, const json_t *started, struct s3_object *object,
		 struct err *err)
{
	struct fs_firecrest_pause pause = { .ns = STORE_NS, .max_ns = STORE_MAX_NS };
	uint64_t begun = fs_firecrest_now_ns(), next_look = LOOK_FIRST_NS, step = LOOK_FIRST_NS;
	bool has_ended = false;

	for (;;) {
		int there = s3_look(object, err);
		uint64_t passed = fs_firecrest_now_ns() - begun;

		/* What the store says of an object that has to be there, the download will tell. */
		if (there != 0 || has_ended) {
			log_info("the server's job has put it into the store after %" PRIu64 " ms",
				 passed / NSEC_PER_MSEC);
			return there < 0 ? -1 : 0;
		}
		if (passed >= g->f->wait_ns)
			return fs_firecrest_refuse_wait(started, err);
		if (passed >= next_look && (!g->asking || fs_firecrest_asked_sum(g->asking))) {
			int looked = fs_firecrest_look(g->f, started, err);

			if (looked < 0 || looked == FS_FIRECREST_BROKE)
				return -1;
			has_ended = looked > 0;
			step = MIN(step * 2, LOOK_LAST_NS);
			next_look = passed + step;
		}
		if (!has_ended)
			fs_firecrest_pause(&pause);
	}
}

/* Ranges that are in the file already. */
static bool *recall_ranges(const struct fs_transfer *t)
{
	size_t len = s3_ranges(t->size), recalled = 0;
	bool *has = new_array(bool, len);
	struct stat st;

	for (size_t i = 0; t->journal && fstat(t->fd, &st) == 0 && i < len; i++) {
		has[i] = journal_etag(t->journal, i) &&
			 (uint64_t)st.st_size >= MIN(t->size, (i + 1) * S3_RANGE);
		recalled += has[i];
	}
	if (recalled > 0)
		log_info("%zu of %zu ranges are there already", recalled, len);
	return has;
}

/* The ranges that came of an object whose URL is too old are those of the next one as well. */
static int restart(const struct fetching *g, json_t **ret, struct err *err)
{
	const struct fs_transfer *t = g->transfer;

	if (fs_firecrest_begin(g->f, "download", g->path, t, NULL, ret, err) < 0)
		return -1;
	for (size_t i = 0; t->journal && i < s3_ranges(t->size); i++) {
		if (g->has[i])
			journal_note(t->journal, i, "");
	}
	return 0;
}

/* What is there without a gap may be summed up. */
static void sum_more(struct fetching *g)
{
	size_t len = s3_ranges(g->transfer->size);

	while (g->front < len && g->has[g->front])
		g->front++;
	if (g->hashing)
		hashing_allow(g->hashing, MIN(g->front * S3_RANGE, g->transfer->size));
}

static void range_arrived(void *keeper, size_t index, const char *etag)
{
	struct fetching *g = keeper;

	if (g->transfer->journal)
		journal_note(g->transfer->journal, index, etag);
	sum_more(g);
}

static int write_there(void *writer, uint64_t offset, struct span bytes, struct err *err)
{
	return fs_transfer_write(writer, offset, bytes, err);
}

/* 1: the URL is of no use any more. */
static int fetch_once(struct fetching *g, bool is_first, struct err *err)
{
	struct fs_transfer *t = g->transfer;
	cleanup(json_release) json_t *started = is_first ? fs_firecrest_interrupted(g->f, t) : NULL;
	cleanup(s3_close) struct s3_object *object = NULL;
	struct s3_download download = { .write = write_there,
					.writer = t,
					.size = t->size,
					.has = g->has,
					.watch = { .moved = t->moved,
						   .user = t->user,
						   .arrived = range_arrived,
						   .keeper = g } };
	const json_t *how;
	uint64_t begun;
	int result;

	if (!started && restart(g, &started, err) < 0)
		return -1;
	how = fs_firecrest_directives(started, err);
	if (!how || s3_open(firecrest_text(how, "downloadUrl"), &object, err) < 0)
		return -1;
	if (!g->asking)
		g->asking = fs_firecrest_ask_sum(g->f, g->path, t);
	if (await(g, started, object, err) < 0) {
		g->asking = fs_firecrest_take_sum(g->asking);
		fs_firecrest_end(g->f, t, started, t->keeps && err->kind != ERR_SYSTEM);
		return -1;
	}
	download.object = object;
	begun = fs_firecrest_now_ns();
	result = s3_download(&download, err);
	if (result == 0)
		log_info("it came here after %" PRIu64 " ms", fs_firecrest_ms_since(begun));
	return result;
}

static size_t count_ranges(const struct fetching *g)
{
	size_t count = 0;

	for (size_t i = 0; i < s3_ranges(g->transfer->size); i++)
		count += g->has[i];
	return count;
}

int fs_firecrest_fetch(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
		       struct err *err)
{
	cleanup(fetching_finish) struct fetching g = { .f = f, .path = path, .transfer = t };
	struct err why = { 0 };
	bool is_first = true;
	int result = 1;

	t->doubt = FS_LIKELY;
	g.has = recall_ranges(t);
	if (!t->bytes)
		g.hashing = hashing_begin(t->fd, t->size);
	sum_more(&g);
	for (int asks = 0; result > 0 && asks < FS_FIRECREST_ASKS; asks++) {
		size_t there = count_ranges(&g);

		result = fetch_once(&g, is_first, &why);
		/* The client is ours again, for other URLs: as long as each brings something. */
		if (result > 0)
			g.asking = fs_firecrest_take_sum(g.asking);
		if (count_ranges(&g) > there)
			asks = 0;
		is_first = false;
	}
	if (result > 0)
		return fs_firecrest_refuse_urls(false, err);
	if (result < 0)
		return err_set(err, why.kind, "%s", why.text);
	g.asking = fs_firecrest_take_sum(g.asking);
	return t->there[0] && g.hashing ? hashing_end(g.hashing, t->here, err) : 0;
}

/* Byte by byte, for another place */

struct staged {
	struct fs_bytes base;
	struct fs_firecrest *f;
	struct fs_transfer transfer; /* what is known of it */
	struct buf small;	     /* all of a small file */
	struct s3_object *object;    /* a large one */
	json_t *started;
};

static struct staged *staged_of(struct fs_bytes *bytes)
{
	return (struct staged *)(void *)bytes;
}

/* Has the server put it into its store, once more if it has before. */
static int stage(struct staged *s, struct err *err)
{
	struct fetching g = { .f = s->f, .path = s->base.name, .transfer = &s->transfer };
	const json_t *how;

	s->object = s3_close(s->object);
	json_decref(take_ptr(s->started));
	if (fs_firecrest_begin(s->f, "download", g.path, &s->transfer, NULL, &s->started, err) < 0)
		return -1;
	how = fs_firecrest_directives(s->started, err);
	if (!how || s3_open(firecrest_text(how, "downloadUrl"), &s->object, err) < 0)
		return -1;
	if (await(&g, s->started, s->object, err) == 0)
		return 0;
	fs_firecrest_end(s->f, &s->transfer, s->started, false);
	return -1;
}

static int read_staged(struct fs_bytes *bytes, uint64_t offset, void *room, size_t len,
		       struct err *err)
{
	struct staged *s = staged_of(bytes);
	int result = 1;

	if (!s->object) {
		if (offset + len > buf_len(&s->small))
			return err_set(err, ERR_SYSTEM, "became shorter while it was read");
		memcpy(room, buf_span(&s->small).ptr + offset, len);
		return 0;
	}
	for (int asks = 0; result > 0 && asks < FS_FIRECREST_ASKS; asks++) {
		if (asks > 0 && stage(s, err) < 0)
			return -1;
		result = s3_read(s->object, offset, room, len, err);
	}
	return result > 0 ? fs_firecrest_refuse_urls(false, err) : result;
}

static void close_staged(struct fs_bytes *bytes)
{
	struct staged *s = staged_of(bytes);

	s3_close(s->object);
	json_decref(s->started);
	buf_finish(&s->small);
	free(bytes->name);
	free(s);
}

static const struct fs_bytes_ops staged_ops = { read_staged, NULL, NULL, NULL, close_staged };

struct fs_bytes *fs_firecrest_staged(struct fs_firecrest *f, const char *path, struct buf *small)
{
	struct staged *s = new_zero(struct staged);

	s->base = (struct fs_bytes){ .ops = &staged_ops, .name = str_dup(path) };
	s->f = f;
	s->small = *small;
	*small = (struct buf){ 0 };
	return &s->base;
}

int fs_firecrest_stage(struct fs_bytes *bytes, struct err *err)
{
	return stage(staged_of(bytes), err);
}
