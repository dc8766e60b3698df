/* SPDX-License-Identifier: MIT */
/*
 * Files of the configuration: whatever is written in them, there is an error with a text, or a
 * configuration that can be printed and read again, chosen from, and changed. The first byte says
 * whose file it is.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/config/config.h"

static void use(const struct config *config)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(8 * CONFIG_FILE_MAX);
	cleanup(config_free) struct config *again = config_new();
	static const char *const command[] = { "true", NULL };
	struct spec spec = { .command = command, .workdir = "/" };
	const struct config_context *context;
	const struct config_cluster *cluster;
	struct err err = { 0 };

	if (config_print_all(config, &text, &err) < 0)
		assert(err.kind == ERR_LIMIT);
	else if (buf_len(&text) <= CONFIG_FILE_MAX)
		assert(config_parse(again, "again", buf_span(&text), false, &err) == 0);
	if (config_choose(config, &(struct config_choice){ 0 }, &context, &cluster, &err) == 0 &&
	    config_fill_spec(config, context, cluster, &spec, &err) == 0 &&
	    spec_check(&spec, &err) < 0)
		assert(err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(config_free) struct config *config = config_new();
	cleanup(buf_finish) struct buf edited = BUF_INIT(4 * CONFIG_FILE_MAX);
	static const char *const home[] = { "/a b" }, *const path[] = { "direct" };
	static const char *const relay[] = { "url=https://relay.example.org",
					     "key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
	static const struct config_edit changes[] = {
		{ CONFIG_SET, "clusters.hpc.home", home, 1 },
		{ CONFIG_ADD, "clusters.hpc.paths", path, 1 },
		{ CONFIG_ADD, "clusters.hpc.relays", relay, 2 },
		{ CONFIG_REMOVE, "clusters.hpc.relays", NULL, 0 },
		{ CONFIG_REMOVE, "clusters.hpc.login", NULL, 0 },
	};
	struct span text;
	struct err err = { 0 };

	if (len == 0)
		return 0;
	text = span_of(bytes + 1, len - 1);
	if (config_parse(config, "f", text, bytes[0] & 1, &err) < 0) {
		assert(err.kind != ERR_NONE && err.text[0] != '\0');
		return 0;
	}
	use(config);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		buf_clear(&edited);
		if (config_edit("f", text, &changes[i], &edited, &err) < 0)
			assert(err.text[0] != '\0');
	}
	return 0;
}
