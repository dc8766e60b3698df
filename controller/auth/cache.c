/* SPDX-License-Identifier: MIT */
/* What a login has given; see cache.h. */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "controller/http/url.h"
#include "controller/model/json.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define FILE_MAX ((size_t)4 * TOKEN_MAX)
#define EARLY_MAX_S 60
#define SKEW_MAX_S 60
#define POLL_MS 20
#define TIME_MAX (UINT64_MAX / 4)

static const struct {
	const char *name;
	size_t offset;
} addresses[] = {
	{ "token_url", offsetof(struct cached, at.token_url) },
	{ "authorize_url", offsetof(struct cached, at.authorize_url) },
	{ "device_url", offsetof(struct cached, at.device_url) },
	{ "revoke_url", offsetof(struct cached, at.revoke_url) },
	{ "userinfo_url", offsetof(struct cached, at.userinfo_url) },
}, secrets[] = {
	{ "access_token", offsetof(struct cached, tokens.access) },
	{ "refresh_token", offsetof(struct cached, tokens.refresh) },
}, times[] = {
	{ "obtained", offsetof(struct cached, obtained_s) },
	{ "ends", offsetof(struct cached, ends_s) },
	{ "refresh_ends", offsetof(struct cached, refresh_ends_s) },
};

static char **text_at(struct cached *cached, size_t offset)
{
	return (char **)(void *)((char *)cached + offset);
}

static uint64_t *time_at(struct cached *cached, size_t offset)
{
	return (uint64_t *)(void *)((char *)cached + offset);
}

void cached_finish(struct cached *cached)
{
	oidc_issuer_finish(&cached->at);
	oidc_tokens_finish(&cached->tokens);
	*cached = (struct cached){ 0 };
}

/* False when something is there that should not be. */
static bool read_texts(const json_t *json, struct cached *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		const char *text = json_string_value(json_object_get(json, addresses[i].name));

		if (text && !url_is_safe(text))
			return false;
		*text_at(ret, addresses[i].offset) = text ? str_dup(text) : NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		const char *text = json_string_value(json_object_get(json, secrets[i].name));

		if (text && !oidc_is_token(span_of_str(text)))
			return false;
		*text_at(ret, secrets[i].offset) = text ? str_dup(text) : NULL;
	}
	return ret->at.token_url;
}

static bool read_all(const json_t *json, struct cached *ret)
{
	const char *grant = json_string_value(json_object_get(json, "grant"));

	if (!read_texts(json, ret))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		json_int_t value = json_integer_value(json_object_get(json, times[i].name));

		if (value < 0 || (uint64_t)value > TIME_MAX)
			return false;
		*time_at(ret, times[i].offset) = (uint64_t)value;
	}
	ret->at.takes_basic = json_is_true(json_object_get(json, "takes_basic"));
	ret->at.sends_issuer = json_is_true(json_object_get(json, "sends_issuer"));
	snprintf(ret->grant, sizeof(ret->grant), "%s", grant ? grant : "");
	text_make_printable(ret->grant);
	return true;
}

void cache_parse(struct span text, struct cached *ret)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup(cached_finish) struct cached found = { 0 };

	*ret = (struct cached){ 0 };
	if (json_parse(text, FILE_MAX, &json, NULL) < 0 || !read_all(json, &found))
		return;
	*ret = found;
	found = (struct cached){ 0 };
}

int cache_read(const char *path, struct cached *ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(FILE_MAX);
	struct err why = { 0 };

	*ret = (struct cached){ 0 };
	if (fs_read_file(path, FILE_MAX, &text, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND || why.kind == ERR_LIMIT)
			return 0;
		if (err)
			*err = why;
		return -1;
	}
	cache_parse(buf_span(&text), ret);
	return 0;
}

/* Its texts need no escapes but those of JSON; by hand, so that no copy of a token stays behind. */
static bool add_text(struct buf *b, const char *name, const char *text)
{
	return !text || (buf_printf(b, "  \"%s\": \"", name) && text_append_json(b, text) &&
			 buf_printf(b, "\",\n"));
}

int cache_write(const char *path, const struct cached *cached, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(FILE_MAX);
	struct cached copy = *cached;
	bool ok = buf_printf(&text, "{\n") && add_text(&text, "grant", cached->grant);

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		ok = ok && add_text(&text, addresses[i].name, *text_at(&copy, addresses[i].offset));
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		ok = ok && add_text(&text, secrets[i].name, *text_at(&copy, secrets[i].offset));
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		ok = ok && buf_printf(&text, "  \"%s\": %" PRIu64 ",\n", times[i].name,
				      *time_at(&copy, times[i].offset));
	ok = ok && buf_printf(&text, "  \"takes_basic\": %s,\n  \"sends_issuer\": %s\n}\n",
			      cached->at.takes_basic ? "true" : "false",
			      cached->at.sends_issuer ? "true" : "false");
	if (!ok)
		return err_set(err, ERR_LIMIT, "the issuer's tokens are larger than %zu bytes",
			       FILE_MAX);
	return fs_write_file(path, buf_span(&text), 0600, err);
}

int cache_lock(const char *path, int *ret, struct err *err)
{
	static const struct timespec pause = { .tv_nsec = POLL_MS * (long)NSEC_PER_MSEC };
	cleanup_free char *name = str_printf("%s.lock", path);
	cleanup_close int fd = fd_open_mode(name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set_errno(err, errno, "open %s", name);
	for (unsigned int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += POLL_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(err, errno, "lock %s", name);
		if (waited >= CACHE_LOCK_MS)
			return err_set(err, ERR_TIMEOUT,
				       "another berth has been renewing this login for %d seconds: "
				       "look for one that hangs",
				       CACHE_LOCK_MS / 1000);
		nanosleep(&pause, NULL);
	}
	*ret = take_fd(fd);
	return 0;
}

void cached_take(struct cached *cached, struct oidc_tokens *tokens, uint64_t now_s)
{
	/* Many issuers say nothing of a refresh token that stays as it is (RFC 6749 section 6). */
	if (!tokens->refresh) {
		tokens->refresh = take_ptr(cached->tokens.refresh);
	} else {
		cached->refresh_ends_s =
			tokens->refresh_lifetime_s ? now_s + tokens->refresh_lifetime_s : 0;
	}
	oidc_tokens_finish(&cached->tokens);
	cached->tokens = *tokens;
	*tokens = (struct oidc_tokens){ 0 };
	cached->obtained_s = now_s;
	cached->ends_s = cached->tokens.lifetime_s ? now_s + cached->tokens.lifetime_s : 0;
}

bool cached_is_good(const struct cached *cached, uint64_t now_s, bool early)
{
	uint64_t margin;

	if (!cached->tokens.access || cached->obtained_s > now_s + SKEW_MAX_S)
		return false;
	if (!cached->ends_s)
		return true;
	margin =
		cached->ends_s > cached->obtained_s ? (cached->ends_s - cached->obtained_s) / 5 : 0;
	return now_s + (early ? MIN(margin, (uint64_t)EARLY_MAX_S) : 0) < cached->ends_s;
}
