/* SPDX-License-Identifier: MIT */
/*
 * Changes one value in the text of a configuration, and leaves every other byte as it is: libfyaml
 * tells where a value stands, or the mapping that is to get it; see config_edit().
 */
#include <stdio.h>
#include <string.h>

#include "controller/config/edit_value.h"
#include "controller/config/internal.h"
#include "controller/model/yaml.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define EDIT_MAX (2 * CONFIG_FILE_MAX)
#define EDIT_DEPTH 4 /* clusters.NAME.job.OPTION */

struct edit {
	struct yaml *yaml;
	struct span text;
	char *parts[EDIT_DEPTH];
	size_t parts_len;
	struct edit_value what;
	struct buf value; /* as YAML, of what is on one line */
};

static void edit_finish(struct edit *e)
{
	for (size_t i = 0; i < e->parts_len; i++)
		free(e->parts[i]);
	edit_value_finish(&e->what);
	buf_finish(&e->value);
}
DEFINE_CLEANUP_VALUE(struct edit, edit_finish)

static int split(struct edit *e, const char *key, struct err *err)
{
	const char *rest = key;

	while (rest && e->parts_len < EDIT_DEPTH)
		e->parts[e->parts_len++] = config_cut_part(&rest);
	for (size_t i = 0; i < e->parts_len; i++) {
		if (config_check_name(e->parts[i], NULL) < 0)
			rest = key;
	}
	return rest ? err_set(err, ERR_INVALID,
			      "'%.80s' is no setting: write it like clusters.NAME.login", key)
		    : 0;
}

static bool append_item(struct buf *b, const char *value)
{
	if (!strchr(value, ','))
		return config_append_value(b, value);
	return buf_append_u8(b, '"') && text_append_json(b, value) && buf_append_u8(b, '"');
}

static int render(struct edit *e, struct err *err)
{
	const struct config_texts *texts = &e->what.texts;
	bool is_list = e->what.is_list || texts->len > 1;
	bool ok = !is_list || buf_append_u8(&e->value, '[');

	for (size_t i = 0; ok && i < texts->len; i++)
		ok = (i == 0 || buf_append(&e->value, ", ", 2)) &&
		     (is_list ? append_item(&e->value, texts->items[i])
			      : config_append_value(&e->value, texts->items[i]));
	if (!ok || (is_list && !buf_append_u8(&e->value, ']')))
		return err_set(err, ERR_LIMIT, "the value is too long");
	return 0;
}

/* A list below its key, which stands at this column. */
static bool render_block(const struct edit *e, size_t column, struct buf *put)
{
	cleanup_free char *indent = str_printf("%*s", (int)column + 2, "");
	bool ok = true;

	if (e->what.is_relays)
		return config_append_relays(put, &e->what.relays, indent);
	for (size_t i = 0; ok && i < e->what.texts.len; i++)
		ok = buf_printf(put, "%s- ", indent) && append_item(put, e->what.texts.items[i]) &&
		     buf_append_u8(put, '\n');
	return ok;
}

static int by_hand(const struct edit *e, const char *why, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "%s: %s: change it with an editor", e->yaml->name,
		       why);
}

/* What stands in the place of [from, to). */
static int splice(const struct edit *e, size_t from, size_t to, struct buf *put, struct buf *ret,
		  struct err *err)
{
	if (from > to || to > e->text.len)
		return by_hand(e, "its layout is not understood", err);
	if (!buf_append(ret, e->text.ptr, from) || !buf_append_span(ret, buf_span(put)) ||
	    !buf_append(ret, e->text.ptr + to, e->text.len - to))
		return err_set(err, ERR_LIMIT, "%s: too large", e->yaml->name);
	return 0;
}

static struct fy_node_pair *find_pair(struct fy_node *mapping, const char *key)
{
	struct fy_node_pair *pair;
	void *iterator = NULL;

