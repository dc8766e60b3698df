/* SPDX-License-Identifier: MIT */
/* berth-tunnel relay key, relay token. */
#include "relay.h"

#include <stdio.h>
#include <string.h>

#include "tunnel/relay/admit.h"
#include "tunnel/relay/keys.h"

/* 24 random bytes, as 32 characters that are safe in URLs and shells. */
#define TOKEN_BYTES 24

void relay_key_text(const struct key_public *key, char out[RELAY_KEY_TEXT_MAX])
{
	text_base64(span_of(key->bytes, sizeof(key->bytes)), out, RELAY_KEY_TEXT_MAX);
}

int relay_make_key(const struct relay_args *args, const char *path, struct err *err)
{
	cleanup(relay_keys_finish) struct relay_keys keys = { 0 };
	char text[RELAY_KEY_TEXT_MAX];

	(void)args;
	if (relay_keys_make(path, &keys, err) < 0)
		return -1;
	relay_key_text(&keys.pair.public, text);
	printf("%s\n", text);
	return 0;
}

/* The alphabet of RFC 4648 section 5. */
static void make_url_safe(char *text)
{
	for (; *text; text++) {
		if (*text == '+')
			*text = '-';
		else if (*text == '/')
			*text = '_';
	}
}

int relay_make_token(const struct relay_args *args, const char *name, struct err *err)
{
	cleanup(secret_finish) struct secret secret = { 0 };
	char token[TEXT_BASE64_SIZE(TOKEN_BYTES)], hash[ADMIT_HASH_TEXT_MAX];

	(void)args;
	if (*name == '\0' || strlen(name) > ADMIT_NAME_MAX || strpbrk(name, " \t\r\n#\"\\"))
		return err_set(err, ERR_INVALID, "'%s' is no name of one word", name);
	if (key_random_secret(&secret, err) < 0)
		return -1;
	text_base64(span_of(secret.bytes, TOKEN_BYTES), token, sizeof(token));
	make_url_safe(token);
	admit_hash_text(span_of_str(token), hash);
	printf("token: %s\n%s %s\n", token, name, hash);
	explicit_bzero(token, sizeof(token));
	return 0;
}
