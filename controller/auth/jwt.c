/* SPDX-License-Identifier: MIT */
/* JSON web tokens; see jwt.h. */
#include "jwt.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/buf.h"
#include "init/base/text.h"

#define END_MAX_S 1e10 /* in nanoseconds it still fits */

/* RFC 7515 writes base64 without padding, and with '-' and '_'. */
static bool decode_part(const char *text, size_t len, struct buf *ret)
{
	cleanup_free char *padded = str_printf("%.*s===", (int)len, text);
	size_t size = len * 3 / 4;
	uint8_t *bytes = buf_reserve(ret, size);

	padded[(len + 3) / 4 * 4] = '\0';
	for (char *p = padded; *p; p++) {
		if (*p == '-' || *p == '_')
			*p = *p == '-' ? '+' : '/';
	}
	if (!bytes || !text_parse_base64(padded, bytes, size))
		return false;
	buf_commit(ret, size);
	return true;
}

json_t *jwt_claims(const char *token)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(JWT_MAX);
	json_t *claims = NULL;
	const char *part = strchr(token, '.');
	size_t len;

	if (!part)
		return NULL;
	len = strcspn(++part, ".");
	if (len == 0 || len > JWT_MAX || !decode_part(part, len, &text) ||
	    json_parse(buf_span(&text), JWT_MAX, &claims, NULL) < 0)
		return NULL;
	return claims;
}

uint64_t jwt_end(const char *token)
{
	cleanup(json_release) json_t *claims = jwt_claims(token);
	/* RFC 7519, NumericDate: it may have a fraction. */
	double end = json_number_value(json_object_get(claims, "exp"));

	return end > 0 && end < END_MAX_S ? (uint64_t)end : 0;
}
