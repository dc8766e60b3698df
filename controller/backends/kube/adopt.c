/* SPDX-License-Identifier: MIT */
/* The tunnel in pods that berth did not start; see adopt.h. */
#include "adopt.h"

#include <string.h>

#include "controller/backends/kube/adopted.h"
#include "controller/backends/kube/ask.h"
#include "controller/backends/kube/bundle.h"
#include "controller/backends/kube/courier.h"
#include "controller/backends/kube/foreign.h"
#include "controller/backends/kube/pod_state.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define SAID_MAX 65536
#define COMMAND_MAX 4096
#define PROGRAM_MAX ((size_t)64 * 1024 * 1024)
#define FILE_MAX (1024 * 1024)
#define BUSYBOX "busybox"

/* What a job directory has for the tunnel. */
static const char *const job_files[] = { "tunnel.json", "session.json" };

/*
 * By what the image has. $1: how long busybox is, which comes; $2: the job's uid; then places. A
 * script stands for it first, since programs may not run from everywhere.
 */
static const char begin[] =
	"n=$1; id=$2; shift 2; umask 077\n"
	"for p; do d=\"${p%/}/.berth-$id\"; b=\"$d/bundle/busybox\"\n"
	"if mkdir -p \"$d/bundle\" \"$d/job\" 2>/dev/null &&\n"
	"echo '#!/bin/sh' 2>/dev/null >\"$b\" && chmod 755 \"$d\" \"$d/bundle\" \"$b\" &&\n"
	"\"$b\" 2>/dev/null; then\n"
	"rm -f \"$b\"; head -c \"$n\" >\"$b\" && chmod 755 \"$b\" && echo \"$d\" && exit 0\n"
	"rm -rf \"$d\"; exit 1\n"
	"fi; rm -rf \"$d\"; done; echo 'no place to write programs' >&2; exit 1";

/* $1: the directory, as in all below. */
static const char settle[] =
	"cd \"$1/bundle\" && chmod 755 berth-init berth-tunnel && mkdir -p bin && chmod 755 bin &&\n"
	"if [ -e applets ]; then while read -r a; do ln -sf ../busybox \"bin/$a\"; done <applets; fi";

/* Nothing of it may hold the stream open that it is started by. */
static const char start[] =
	"d=$1; b=\"$d/bundle/busybox\"; rm -f \"$d/job\"/endpoint.*\n"
	"\"$b\" setsid \"$d/bundle/berth-init\" --dir \"$d/job\" --rank 0 --grace 1s -- "
	"\"$b\" sleep 2147483647 </dev/null >/dev/null 2>&1 &\necho $! >\"$d/job/pid\"";

#define IS_ALIVE                                   \
	"d=$1; read -r p <\"$d/job/pid\" && "      \
	"tr '\\0' ' ' <\"/proc/$p/cmdline\" 2>&1 " \
	"| grep -qF \"$d/job\""

static const char is_alive[] = IS_ALIVE;

/* As soon as it is there; a tunnel that does not come is not waited for long. */
static const char show_endpoint[] =
	"e=$1/job/endpoint.0.json; n=0\n"
	"while ! [ -e \"$e\" ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done\n"
	"cat \"$e\"";

/* The shell goes on when its program is gone. */
static const char leave[] = "if " IS_ALIVE "; then kill \"$p\"; n=0\n"
			    "while kill -0 \"$p\" 2>/dev/null && [ $n -lt 60 ]; do sleep 0.05; "
			    "n=$((n + 1)); done\nkill -KILL \"$p\" 2>/dev/null; fi\n"
			    "rm -rf \"$1\"/* || :; rm -rf \"$1\"";

/* By what the image has: of a copy that broke off there may be no program of ours. */
static const char sweep[] = "id=$1; shift; for p; do rm -rf \"${p%/}/.berth-$id\"; done";

static void describe(const json_t *container, struct job *ret)
{
	static const char *const lists[] = { "command", "args" };
	cleanup(buf_finish) struct buf line = BUF_INIT(COMMAND_MAX);
	cleanup_free char *command = NULL;
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const json_t *word;
		size_t n;

		json_array_foreach(json_object_get(container, lists[i]), n, word) {
			if (ok && json_is_string(word))
				ok = buf_printf(&line, "%s%s", buf_len(&line) ? " " : "",
						json_string_value(word));
		}
	}
	/* What the image runs by itself the server does not know. */
	if (buf_len(&line) == 0)
		ok = buf_printf(&line, "%.200s", kube_text(container, "image"));
	command = buf_take_str(&line);
	text_make_printable(command);
	job_set(ret, command, ok ? command : "");
}

