/* SPDX-License-Identifier: MIT */
/* Images; see image.h. */
#include "image.h"

#include <string.h>
#include <time.h>

#include "controller/backends/docker/credentials.h"
#include "controller/backends/docker/fetching.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define PULL_TIMEOUT_MS (3600 * 1000)
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
	const struct child_progress *told; /* or NULL: the log is */
	struct fetching fetching;
	struct buf line;
	time_t said;
};

/* On no terminal, a line now and then. */
static void say(struct pull *pull)
{
	time_t now = time(NULL);

	if (now - pull->said < SAY_EVERY_S)
		return;
	pull->said = now;
	log_warn("fetching %s: %u layers are here", pull->reference, pull->fetching.complete);
}

static void tell(const struct pull *pull)
{
	uint64_t done, total;

	fetching_sum(&pull->fetching, &done, &total);
	if (total > 0)
		pull->told->tell(pull->told->arg, MIN(done, total - 1), total);
}

static int take_line(struct pull *pull, struct err *err)
{
	unsigned int before = pull->fetching.complete;
	int result = fetching_take_line(&pull->fetching, buf_span(&pull->line), err);

	buf_clear(&pull->line);
	if (result < 0)
		return -1;
	if (pull->told)
		tell(pull);
	else if (pull->fetching.complete > before)
		say(pull);
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

static int pull(struct engine *engine, const char *reference, const struct child_progress *told,
		struct err *err)
{
	cleanup_free char *name = escape(reference), *path = NULL, *auth = NULL;
	struct pull state = { .reference = reference,
			      .told = told,
			      .line = BUF_INIT(FETCHING_LINE_MAX),
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
	if (told)
		told->tell(told->arg, 1, 1);
	if (result == 0)
		return 0;
	/* What fails in the engine, with 500, is its way to the registry. */
	if (own.kind == ERR_SYSTEM)
		own.kind = fetching_kind_of(own.text);
	return err_set(err, own.kind, "cannot fetch %s: %s%s", reference, own.text,
		       own.kind == ERR_DENIED
			       ? ": 'docker login' and 'podman login' keep a password"
			       : "");
}

int image_find(struct engine *engine, const struct submission *submission, json_t **ret,
	       struct err *err)
{
	const char *reference = submission->spec->image, *when = submission->spec->pull;
	bool always = when && strcmp(when, "always") == 0;
	struct err own;

	if (always && pull(engine, reference, submission->fetching, err) < 0)
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
	if (pull(engine, reference, submission->fetching, err) < 0)
		return -1;
	return inspect(engine, reference, ret, err);
}
