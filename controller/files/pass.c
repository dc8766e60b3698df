/* SPDX-License-Identifier: MIT */
/* Files between two places; see pass.h. */
#include "pass.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/files/journal.h"
#include "init/base/alloc.h"

/* As many as there are parts on their way (http.h), each as large as a round trip is worth. */
#define WINDOWS 8
#define WINDOW_SIZE ((size_t)4 * 1024 * 1024)

/* Bytes that were read, of which the rest is wanted soon. */
struct window {
	uint8_t *room;
	uint64_t offset, used; /* used: when, in reads */
	size_t len;
};

struct ahead {
	struct fs_bytes base;
	struct fs_bytes *below;
	uint64_t size, reads;
	struct window windows[WINDOWS];
};

static bool has(const struct window *w, uint64_t offset)
{
	return offset >= w->offset && offset - w->offset < w->len;
}

/* The one that has it, else the one whose end it is at, else the one that waits longest. */
static struct window *choose(struct ahead *a, uint64_t offset)
{
	struct window *oldest = &a->windows[0], *before = NULL;

	for (size_t i = 0; i < WINDOWS; i++) {
		struct window *w = &a->windows[i];

		if (has(w, offset))
			return w;
		if (w->len > 0 && offset == w->offset + w->len)
			before = w;
		if (w->used < oldest->used)
			oldest = w;
	}
	return before ? before : oldest;
}

static int fill(struct ahead *a, struct window *w, uint64_t offset, struct err *err)
{
	if (offset >= a->size)
		return err_set(err, ERR_SYSTEM, "became shorter while it was read");
	if (!w->room)
		w->room = new_array(uint8_t, WINDOW_SIZE);
	w->offset = offset;
	w->len = (size_t)MIN(a->size - offset, (uint64_t)WINDOW_SIZE);
	if (a->below->ops->read(a->below, offset, w->room, w->len, err) == 0)
		return 0;
	w->len = 0;
	return -1;
}

static int read_ahead(struct fs_bytes *bytes, uint64_t offset, void *room, size_t len,
		      struct err *err)
{
	struct ahead *a = (struct ahead *)(void *)bytes;
	uint8_t *to = room;

	while (len > 0) {
		struct window *w = choose(a, offset);
		size_t step;

		if (!has(w, offset) && fill(a, w, offset, err) < 0)
			return -1;
		w->used = ++a->reads;
		step = (size_t)MIN(w->offset + w->len - offset, (uint64_t)len);
		memcpy(to, w->room + (offset - w->offset), step);
		to += step;
		offset += step;
		len -= step;
	}
	return 0;
}

static void close_ahead(struct fs_bytes *bytes)
{
	struct ahead *a = (struct ahead *)(void *)bytes;

	fs_bytes_close(a->below);
	for (size_t i = 0; i < WINDOWS; i++)
		free(a->windows[i].room);
	free(a);
}

static const struct fs_bytes_ops ahead_ops = { read_ahead, NULL, NULL, NULL, close_ahead };

struct fs_bytes *pass_ahead(struct fs_bytes *bytes, uint64_t size)
{
	struct ahead *a = new_zero(struct ahead);

	a->base = (struct fs_bytes){ .ops = &ahead_ops, .name = bytes->name };
	a->below = bytes;
	a->size = size;
	return &a->base;
}

struct pass {
	const struct fs_copy *plan;
	struct fs *from, *to;
	const char *source, *target;
	const struct fs_entry *entry; /* of the source */
	struct fs_transfer transfer;  /* without an end of its own */
};

