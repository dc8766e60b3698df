/* SPDX-License-Identifier: MIT */
/*
 * A template is first cut into tokens: standalone lines, delimiters and the ends of sections are
 * settled then. Rendering walks the tokens with a stack of values.
 */
#include "controller/model/mustache.h"

#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"

#define DELIMITER_MAX 16
#define NAME_MAX_LEN 128
#define STEPS_MAX 1000000 /* partials that say themselves twice would go on for years */

struct token {
	char kind; /* 0: text; else as in the tag; '&' also for {{{ }}} , 'v' for a variable */
	const char *text; /* the text, or the name */
	size_t len;
	const char *indent; /* of a partial on a line of its own */
	size_t indent_len;
	size_t end; /* of a section: the token that closes it */
};

struct tokens {
	struct token *items;
	size_t len, size;
};

static void tokens_finish(struct tokens *tokens)
{
	free(tokens->items);
}
DEFINE_CLEANUP_VALUE(struct tokens, tokens_finish)

/* Cuts one template. */
struct cutter {
	const char *begin, *at, *end;
	char open[DELIMITER_MAX], close[DELIMITER_MAX];
	size_t sections[MUSTACHE_DEPTH_MAX], depth;
	struct tokens *tokens;
};

/* A tag, with what is around it. */
struct tag {
	char kind;
	const char *name;
	size_t len;
	const char *before; /* where it begins, or its line if it is standalone */
	const char *after;  /* where it ends, or the next line begins */
	const char *opening;
};

struct walk {
	const struct mustache *mustache;
	const json_t *stack[2 * MUSTACHE_DEPTH_MAX];
	size_t depth;
	size_t partials, steps;
	struct buf *ret;
	struct err *err;
};

static int fail(const struct cutter *c, const char *at, const char *what, struct err *err)
{
	size_t line = 1;

	for (const char *p = c->begin; p < at; p++)
		line += *p == '\n';
	return err_set(err, ERR_INVALID, "line %zu of the template: %s", line, what);
}

static int add(struct cutter *c, struct token token, struct err *err)
{
	struct tokens *t = c->tokens;

	if (t->len == MUSTACHE_TAGS_MAX)
		return err_set(err, ERR_LIMIT, "the template has more than %d tags",
			       MUSTACHE_TAGS_MAX);
	if (t->len == t->size) {
		t->size = MAX(2 * t->size, (size_t)16);
		t->items = alloc_grow(t->items, t->size, sizeof(*t->items));
	}
	t->items[t->len++] = token;
	return 0;
}

