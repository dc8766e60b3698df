/* SPDX-License-Identifier: MIT */
/* Authorization code with PKCE; see pkce.h. */
#include "pkce.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "controller/http/url.h"
#include "controller/model/digest.h"
#include "init/base/text.h"

#define RANDOM_LEN 32

static void encode(const uint8_t bytes[RANDOM_LEN], char ret[PKCE_WORD_SIZE])
{
	char padded[TEXT_BASE64_SIZE(RANDOM_LEN)];

	text_base64(span_of(bytes, RANDOM_LEN), padded, sizeof(padded));
	for (size_t i = 0; i < PKCE_WORD_SIZE - 1; i++)
		ret[i] = padded[i] == '+' ? '-' : padded[i] == '/' ? '_' : padded[i];
	ret[PKCE_WORD_SIZE - 1] = '\0';
	explicit_bzero(padded, sizeof(padded));
}

static int make_word(char ret[PKCE_WORD_SIZE], struct err *err)
{
	uint8_t bytes[RANDOM_LEN];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set_errno(err, errno, "no random numbers");
	encode(bytes, ret);
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

void pkce_challenge(const char *verifier, char ret[PKCE_WORD_SIZE])
{
	uint8_t digest[DIGEST_LEN];

	digest_sha256(span_of_str(verifier), digest);
	encode(digest, ret);
}

int pkce_init(struct pkce *ret, struct err *err)
{
	if (make_word(ret->verifier, err) < 0 || make_word(ret->state, err) < 0 ||
	    make_word(ret->nonce, err) < 0)
		return -1;
	pkce_challenge(ret->verifier, ret->challenge);
	return 0;
}

void pkce_finish(struct pkce *pkce)
{
	explicit_bzero(pkce, sizeof(*pkce));
}

int pkce_make_page(const struct pkce *pkce, const struct pkce_page *page, struct buf *ret,
		   struct err *err)
{
	cleanup(buf_finish) struct buf query = BUF_INIT(URL_MAX);
	const char *const fields[][2] = {
		{ "response_type", "code" },
		{ "client_id", page->client_id },
		{ "redirect_uri", page->redirect },
		{ "scope", page->scopes },
		{ "state", pkce->state },
		{ "nonce", pkce->nonce },
		{ "code_challenge", pkce->challenge },
		{ "code_challenge_method", "S256" },
	};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(fields) && ok; i++)
		ok = !fields[i][1] || url_add_field(&query, fields[i][0], fields[i][1]);
	if (!ok || !buf_printf(ret, "%s%c%s", page->url, strchr(page->url, '?') ? '&' : '?',
			       buf_str(&query)))
		return err_set(err, ERR_LIMIT, "the address of the page to log in is too long");
	return 0;
}

/* In constant time: whoever guesses learns nothing from how long it takes. */
static bool is_ours(const struct pkce *pkce, const char *state)
{
	unsigned char differs = strlen(state) != PKCE_WORD_SIZE - 1;

	for (size_t i = 0; i < PKCE_WORD_SIZE - 1 && state[i]; i++)
		differs |= (unsigned char)(state[i] ^ pkce->state[i]);
	return !differs;
}

static int refuse(struct span query, const char *word, struct err *err)
{
	char why[OIDC_TEXT_MAX];

	if (!url_field(query, "error_description", why, sizeof(why)))
		why[0] = '\0';
	text_make_printable(why);
	return err_set(err, ERR_DENIED, "the issuer did not let you in: %s%s%s", word,
		       why[0] ? ": " : "", why);
}

int pkce_read_answer(const struct pkce *pkce, struct span query, const char *issuer,
		     char code[PKCE_CODE_MAX], struct err *err)
{
	char state[PKCE_WORD_SIZE], word[OIDC_WORD_MAX], from[URL_MAX];

	if (!url_field(query, "state", state, sizeof(state)) || !is_ours(pkce, state))
		return 0;
	if (issuer && (!url_field(query, "iss", from, sizeof(from)) || strcmp(from, issuer) != 0))
		return err_set(err, ERR_PROTOCOL,
			       "the browser came back from another issuer than it was sent to");
	if (url_field(query, "error", word, sizeof(word))) {
		text_make_printable(word);
		return refuse(query, word, err);
	}
	if (!url_field(query, "code", code, PKCE_CODE_MAX) || !oidc_is_token(span_of_str(code)))
		return err_set(err, ERR_PROTOCOL, "the browser came back without a code");
	return 1;
}
