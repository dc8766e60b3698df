/* SPDX-License-Identifier: MIT */
/* Credentials for registries; see credentials.h. */
#include "credentials.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/model/json.h"
#include "controller/run/child.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define HELPER_TIMEOUT_MS 30000
#define HELPER_PREFIX "docker-credential-"
#define TOKEN_USER "<token>"			  /* of helpers: the secret is an identity token */
#define DEFAULT_KEY "https://index.docker.io/v1/" /* docker's own for its registry */
#define WORD_MAX 8192

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void credentials_finish(struct credentials *credentials)
{
	wipe(credentials->user);
	wipe(credentials->password);
	wipe(credentials->identity);
	*credentials = (struct credentials){ 0 };
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && text[0] && strlen(text) <= WORD_MAX ? text : NULL;
}

static char *copy(const char *text)
{
	return text ? str_dup(text) : NULL;
}

/* "USER:PASSWORD" in base64, which some tools pad with NUL. */
static bool take_pair(const char *text, struct credentials *ret)
{
	cleanup(buf_wipe) struct buf pair = BUF_INIT(WORD_MAX);
	size_t digits = strcspn(text, "="), len = digits * 3 / 4;
	uint8_t *bytes = buf_reserve(&pair, len);
	char *colon;

	if (!bytes || len == 0 || !text_parse_base64(text, bytes, len))
		return false;
	buf_commit(&pair, len);
	colon = strchr(buf_str(&pair), ':');
	if (!colon)
		return false;
	ret->user = str_dup_len(buf_str(&pair), (size_t)(colon - buf_str(&pair)));
	ret->password = str_dup(colon + 1);
	return true;
}

static bool take_entry(const json_t *entry, struct credentials *ret)
{
	const char *pair = text_of(entry, "auth");

	ret->identity = copy(text_of(entry, "identitytoken"));
	if (pair && take_pair(pair, ret))
		return true;
	ret->user = copy(text_of(entry, "username"));
	ret->password = copy(text_of(entry, "password"));
	return ret->identity || (ret->user && ret->password);
}

/* Keys may have a scheme before the host, and a version of the API behind it. */
static bool is_of_registry(const char *key, const char *registry)
{
	const char *scheme = strstr(key, "://");
	cleanup_free char *name = str_dup(scheme ? scheme + 3 : key);

	if (scheme)
		name[strcspn(name, "/")] = '\0';
	return strcmp(name, registry) == 0 ||
	       (oci_registry_is_default(registry) && oci_registry_is_default(name));
}

/* An entry for the registry, or the longest beginning of the image's name that has one. */
static const json_t *find_entry(const json_t *entries, const struct oci_reference *reference)
{
	cleanup_free char *name = str_printf("%s/%s", reference->registry, reference->repository);
	const json_t *entry;
	const char *key;

	for (char *slash; (slash = strrchr(name, '/')); *slash = '\0') {
		entry = json_object_get(entries, name);
		if (entry)
			return entry;
	}
	json_object_foreach((json_t *)(uintptr_t)entries, key, entry) {
		if (is_of_registry(key, reference->registry))
			return entry;
	}
	return NULL;
}

/* It becomes part of the name of a program. */
static bool take_helper(const char *name, char helper[CREDENTIALS_HELPER_MAX])
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (!name || strlen(name) >= CREDENTIALS_HELPER_MAX || strspn(name, plain) != strlen(name))
		return false;
	memcpy(helper, name, strlen(name) + 1);
	return true;
}

int credentials_parse(struct span text, const struct oci_reference *reference,
		      struct credentials *ret, char helper[CREDENTIALS_HELPER_MAX], struct err *err)
{
	cleanup(json_release) json_t *file = NULL;
	cleanup(credentials_finish) struct credentials found = { 0 };
	const json_t *entry;

	helper[0] = '\0';
	/* What the parser complains about may be a piece of a password. */
	if (json_parse(text, CREDENTIALS_FILE_MAX, &file, NULL) < 0)
		return err_set(err, ERR_INVALID, "it is not JSON: log in to the registry again");
	entry = find_entry(json_object_get(file, "credHelpers"), reference);
	if (take_helper(json_string_value(entry), helper))
		return 1;
	entry = find_entry(json_object_get(file, "auths"), reference);
	if (entry && take_entry(entry, &found)) {
		*ret = found;
		found = (struct credentials){ 0 };
		return 1;
	}
	return take_helper(text_of(file, "credsStore"), helper);
}

/* The next word; "" at the end. What is longer than a word may be is cut. */
static void next_word(struct span *from, char ret[WORD_MAX])
{
	size_t len = 0;

	while (from->len > 0 && strchr(" \t\r\n", from->ptr[0]) && from->ptr[0])
		span_cut(from, 1);
	while (from->len > 0 && !(strchr(" \t\r\n", from->ptr[0]) && from->ptr[0])) {
		char c = (char)span_cut(from, 1).ptr[0];

		if (len < WORD_MAX - 1 && c)
			ret[len++] = c;
	}
	ret[len] = '\0';
}

static bool take_word(struct span *from, char **ret)
{
	char word[WORD_MAX];
	bool ok;

	next_word(from, word);
	/* enroot has a shell evaluate them. */
	ok = word[0] && !strstr(word, "$(") && !strchr(word, '`');
	if (ok) {
		wipe(*ret);
		*ret = str_dup(word);
	}
	explicit_bzero(word, sizeof(word));
	return ok;
}