static int check_runs(const json_t *pod, const char *container, struct err *err)
{
	const json_t *state = kube_container_state(pod, container);
	const json_t *other = json_object_get(state, "waiting");

	if (json_object_get(state, "running"))
		return 0;
	other = other ? other : json_object_get(state, "terminated");
	return err_set(err, ERR_UNAVAILABLE,
		       "container %.60s does not run (%.60s): attach to it when it does", container,
		       other ? kube_text(other, "reason")
			     : kube_text(json_object_get(pod, "status"), "phase"));
}

int kube_find_foreign(struct kube *kube, const char *name, struct job *ret, struct err *err)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	cleanup_free char *id = NULL;
	cleanup(json_release) json_t *pod = NULL;
	const json_t *container;

	if (kube_parse_foreign(name, &target, err) < 0)
		return -1;
	if (!target.namespace)
		target.namespace = str_dup(kube->namespace);
	if (kube_get_pod(kube, &target, &pod, err) < 0)
		return -1;
	container = kube_container_of(pod, target.container);
	if (!container)
		return err_set(err, ERR_NOT_FOUND, "pod %.100s has no container '%.60s'",
			       target.pod, target.container ? target.container : "");
	if (!target.container)
		target.container = str_dup(kube_text(container, "name"));
	if (check_runs(pod, target.container, err) < 0)
		return -1;
	id = str_printf("%s/%s/%s", target.namespace, target.pod, target.container);
	if (strlen(id) >= BACKEND_ID_MAX)
		return err_set(err, ERR_LIMIT,
			       "the names of the pod and its container are too long");
	job_set(ret, native_id, id);
	job_set(ret, name, target.pod);
	describe(container, ret);
	return 0;
}

/* A script of ours for the bundle's shell. */
static int run_script(struct kube *kube, const struct kube_target *target, const char *place,
		      const char *script, struct buf *ret, struct err *err)
{
	cleanup_free char *busybox = str_printf("%s/bundle/" BUSYBOX, place);
	cleanup_free char *text = str_printf("PATH=\"$1/bundle/bin:$PATH\"\n%s", script);
	const char *const argv[] = { busybox, "sh", "-c", text, "berth", place, NULL };

	return kube_ask(kube, target, &(struct kube_question){ .argv = argv }, ret, err);
}

/* One that says nothing of interest. */
static int run_silent(struct kube *kube, const struct kube_target *target, const char *place,
		      const char *script, struct err *err)
{
	cleanup(buf_finish) struct buf said = BUF_INIT(SAID_MAX);

	return run_script(kube, target, place, script, &said, err);
}

/* One for the image's shell: words, then the places. */
static int run_outside(struct kube *kube, const struct kube_target *target,
		       const struct adopted *adopted, const char *const *words,
		       struct kube_question *question, struct buf *ret, struct err *err)
{
	const char *argv[ADOPTED_PLACES_MAX + 8] = { "sh", "-c" };
	size_t len = 2;

	for (; *words; words++)
		argv[len++] = *words;
	for (size_t i = 0; i < adopted->places_len; i++)
		argv[len++] = adopted->places[i];
	question->argv = argv;
	return kube_ask(kube, target, question, ret, err);
}

static int put_program(struct kube *kube, const struct kube_target *target, const char *place,
		       const char *from, const char *name, struct err *err)
{
	cleanup_free char *here = fs_join(from, name);
	cleanup_free char *programs = fs_join(place, "bundle");
	cleanup_free char *there = fs_join(programs, name);
	cleanup(buf_finish) struct buf content = BUF_INIT(PROGRAM_MAX);

	if (fs_read_file(here, PROGRAM_MAX, &content, err) < 0)
		return -1;
	return kube_put_file(kube, target, programs, there, buf_span(&content), err);
}

