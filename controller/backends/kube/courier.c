/* SPDX-License-Identifier: MIT */
/* Who brings berth's programs where nothing can be started; see courier.h. */
#include "courier.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/backends/kube/foreign.h"
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod_state.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define BUNDLE_DIR "/berth"
#define SAYS_PLACE "place "
#define SAYS_USER "user "
#define WORDS_MAX 300
/* One for the question who the container is, one as that. */
#define COURIERS_MAX 2
/* For an image that has to be fetched, too. */
#define WAIT_S 180
#define STEP_MS 200

/* $0: the directory with the programs; $1: the job's uid; then places. */
static const char script[] =
	"b=$0; id=$1; t=/dev/termination-log; shift; own=$(\"$b/busybox\" stat -c '%u %g' /proc/1)\n"
	"if [ \"$(\"$b/busybox\" id -u)\" != \"${own% *}\" ]; then echo \"" SAYS_USER
	"$own\" >$t; exit 1; fi\n"
	"umask 022\n"
	"for p; do d=\"${p%/}/.berth-$id\"; r=\"/proc/1/root$d\"\n"
	"if why=$(\"$b/berth-init\" --install \"$b:$r/bundle:0555\" 2>&1 &&\n"
	"\"$b/busybox\" mkdir -p -m 700 \"$r/job\" 2>&1 && \"$r/bundle/berth-init\" --version 2>&1)\n"
	"then echo \"" SAYS_PLACE "$d\" >$t; exit 0; fi\n"
	"\"$b/busybox\" rm -rf \"$r\"; done; echo \"$why\" >$t; exit 1";

static json_t *make_command(const struct courier *courier)
{
	const struct adopted *adopted = courier->adopted;
	json_t *words = json_pack("[s, s, s, s, s, s]", BUNDLE_DIR "/busybox", "sh", "-c", script,
				  BUNDLE_DIR, courier->job->uid);

	for (size_t i = 0; i < adopted->places_len; i++)
		json_array_append_new(words, json_string(adopted->places[i]));
	return words;
}

static void set_user(json_t *security, const char *user)
{
	const char *group = strchr(user, ' ');
	uint64_t id;

	if (group && text_parse_uint(group + 1, UINT32_MAX, &id)) {
		cleanup_free char *own = str_dup_len(user, (size_t)(group - user));

		json_object_set_new(security, "runAsGroup", json_integer((json_int_t)id));
		if (text_parse_uint(own, UINT32_MAX, &id))
			json_object_set_new(security, "runAsUser", json_integer((json_int_t)id));
	}
}

json_t *kube_make_courier(const struct courier *courier, const char *name, const char *container,
			  const char *user)
{
	const json_t *spec = kube_container_of(courier->pod, container);
	json_t *security = json_object_get(spec, "securityContext"),
	       *made = json_pack("{s:s, s:s, s:s}", "name", name, "image", courier->image,
				 "targetContainerName", container);

	/* What it may do, who sees the other's files has to be allowed to, and no more. */
	security = json_is_object(security) ? json_deep_copy(security) : json_object();
	if (user)
		set_user(security, user);
	json_object_set_new(made, "command", make_command(courier));
	json_object_set_new(made, "securityContext", security);
	return made;
}

int kube_read_courier(const json_t *terminated, char **ret, struct err *err)
{
	const char *message = kube_text(terminated, "message");
	cleanup_free char *words =
		str_dup_len(message, MIN(strcspn(message, "\n"), (size_t)WORDS_MAX));

	text_make_printable(words);
	if (strncmp(words, SAYS_PLACE "/", strlen(SAYS_PLACE) + 1) == 0) {
		*ret = str_dup(words + strlen(SAYS_PLACE));
		return 1;
	}
	if (strncmp(words, SAYS_USER, strlen(SAYS_USER)) == 0 &&
	    strspn(words + strlen(SAYS_USER), "0123456789 ") == strlen(words + strlen(SAYS_USER))) {
		*ret = str_dup(words + strlen(SAYS_USER));
		return 0;
	}
	return err_set(err, ERR_UNAVAILABLE, "%s: %s", kube_text(terminated, "reason"), words);
}

static const json_t *state_of(const json_t *pod, const char *name)
{
	json_t *all = json_object_get(json_object_get(pod, "status"), "ephemeralContainerStatuses");

	return json_object_get(kube_item_with(all, "name", name), "state");
}

