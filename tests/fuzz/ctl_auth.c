/* SPDX-License-Identifier: MIT */
/*
 * What issuers answer, what a browser brings back, and what lies in the cache: read to its end
 * whatever it is; what comes out is within its limits, and harmless to a terminal and to a header.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/auth/cache.h"
#include "controller/auth/jwt.h"
#include "controller/auth/loopback.h"
#include "controller/auth/oidc.h"
#include "controller/auth/pkce.h"
#include "controller/http/url.h"
#include "init/base/alloc.h"

static void check_printable(const char *text)
{
	for (; *text; text++)
		assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_token(const char *text)
{
	assert(!text || oidc_is_token(span_of_str(text)));
}

static void check_issuer(const struct oidc_issuer *at)
{
	const char *const urls[] = { at->token_url, at->authorize_url, at->device_url,
				     at->revoke_url, at->userinfo_url };

	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		assert(!urls[i] || url_is_safe(urls[i]));
}

static void read_answers(struct span text)
{
	cleanup(oidc_issuer_finish) struct oidc_issuer issuer = { 0 };
	cleanup(oidc_tokens_finish) struct oidc_tokens tokens = { 0 };
	cleanup(oidc_device_finish) struct oidc_device device = { 0 };
	cleanup(cached_finish) struct cached cached = { 0 };
	struct oidc_refusal refusal;
	struct err err = { 0 };

	if (oidc_parse_issuer(text, "https://i.example", &issuer, &err) < 0)
		check_printable(err.text);
	check_issuer(&issuer);
	if (oidc_parse_tokens(text, &tokens, &err) == 0)
		assert(tokens.access && tokens.lifetime_s <= OIDC_LIFETIME_MAX_S);
	check_token(tokens.access);
	check_token(tokens.refresh);
	if (oidc_parse_device(text, &device, &err) == 0)
		assert(device.interval_s > 0 && device.lifetime_s > 0 && url_is_safe(device.url));
	check_printable(device.user_code);
	oidc_parse_refusal(text, &refusal);
	check_printable(refusal.word);
	check_printable(refusal.text);
	cache_parse(text, &cached);
	check_issuer(&cached.at);
	check_token(cached.tokens.access);
	(void)cached_is_good(&cached, 1, true);
}

static void read_coming_back(struct span bytes)
{
	static const struct pkce pkce = { .state = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
	char code[PKCE_CODE_MAX], value[64];
	struct err err = { 0 };
	struct span query;

	if (loopback_parse(bytes, &query) == 1)
		assert(query.ptr >= bytes.ptr && query.ptr + query.len <= bytes.ptr + bytes.len);
	switch (pkce_read_answer(&pkce, bytes, NULL, code, &err)) {
	case 1:
		check_token(code);
		break;
	case -1:
		check_printable(err.text);
	}
	if (url_field(bytes, "state", value, sizeof(value)))
		assert(strlen(value) < sizeof(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = str_dup_len((const char *)bytes, len);
	cleanup(json_release) json_t *claims = jwt_claims(text);
	cleanup_free char *server = NULL;
	cleanup_free char *path = NULL;

	assert(claims ? json_is_object(claims) : jwt_end(text) == 0);
	read_answers(span_of(bytes, len));
	read_coming_back(span_of(bytes, len));
	if (url_is_safe(text)) {
		url_split(text, &server, &path);
		assert(path[0] == '/');
	}
	return 0;
}