/* What both places say of it; name: of the copy, which may have another yet. */
static int compare(struct pass *p, const char *name, struct err *err)
{
	struct fs_transfer *t = &p->transfer;
	bool must = p->plan->verify || t->doubt == FS_DOUBTFUL;
	struct err why = { 0 };
	int result = 0;

	if (!must && t->doubt == FS_SURE)
		return 0;
	if (!t->has_no_sum && !t->there[0])
		result = fs_checksum(p->to, name, t->there, &why);
	if (result == 0 && !t->has_no_sum && !t->here[0])
		result = fs_checksum(p->from, p->source, t->here, &why);
	if (!must && (t->has_no_sum || (result < 0 && fs_is_no_sum(&why))))
		return fs_check_size(p->to, name, t->size, err);
	if (result < 0 || t->has_no_sum)
		return err_set(err, t->has_no_sum ? ERR_UNSUPPORTED : why.kind, "checksum: %s",
			       why.text[0] ? why.text : "one of both places makes none");
	if (strcmp(t->here, t->there) != 0)
		return err_set(err, ERR_PROTOCOL,
			       "the copy is not what the source is: did it change meanwhile?");
	return 0;
}

/* Into a place that takes whole files, from where they can be read. */
static int put(struct pass *p, struct err *err)
{
	cleanup(fs_bytes_close) struct fs_bytes *bytes = NULL;

	if (p->from->ops->bytes(p->from, p->source, p->entry, false, &bytes, err) < 0)
		return -1;
	bytes = pass_ahead(bytes, p->entry->size);
	p->transfer.bytes = bytes;
	if (p->to->ops->put(p->to, p->target, &p->transfer, err) < 0 ||
	    compare(p, p->target, err) < 0)
		return -1;
	return p->plan->preserve ? fs_chmod(p->to, p->target, p->entry->mode & 0777, err) : 0;
}

/* Out of a place that gives whole files, to where they can be written. */
static int get(struct pass *p, struct err *err)
{
	cleanup(fs_bytes_close) struct fs_bytes *bytes = NULL;
	struct fs_transfer *t = &p->transfer;

	if (p->to->ops->bytes(p->to, p->target, p->entry, true, &bytes, err) < 0)
		return -1;
	t->bytes = bytes;
	if (p->from->ops->get(p->from, p->source, t, err) < 0)
		return -1;
	/* It is the source's sum that this side asked for. */
	memcpy(t->here, t->there, sizeof(t->here));
	t->there[0] = '\0';
	if (bytes->ops->flush(bytes, p->plan->preserve ? p->entry : NULL, err) < 0 ||
	    compare(p, bytes->name, err) < 0)
		return -1;
	return bytes->ops->finish(bytes, err);
}

/* What is kept of a transfer to a server that can be gone on with, or ended. */
static int open_journal(const struct pass *p, struct journal **ret, struct err *err)
{
	cleanup_free char *here =
		str_printf("%s:%s", p->from->name ? p->from->name : "", p->source);
	const struct journal_id id = { .place = p->to->name,
				       .there = p->target,
				       .here = here,
				       .size = p->entry->size,
				       .mtime_s = p->entry->mtime_s };

	return p->plan->journals ? journal_open(p->plan->journals, &id, ret, err) : 0;
}

int pass_file(const struct fs_copy *plan, const char *from, const char *to,
	      const struct fs_entry *source, struct err *err)
{
	struct pass p = { .plan = plan,
			  .from = plan->from,
			  .to = plan->to,
			  .source = from,
			  .target = to,
			  .entry = source };
	cleanup(journal_close) struct journal *journal = NULL;
	int result;

	p.transfer = (struct fs_transfer){ .fd = -1,
					   .size = source->size,
					   .keeps = plan->resume,
					   .moved = plan->ops->moved,
					   .user = plan->user };
	if (!p.from->ops->bytes || (!p.to->ops->put && !p.to->ops->bytes))
		return err_set(err, ERR_UNSUPPORTED, "there is no way between these places");
	if (!p.to->ops->put)
		return plan->resume ? err_set(err, ERR_UNSUPPORTED,
					      "--resume: what comes from FirecREST is gone on with "
					      "on this machine only: copy it here first")
				    : get(&p, err);
	if (open_journal(&p, &journal, err) < 0)
		return -1;
	p.transfer.journal = journal;
	result = put(&p, err);
	if (journal && (result == 0 || !plan->resume))
		journal_drop(journal);
	return result;
}
