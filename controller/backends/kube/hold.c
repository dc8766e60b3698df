/* SPDX-License-Identifier: MIT */
/* Jobs that are kept; see hold.h. */
#include "hold.h"

#include <string.h>

#include "controller/backends/kube/ask.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/observe.h"
#include "controller/backends/kube/pod_init.h"
#include "controller/backends/kube/pod_state.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

#define JOBS "/apis/batch/v1"
#define TRIES 8
#define STATUS_MAX 65536

static bool has_begun(const json_t *pod)
{
	const char *phase = kube_text(json_object_get(pod, "status"), "phase");

	return phase[0] != '\0' && strcmp(phase, "Pending") != 0;
}

static int check_waits(struct kube *kube, const struct job *job, struct err *err)
{
	cleanup(json_release) json_t *pods = NULL;
	const json_t *pod;
	size_t i;

	if (kube_list_pods(kube, job, &pods, err) < 0)
		return -1;
	json_array_foreach(pods, i, pod) {
		if (has_begun(pod))
			return err_set(err, ERR_UNAVAILABLE,
				       "pod %s has started, and would be ended by it",
				       kube_text(json_object_get(pod, "metadata"), "name"));
	}
	return 0;
}

/* As it was when its pods were looked at: the controller writes into it when one begins. */
static int suspend_once(struct kube *kube, const struct job *job, const char *path, bool is_held,
			struct err *err)
{
	cleanup(json_release) json_t *made = NULL;
	cleanup(json_release) json_t *change = NULL;
	struct kube_call call = { .path = path };

	if (kube_call(kube, &call, &made, err) < 0 || (is_held && check_waits(kube, job, err) < 0))
		return -1;
	change = json_pack("{s:{s:s}, s:{s:b}}", "metadata", "resourceVersion",
			   kube_text(json_object_get(made, "metadata"), "resourceVersion"), "spec",
			   "suspend", is_held);
	call.method = "PATCH";
	call.content_type = "application/merge-patch+json";
	call.body = change;
	return kube_call(kube, &call, NULL, err);
}

int kube_suspend(struct kube *kube, const struct job *job, bool is_held, struct err *err)
{
	cleanup_free char *name = kube_job_name(job);
	cleanup_free char *path = kube_path(kube, JOBS, "jobs", name);
	struct err own = { 0 };

	if (job->only[0])
		return err_set(err, ERR_UNSUPPORTED,
			       "a Job is held as a whole: name the array, and not its tasks");
	for (int i = 0; i < TRIES; i++) {
		if (suspend_once(kube, job, path, is_held, &own) == 0)
			return 0;
		if (own.kind != ERR_EXISTS)
			break;
	}
	return err_set(err, own.kind, "%s", own.text);
}

int kube_end_hold(struct kube *kube, const struct kube_target *target, const char *programs,
		  struct err *err)
{
	/* Where pods share processes berth-init is not the first. */
	static const char script[] = "for p in /proc/[0-9]*; do\n"
				     "if \"$0\" tr '\\0' ' ' <\"$p/cmdline\" 2>&1 | \"$0\" grep -q "
				     "'^[^ ]*/berth-init --dir " KUBE_JOB_DIR
				     " '; then echo told; kill -URG \"${p#/proc/}\"; "
				     "fi\ndone; :";
	cleanup_free char *busybox = fs_join(programs, "busybox");
	const char *const argv[] = { busybox, "sh", "-c", script, busybox, NULL };
	cleanup(buf_finish) struct buf said = BUF_INIT(STATUS_MAX);

	if (kube_ask(kube, target, &(struct kube_question){ .argv = argv }, &said, err) == 0)
		return 0;
	/* The container may end before a program in it does. */
	return buf_len(&said) > 0 ? 0 : -1;
}

int kube_fetch_status(struct kube *kube, const struct kube_target *target, const char *programs,
		      const struct job *job, unsigned int rank, struct err *err)
{
	cleanup_free char *name = str_printf("status.%u.json", rank);
	cleanup_free char *path = fs_join(job->directory, name);
	cleanup_free char *there = fs_join(KUBE_JOB_DIR, name);
	cleanup_free char *busybox = fs_join(programs, "busybox");
	const char *const argv[] = { busybox, "cat", there, NULL };
	cleanup(buf_finish) struct buf text = BUF_INIT(STATUS_MAX);

	if (kube_ask(kube, target, &(struct kube_question){ .argv = argv }, &text, err) < 0)
		return -1;
	return fs_write_file_unsynced(path, buf_span(&text), 0600, err);
}