static int begin_by_shell(struct kube *kube, const struct kube_target *target,
			  const struct submission *submission, const struct adopted *adopted,
			  char **ret_place, struct err *err)
{
	cleanup_free char *here = fs_join(submission->bundle, BUSYBOX), *len = NULL;
	cleanup(buf_finish) struct buf content = BUF_INIT(PROGRAM_MAX), said = BUF_INIT(SAID_MAX);
	struct kube_question question = { 0 };
	cleanup_free char *place = NULL;

	if (fs_read_file(here, PROGRAM_MAX, &content, err) < 0)
		return -1;
	len = str_printf("%zu", buf_len(&content));
	question.input = buf_span(&content);
	if (run_outside(kube, target, adopted,
			(const char *const[]){ begin, "berth", len, submission->job->uid, NULL },
			&question, &said, err) < 0)
		return -1;
	place = buf_take_str(&said);
	place[strcspn(place, "\n")] = '\0';
	if (!adopted_is_place(adopted, submission->job, place))
		return err_set(err, ERR_UNAVAILABLE, "its sh is no shell");
	*ret_place = take_ptr(place);
	return 0;
}

/* All of it, when nothing but the image's own is there yet. */
static int copy_by_shell(struct kube *kube, const struct kube_target *target,
			 const struct submission *submission, const struct adopted *adopted,
			 char **ret_place, struct err *err)
{
	cleanup_free char *place = NULL;

	if (begin_by_shell(kube, target, submission, adopted, &place, err) < 0)
		return -1;
	for (size_t i = 0; kube_bundle_files[i]; i++) {
		const char *name = kube_bundle_files[i];
		cleanup_free char *here = fs_join(submission->bundle, name);

		if (strcmp(name, BUSYBOX) != 0 && fs_exists(here) &&
		    put_program(kube, target, place, submission->bundle, name, err) < 0)
			return err_wrap(err, "%s", name);
	}
	if (run_silent(kube, target, place, settle, err) < 0)
		return -1;
	*ret_place = take_ptr(place);
	return 0;
}

static int copy_in(struct kube *kube, const struct kube_target *target,
		   const struct submission *submission, const struct courier *courier,
		   char **ret_place, struct err *err)
{
	struct err by_shell, own;

	if (copy_by_shell(kube, target, submission, courier->adopted, ret_place, &by_shell) == 0)
		return 0;
	if (by_shell.kind == ERR_DENIED)
		return err_set(err, by_shell.kind, "%s", by_shell.text);
	if (!courier->image)
		return err_set(
			err, ERR_UNAVAILABLE,
			"berth's programs cannot be copied into it (%.200s): it takes sh, "
			"head and a place to write programs, such as an emptyDir at /tmp; or "
			"set 'bundle_image' of the cluster, by which an ephemeral container "
			"brings them",
			by_shell.text);
	if (kube_send_courier(kube, target, courier, ret_place, &own) == 0)
		return 0;
	return err_set(err, own.kind,
		       "berth's programs cannot be copied into it (%.150s; then %.300s)",
		       by_shell.text, own.text);
}

static int put_job_files(struct kube *kube, const struct kube_target *target, const struct job *job,
			 const char *place, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(job_files); i++) {
		if (kube_adopted_deliver(kube, job, job_files[i], err) < 0)
			return -1;
	}
	return run_silent(kube, target, place, start, err);
}

static int await_endpoint(struct kube *kube, const struct kube_target *target,
			  const struct job *job, const char *place, struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, "endpoint.0.json");
	cleanup(buf_finish) struct buf text = BUF_INIT(SAID_MAX);

	if (run_script(kube, target, place, show_endpoint, &text, err) < 0)
		return -1;
	return fs_write_file_unsynced(path, buf_span(&text), 0600, err);
}

int kube_adopt(struct kube *kube, const struct submission *submission, const char *bundle_image,
	       struct err *err)
{
	const struct job *job = submission->job;
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	cleanup(adopted_finish) struct adopted adopted = { 0 };
	cleanup(json_release) json_t *pod = NULL;
	struct courier courier = { .image = bundle_image, .adopted = &adopted, .job = job };

	if (kube_abandon(kube, job, err) < 0 || kube_adopted_target(job, &target, err) < 0 ||
	    kube_get_pod(kube, &target, &pod, err) < 0)
		return -1;
	adopted.pod_uid = str_dup(kube_text(json_object_get(pod, "metadata"), "uid"));
	adopted_add_places(&adopted, kube_container_of(pod, target.container));
	courier.pod = pod;
	/* Written before anything is copied, so that what is there can always be removed. */
	if (adopted_write(job, &adopted, err) < 0 ||
	    copy_in(kube, &target, submission, &courier, &adopted.place, err) < 0 ||
	    adopted_write(job, &adopted, err) < 0 ||
	    put_job_files(kube, &target, job, adopted.place, err) < 0)
		return -1;
	return await_endpoint(kube, &target, job, adopted.place, err);
}

