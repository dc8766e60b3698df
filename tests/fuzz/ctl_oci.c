/* SPDX-License-Identifier: MIT */
/*
 * Names of images, what registries answer, and files with credentials: read to their end whatever
 * they are; what comes out is within its limits.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/oci/cache.h"
#include "controller/oci/credentials.h"
#include "controller/oci/manifest.h"
#include "init/base/alloc.h"

static void read_name(const char *text)
{
	cleanup(oci_reference_finish) struct oci_reference reference = { 0 };
	cleanup(oci_reference_finish) struct oci_reference again = { 0 };
	cleanup_free char *full = NULL;
	cleanup_free char *once_more = NULL;
	struct err err = { 0 };

	if (oci_reference_parse(text, &reference, &err) < 0) {
		for (const char *p = err.text; *p; p++)
			assert((unsigned char)*p >= 0x20 && *p != 0x7f);
		return;
	}
	assert(oci_reference_which(&reference));
	/* The full name means the same. */
	full = oci_reference_text(&reference);
	if (strlen(full) > OCI_REFERENCE_MAX)
		return;
	assert(oci_reference_parse(full, &again, NULL) == 0);
	once_more = oci_reference_text(&again);
	assert(strcmp(full, once_more) == 0);
}

static void read_answers(struct span bytes, const char *text)
{
	cleanup(manifest_finish) struct manifest manifest = { 0 };
	cleanup(oci_image_finish) struct oci_image image = { 0 };
	struct challenge challenge;

	if (manifest_parse(bytes, &manifest, NULL) == 0) {
		assert(manifest.is_index ? manifest.platforms_len > 0
					 : oci_digest_is_valid(manifest.config));
		for (size_t i = 0; i < manifest.platforms_len; i++)
			assert(oci_digest_is_valid(manifest.platforms[i].digest));
	}
	if (manifest_parse_config(bytes, &image, NULL) == 0)
		assert(image.platform[0] && image.user && image.directory);
	if (challenge_parse(text, &challenge))
		assert(challenge.is_basic || challenge.realm[0]);
}

static void read_credentials(struct span bytes)
{
	static const struct oci_reference reference = { .registry = (char *)(uintptr_t) "r.example",
							.repository = (char *)(uintptr_t) "a/b" };
	cleanup(credentials_finish) struct credentials of_docker = { 0 };
	cleanup(credentials_finish) struct credentials of_enroot = { 0 };
	cleanup(credentials_finish) struct credentials of_helper = { 0 };
	char helper[CREDENTIALS_HELPER_MAX];

	if (credentials_parse(bytes, &reference, &of_docker, helper, NULL) == 1)
		assert(helper[0] || of_docker.identity || (of_docker.user && of_docker.password));
	assert(!strpbrk(helper, "/ ;"));
	if (credentials_parse_netrc(bytes, "r.example", &of_enroot, NULL) == 1)
		assert(of_enroot.user && of_enroot.password);
	if (credentials_parse_helper(bytes, &of_helper, NULL) == 0)
		assert(!of_helper.user == !of_helper.password);
}

/* What was kept, and perhaps damaged since. */
static void read_cache(struct span bytes)
{
	const struct oci_cached answer = { "x:1", "arm64", OCI_SILENT, NULL };
	cleanup(oci_image_finish) struct oci_image image = { 0 }, again = { 0 };
	cleanup_free char *made = NULL;

	(void)oci_cache_find(bytes, "x:1", "arm64", 1000, &image);
	made = oci_cache_put(bytes, &answer, 1000);
	assert(!made ||
	       oci_cache_find(span_of_str(made), "x:1", "arm64", 1000, &again) == OCI_SILENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = str_dup_len((const char *)bytes, len);

	read_name(text);
	read_answers(span_of(bytes, len), text);
	read_credentials(span_of(bytes, len));
	read_cache(span_of(bytes, len));
	return 0;
}
