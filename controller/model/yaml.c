/* SPDX-License-Identifier: MIT */
/* Reading YAML, by libfyaml; see yaml.h. */
#include "yaml.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "init/base/text.h"

/* The first line that libfyaml says; the rest repeats the source. */
static void take_complaint(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	struct yaml *y = user;

	(void)diag;
	if (y->complaint[0] == '\0')
		snprintf(y->complaint, sizeof(y->complaint), "%.*s", (int)MIN(len, (size_t)INT_MAX),
			 text);
}

/* YAML 1.2 section 5.2. libfyaml 0.7 reads a directive that is none for ever. */
static int check_utf8(const char *name, struct span text, struct err *err)
{
	size_t end = text_utf8_len(text), line = 1;

	if (end == text.len)
		return 0;
	for (size_t i = 0; i < end; i++)
		line += text.ptr[i] == '\n';
	return err_set(err, ERR_INVALID, "%s:%zu: is not text in UTF-8: save the file as that",
		       name, line);
}

int yaml_open(struct yaml *y, const char *name, struct span text, struct err *err)
{
	const struct fy_diag_cfg to = {
		.output_fn = take_complaint, .user = y, .level = FYET_ERROR, .module_mask = UINT_MAX
	};
	struct fy_parse_cfg config = { .search_path = "" };

	*y = (struct yaml){ .name = name };
	if (check_utf8(name, text, err) < 0)
		return -1;
	y->diag = fy_diag_create(&to);
	config.diag = y->diag;
	y->parser = fy_parser_create(&config);
	if (!y->parser ||
	    (text.len > 0 && fy_parser_set_string(y->parser, (const char *)text.ptr, text.len) < 0))
		return err_set(err, ERR_INTERNAL, "%s: no parser", name);
	if (text.len == 0) {
		fy_parser_destroy(y->parser);
		y->parser = NULL;
	}
	return 0;
}

static void end_document(struct yaml *y)
{
	if (y->document)
		fy_parse_document_destroy(y->parser, y->document);
	y->document = NULL;
	y->at = NULL;
}

void yaml_close(struct yaml *y)
{
	if (y->parser) {
		end_document(y);
		fy_parser_destroy(y->parser);
	}
	if (y->diag)
		fy_diag_destroy(y->diag);
	y->parser = NULL;
	y->diag = NULL;
}

struct fy_node *yaml_next(struct yaml *y)
{
	struct fy_node *root;

	if (!y->parser)
		return NULL;
	for (;;) {
		end_document(y);
		y->document = fy_parse_load_document(y->parser);
		if (!y->document)
			return NULL;
		root = fy_document_root(y->document);
		if (root && !fy_node_is_null(root))
			return root;
	}
}

int yaml_check_end(struct yaml *y, struct err *err)
{
	char *where, *words;

	if (!y->parser || (!fy_parser_get_stream_error(y->parser) && y->complaint[0] == '\0'))
		return 0;
	/* "<memory-...>:3:1: error: words" without what is not for people. */
	where = strstr(y->complaint, ">:");
	words = strstr(y->complaint, " error: ");
	y->complaint[strcspn(y->complaint, "\n")] = '\0';
	text_make_printable(y->complaint);
	if (!where || !words || words < where)
		return err_set(err, ERR_INVALID, "%s: is no YAML: %s", y->name, y->complaint);
	return err_set(err, ERR_INVALID, "%s%.*s %s", y->name, (int)(words - where - 1), where + 1,
		       words + strlen(" error: "));
}

int yaml_place(const struct yaml *y, const char *key, struct err *err)
{
	struct fy_token *token = y->at ? fy_node_get_scalar_token(y->at) : NULL;
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;

	if (!mark)
		return err_wrap(err, "%s%s%s", y->name, key ? ": " : "", key ? key : "");
	return err_wrap(err, "%s:%d:%d%s%s", y->name, mark->line + 1, mark->column + 1,
			key ? ": " : "", key ? key : "");
}

const char *yaml_text(struct yaml *y, struct fy_node *node, size_t *ret_len, struct err *err)
{
	const char *text;
	size_t len;

	if (!node || !fy_node_is_scalar(node) || fy_node_is_alias(node)) {
		err_set(err, ERR_INVALID,
			node && fy_node_is_alias(node) ? "aliases are not understood: write it out"
						       : "one text or number is needed here");
		return NULL;
	}
	text = fy_node_get_scalar(node, &len);
	if (fy_node_is_null(node) || !text || memchr(text, '\0', len)) {
		err_set(err, ERR_INVALID, "has no value: leave the key out, or write \"\"");
		return NULL;
	}
	y->at = node;
	*ret_len = len;
	return text;
}
