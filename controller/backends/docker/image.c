/* SPDX-License-Identifier: MIT */
/* Images; see image.h. */
#include "image.h"

#include <string.h>
#include <time.h>

#include "controller/backends/docker/credentials.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define PULL_TIMEOUT_MS (3600 * 1000)
#define LINE_MAX (64 * 1024)
#define SAY_EVERY_S 2

/* A reference as part of a path: its slashes stay. */
static char *escape(const char *reference)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(4096);
	bool ok = true;

	while (ok && *reference) {
		size_t len = strcspn(reference, "/");
		cleanup_free char *segment = str_dup_len(reference, len);

		ok = text_append_percent(&text, segment) &&
		     (!reference[len] || buf_append_u8(&text, '/'));
		reference += len + (reference[len] != '\0');
	}
	return ok ? buf_take_str(&text) : NULL;
}

static int inspect(struct engine *engine, const char *reference, json_t **ret, struct err *err)
{
	cleanup_free char *name = escape(reference);
	cleanup_free char *path = name ? str_printf("/images/%s/json", name) : NULL;
	const struct engine_call call = { .path = path };
	cleanup(json_release) json_t *answer = NULL;

	if (!path)
		return err_set(err, ERR_INVALID, "--image: the name is too long");
	if (engine_call(engine, &call, &answer, err) < 0)
		return -1;
	*ret = json_incref(json_object_get(answer, "Config"));
	if (!*ret)
		*ret = json_object();
	return 0;
}

/* What is on its way. */
struct pull {
	const char *reference;
	struct buf line;
	unsigned int layers;
	time_t said;
};

/* What a registry says is known by its words alone. */
static enum err_kind kind_of(const char *words)
{
	static const struct {
		const char *words;
		enum err_kind kind;
	} known[] = {
		{ "not found", ERR_NOT_FOUND },
		{ "manifest unknown", ERR_NOT_FOUND },
		{ "unauthorized", ERR_DENIED },
		{ "denied", ERR_DENIED },
		{ "no basic auth credentials", ERR_DENIED },
		{ "authentication required", ERR_DENIED },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcasestr(words, known[i].words))
			return known[i].kind;
	}
	return ERR_UNAVAILABLE;
}

int image_read_progress(struct span line, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup_free char *copy = NULL;
	const char *text;

	/* A line that we do not understand is no failure of the engine's. */
	if (json_parse(line, LINE_MAX, &json, NULL) < 0)
		return 0;
	text = json_string_value(json_object_get(json, "error"));
	if (text) {
		copy = str_dup(text);
		copy[strcspn(copy, "\n")] = '\0';
		text_make_printable(copy);
		return err_set(err, kind_of(copy), "%s", copy);
	}
	text = json_string_value(json_object_get(json, "status"));
	return text && (strcmp(text, "Pull complete") == 0 || strcmp(text, "Already exists") == 0);
}

static int take_line(struct pull *pull, struct err *err)
{
	int done = image_read_progress(buf_span(&pull->line), err);
	time_t now = time(NULL);

	buf_clear(&pull->line);
	if (done < 0)
		return -1;
	pull->layers += (unsigned int)done;
	if (done > 0 && now - pull->said >= SAY_EVERY_S) {
		pull->said = now;
		log_warn("fetching %s: %u layers are here", pull->reference, pull->layers);
	}
	return 0;
}

static int take(void *owner, struct span bytes, struct err *err)
{
	struct pull *pull = owner;

	while (bytes.len > 0) {
		const uint8_t *newline = memchr(bytes.ptr, '\n', bytes.len);
		struct span part =
			span_cut(&bytes, newline ? (size_t)(newline - bytes.ptr) + 1 : bytes.len);

		if (!buf_append_span(&pull->line, part))
			return err_set(err, ERR_PROTOCOL, "the engine says too much in one line");
		if (newline && take_line(pull, err) < 0)
			return -1;
	}
	return 0;
}

/* The last part of a reference has a tag or a digest, or it is the latest one that is meant. */
static bool is_exact(const char *reference)
{
	const char *slash = strrchr(reference, '/');

	return strpbrk(slash ? slash : reference, ":@");
}

static int pull(struct engine *engine, const char *reference, struct err *err)
{
	cleanup_free char *name = escape(reference), *path = NULL, *auth = NULL;
	struct pull state = { .reference = reference,
			      .line = BUF_INIT(LINE_MAX),
			      .said = time(NULL) };
	struct engine_call call = {
		.method = "POST", .timeout_ms = PULL_TIMEOUT_MS, .received = take, .owner = &state
	};
	struct err own = { 0 };
	int result;

	if (!name)
		return err_set(err, ERR_INVALID, "--image: the name is too long");
	if (credentials_header(reference, &auth, err) < 0)
		return -1;
	path = str_printf("/images/create?fromImage=%s%s", name,
			  is_exact(reference) ? "" : "&tag=latest");
	call.path = path;
	call.header = auth;
	result = engine_call(engine, &call, NULL, &own);
	if (auth)
		explicit_bzero(auth, strlen(auth));
	/* What came last may have no end of line. */
	if (result == 0 && buf_len(&state.line) > 0)
		result = take_line(&state, &own);
	buf_finish(&state.line);
	if (result == 0)
		return 0;
	/* What fails in the engine, with 500, is its way to the registry. */
	if (own.kind == ERR_SYSTEM)
		own.kind = kind_of(own.text);
	return err_set(err, own.kind, "cannot fetch %s: %s%s", reference, own.text,
		       own.kind == ERR_DENIED
			       ? ": 'docker login' and 'podman login' keep a password"
			       : "");
}

int image_find(struct engine *engine, const char *reference, const char *when, json_t **ret,
	       struct err *err)
{
	bool always = when && strcmp(when, "always") == 0;
	struct err own;

	if (always && pull(engine, reference, err) < 0)
		return -1;
	if (inspect(engine, reference, ret, &own) == 0)
		return 0;
	if (own.kind != ERR_NOT_FOUND || always)
		return err_set(err, own.kind, "--image: %s", own.text);
	if (when && strcmp(when, "never") == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "--image: %s is not here, and --pull=never: leave that out, or "
			       "load it first",
			       reference);
	if (pull(engine, reference, err) < 0)
		return -1;
	return inspect(engine, reference, ret, err);
}