	while ((pair = fy_node_mapping_iterate(mapping, &iterator))) {
		size_t len = 0;
		const char *text = fy_node_get_scalar(fy_node_pair_key(pair), &len);

		if (text && len == strlen(key) && memcmp(text, key, len) == 0)
			return pair;
	}
	return NULL;
}

/* The line after the one that this byte is in. */
static size_t next_line(const struct edit *e, size_t at)
{
	const uint8_t *newline = memchr(e->text.ptr + at, '\n', e->text.len - at);

	return newline ? (size_t)(newline - e->text.ptr) + 1 : e->text.len;
}

/* The parts from `from` on, each below the one before, as lines. */
static int render_lines(const struct edit *e, size_t from, size_t indent, struct buf *put,
			struct err *err)
{
	bool is_block = e->what.is_relays, ok = true;

	for (size_t i = from; ok && i < e->parts_len; i++, indent += 2)
		ok = buf_printf(put, "%*s%s:%s", (int)indent, "", e->parts[i],
				i + 1 < e->parts_len || is_block ? "\n" : " ");
	if (is_block)
		ok = ok && render_block(e, indent - 2, put);
	else
		ok = ok && buf_append_span(put, buf_span(&e->value)) && buf_append_u8(put, '\n');
	return ok ? 0 : err_set(err, ERR_LIMIT, "%s: too large", e->yaml->name);
}

static bool ends_line(const struct edit *e, size_t at)
{
	return at == 0 || e->text.ptr[at - 1] == '\n';
}

/* Puts what is missing below a mapping's key, before what it has; or at the end of the file. */
static int add(const struct edit *e, size_t from, const struct fy_mark *parent,
	       struct fy_node *mapping, struct buf *ret, struct err *err)
{
	struct fy_node_pair *first = mapping ? fy_node_mapping_get_by_index(mapping, 0) : NULL;
	struct fy_token *token = first ? fy_node_get_scalar_token(fy_node_pair_key(first)) : NULL;
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
	cleanup(buf_finish) struct buf put = BUF_INIT(EDIT_MAX);
	size_t at = e->text.len, indent = 0;

	if (mapping && fy_node_get_style(mapping) == FYNS_FLOW)
		return by_hand(e, "the value stands in braces", err);
	if (parent) {
		at = next_line(e, parent->input_pos);
		indent = mark ? (size_t)mark->column : (size_t)parent->column + 2;
	} else if (mark) {
		indent = (size_t)mark->column;
	}
	if (!ends_line(e, at) && !buf_append_u8(&put, '\n'))
		return -1;
	if (render_lines(e, from, indent, &put, err) < 0)
		return -1;
	return splice(e, at, at, &put, ret, err);
}

static int replace(struct edit *e, struct fy_node *node, struct buf *ret, struct err *err)
{
	struct fy_token *token = fy_node_is_scalar(node) ? fy_node_get_scalar_token(node) : NULL;
	const struct fy_mark *start = token ? fy_token_start_mark(token) : NULL;
	const struct fy_mark *end = token ? fy_token_end_mark(token) : NULL;
	enum fy_node_style style = fy_node_get_style(node);
	size_t from, to;

	if (!start || !end ||
	    (style != FYNS_PLAIN && style != FYNS_SINGLE_QUOTED && style != FYNS_DOUBLE_QUOTED))
		return by_hand(e, "the value is more than one word on a line", err);
	from = start->input_pos;
	to = end->input_pos;
	/* Marks of quoted texts stand inside of the quotes in some versions. */
	if (style != FYNS_PLAIN && from > 0 &&
	    (e->text.ptr[from - 1] == '"' || e->text.ptr[from - 1] == '\'') &&
	    e->text.ptr[from] != e->text.ptr[from - 1])
		from--;
	if (style != FYNS_PLAIN && to < e->text.len &&
	    (e->text.ptr[to] == '"' || e->text.ptr[to] == '\'') &&
	    e->text.ptr[to] == e->text.ptr[from])
		to++;
	return splice(e, from, to, &e->value, ret, err);
}

