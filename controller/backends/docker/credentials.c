/* SPDX-License-Identifier: MIT */
/* Credentials as the engine takes them; see credentials.h. */
#include "credentials.h"

#include <string.h>

#include "controller/model/json.h"
#include "controller/oci/credentials.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_string(text));
}

/* The engine wants JSON in base64 for addresses (RFC 4648, section 5). */
static char *encode(const struct credentials *found)
{
	cleanup(json_release) json_t *auth = json_object();
	cleanup_free char *text = NULL;
	char *json, *header;
	size_t len, size;

	set_text(auth, "username", found->identity ? NULL : found->user);
	set_text(auth, "password", found->identity ? NULL : found->password);
	set_text(auth, "identitytoken", found->identity);
	json = json_dumps(auth, JSON_COMPACT);
	len = json ? strlen(json) : 0;
	size = TEXT_BASE64_SIZE(len);
	text = alloc_zero(1, size);
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
	cleanup(oci_reference_finish) struct oci_reference image = { 0 };
	cleanup(credentials_finish) struct credentials found = { 0 };

	*ret = NULL;
	/* What is wrong with a name, the engine says. */
	if (oci_reference_parse(reference, &image, NULL) < 0)
		return 0;
	if (credentials_find(&image, &found, err) < 0)
		return -1;
	if (found.identity || found.password)
		*ret = encode(&found);
	return 0;
}
