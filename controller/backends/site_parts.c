/* SPDX-License-Identifier: MIT */
/* Parts of files in one message; see site_parts.h. */
#include "site_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/run/remote.h"
#include "init/base/alloc.h"
#include "init/base/log_times.h"
#include "init/base/text.h"

/* Of all parts together. */
#define BYTES_MAX (32 * 1024 * 1024)
#define HEAD_MAX 96

/*
 * p INDEX PATH OFFSET MAX SECOND; the offset is "end" for LOG_END. The notes are words of whoever
 * may write there: what is no number that every shell understands ends them. A file that shrinks
 * while it is printed is filled up.
 */
static const char script_head[] =
	"LC_ALL=C\n"
	"at() { o=$2; while read -r s n\n"
	"do case $s$n in *[!0-9]*) break;; esac\n"
	"case $s:$n in :*|*:|0?*|*:0?*) break;; esac\n"
	"[ ${#s} -lt 18 ] && [ ${#n} -lt 18 ] && [ $s -le $1 ] || break; o=$n; done; echo $o; }\n"
	"p() { f=$2 o=$3\n"
	"if [ $5 -gt 0 ]; then if [ -f \"$f.times\" ]\n"
	"then [ -r \"$f.times\" ] || return\n"
	"t=$(head -c %d \"$f.times\"; echo x); t=${t%%x}; o=$(printf %%s \"$t\" | at $5 $o)\n"
	"printf '%%s n 0 %%s\\n%%s' $1 ${#t} \"$t\"\n"
	"else echo $1 n; fi; fi\n"
	"[ -e \"$f\" ] || { echo $1 p; return; }\n"
	"[ -r \"$f\" ] && n=$(wc -c <\"$f\") || return\n"
	"[ $o != end ] || { o=$((n - $4)); [ $o -ge 0 ] || o=0; }\n"
	"n=$((n - o))\n"
	"[ $n -gt 0 ] || n=0; [ $n -le $4 ] || n=$4\n"
	"echo $1 p $o $n; [ $n -eq 0 ] || {\n"
	"tail -c +$((o + 1)) \"$f\" | head -c $n; head -c $n /dev/zero; } | head -c $n; }\n";

static size_t max_of(const struct site_part *part, size_t len)
{
	return MIN(part->max, (size_t)BYTES_MAX / len);
}

bool site_parts_write(const struct site_part *parts, size_t len, struct buf *script)
{
	bool ok = buf_printf(script, script_head, LOG_TIMES_TEXT_MAX);

	for (size_t i = 0; i < len && ok; i++) {
		ok = buf_printf(script, "p %zu ", i) && remote_quote(script, parts[i].path) &&
		     (parts[i].offset == LOG_END
			      ? buf_printf(script, " end")
			      : buf_printf(script, " %" PRIu64, parts[i].offset)) &&
		     buf_printf(script, " %zu %" PRIu64 "\n", max_of(&parts[i], len),
				parts[i].since);
	}
	return ok;
}

void site_parts_finish(struct site_parts *parts)
{
	for (size_t i = 0; i < parts->len; i++) {
		free(parts->items[i].path);
		buf_wipe(&parts->items[i].bytes);
	}
	free(parts->items);
	*parts = (struct site_parts){ 0 };
}

/* What a line in front of bytes says. */
struct head {
	uint64_t index, offset, len;
	bool is_notes, is_missing;
};

static bool cut_word(char **text, char **ret)
{
	char *space = strchr(*text, ' ');

	*ret = *text;
	*text += strlen(*text);
	if (space) {
		*space = '\0';
		*text = space + 1;
	}
	return **ret != '\0';
}

static bool parse_head(char *line, struct head *ret)
{
	char *index, *kind, *offset, *len;

	*ret = (struct head){ 0 };
	if (!cut_word(&line, &index) || !text_parse_uint(index, SIZE_MAX, &ret->index) ||
	    !cut_word(&line, &kind) || (strcmp(kind, "n") != 0 && strcmp(kind, "p") != 0))
		return false;
	ret->is_notes = kind[0] == 'n';
	ret->is_missing = *line == '\0';
	if (ret->is_missing)
		return true;
	return cut_word(&line, &offset) && text_parse_uint(offset, INT64_MAX, &ret->offset) &&
	       cut_word(&line, &len) && *line == '\0' && text_parse_uint(len, BYTES_MAX, &ret->len);
}

/* 1: one more; 0: the end; -1: not understood. */
static int next_head(struct span *text, struct head *ret)
{
	const uint8_t *newline = text->len ? memchr(text->ptr, '\n', text->len) : NULL;
	char line[HEAD_MAX];
	size_t len;

	if (text->len == 0)
		return 0;
	len = newline ? (size_t)(newline - text->ptr) : text->len;
	if (!newline || len >= sizeof(line) || memchr(text->ptr, '\0', len))
		return -1;
	memcpy(line, text->ptr, len);
	line[len] = '\0';
	span_cut(text, len + 1);
	return parse_head(line, ret) && ret->len <= text->len ? 1 : -1;
}

static void add(struct site_parts *parts, const struct site_part *part, const struct head *head,
		struct span bytes, size_t max)
{
	struct site_parts_item *item;

	parts->items = alloc_grow(parts->items, parts->len + 1, sizeof(*parts->items));
	item = &parts->items[parts->len++];
	*item = (struct site_parts_item){
		.path = str_printf("%s%s", part->path, head->is_notes ? ".times" : ""),
		.offset = part->offset == LOG_END ? LOG_END : head->offset,
		.max = head->is_notes ? LOG_TIMES_TEXT_MAX : max,
		.is_missing = head->is_missing,
		.bytes = BUF_INIT(BYTES_MAX),
	};
	if (!buf_append_span(&item->bytes, bytes))
		item->max = 0; /* as if it were not there */
}

int site_parts_parse(const struct site_part *parts, size_t len, struct span printed,
		     struct site_parts *ret, struct err *err)
{
	cleanup(site_parts_finish) struct site_parts found = { 0 };
	struct head head;
	int more;

	while ((more = next_head(&printed, &head)) > 0 && head.index < len)
		add(&found, &parts[head.index], &head, span_cut(&printed, (size_t)head.len),
		    max_of(&parts[head.index], len));
	if (more != 0)
		return err_set(err, ERR_PROTOCOL, "printed something that is not understood");
	site_parts_finish(ret);
	*ret = found;
	found = (struct site_parts){ 0 };
	return 0;
}

int site_parts_take(struct site_parts *parts, const char *path, uint64_t offset, size_t max,
		    struct buf *ret, struct err *err)
{
	for (size_t i = 0; i < parts->len; i++) {
		struct site_parts_item *item = &parts->items[i];
		struct span bytes = buf_span(&item->bytes);

		if (strcmp(item->path, path) != 0)
			continue;
		if (item->is_missing)
			return err_set(err, ERR_NOT_FOUND, "%s: there was none", path);
		/* It may go on behind what was fetched. */
		if (item->offset != offset || (bytes.len >= item->max && max > item->max))
			continue;
		if (!buf_append_span(ret, span_cut(&bytes, MIN(max, bytes.len))))
			return err_set(err, ERR_INTERNAL, "read %s: no room", path);
		/* Who takes all of it asks next for what has grown. */
		if (max >= item->max)
			item->max = 0;
		return 1;
	}
	return 0;
}
