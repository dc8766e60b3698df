/* SPDX-License-Identifier: MIT */
/* A list that is kept; see watch.h. */
#include "watch.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "controller/backends/kube/pod_state.h"
#include "init/base/log.h"
#include "init/base/text.h"

/* The server ends a watch then by itself, which is how it notices who is gone. */
#define LASTS_S 300
#define PAUSE_MS 250
#define GONE 410

struct kube_watch {
	struct kube *kube;
	char *path, *selector;
	json_t *items;
	char *version; /* NULL: the list has to be read */
	struct http_stream *stream;
	struct buf line; /* the beginning of an event */
	uint64_t not_before_ms;
	unsigned int pause_ms; /* of the last failure; 0: all is well */
};

struct kube_watch *kube_watch_new(struct kube *kube, const char *path, const char *selector)
{
	struct kube_watch *watch = new_zero(struct kube_watch);

	watch->kube = kube;
	watch->path = str_dup(path);
	watch->selector = selector ? str_dup(selector) : NULL;
	watch->items = json_object();
	watch->line = BUF_INIT(KUBE_EVENT_MAX);
	return watch;
}

struct kube_watch *kube_watch_free(struct kube_watch *watch)
{
	if (watch) {
		http_stream_close(watch->stream);
		free(watch->path);
		free(watch->selector);
		json_decref(watch->items);
		free(watch->version);
		buf_finish(&watch->line);
		free(watch);
	}
	return NULL;
}

json_t *kube_watch_items(const struct kube_watch *watch)
{
	return watch->items;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_ms(uint64_t ms)
{
	nanosleep(&(struct timespec){ .tv_sec = (time_t)(ms / 1000),
				      .tv_nsec = (long)(ms % 1000) * 1000000 },
		  NULL);
}

/* Not before a pause that doubles with each failure, nor before the server wants it. */
static void put_off(struct kube_watch *watch, uint64_t server_ms)
{
	watch->stream = http_stream_close(watch->stream);
	buf_clear(&watch->line);
	watch->pause_ms =
		watch->pause_ms ? MIN(2 * watch->pause_ms, KUBE_WATCH_PAUSE_MAX_MS) : PAUSE_MS;
	watch->not_before_ms = now_ms() + MAX((uint64_t)watch->pause_ms, server_ms);
}

static void begin_anew(struct kube_watch *watch)
{
	watch->stream = http_stream_close(watch->stream);
	buf_clear(&watch->line);
	free(watch->version);
	watch->version = NULL;
}

static const char *key_of(const json_t *item)
{
	return kube_text(json_object_get(item, "metadata"), "uid");
}

static int read_list(struct kube_watch *watch, struct err *err)
{
	cleanup(json_release) json_t *list = NULL;
	cleanup_free char *version = NULL;
	json_t *item;
	size_t i;

	if (kube_list_at(watch->kube, watch->path, watch->selector, &list, &version, err) < 0)
		return -1;
	json_object_clear(watch->items);
	json_array_foreach(list, i, item)
		json_object_set(watch->items, key_of(item), item);
	watch->version = take_ptr(version);
	return 1;
}

static char *watch_path(const struct kube_watch *watch)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64 * 1024);
	bool ok = buf_printf(&b, "%s?watch=true&allowWatchBookmarks=true&timeoutSeconds=%d",
			     watch->path, LASTS_S) &&
		  buf_printf(&b, "&resourceVersion=") && text_append_percent(&b, watch->version);

	if (watch->selector)
		ok = ok && buf_printf(&b, "&labelSelector=") &&
		     text_append_percent(&b, watch->selector);
	return ok ? buf_take_str(&b) : NULL;
}

