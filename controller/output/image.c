/* SPDX-License-Identifier: MIT */
/* An image of containers; see image.h. */
#include "image.h"

#include <stdio.h>

#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/alloc.h"
#include "init/base/buf.h"
#include "init/base/text.h"

#define LINE_MAX_LEN 65536

static void line(const struct output *output, const char *title, const char *value)
{
	cleanup_free char *text = str_dup(value);

	table_make_safe(text);
	if (text[0])
		fprintf(output->out, "%-13s %s\n", title, text);
}

/* As a shell would read them back. */
static void line_words(const struct output *output, const char *title,
		       const struct oci_words *words, bool quoted)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(LINE_MAX_LEN);
	bool ok = true;

	for (size_t i = 0; i < words->len && ok; i++)
		ok = (i == 0 || buf_append_u8(&text, ' ')) &&
		     (quoted ? text_append_shell(&text, words->items[i])
			     : buf_printf(&text, "%s", words->items[i]));
	line(output, title, buf_str(&text));
}

void output_describe_image(const struct oci_image *image, const struct output *output)
{
	line(output, "Image:", image->name);
	line(output, "Digest:", image->digest);
	line(output, "Platform:", image->platform);
	line_words(output, "Of:", &image->platforms, false);
	line_words(output, "Entrypoint:", &image->entrypoint, true);
	line_words(output, "Command:", &image->command, true);
	line(output, "User:", image->user);
	line(output, "Directory:", image->directory);
	for (size_t i = 0; i < image->env.len; i++)
		line(output, i == 0 ? "Environment:" : "", image->env.items[i]);
}

static json_t *words_value(const struct oci_words *words)
{
	json_t *list = json_array();

	for (size_t i = 0; i < words->len; i++)
		json_array_append_new(list, value_text(words->items[i]));
	return list;
}

json_t *output_image_value(const struct oci_image *image)
{
	json_t *value = json_object();

	json_object_set_new(value, "image", value_text(image->name));
	json_object_set_new(value, "digest", value_text(image->digest));
	json_object_set_new(value, "platform", value_text(image->platform));
	json_object_set_new(value, "platforms", words_value(&image->platforms));
	json_object_set_new(value, "entrypoint", words_value(&image->entrypoint));
	json_object_set_new(value, "command", words_value(&image->command));
	json_object_set_new(value, "env", words_value(&image->env));
	json_object_set_new(value, "user", value_optional(image->user));
	json_object_set_new(value, "directory", value_optional(image->directory));
	return value;
}