static int add_text(struct cutter *c, const char *text, const char *end, struct err *err)
{
	if (end == text)
		return 0;
	return add(c, (struct token){ .text = text, .len = (size_t)(end - text) }, err);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void trim(const char **text, size_t *len)
{
	while (*len > 0 && is_space(**text)) {
		(*text)++;
		(*len)--;
	}
	while (*len > 0 && is_space((*text)[*len - 1]))
		(*len)--;
}

/* A tag that makes no text takes its whole line with it when there is nothing else on that. */
static void take_line(const struct cutter *c, struct tag *tag)
{
	const char *before = tag->before, *after = tag->after;

	while (before > c->begin && (before[-1] == ' ' || before[-1] == '\t'))
		before--;
	while (after < c->end && (*after == ' ' || *after == '\t'))
		after++;
	if ((before > c->begin && before[-1] != '\n') ||
	    (after < c->end && *after != '\n' &&
	     !(*after == '\r' && after + 1 < c->end && after[1] == '\n')))
		return;
	if (after < c->end)
		after += *after == '\r' ? 2 : 1;
	tag->before = before;
	tag->after = after;
}

/* "=| |=" */
static int take_delimiters(struct cutter *c, const struct tag *tag, struct err *err)
{
	const char *name = tag->name;
	size_t open = 0, close, gap;

	while (open < tag->len && !is_space(name[open]))
		open++;
	for (gap = open; gap < tag->len && is_space(name[gap]);)
		gap++;
	close = tag->len - gap;
	for (size_t i = gap; i < tag->len; i++) {
		if (is_space(name[i]) || name[i] == '=')
			close = 0;
	}
	if (open == 0 || close == 0 || open >= DELIMITER_MAX || close >= DELIMITER_MAX ||
	    memchr(name, '=', open))
		return fail(c, tag->opening, "delimiters are two words, as in {{=<% %>=}}", err);
	memcpy(c->open, name, open);
	c->open[open] = '\0';
	memcpy(c->close, name + gap, close);
	c->close[close] = '\0';
	return 0;
}

static const char *find(const char *from, const char *end, const char *what)
{
	return memmem(from, (size_t)(end - from), what, strlen(what));
}

/* 1: *ret is the next tag; 0: there is none any more. */
static int next_tag(struct cutter *c, struct tag *ret, struct err *err)
{
	const char *open = find(c->at, c->end, c->open), *inside, *close;
	char ending[DELIMITER_MAX + 2];

	if (!open)
		return 0;
	*ret = (struct tag){ .kind = 'v', .before = open, .opening = open };
	inside = open + strlen(c->open);
	snprintf(ending, sizeof(ending), "%s", c->close);
	if (inside < c->end && *inside && strchr("#^/!>=&{", *inside)) {
		ret->kind = *inside++;
		if (ret->kind == '=')
			snprintf(ending, sizeof(ending), "=%s", c->close);
		else if (ret->kind == '{')
			snprintf(ending, sizeof(ending), "}%s", c->close);
	}
	close = find(inside, c->end, ending);
	if (!close)
		return fail(c, open, "a tag does not end", err);
	ret->name = inside;
	ret->len = (size_t)(close - inside);
	ret->after = close + strlen(ending);
	trim(&ret->name, &ret->len);
	if (ret->kind == '{')
		ret->kind = '&';
	if (strchr("#^/!>=", ret->kind))
		take_line(c, ret);
	if (ret->kind != '!' && ret->kind != '=' && (ret->len == 0 || ret->len > NAME_MAX_LEN))
		return fail(c, open, "a tag has no name, or too long a one", err);
	return 1;
}

static int open_section(struct cutter *c, const struct tag *tag, struct err *err)
{
	if (c->depth == MUSTACHE_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "sections of the template nest deeper than %d",
			       MUSTACHE_DEPTH_MAX);
	c->sections[c->depth++] = c->tokens->len;
	return add(c, (struct token){ .kind = tag->kind, .text = tag->name, .len = tag->len }, err);
}

static int close_section(struct cutter *c, const struct tag *tag, struct err *err)
{
	struct token *section;

	if (c->depth == 0)
		return fail(c, tag->opening, "a section ends that did not begin", err);
	section = &c->tokens->items[c->sections[--c->depth]];
	if (section->len != tag->len || memcmp(section->text, tag->name, tag->len) != 0)
		return fail(c, tag->opening, "another section ends than began last", err);
	section->end = c->tokens->len;
	return 0;
}

static int take_tag(struct cutter *c, const struct tag *tag, struct err *err)
{
	struct token token = { .kind = tag->kind, .text = tag->name, .len = tag->len };

	switch (tag->kind) {
	case '!':
		return 0;
	case '=':
		return take_delimiters(c, tag, err);
	case '#':
	case '^':
		return open_section(c, tag, err);
	case '/':
		return close_section(c, tag, err);
	case '>':
		token.indent = tag->before;
		token.indent_len = (size_t)(tag->opening - tag->before);
		return add(c, token, err);
	default:
		return add(c, token, err);
	}
}

static int cut(struct span template, struct tokens *ret, struct err *err)
{
	const char *text = (const char *)template.ptr;
	struct cutter c = { .begin = text ? text : "", .tokens = ret, .open = "{{", .close = "}}" };
	struct tag tag;
	int found;

	c.at = c.begin;
	c.end = c.begin + template.len;
	while ((found = next_tag(&c, &tag, err)) == 1) {
		if (add_text(&c, c.at, tag.before, err) < 0 || take_tag(&c, &tag, err) < 0)
			return -1;
		c.at = tag.after;
	}
	if (found < 0)
		return -1;
	if (c.depth > 0)
		return fail(&c, ret->items[c.sections[c.depth - 1]].text, "a section does not end",
			    err);
	return add_text(&c, c.at, c.end, err);
}

/* The first part of a.b.c is looked for in all values around, the others in what was found. */
static const json_t *look_up(const struct walk *w, const struct token *token)
{
	char name[NAME_MAX_LEN + 1];
	const json_t *value = NULL;
	char *part = name, *dot;

	memcpy(name, token->text, token->len);
	name[token->len] = '\0';
	if (strcmp(name, ".") == 0)
		return w->stack[w->depth - 1];
	dot = strchr(part, '.');
	if (dot)
		*dot = '\0';
	for (size_t i = w->depth; i-- > 0 && !value;)
		value = json_object_get(w->stack[i], part);
	while (dot && value) {
		part = dot + 1;
		dot = strchr(part, '.');
		if (dot)
			*dot = '\0';
		value = json_object_get(value, part);
	}
	return value;
}

static bool is_true(const json_t *value)
{
	if (json_is_array(value))
		return json_array_size(value) > 0;
	if (json_is_string(value))
		return json_string_length(value) > 0;
	return value && !json_is_null(value) && !json_is_false(value);
}

static int too_long(const struct walk *w)
{
	return err_set(w->err, ERR_LIMIT, "what the template gives is too long");
}

static int add_value(struct walk *w, const struct token *token)
{
	const json_t *value = look_up(w, token);
	char number[64];
	const char *text = number;

	if (json_is_string(value))
		text = json_string_value(value);
	else if (json_is_integer(value))
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else if (json_is_real(value))
		snprintf(number, sizeof(number), "%.15g", json_real_value(value));
	else if (json_is_boolean(value))
		text = json_is_true(value) ? "true" : "false";
	else
		return 0;
	if (token->kind == '&' ? buf_append(w->ret, text, strlen(text))
			       : w->mustache->escape(w->ret, text))
		return 0;
	return too_long(w);
}

static int walk(struct walk *w, const struct tokens *tokens, size_t from, size_t to);

static int walk_with(struct walk *w, const json_t *value, const struct tokens *tokens, size_t from,
		     size_t to)
{
	int result;

	if (w->depth == ARRAY_LEN(w->stack))
		return err_set(w->err, ERR_LIMIT, "the template nests too deep");
	w->stack[w->depth++] = value;
	result = walk(w, tokens, from, to);
	w->depth--;
	return result;
}

static int walk_section(struct walk *w, const struct tokens *tokens, size_t i)
{
	const struct token *section = &tokens->items[i];
	const json_t *value = look_up(w, section);

	if (section->kind == '^')
		return is_true(value) ? 0 : walk(w, tokens, i + 1, section->end);
	if (!is_true(value))
		return 0;
	if (!json_is_array(value))
		return walk_with(w, value, tokens, i + 1, section->end);
	for (size_t item = 0; item < json_array_size(value); item++) {
		if (walk_with(w, json_array_get(value, item), tokens, i + 1, section->end) < 0)
			return -1;
	}
	return 0;
}

/* Each line of a partial gets the indentation of its tag, before it is read. */
static bool indent(const struct token *token, const char *text, struct buf *ret)
{
	bool ok = true;

	while (ok && *text) {
		size_t len = strcspn(text, "\n");

		len += text[len] == '\n';
		ok = buf_append(ret, token->indent, token->indent_len) &&
		     buf_append(ret, text, len);
		text += len;
	}
	return ok;
}

static int walk_partial(struct walk *w, const struct token *token)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(w->ret->max);
	cleanup(tokens_finish) struct tokens tokens = { 0 };
	char name[NAME_MAX_LEN + 1];
	const char *partial;
	int result;

	memcpy(name, token->text, token->len);
	name[token->len] = '\0';
	partial = json_string_value(json_object_get(w->mustache->partials, name));
	if (!partial)
		return 0;
	if (w->partials == MUSTACHE_DEPTH_MAX)
		return err_set(w->err, ERR_LIMIT, "partials of the template nest deeper than %d",
			       MUSTACHE_DEPTH_MAX);
	if (!indent(token, partial, &text))
		return too_long(w);
	if (cut(buf_span(&text), &tokens, w->err) < 0)
		return err_wrap(w->err, "partial '%s'", name);
	w->partials++;
	result = walk(w, &tokens, 0, tokens.len);
	w->partials--;
	return result;
}

static int walk(struct walk *w, const struct tokens *tokens, size_t from, size_t to)
{
	int result = 0;

	for (size_t i = from; i < to && result == 0; i++) {
		const struct token *token = &tokens->items[i];

		if (++w->steps > STEPS_MAX)
			return too_long(w);
		if (token->kind == '#' || token->kind == '^') {
			result = walk_section(w, tokens, i);
			i = token->end - 1;
		} else if (token->kind == '>') {
			result = walk_partial(w, token);
		} else if (token->kind != '\0') {
			result = add_value(w, token);
		} else if (!buf_append(w->ret, token->text, token->len)) {
			result = too_long(w);
		}
	}
	return result;
}

int mustache_render(const struct mustache *mustache, struct span template, struct buf *ret,
		    struct err *err)
{
	cleanup(tokens_finish) struct tokens tokens = { 0 };
	struct walk w = { .mustache = mustache, .ret = ret, .err = err };

	if (cut(template, &tokens, err) < 0)
		return -1;
	w.stack[w.depth++] = mustache->values;
	return walk(&w, &tokens, 0, tokens.len);
}