/* 0: it is open, or will be later. */
static int open_stream(struct kube_watch *watch, struct err *err)
{
	cleanup_free char *path = watch_path(watch);
	uint64_t later_ms = 0;
	struct err why = { 0 };

	if (!path)
		return err_set(err, ERR_PROTOCOL, "the API server's version is too long");
	if (kube_stream(watch->kube, path, &watch->stream, &later_ms, &why) == 0)
		return 0;
	if (why.kind == ERR_UNAVAILABLE && later_ms == KUBE_TOO_OLD) {
		begin_anew(watch);
		return 0;
	}
	/* What will not be otherwise later is for the user. */
	if (why.kind == ERR_DENIED || why.kind == ERR_INVALID || why.kind == ERR_NOT_FOUND)
		return err_set(err, why.kind, "%s", why.text);
	log_info("kubernetes: watching: %s", why.text);
	put_off(watch, later_ms);
	return 0;
}

int kube_watch_apply(struct span line, json_t *items, char **version, struct err *err)
{
	cleanup(json_release) json_t *event = NULL;
	const char *type, *seen;
	json_t *item;

	if (json_parse(line, KUBE_EVENT_MAX, &event, err) < 0) {
		if (err)
			err->kind = ERR_PROTOCOL;
		return err_wrap(err, "an event");
	}
	type = kube_text(event, "type");
	item = json_object_get(event, "object");
	if (strcmp(type, "ERROR") == 0) {
		bool is_old = json_integer_value(json_object_get(item, "code")) == GONE;
		cleanup_free char *words = str_dup(kube_text(item, "message"));

		text_make_printable(words);
		return err_set(err, is_old ? ERR_UNAVAILABLE : ERR_PROTOCOL, "%.200s", words);
	}
	seen = kube_text(json_object_get(item, "metadata"), "resourceVersion");
	if (seen[0] != '\0') {
		free(*version);
		*version = str_dup(seen);
	}
	if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
		return json_object_set(items, key_of(item), item) == 0;
	if (strcmp(type, "DELETED") == 0)
		return json_object_del(items, key_of(item)) == 0;
	return 0; /* a bookmark, or what is not known yet */
}

/* The events that are there in full. 1: something changed; -1: this watch is over. */
static int take_lines(struct kube_watch *watch, struct buf *bytes)
{
	int changed = 0;

	while (buf_len(bytes) > 0) {
		struct span all = buf_span(bytes);
		const uint8_t *end = memchr(all.ptr, '\n', all.len);
		size_t len = end ? (size_t)(end - all.ptr) + 1 : all.len;
		struct err why;
		int result;

		if (!buf_append(&watch->line, all.ptr, len)) {
			log_warn("kubernetes: an event is larger than %zu bytes", KUBE_EVENT_MAX);
			begin_anew(watch);
			return -1;
		}
		buf_consume(bytes, len);
		if (!end)
			break;
		result = kube_watch_apply(buf_span(&watch->line), watch->items, &watch->version,
					  &why);
		buf_clear(&watch->line);
		if (result < 0) {
			log_info("kubernetes: watching: %s", why.text);
			if (why.kind == ERR_UNAVAILABLE)
				begin_anew(watch);
			else
				put_off(watch, 0);
			return -1;
		}
		watch->pause_ms = 0;
		changed |= result;
	}
	return changed;
}

/* 1: something changed; 0: nothing, or the watch is over. */
static int read_stream(struct kube_watch *watch, unsigned int wait_ms)
{
	struct buf *bytes = NULL;
	struct err why;
	int got = http_stream_read(watch->stream, wait_ms, &bytes, &why), changed;

	if (got < 0) {
		log_info("kubernetes: watching: %s", why.text);
		put_off(watch, 0);
		return 0;
	}
	if (got == 0)
		return 0;
	changed = take_lines(watch, bytes);
	if (changed >= 0 && http_stream_has_ended(watch->stream))
		put_off(watch, 0);
	return changed > 0;
}

int kube_watch_update(struct kube_watch *watch, unsigned int wait_ms, struct err *err)
{
	uint64_t now = now_ms();

	if (!watch->version)
		return read_list(watch, err);
	if (!watch->stream && watch->not_before_ms > now) {
		uint64_t left = watch->not_before_ms - now;

		sleep_ms(MIN(left, (uint64_t)wait_ms));
		if (left > wait_ms)
			return 0;
	}
	if (!watch->stream && open_stream(watch, err) < 0)
		return -1;
	return watch->stream ? read_stream(watch, wait_ms) : 0;
}