int credentials_parse_netrc(struct span text, const char *registry, struct credentials *ret,
			    struct err *err)
{
	cleanup(credentials_finish) struct credentials found = { 0 };
	char word[WORD_MAX];
	bool is_it = false;

	for (next_word(&text, word); word[0]; next_word(&text, word)) {
		bool is_user = strcmp(word, "login") == 0;

		if (strcmp(word, "machine") == 0) {
			if (is_it)
				break;
			next_word(&text, word);
			is_it = is_of_registry(word, registry);
		} else if (is_it && (is_user || strcmp(word, "password") == 0) &&
			   !take_word(&text, is_user ? &found.user : &found.password)) {
			return err_set(err, ERR_UNSUPPORTED,
				       "its entry for %s is for a shell: berth takes plain words",
				       registry);
		}
	}
	if (!found.user || !found.password)
		return 0;
	*ret = found;
	found = (struct credentials){ 0 };
	return 1;
}

int credentials_parse_helper(struct span text, struct credentials *ret, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	const char *user, *secret;

	if (json_parse(text, CREDENTIALS_FILE_MAX, &answer, NULL) < 0)
		return err_set(err, ERR_PROTOCOL, "what it prints is not JSON");
	user = text_of(answer, "Username");
	secret = text_of(answer, "Secret");
	/* That for pass(1) says so of what it does not know. */
	if (!secret && json_is_string(json_object_get(answer, "Secret")) &&
	    json_string_length(json_object_get(answer, "Secret")) == 0)
		return 0;
	if (!secret)
		return err_set(err, ERR_PROTOCOL, "it gives no secret");
	if (!user || strcmp(user, TOKEN_USER) == 0) {
		ret->identity = str_dup(secret);
		return 0;
	}
	ret->user = str_dup(user);
	ret->password = str_dup(secret);
	return 0;
}

/* A helper that knows nothing says so on its output, with a status. */
static int run_helper(const char *helper, const char *registry, struct credentials *ret,
		      struct err *err)
{
	cleanup_free char *program = str_printf(HELPER_PREFIX "%s", helper);
	const char *key = oci_registry_is_default(registry) ? DEFAULT_KEY : registry;
	const char *const argv[] = { program, "get", NULL };
	const struct child_plan plan = { .argv = argv,
					 .input = span_of_str(key),
					 .timeout_ms = HELPER_TIMEOUT_MS };
	cleanup(child_finish) struct child child = { 0 };

	if (child_run(&plan, &child, err) < 0 ||
	    (child.status == 0 && credentials_parse_helper(buf_span(&child.output), ret, err) < 0))
		return err_wrap(err, "%s", program);
	return 0;
}

static char *home_path(const char *name)
{
	const char *home = getenv("HOME");
	const struct passwd *user = home && home[0] ? NULL : getpwuid(getuid());

	return fs_join(home && home[0] ? home : user ? user->pw_dir : "/", name);
}

static char *env_path(const char *variable, const char *name)
{
	const char *value = getenv(variable);

	if (!value || !value[0])
		return NULL;
	return name ? fs_join(value, name) : str_dup(value);
}

/* Where there may be a file, in the order in which they are looked at. */
static const struct {
	const char *variable; /* NULL: below the home directory */
	const char *name;     /* NULL: the variable names the file */
	bool is_netrc;
} places[] = {
	{ "REGISTRY_AUTH_FILE", NULL, false },
	{ "XDG_RUNTIME_DIR", "containers/auth.json", false },
	{ "XDG_CONFIG_HOME", "containers/auth.json", false },
	{ NULL, ".config/containers/auth.json", false },
	{ "DOCKER_CONFIG", "config.json", false },
	{ NULL, ".docker/config.json", false },
	{ "ENROOT_CONFIG_PATH", ".credentials", true },
	{ "XDG_CONFIG_HOME", "enroot/.credentials", true },
	{ NULL, ".config/enroot/.credentials", true },
};

/* 1: found. 0: not there, or nothing in it for this image. */
static int look_into(size_t place, const struct oci_reference *reference, struct credentials *ret,
		     struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(CREDENTIALS_FILE_MAX);
	cleanup_free char *path = places[place].variable
					  ? env_path(places[place].variable, places[place].name)
					  : home_path(places[place].name);
	char helper[CREDENTIALS_HELPER_MAX] = "";
	struct err why = { 0 };
	int result;

	/* Those of others, and none, are of no use to us. */
	if (!path || fs_read_file(path, CREDENTIALS_FILE_MAX, &text, &why) < 0)
		return 0;
	result = places[place].is_netrc
			 ? credentials_parse_netrc(buf_span(&text), reference->registry, ret, err)
			 : credentials_parse(buf_span(&text), reference, ret, helper, err);
	if (result == 1 && helper[0])
		result = run_helper(helper, reference->registry, ret, err);
	if (result < 0)
		return err_wrap(err, "%s", path);
	return ret->identity || ret->password;
}

int credentials_find(const struct oci_reference *reference, struct credentials *ret,
		     struct err *err)
{
	int result = 0;

	*ret = (struct credentials){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(places) && result == 0; i++)
		result = look_into(i, reference, ret, err);
	return result < 0 ? -1 : 0;
}