/* 1: it does; 0: it does not, or is another one; -1: nobody can tell. */
static int does_run(struct kube *kube, const struct kube_target *target,
		    const struct adopted *adopted, struct err *err)
{
	cleanup(json_release) json_t *pod = NULL;
	struct observation seen = { 0 };
	struct err own;

	if (kube_get_pod(kube, target, &pod, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	kube_read_adopted(pod, target->container, adopted->pod_uid, &seen);
	return seen.state == JOB_RUNNING;
}

static int wake(struct kube *kube, const struct kube_target *target, const char *place,
		struct err *err)
{
	if (run_silent(kube, target, place, is_alive, NULL) == 0)
		return 0;
	return run_silent(kube, target, place, start, err);
}

int kube_adopted_endpoint(struct kube *kube, const struct job *job, char **ret, struct err *err)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	cleanup(adopted_finish) struct adopted adopted = { 0 };
	struct err own;
	int runs;

	if (adopted_read(job, &adopted, err) < 0 || kube_adopted_target(job, &target, err) < 0)
		return -1;
	runs = does_run(kube, &target, &adopted, err);
	if (runs < 0)
		return -1;
	if (runs == 0)
		return err_set(err, ERR_NOT_FOUND, "the container does not run");
	if (adopted.place && wake(kube, &target, adopted.place, &own) == 0 &&
	    await_endpoint(kube, &target, job, adopted.place, &own) == 0) {
		*ret = fs_join(job->directory, "endpoint.0.json");
		return 0;
	}
	return err_set(err, ERR_UNAVAILABLE,
		       "its tunnel is not there any more (%.200s): 'berth attach %s:%s' puts it "
		       "there again",
		       adopted.place ? own.text : "it was not put there", job->cluster,
		       job->native_id);
}

int kube_adopted_deliver(struct kube *kube, const struct job *job, const char *name,
			 struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, name), *programs = NULL, *there = NULL;
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	cleanup(adopted_finish) struct adopted adopted = { 0 };
	cleanup(buf_wipe) struct buf content = BUF_INIT(FILE_MAX);

	if (fs_read_file(path, FILE_MAX, &content, err) < 0 ||
	    adopted_read(job, &adopted, err) < 0 || kube_adopted_target(job, &target, err) < 0)
		return -1;
	if (!adopted.place)
		return err_set(err, ERR_UNAVAILABLE, "nothing was put into the container yet");
	programs = fs_join(adopted.place, "bundle");
	there = str_printf("%s/job/%s", adopted.place, name);
	return kube_put_file(kube, &target, programs, there, buf_span(&content), err);
}

/* Where it is; else wherever it may be, of one whose adoption died. 0: it is gone from there. */
static int remove_all(struct kube *kube, const struct kube_target *target, const struct job *job,
		      const struct adopted *adopted, struct err *err)
{
	cleanup(buf_finish) struct buf said = BUF_INIT(SAID_MAX);
	struct kube_question question = { 0 };
	struct err own;

	if (adopted->place && run_silent(kube, target, adopted->place, leave, err) == 0)
		return 0;
	for (size_t i = 0; !adopted->place && i < adopted->places_len; i++) {
		const char *above = strcmp(adopted->places[i], "/") ? adopted->places[i] : "";
		cleanup_free char *place = str_printf("%s/.berth-%s", above, job->uid);

		if (run_silent(kube, target, place, leave, &own) < 0)
			log_debug("%s: %s", place, own.text);
	}
	return run_outside(kube, target, adopted,
			   (const char *const[]){ sweep, "berth", job->uid, NULL }, &question,
			   &said, err);
}

int kube_abandon(struct kube *kube, const struct job *job, struct err *err)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	cleanup(adopted_finish) struct adopted adopted = { 0 };
	struct err own;
	int runs;

	if (adopted_read(job, &adopted, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	if (kube_adopted_target(job, &target, err) < 0)
		return -1;
	runs = does_run(kube, &target, &adopted, err);
	if (runs <= 0)
		return runs;
	/* Without our programs and without a shell there is nothing of ours that can be removed. */
	if (remove_all(kube, &target, job, &adopted, &own) == 0 || own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}
