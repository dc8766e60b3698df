/* SPDX-License-Identifier: MIT */
/* Settings as text; see config.h. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "controller/config/internal.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

bool config_append_value(struct buf *b, const char *value)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@%+=,-";
	bool is_plain = isalnum((unsigned char)value[0]) || value[0] == '/';
	const char *rest = value;

	/* A colon is harmless where neither a space nor the end follows it, and no number is. */
	if (strncmp(value, "https://", 8) == 0) {
		rest += 8 + strspn(value + 8, plain);
		rest += rest[0] == ':' && rest[1] ? 1 : 0;
	} else if (strncmp(value, "~/", 2) == 0) {
		is_plain = true;
		rest++;
	}
	if (is_plain && rest[strspn(rest, plain)] == '\0' && strcasecmp(value, "null") != 0)
		return buf_printf(b, "%s", value);
	return buf_append_u8(b, '"') && text_append_json(b, value) && buf_append_u8(b, '"');
}

char *config_cut_part(const char **key)
{
	size_t len = strcspn(*key, ".");
	char *part = str_dup_len(*key, len);

	*key = (*key)[len] == '.' ? *key + len + 1 : NULL;
	return part;
}

static bool print_flow(const struct config_texts *texts, struct buf *b)
{
	bool ok = buf_append_u8(b, '[');

	for (size_t i = 0; ok && i < texts->len; i++)
		ok = (i == 0 || buf_append(b, ", ", 2)) &&
		     (strchr(texts->items[i], ',')
			      ? buf_append_u8(b, '"') && text_append_json(b, texts->items[i]) &&
					buf_append_u8(b, '"')
			      : config_append_value(b, texts->items[i]));
	return ok && buf_append(b, "]\n", 2);
}

static bool print_list(const struct config_texts *texts, struct buf *b)
{
	bool ok = true;

	for (size_t i = 0; ok && i < texts->len; i++)
		ok = buf_printf(b, "%s\n", texts->items[i]);
	return ok;
}

/* Values of a list option stand behind each other. */
static bool print_job(const struct config_job *job, const char *indent, struct buf *b)
{
	bool ok = true;

	for (size_t i = 0; ok && i < job->names.len; i++) {
		const char *name = job->names.items[i];
		struct config_texts values = { job->values.items + i, 1 };

		while (i + 1 < job->names.len && strcmp(job->names.items[i + 1], name) == 0) {
			values.len++;
			i++;
		}
		ok = buf_printf(b, "%s%s: ", indent, name) &&
		     (values.len > 1
			      ? print_flow(&values, b)
			      : config_append_value(b, values.items[0]) && buf_append_u8(b, '\n'));
	}
	return ok;
}

bool config_append_relays(struct buf *b, const struct config_relays *relays, const char *indent)
{
	bool ok = true;

	for (size_t i = 0; ok && i < relays->len; i++) {
		const struct config_relay *relay = &relays->items[i];

		ok = buf_printf(b, "%s- url: ", indent) && config_append_value(b, relay->url) &&
		     buf_printf(b, "\n%s  key: ", indent) && config_append_value(b, relay->key) &&
		     buf_append_u8(b, '\n');
		if (ok && relay->token_file)
			ok = buf_printf(b, "%s  token_file: ", indent) &&
			     config_append_value(b, relay->token_file) && buf_append_u8(b, '\n');
		if (ok && relay->token_command.len > 0)
			ok = buf_printf(b, "%s  token_command: ", indent) &&
			     print_flow(&relay->token_command, b);
	}
	return ok;
}

static bool is_set(const struct config_setting *s, const void *member)
{
	switch (s->kind) {
	case CONFIG_TEXT:
		return *(const char *const *)member;
	case CONFIG_DURATION:
		return *(const uint64_t *)member > 0;
	case CONFIG_LIST:
		return ((const struct config_texts *)member)->len > 0;
	case CONFIG_JOB:
		return ((const struct config_job *)member)->names.len > 0;
	case CONFIG_RELAYS:
		return ((const struct config_relays *)member)->len > 0;
	case CONFIG_CONTEXTS:
	case CONFIG_CLUSTERS:
	case CONFIG_DEFAULTS:
		return true;
	}
	return false;
}

static bool print_duration(uint64_t ns, struct buf *b)
{
	return buf_printf(b, "%" PRIu64 "%s\n",
			  ns % NSEC_PER_SEC ? ns / NSEC_PER_MSEC : ns / NSEC_PER_SEC,
			  ns % NSEC_PER_SEC ? "ms" : "s");
}

/* "name: value" of one setting that is set. */
static bool print_setting(const struct config_setting *s, const void *member, const char *indent,
			  struct buf *b)
{
	cleanup_free char *deeper = str_printf("%s  ", indent);

	if (!buf_printf(b, "%s%s:", indent, s->name))
		return false;
	switch (s->kind) {
	case CONFIG_TEXT:
		return buf_append_u8(b, ' ') &&
		       config_append_value(b, *(const char *const *)member) &&
		       buf_append_u8(b, '\n');
	case CONFIG_DURATION:
		return buf_append_u8(b, ' ') && print_duration(*(const uint64_t *)member, b);
	case CONFIG_LIST:
		return buf_append_u8(b, ' ') && print_flow(member, b);
	case CONFIG_JOB:
		return buf_append_u8(b, '\n') && print_job(member, deeper, b);
	case CONFIG_RELAYS:
		return buf_append_u8(b, '\n') && config_append_relays(b, member, deeper);
	case CONFIG_CONTEXTS:
	case CONFIG_CLUSTERS:
	case CONFIG_DEFAULTS:
		break;
	}
	return true;
}

