/* SPDX-License-Identifier: MIT */
/* What a registry answers; see manifest.h. */
#include "manifest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controller/model/json.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

void manifest_finish(struct manifest *manifest)
{
	free(manifest->platforms);
	*manifest = (struct manifest){ 0 };
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool take_digest(const json_t *descriptor, char ret[OCI_DIGEST_SIZE])
{
	const char *digest = text_of(descriptor, "digest");

	if (!digest || !oci_digest_is_valid(digest))
		return false;
	memcpy(ret, digest, strlen(digest) + 1);
	return true;
}

/* "os/architecture/variant"; false when it is of no machine that we know how to name. */
static bool take_platform(const json_t *platform, char ret[OCI_PLATFORM_SIZE])
{
	const char *os = text_of(platform, "os"), *arch = text_of(platform, "architecture");
	const char *variant = text_of(platform, "variant");
	int len;

	if (!os || !arch || !os[0] || !arch[0] || strcmp(os, "unknown") == 0)
		return false;
	len = snprintf(ret, OCI_PLATFORM_SIZE, "%s/%s%s%s", os, arch,
		       variant && variant[0] ? "/" : "", variant ? variant : "");
	text_make_printable(ret);
	return len > 0 && len < OCI_PLATFORM_SIZE;
}

static int take_index(const json_t *manifests, struct manifest *ret, struct err *err)
{
	const json_t *line;
	size_t i;

	if (json_array_size(manifests) > MANIFEST_PLATFORMS_MAX)
		return err_set(err, ERR_LIMIT, "it has more than %d images",
			       MANIFEST_PLATFORMS_MAX);
	ret->is_index = true;
	ret->platforms = new_array(struct manifest_platform, MANIFEST_PLATFORMS_MAX);
	json_array_foreach(manifests, i, line) {
		struct manifest_platform *platform = &ret->platforms[ret->platforms_len];

		if (take_platform(json_object_get(line, "platform"), platform->name) &&
		    take_digest(line, platform->digest))
			ret->platforms_len++;
	}
	if (ret->platforms_len == 0)
		return err_set(err, ERR_UNSUPPORTED, "it has no image for any machine");
	return 0;
}

int manifest_parse(struct span text, struct manifest *ret, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup(manifest_finish) struct manifest found = { 0 };
	const json_t *manifests;

	if (json_parse(text, MANIFEST_MAX, &json, NULL) < 0)
		return err_set(err, ERR_PROTOCOL, "what it answers is not JSON");
	manifests = json_object_get(json, "manifests");
	if (json_integer_value(json_object_get(json, "schemaVersion")) != 2)
		return err_set(err, ERR_UNSUPPORTED,
			       "the image is in a form from before 2016: push it again");
	if (json_is_array(manifests)) {
		if (take_index(manifests, &found, err) < 0)
			return -1;
	} else if (!take_digest(json_object_get(json, "config"), found.config)) {
		return err_set(err, ERR_PROTOCOL, "its manifest has no configuration");
	}
	*ret = found;
	found = (struct manifest){ 0 };
	return 0;
}

const struct manifest_platform *manifest_find(const struct manifest *index, const char *arch)
{
	cleanup_free char *plain = str_printf("linux/%s", arch);
	const struct manifest_platform *found = NULL;

	for (size_t i = 0; i < index->platforms_len; i++) {
		const struct manifest_platform *platform = &index->platforms[i];

		if (strcmp(platform->name, plain) == 0)
			return platform;
		if (!found && strncmp(platform->name, plain, strlen(plain)) == 0 &&
		    platform->name[strlen(plain)] == '/')
			found = platform;
	}
	return found;
}

/* False: it is no list of texts, or too long. Nothing, or null, is an empty list. */
static bool take_words(const json_t *list, struct oci_words *ret)
{
	const json_t *word;
	size_t i;

	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list) || json_array_size(list) > OCI_WORDS_MAX)
		return false;
	ret->items = new_array(char *, json_array_size(list) + 1);
	json_array_foreach(list, i, word) {
		if (!json_is_string(word))
			return false;
		ret->items[ret->len++] = str_dup(json_string_value(word));
	}
	return true;
}

static char *take_text(const json_t *object, const char *name)
{
	const char *text = text_of(object, name);

	return str_dup(text ? text : "");
}

int manifest_parse_config(struct span text, struct oci_image *ret, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	const json_t *config;

	if (json_parse(text, MANIFEST_MAX, &json, NULL) < 0)
		return err_set(err, ERR_PROTOCOL, "its configuration is not JSON");
	if (!take_platform(json, ret->platform))
		return err_set(err, ERR_UNSUPPORTED,
			       "it is no image to be run: it is of no architecture");
	config = json_object_get(json, "config");
	if (!take_words(json_object_get(config, "Entrypoint"), &ret->entrypoint) ||
	    !take_words(json_object_get(config, "Cmd"), &ret->command) ||
	    !take_words(json_object_get(config, "Env"), &ret->env))
		return err_set(err, ERR_PROTOCOL, "its configuration is not as it should be");
	ret->user = take_text(config, "User");
	ret->directory = take_text(config, "WorkingDir");
	return 0;
}

/* NAME="VALUE" or NAME=VALUE; the text moves behind it. False at the end, or for anything else. */
static bool next_parameter(const char **text, char *name, size_t name_size, char *value)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	const char *p = *text + strspn(*text, " \t,");
	size_t len = strspn(p, letters), n = 0;
	bool is_quoted;

	if (len == 0 || len >= name_size || p[len] != '=')
		return false;
	memcpy(name, p, len);
	name[len] = '\0';
	p += len + 1;
	is_quoted = *p == '"';
	for (p += is_quoted; *p && (is_quoted ? *p != '"' : !strchr(" \t,", *p)); p++) {
		if (is_quoted && *p == '\\' && p[1])
			p++;
		if (n == CHALLENGE_TEXT_SIZE - 1)
			return false;
		value[n++] = *p;
	}
	value[n] = '\0';
	if (is_quoted && *p++ != '"')
		return false;
	*text = p;
	return true;
}

bool challenge_parse(const char *header, struct challenge *ret)
{
	struct challenge found = { 0 };
	char name[32], value[CHALLENGE_TEXT_SIZE];
	const char *p = header + strspn(header, " \t");
	size_t len = strcspn(p, " \t");

	found.is_basic = len == 5 && strncasecmp(p, "basic", len) == 0;
	if (!found.is_basic && !(len == 6 && strncasecmp(p, "bearer", len) == 0))
		return false;
	for (p += len; next_parameter(&p, name, sizeof(name), value);) {
		char *member = strcasecmp(name, "realm") == 0	  ? found.realm
			       : strcasecmp(name, "service") == 0 ? found.service
			       : strcasecmp(name, "scope") == 0	  ? found.scope
								  : NULL;

		if (member)
			memcpy(member, value, sizeof(value));
	}
	*ret = found;
	return found.is_basic || found.realm[0];
}
