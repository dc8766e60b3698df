/* SPDX-License-Identifier: MIT */
/*
 * Kubeconfig files, what plugins print, and what an API server answers: whatever is in them, there
 * is an error with a text, or something to go by.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/backends/kube/client.h"

static void choose_all(const struct kubeconfig *config)
{
	const char *name;
	json_t *value;

	json_object_foreach(config->contexts, name, value) {
		cleanup(kube_access_finish) struct kube_access access = { 0 };
		struct err err = { 0 };

		if (kubeconfig_choose(config, name, &access, &err) == 0)
			assert(access.server && buf_len(&access.key) <= KUBE_PEM_MAX);
		else
			assert(err.text[0] != '\0' && !access.server);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct span text = span_of(bytes, len);
	cleanup(kubeconfig_finish) struct kubeconfig config = { 0 };
	cleanup(kube_credential_finish) struct kube_credential credential = { 0 };
	struct err err = { 0 };

	if (kubeconfig_add(&config, "dir/file", text, &err) == 0)
		choose_all(&config);
	else
		assert(err.text[0] != '\0');
	if (kube_credential_read(text, "client.authentication.k8s.io/v1", &credential, &err) == 0)
		assert(credential.token || (credential.certificate && credential.key));
	assert(kube_explain(403, text, &err) == -1);
	for (const char *c = err.text; *c; c++)
		assert((unsigned char)*c >= 0x20 && *c != 0x7f);
	return 0;
}
