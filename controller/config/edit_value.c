/* SPDX-License-Identifier: MIT */
/* What a value is to be after a change; see edit_value.h. */
#include "edit_value.h"

#include <string.h>

#include "controller/config/internal.h"
#include "controller/model/spec_file.h"
#include "init/base/alloc.h"

void edit_value_finish(struct edit_value *v)
{
	config_texts_finish(&v->texts);
	config_relays_finish(&v->relays);
	*v = (struct edit_value){ 0 };
}

static enum config_kind kind_of(const char *const *parts, size_t len)
{
	const struct config_setting *s = NULL;
	const struct spec_option *option = NULL;

	if (len == 2 && strcmp(parts[0], "defaults") == 0)
		s = config_find_setting(CONFIG_CLUSTER, parts[1]);
	else if (len == 3 && strcmp(parts[0], "clusters") == 0)
		s = config_find_setting(CONFIG_CLUSTER, parts[2]);
	else if (len >= 3 && strcmp(parts[len - 2], "job") == 0)
		option = spec_find_option(parts[len - 1]);
	if (option)
		return option->type == OPT_TYPE_LIST ? CONFIG_LIST : CONFIG_TEXT;
	return s ? s->kind : CONFIG_TEXT;
}

static size_t find_text(const struct config_texts *texts, const char *text)
{
	size_t i = 0;

	while (i < texts->len && strcmp(texts->items[i], text) != 0)
		i++;
	return i;
}

/* What the file says now, one value a line. */
static void read_texts(const struct config *before, const char *key, struct config_texts *ret)
{
	cleanup(buf_finish) struct buf said = BUF_INIT(CONFIG_FILE_MAX);
	const char *line;

	if (config_print(before, key, &said, NULL) < 0)
		return;
	line = buf_str(&said);
	while (*line) {
		size_t len = strcspn(line, "\n");

		config_texts_add(ret, line, len);
		line += len + (line[len] == '\n');
	}
}

static int missing(const char *key, const char *what, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "%.80s: '%.80s' is not there", key, what);
}

static int change_texts(const struct config *before, const struct config_edit *change,
			struct edit_value *v, struct err *err)
{
	if (change->change != CONFIG_SET)
		read_texts(before, change->key, &v->texts);
	for (size_t i = 0; i < change->len; i++) {
		const char *value = change->values[i];
		size_t at = find_text(&v->texts, value);

		if (change->change == CONFIG_SET || at == v->texts.len) {
			if (change->change == CONFIG_REMOVE)
				return missing(change->key, value, err);
			config_texts_add(&v->texts, value, strlen(value));
		} else if (change->change == CONFIG_REMOVE) {
			free(v->texts.items[at]);
			memmove(&v->texts.items[at], &v->texts.items[at + 1],
				(v->texts.len - at - 1) * sizeof(*v->texts.items));
			v->texts.len--;
		}
	}
	return 0;
}

static void relay_finish(struct config_relay *relay)
{
	struct config_relays one = { alloc_zero(1, sizeof(*relay)), 1 };

	*one.items = *relay;
	config_relays_finish(&one);
	*relay = (struct config_relay){ 0 };
}

static void copy_text(char **member, const char *text)
{
	free(*member);
	*member = text ? str_dup(text) : NULL;
}

static void add_relay(struct config_relays *relays, const struct config_relay *from)
{
	struct config_relay *to;

	relays->items = alloc_grow(relays->items, relays->len + 1, sizeof(*relays->items));
	to = &relays->items[relays->len++];
	*to = (struct config_relay){ 0 };
	copy_text(&to->url, from->url);
	copy_text(&to->key, from->key);
	copy_text(&to->token_file, from->token_file);
	for (size_t i = 0; i < from->token_command.len; i++)
		config_texts_add(&to->token_command, from->token_command.items[i],
				 strlen(from->token_command.items[i]));
}

