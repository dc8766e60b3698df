/* SPDX-License-Identifier: MIT */
/* Credentials for registries; see credentials.h. */
#include "credentials.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/model/json.h"
#include "controller/run/child.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define FILE_MAX (1024 * 1024)
#define SECRET_MAX 65536
#define HELPER_TIMEOUT_MS 30000
/* What has no registry in its name is of the one that the engine knows by itself. */
#define HUB ""
#define HUB_KEY                \
	"https://index.docker" \
	".io/v1/"

char *credentials_registry(const char *reference)
{
	size_t len = strcspn(reference, "/");
	cleanup_free char *first = str_dup_len(reference, len);

	if (!reference[len] || (!strpbrk(first, ".:") && strcmp(first, "localhost") != 0))
		return str_dup(HUB);
	return take_ptr(first);
}

/* As the files have it. */
static const char *key_of(const char *registry)
{
	return strcmp(registry, HUB) == 0 ? HUB_KEY : registry;
}

static char *in_environment(const char *name, const char *file)
{
	const char *dir = getenv(name);

	return dir && dir[0] ? str_printf("%s%s", dir, file) : NULL;
}

static void list_files(char *ret[4])
{
	const char *home = getenv("HOME");

	ret[0] = in_environment("DOCKER_CONFIG", "/config.json");
	if (!ret[0] && home)
		ret[0] = str_printf("%s/.docker/config.json", home);
	ret[1] = in_environment("REGISTRY_AUTH_FILE", "");
	ret[2] = in_environment("XDG_RUNTIME_DIR", "/containers/auth.json");
	ret[3] = str_printf("/run/containers/%u/auth.json", (unsigned int)getuid());
}

/* {"Username": ..., "Secret": ...} of docker-credential-NAME get; NULL: it has none. */
static json_t *ask_helper(const char *helper, const char *key)
{
	cleanup_free char *program = str_printf("docker-credential-%s", helper);
	const char *const argv[] = { program, "get", NULL };
	const struct child_plan plan = { .argv = argv,
					 .input = span_of_str(key),
					 .timeout_ms = HELPER_TIMEOUT_MS };
	cleanup(child_finish) struct child child = { 0 };
	cleanup(json_release) json_t *answer = NULL;
	const char *user, *secret;
	json_t *auth;
	struct err err;

	if (child_run(&plan, &child, &err) < 0 || child.status != 0 ||
	    json_parse(buf_span(&child.output), SECRET_MAX, &answer, &err) < 0) {
		log_debug("%s gives no credentials for %s", program, key);
		return NULL;
	}
	user = json_string_value(json_object_get(answer, "Username"));
	secret = json_string_value(json_object_get(answer, "Secret"));
	if (!user || !secret)
		return NULL;
	auth = json_object();
	if (strcmp(user, "<token>") == 0) {
		json_object_set_new(auth, "identitytoken", json_string(secret));
	} else {
		json_object_set_new(auth, "username", json_string(user));
		json_object_set_new(auth, "password", json_string(secret));
	}
	explicit_bzero(child.output.mem, child.output.size);
	return auth;
}

/* "auth" is user:password in base64. */
static json_t *decode(const char *base64)
{
	size_t len = strlen(base64), padding = 0;
	cleanup_free char *text = NULL;
	char *colon;
	json_t *auth;

	if (len == 0 || len > SECRET_MAX || len % 4 != 0)
		return NULL;
	padding = (size_t)(base64[len - 1] == '=') + (size_t)(base64[len - 2] == '=');
	len = len / 4 * 3 - padding;
	text = alloc_zero(1, len + 1);
	if (!text_parse_base64(base64, (uint8_t *)text, len))
		return NULL;
	colon = strchr(text, ':');
	if (!colon)
		return NULL;
	*colon = '\0';
	auth = json_object();
	json_object_set_new(auth, "username", json_string(text));
	json_object_set_new(auth, "password", json_string(colon + 1));
	explicit_bzero(text, len);
	return auth;
}

/* In one file; NULL: it says nothing of this registry. */
static json_t *look(const json_t *file, const char *registry)
{
	const char *key = key_of(registry);
	const json_t *auths = json_object_get(file, "auths");
	const json_t *entry = json_object_get(auths, key);
	const char *helper =
		json_string_value(json_object_get(json_object_get(file, "credHelpers"), registry));
	const char *text;

	if (!helper)
		helper = json_string_value(json_object_get(file, "credsStore"));
	if (!entry)
		entry = json_object_get(auths, registry);
	text = json_string_value(json_object_get(entry, "identitytoken"));
	if (text && text[0]) {
		json_t *auth = json_object();

		json_object_set_new(auth, "identitytoken", json_string(text));
		return auth;
	}
	text = json_string_value(json_object_get(entry, "auth"));
	if (text && text[0])
		return decode(text);
	return helper ? ask_helper(helper, key) : NULL;
}

static json_t *look_in(const char *path, const char *registry, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(FILE_MAX);
	cleanup(json_release) json_t *file = NULL;

	err->kind = ERR_NONE;
	if (!fs_exists(path))
		return NULL;
	if (fs_read_file(path, FILE_MAX, &text, err) < 0)
		return NULL;
	if (json_parse(buf_span(&text), FILE_MAX, &file, err) < 0) {
		err_wrap(err, "%s", path);
		return NULL;
	}
	return look(file, registry);
}

/* The engine wants the JSON in base64 for addresses (RFC 4648, section 5). */
static char *encode(const json_t *auth)
{
	char *json = json_dumps(auth, JSON_COMPACT);
	size_t len = json ? strlen(json) : 0, size = TEXT_BASE64_SIZE(len);
	cleanup_free char *text = alloc_zero(1, size);
	char *header;

	text_base64(span_of(json, len), text, size);
	for (char *p = text; *p; p++) {
		if (*p == '+' || *p == '/')
			*p = *p == '+' ? '-' : '_';
	}
	header = str_printf("X-Registry-Auth: %s", text);
	explicit_bzero(text, size);
	if (json)
		explicit_bzero(json, len);
	free(json);
	return header;
}

int credentials_header(const char *reference, char **ret, struct err *err)
{
	cleanup_free char *registry = credentials_registry(reference);
	cleanup(json_release) json_t *auth = NULL;
	struct err own = { 0 };
	char *files[4];

	list_files(files);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (files[i] && !auth && own.kind == ERR_NONE)
			auth = look_in(files[i], registry, &own);
		free(files[i]);
	}
	if (own.kind != ERR_NONE)
		return err_set(err, own.kind, "%s", own.text);
	*ret = auth ? encode(auth) : NULL;
	return 0;
}