/* As many as have this beginning in their names: the next one's number. */
static size_t count_before(const json_t *pod, const char *beginning)
{
	const json_t *all = json_object_get(json_object_get(pod, "spec"), "ephemeralContainers");
	const json_t *item;
	size_t i, count = 0;

	json_array_foreach(all, i, item)
		count += strncmp(kube_text(item, "name"), beginning, strlen(beginning)) == 0;
	return count;
}

static int send_one(struct kube *kube, const struct kube_target *target, json_t *container,
		    struct err *err)
{
	cleanup_free char *path = kube_target_path(target, "ephemeralcontainers");
	cleanup(json_release) json_t *change =
		json_pack("{s:{s:[o]}}", "spec", "ephemeralContainers", container);
	const struct kube_call call = { .method = "PATCH",
					.path = path,
					.body = change,
					.content_type = "application/strategic-merge-patch+json" };

	return kube_call(kube, &call, NULL, err) < 0
		       ? err_wrap(err, "an ephemeral container cannot be put beside it")
		       : 0;
}

/* What has to be mended by somebody is not waited for. */
static bool is_hopeless(const json_t *waiting)
{
	static const char *const reasons[] = { "ErrImagePull",	       "ImagePullBackOff",
					       "InvalidImageName",     "CreateContainerConfigError",
					       "CreateContainerError", "RunContainerError" };

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (strcmp(kube_text(waiting, "reason"), reasons[i]) == 0)
			return true;
	}
	return false;
}

/* Release *ret: how it ended. */
static int await_end(struct kube *kube, const struct kube_target *target, const char *name,
		     json_t **ret, struct err *err)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };

	for (int i = 0; i < WAIT_S * 1000 / STEP_MS; i++) {
		cleanup(json_release) json_t *pod = NULL;
		const json_t *state, *waiting;

		if (kube_get_pod(kube, target, &pod, err) < 0)
			return -1;
		state = state_of(pod, name);
		waiting = json_object_get(state, "waiting");
		*ret = json_incref(json_object_get(state, "terminated"));
		if (*ret)
			return 0;
		if (is_hopeless(waiting))
			return err_set(err, ERR_UNAVAILABLE,
				       "the ephemeral container of 'bundle_image' does not start: "
				       "%.40s: %.200s",
				       kube_text(waiting, "reason"), kube_text(waiting, "message"));
		nanosleep(&step, NULL);
	}
	return err_set(err, ERR_TIMEOUT,
		       "the ephemeral container of 'bundle_image' has not ended in %d s", WAIT_S);
}

/* Then the first process that is seen is not the container's, but the pod's, or even the node's. */
static int check_processes(const json_t *pod, struct err *err)
{
	static const char *const shared[] = { "hostPID", "shareProcessNamespace" };

	for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
		if (json_is_true(json_object_get(json_object_get(pod, "spec"), shared[i])))
			return err_set(err, ERR_UNSUPPORTED,
				       "its image has no shell, and its pod has '%s': give it an "
				       "image with sh and head",
				       shared[i]);
	}
	return 0;
}

int kube_send_courier(struct kube *kube, const struct kube_target *target,
		      const struct courier *courier, char **ret_place, struct err *err)
{
	cleanup_free char *beginning = str_printf("berth-%s", courier->job->uid), *user = NULL;
	size_t number = count_before(courier->pod, beginning);

	if (check_processes(courier->pod, err) < 0)
		return -1;
	for (size_t i = 0; i < COURIERS_MAX; i++) {
		cleanup_free char *name = str_printf("%s-%zu", beginning, number + i), *said = NULL;
		cleanup(json_release) json_t *end = NULL;
		int result;

		log_info("an ephemeral container brings berth's programs into %s", target->pod);
		if (send_one(kube, target,
			     kube_make_courier(courier, name, target->container, user), err) < 0 ||
		    await_end(kube, target, name, &end, err) < 0)
			return -1;
		result = kube_read_courier(end, &said, err);
		if (result < 0)
			return -1;
		if (result > 0 && !adopted_is_place(courier->adopted, courier->job, said))
			return err_set(err, ERR_PROTOCOL, "the ephemeral container says %s", said);
		if (result > 0) {
			*ret_place = take_ptr(said);
			return 0;
		}
		free(user);
		user = take_ptr(said);
	}
	return err_set(err, ERR_UNAVAILABLE,
		       "the ephemeral container is not let to be user %s, as its image's is", user);
}