/* Whether the line at this byte belongs to the value of a key at this column, or may (blank). */
static int is_inside(const struct edit *e, size_t at, size_t column)
{
	const char *line = (const char *)e->text.ptr + at;
	size_t len = next_line(e, at) - at, indent = 0;

	while (indent < len && line[indent] == ' ')
		indent++;
	if (indent == len || strchr("#\r\n", line[indent]))
		return 0;
	if (indent > column)
		return 1;
	/* Items may stand at the column of their key. */
	return indent == column && line[indent] == '-' && indent + 1 < len &&
			       strchr(" \r\n", line[indent + 1])
		       ? 1
		       : -1;
}

/* The end of a key's last line; comments and blank lines after it belong to what follows. */
static size_t block_end(const struct edit *e, const struct fy_mark *key)
{
	size_t end = next_line(e, key->input_pos);

	for (size_t at = end; at < e->text.len;) {
		int inside = is_inside(e, at, (size_t)key->column);

		if (inside < 0)
			break;
		at = next_line(e, at);
		if (inside > 0)
			end = at;
	}
	return end;
}

/* Where what stands behind a key begins: after its colon. */
static size_t after_key(const struct edit *e, const struct fy_mark *key)
{
	size_t at = key->input_pos, end = next_line(e, at);

	while (at < end && e->text.ptr[at] != ':')
		at++;
	return at < end ? at + 1 : end;
}

/* A value of several lines becomes one in the same way: below its key, or behind it. */
static int replace_lines(struct edit *e, const struct fy_mark *key, struct buf *ret,
			 struct err *err)
{
	cleanup(buf_finish) struct buf put = BUF_INIT(EDIT_MAX);
	size_t from = after_key(e, key), to = block_end(e, key), begin = from;
	bool is_below;

	while (begin < to && e->text.ptr[begin] == ' ')
		begin++;
	is_below = begin < to && strchr("#\r\n", e->text.ptr[begin]);
	if (is_below)
		from = next_line(e, from);
	if (is_below || e->what.is_relays) {
		if ((!is_below && !buf_append_u8(&put, '\n')) ||
		    !render_block(e, (size_t)key->column, &put))
			return err_set(err, ERR_LIMIT, "%s: too large", e->yaml->name);
	} else if (!buf_append_u8(&put, ' ') || !buf_append_span(&put, buf_span(&e->value)) ||
		   !buf_append_u8(&put, '\n')) {
		return err_set(err, ERR_LIMIT, "%s: too large", e->yaml->name);
	}
	return splice(e, from, to, &put, ret, err);
}

/* A list on one line, [a, b]: from its bracket to the other. */
static int replace_flow(struct edit *e, const struct fy_mark *key, struct buf *ret, struct err *err)
{
	size_t end = next_line(e, key->input_pos), from = key->input_pos, to;

	while (from < end && e->text.ptr[from] != '[')
		from++;
	for (to = end; to > from && e->text.ptr[to - 1] != ']';)
		to--;
	if (from >= to || memchr(e->text.ptr + from, '#', to - from))
		return replace_lines(e, key, ret, err);
	return splice(e, from, to, &e->value, ret, err);
}

/* A key and what it has: its lines go. */
static int remove_lines(struct edit *e, const struct fy_mark *key, struct buf *ret, struct err *err)
{
	cleanup(buf_finish) struct buf nothing = BUF_INIT(1);
	size_t from = key->input_pos;

	while (from > 0 && e->text.ptr[from - 1] == ' ')
		from--;
	if (!ends_line(e, from))
		return by_hand(e, "the value stands in braces", err);
	return splice(e, from, block_end(e, key), &nothing, ret, err);
}