/* A word that has no '=' before its "://" is the URL. */
static int take_word(struct config_relay *relay, const char *word, struct err *err)
{
	struct {
		const char *name;
		char **member;
	} members[] = { { "url=", &relay->url },
			{ "key=", &relay->key },
			{ "token_file=", &relay->token_file } };
	static const char command[] = "token_command=";

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		size_t len = strlen(members[i].name);

		if (strncmp(word, members[i].name, len) == 0) {
			copy_text(members[i].member, word + len);
			return 0;
		}
	}
	if (strncmp(word, command, strlen(command)) == 0)
		config_texts_add(&relay->token_command, word + strlen(command),
				 strlen(word + strlen(command)));
	else if (strncmp(word, "https://", 8) == 0)
		copy_text(&relay->url, word);
	else
		return err_set(
			err, ERR_INVALID,
			"'%.60s': a relay is url=https://HOST key=BASE64, and token_file=FILE "
			"or token_command=WORD for each of its words",
			word);
	return 0;
}

static size_t find_relay(const struct config_relays *relays, const char *url)
{
	size_t i = 0;

	while (i < relays->len && strcmp(relays->items[i].url, url) != 0)
		i++;
	return i;
}

static int remove_relays(const struct config_edit *change, struct config_relays *relays,
			 struct err *err)
{
	for (size_t i = 0; i < change->len; i++) {
		const char *url = change->values[i];
		size_t at = find_relay(relays, strncmp(url, "url=", 4) == 0 ? url + 4 : url);

		if (at == relays->len)
			return missing(change->key, url, err);
		relay_finish(&relays->items[at]);
		memmove(&relays->items[at], &relays->items[at + 1],
			(relays->len - at - 1) * sizeof(*relays->items));
		relays->len--;
	}
	return 0;
}

static int change_relays(const struct config_relays *before, const struct config_edit *change,
			 struct edit_value *v, struct err *err)
{
	struct config_relay relay = { 0 };
	int result = 0;
	size_t at;

	for (size_t i = 0; before && change->change != CONFIG_SET && i < before->len; i++)
		add_relay(&v->relays, &before->items[i]);
	if (change->change == CONFIG_REMOVE)
		return remove_relays(change, &v->relays, err);
	for (size_t i = 0; result == 0 && i < change->len; i++)
		result = take_word(&relay, change->values[i], err);
	if (result == 0 && (!relay.url || !relay.key))
		result = err_set(err, ERR_INVALID,
				 "a relay needs url=https://HOST and key=BASE64, as 'berth-tunnel "
				 "relay key' prints it");
	if (result == 0) {
		/* One of this address is another one from now on. */
		at = find_relay(&v->relays, relay.url);
		if (at < v->relays.len) {
			relay_finish(&v->relays.items[at]);
			v->relays.items[at] = relay;
			return 0;
		}
		add_relay(&v->relays, &relay);
	}
	relay_finish(&relay);
	return result;
}

static const struct config_relays *relays_of(const struct config *before, const char *const *parts,
					     size_t len)
{
	const struct config_cluster *cluster =
		len == 3 ? config_find_cluster(before, parts[1]) : &before->defaults;

	return cluster ? &cluster->relays : NULL;
}

int edit_value_make(const struct config *before, const char *const *parts, size_t parts_len,
		    const struct config_edit *change, struct edit_value *ret, struct err *err)
{
	enum config_kind kind = kind_of(parts, parts_len);

	ret->is_relays = kind == CONFIG_RELAYS;
	ret->is_gone = change->change == CONFIG_REMOVE && change->len == 0;
	if (ret->is_gone)
		return 0;
	if (change->len == 0 && change->change == CONFIG_ADD)
		return err_set(err, ERR_INVALID, "%.80s: what is to be added?", change->key);
	if (ret->is_relays) {
		if (change_relays(relays_of(before, parts, parts_len), change, ret, err) < 0)
			return -1;
		ret->is_gone = ret->relays.len == 0;
		return 0;
	}
	if (kind != CONFIG_LIST && change->change != CONFIG_SET)
		return err_set(
			err, ERR_INVALID,
			"%.80s is one value: 'berth config set' changes it, and 'berth config "
			"remove' without a value removes it",
			change->key);
	if (change_texts(before, change, ret, err) < 0)
		return -1;
	ret->is_list = kind == CONFIG_LIST && ret->texts.len != 1;
	ret->is_gone = change->change == CONFIG_REMOVE && ret->texts.len == 0;
	return 0;
}
