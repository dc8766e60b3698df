/* SPDX-License-Identifier: MIT */
/*
 * What an API server says of a Job and its pod, and a pod template: read to their ends whatever
 * they are, and nothing that a terminal would act on gets through.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/backends/kube/job.h"
#include "controller/backends/kube/observe.h"

static void check_text(const char *text, size_t size)
{
	assert(strnlen(text, size) < size);
	for (; *text; text++)
		assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void observe(const json_t *answer)
{
	struct observation seen = { 0 };

	kube_read_job(json_object_get(answer, "job"), json_object_get(answer, "pod"), &seen);
	check_text(seen.native_state, sizeof(seen.native_state));
	check_text(seen.reason, sizeof(seen.reason));
	check_text(seen.node_list, sizeof(seen.node_list));
	assert(seen.exit_code >= JOB_NO_EXIT_CODE && seen.exit_code <= 255);
	assert(seen.signal >= 0 && seen.signal <= 64);
}

static void make(const char *template)
{
	static const char *const command[] = { "true", NULL };
	const struct spec spec = { .command = command, .image = "i", .gpus = "1", .user = "1:2" };
	cleanup(job_finish) struct job job = { 0 };
	const struct submission submission = { .spec = &spec, .job = &job, .template = template };
	cleanup(json_release) json_t *body = NULL;
	struct err err = { 0 };

	job_init(&job);
	job_set_text(&job.uid, "u1");
	if (kube_make_job(&submission, &body, &err) < 0)
		assert(err.text[0] != '\0');
	else
		assert(json_is_object(json_object_get(json_object_get(body, "spec"), "template")));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = str_dup_len((const char *)bytes, len);
	cleanup(json_release) json_t *answer = NULL;

	if (json_parse(span_of(bytes, len), 1 << 20, &answer, NULL) == 0)
		observe(answer);
	make(text);
	return 0;
}