static int put(struct edit *e, const struct fy_mark *key, struct fy_node *node, struct buf *ret,
	       struct err *err)
{
	if (e->what.is_relays)
		return replace_lines(e, key, ret, err);
	if (node && fy_node_is_sequence(node))
		return replace_flow(e, key, ret, err);
	if (!node || fy_node_is_null(node) || !fy_node_is_scalar(node))
		return by_hand(e, "the key has no value yet", err);
	return replace(e, node, ret, err);
}

/*
 * Whether a mapping without this key is left out with it; the name of a cluster or a context says
 * something without any.
 */
static bool goes_with(const struct edit *e, size_t part, struct fy_node *mapping)
{
	return part > 0 && fy_node_mapping_item_count(mapping) == 1 &&
	       !(part == 2 && strcmp(e->parts[0], "defaults") != 0);
}

static int edit(struct edit *e, struct fy_node *root, struct buf *ret, struct err *err)
{
	const struct fy_mark *parent = NULL, *gone = NULL;
	struct fy_node *node = root;

	for (size_t i = 0; i < e->parts_len; i++) {
		struct fy_node_pair *pair;
		const struct fy_mark *key;

		if (node && fy_node_is_scalar(node) && fy_node_is_null(node))
			node = NULL;
		if (node && !fy_node_is_mapping(node))
			return by_hand(e, "a mapping is needed there", err);
		pair = node ? find_pair(node, e->parts[i]) : NULL;
		if (!pair && e->what.is_gone)
			return err_set(err, ERR_NOT_FOUND, "%s does not say it", e->yaml->name);
		if (!pair)
			return add(e, i, parent, node, ret, err);
		key = fy_token_start_mark(fy_node_get_scalar_token(fy_node_pair_key(pair)));
		if (!gone || !goes_with(e, i, node))
			gone = key;
		parent = key;
		node = fy_node_pair_value(pair);
	}
	return e->what.is_gone ? remove_lines(e, gone, ret, err) : put(e, parent, node, ret, err);
}

/* Whether the file says now what it was to say; durations may be written otherwise. */
static bool has_value(const struct edit *e, const struct config *config, const char *key)
{
	cleanup(buf_finish) struct buf said = BUF_INIT(EDIT_MAX), wanted = BUF_INIT(EDIT_MAX);
	const char *last = e->parts[e->parts_len - 1];
	bool ok = true;

	if (e->what.is_gone)
		return config_print(config, key, &said, NULL) < 0 || buf_len(&said) == 0;
	if (e->what.is_relays)
		ok = config_append_relays(&wanted, &e->what.relays, "");
	for (size_t i = 0; ok && i < e->what.texts.len; i++)
		ok = buf_printf(&wanted, "%s\n", e->what.texts.items[i]);
	if (!ok || config_print(config, key, &said, NULL) < 0)
		return false;
	return strcmp(buf_str(&said), buf_str(&wanted)) == 0 || strcmp(last, "detach_timeout") == 0;
}

int config_edit(const char *file, struct span text, const struct config_edit *change,
		struct buf *ret, struct err *err)
{
	cleanup(config_free) struct config *before = config_new(), *after = config_new();
	cleanup(yaml_close) struct yaml y = { 0 };
	cleanup(edit_finish) struct edit e = { .yaml = &y,
					       .text = text,
					       .value = BUF_INIT(EDIT_MAX) };
	struct fy_node *root;

	/* A file that is wrong already is not made worse. */
	if (config_parse(before, file, text, false, err) < 0 || split(&e, change->key, err) < 0 ||
	    edit_value_make(before, (const char *const *)e.parts, e.parts_len, change, &e.what,
			    err) < 0 ||
	    render(&e, err) < 0 || yaml_open(&y, file, text, err) < 0)
		return -1;
	root = yaml_next(&y);
	if (edit(&e, root, ret, err) < 0)
		return -1;
	if (config_parse(after, file, buf_span(ret), false, err) < 0)
		return -1;
	return has_value(&e, after, change->key) ? 0
						 : by_hand(&e, "another line says otherwise", err);
}