static bool print_place(enum config_place place, const void *target, const char *indent,
			struct buf *b)
{
	bool ok = true;

	for (const struct config_setting *s = config_settings; ok && s->name; s++) {
		const void *member = (const char *)target + s->offset;

		if (s->place == place && is_set(s, member))
			ok = print_setting(s, member, indent, b);
	}
	return ok;
}

int config_print_all(const struct config *config, struct buf *ret, struct err *err)
{
	bool ok = true;

	if (config->context)
		ok = buf_printf(ret, "context: %s\n", config->context);
	if (config->contexts.len > 0)
		ok = ok && buf_printf(ret, "contexts:\n");
	for (size_t i = 0; ok && i < config->contexts.len; i++)
		ok = buf_printf(ret, "  %s:\n", config->contexts.items[i].name) &&
		     print_place(CONFIG_CONTEXT, &config->contexts.items[i], "    ", ret);
	ok = ok && buf_printf(ret, "clusters:\n");
	for (size_t i = 0; ok && i < config->clusters.len; i++)
		ok = buf_printf(ret, "  %s:\n", config->clusters.items[i].name) &&
		     print_place(CONFIG_CLUSTER, &config->clusters.items[i], "    ", ret);
	ok = ok && buf_printf(ret, "defaults:\n") &&
	     print_place(CONFIG_CLUSTER, &config->defaults, "  ", ret);
	return ok ? 0 : err_set(err, ERR_LIMIT, "the configuration is too large to print");
}

static int none(const char *key, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "'%.80s' is not set: 'berth config show' shows what is",
		       key);
}

static int unknown(const char *key, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "'%.80s' is no setting: write it like clusters.NAME.login, as in "
		       "berth-config(5)",
		       key);
}

static int print_option(const struct config_job *job, const char *key, const char *option,
			struct buf *ret, struct err *err)
{
	size_t before = buf_len(ret);

	for (size_t i = 0; i < job->names.len; i++) {
		if (strcmp(job->names.items[i], option) == 0 &&
		    !buf_printf(ret, "%s\n", job->values.items[i]))
			return err_set(err, ERR_LIMIT, "too long");
	}
	return buf_len(ret) > before ? 0 : none(key, err);
}

/* rest: what stands behind the setting's name, or NULL. */
static int print_value(const struct config_setting *s, const void *member, const char *key,
		       const char *rest, struct buf *ret, struct err *err)
{
	bool ok = true;

	if (rest && s->kind == CONFIG_JOB)
		return print_option(member, key, rest, ret, err);
	if (rest)
		return unknown(key, err);
	if (!is_set(s, member))
		return none(key, err);
	if (s->kind == CONFIG_TEXT)
		ok = buf_printf(ret, "%s\n", *(const char *const *)member);
	else if (s->kind == CONFIG_DURATION)
		ok = print_duration(*(const uint64_t *)member, ret);
	else if (s->kind == CONFIG_LIST)
		ok = print_list(member, ret);
	else if (s->kind == CONFIG_JOB)
		ok = print_job(member, "", ret);
	else if (s->kind == CONFIG_RELAYS)
		ok = config_append_relays(ret, member, "");
	return ok ? 0 : err_set(err, ERR_LIMIT, "too long");
}

static int print_in_place(enum config_place place, const void *target, const char *key,
			  const char *rest, struct buf *ret, struct err *err)
{
	const struct config_setting *s;
	cleanup_free char *name = NULL;

	if (!rest)
		return print_place(place, target, "", ret) ? 0
							   : err_set(err, ERR_LIMIT, "too long");
	name = config_cut_part(&rest);
	s = config_find_setting(place, name);
	if (!s)
		return unknown(key, err);
	return print_value(s, (const char *)target + s->offset, key, rest, ret, err);
}

static int print_named(const struct config *config, enum config_kind kind, const char *key,
		       const char *rest, struct buf *ret, struct err *err)
{
	cleanup_free char *name = rest ? config_cut_part(&rest) : NULL;
	const void *found;
	bool ok = true;

	if (kind == CONFIG_CLUSTERS) {
		for (size_t i = 0; !name && ok && i < config->clusters.len; i++)
			ok = buf_printf(ret, "%s\n", config->clusters.items[i].name);
		found = name ? config_find_cluster(config, name) : NULL;
	} else {
		for (size_t i = 0; !name && ok && i < config->contexts.len; i++)
			ok = buf_printf(ret, "%s\n", config->contexts.items[i].name);
		found = name ? config_find_context(config, name) : NULL;
	}
	if (!name)
		return ok ? 0 : err_set(err, ERR_LIMIT, "too long");
	if (!found)
		return none(key, err);
	return print_in_place(kind == CONFIG_CLUSTERS ? CONFIG_CLUSTER : CONFIG_CONTEXT, found, key,
			      rest, ret, err);
}

int config_print(const struct config *config, const char *key, struct buf *ret, struct err *err)
{
	const char *rest = key;
	cleanup_free char *name = config_cut_part(&rest);
	const struct config_setting *s = config_find_setting(CONFIG_TOP, name);

	if (!s)
		return unknown(key, err);
	if (s->kind == CONFIG_CONTEXTS || s->kind == CONFIG_CLUSTERS)
		return print_named(config, s->kind, key, rest, ret, err);
	if (s->kind == CONFIG_DEFAULTS)
		return print_in_place(CONFIG_CLUSTER, &config->defaults, key, rest, ret, err);
	return print_value(s, (const char *)config + s->offset, key, rest, ret, err);
}
