/* SPDX-License-Identifier: MIT */
/* Where the tunnel of a pod listens; see endpoint.h. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <string.h>

#include "controller/backends/kube/ask.h"
#include "controller/backends/kube/foreign.h"
#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/job_state.h"
#include "controller/backends/kube/pod_state.h"
#include "controller/backends/kube/pod_init.h"
#include "init/base/fs.h"

#define CORE "/api/v1"
#define ENDPOINT_MAX 65536
#define ADDRESSES_MAX 8

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static char *file_of(const struct job *job, unsigned int rank)
{
	return str_printf("%s/endpoint.%u.json", job->directory, rank);
}

/* "10.1.2.3:20007" or "[2001:db8::1]:20007"; NULL when it is no address. */
static json_t *address(const char *ip, uint16_t port)
{
	struct in6_addr parsed;

	if (inet_pton(AF_INET, ip, &parsed) == 1)
		return json_sprintf("%s:%u", ip, port);
	if (inet_pton(AF_INET6, ip, &parsed) == 1)
		return json_sprintf("[%s]:%u", ip, port);
	return NULL;
}

static json_t *addresses_of(const json_t *status, uint16_t port)
{
	const json_t *ips = json_object_get(status, "podIPs"), *ip;
	json_t *list = json_array();
	size_t i;

	json_array_foreach(ips, i, ip) {
		json_t *text = address(text_of(ip, "ip"), port);

		if (text && i < ADDRESSES_MAX)
			json_array_append_new(list, text);
		else
			json_decref(text);
	}
	if (json_array_size(list) == 0) {
		json_t *text = address(text_of(status, "podIP"), port);

		if (text)
			json_array_append_new(list, text);
	}
	return list;
}

/* When the job's container started; NULL: it does not run. */
static const char *running_since(const json_t *status)
{
	const json_t *all = json_object_get(status, "containerStatuses"), *item;
	size_t i;

	json_array_foreach(all, i, item) {
		const json_t *running = json_object_get(json_object_get(item, "state"), "running");

		if (strcmp(text_of(item, "name"), KUBE_CONTAINER) == 0 && running)
			return text_of(running, "startedAt");
	}
	return NULL;
}

bool kube_format_endpoint(const json_t *pod, const struct job *job, unsigned int rank,
			  struct buf *ret)
{
	const json_t *status = json_object_get(pod, "status");
	const char *name = text_of(json_object_get(pod, "metadata"), "name");
	cleanup(json_release) json_t *addresses = addresses_of(status, kube_port(job));
	cleanup(json_release) json_t *file = NULL;
	const char *since = running_since(status);
	cleanup_free char *text = NULL;

	if (!since || name[0] == '\0' || json_array_size(addresses) == 0)
		return false;
	file = json_pack("{s:i, s:i, s:s, s:i, s:O, s:O, s:f}", "version", 1, "rank", (int)rank,
			 "host", name, "uid", 0, "addresses", addresses, "tcp", addresses,
			 "started", (double)(kube_time(since) / NSEC_PER_SEC));
	text = json_dumps(file, JSON_COMPACT);
	return text && buf_printf(ret, "%s\n", text);
}

/* Release *ret_pods, which has *ret, and as whose tunnel it is found is in *text. */
static int find_running(struct kube *kube, const struct job *job, unsigned int rank,
			json_t **ret_pods, const json_t **ret, struct buf *text, struct err *err)
{
	cleanup_free char *path = kube_path(kube, CORE, "pods", NULL);
	cleanup_free char *selector = str_printf(KUBE_LABEL_UID "=%s", job->uid);
	uint64_t index = 0;

	if ((job_is_array(job) || rank > 0) && !kube_index_of_rank(job, rank, &index))
		return err_set(err, ERR_NOT_FOUND, "there is no such rank");
	if (kube_list(kube, path, selector, ret_pods, err) < 0)
		return -1;
	*ret = kube_last_pod(*ret_pods, index);
	return kube_format_endpoint(*ret, job, rank, text)
		       ? 0
		       : err_set(err, ERR_NOT_FOUND, "the pod does not run");
}

static struct kube_target target_of(const struct kube *kube, const char *pod)
{
	return (struct kube_target){ str_dup(kube->namespace), str_dup(pod),
				     str_dup(KUBE_CONTAINER) };
}

int kube_find_target(struct kube *kube, const struct job *job, unsigned int rank,
		     struct kube_target *ret, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(ENDPOINT_MAX);
	cleanup(json_release) json_t *pods = NULL;
	const json_t *pod;

	if (job_is_adopted(job))
		return kube_adopted_target(job, ret, err);
	if (find_running(kube, job, rank, &pods, &pod, &text, err) < 0)
		return -1;
	*ret = target_of(kube, text_of(json_object_get(pod, "metadata"), "name"));
	return 0;
}

/* What its tunnel wrote. ERR_NOT_FOUND: nothing yet. */
static int ask_pod(struct kube *kube, const char *name, unsigned int rank, const char *programs,
		   struct buf *ret, struct err *err)
{
	cleanup_free char *busybox = fs_join(programs, "busybox");
	cleanup_free char *path = str_printf(KUBE_JOB_DIR "/endpoint.%u.json", rank), *text = NULL;
	const char *const argv[] = { busybox, "cat", path, NULL };
	cleanup(kube_target_finish) struct kube_target target = target_of(kube, name);
	cleanup(buf_finish) struct buf said = BUF_INIT(ENDPOINT_MAX);
	cleanup(json_release) json_t *file = NULL;

	if (kube_ask(kube, &target, &(struct kube_question){ .argv = argv }, &said, NULL) < 0)
		return err_set(err, ERR_NOT_FOUND, "the pod has not said where its tunnel listens");
	if (json_parse(buf_span(&said), ENDPOINT_MAX, &file, err) < 0)
		return err_wrap(err, "%s of the pod", path);
	json_object_set_new(file, "host", json_string(name));
	text = json_dumps(file, JSON_COMPACT);
	return text && buf_printf(ret, "%s\n", text)
		       ? 0
		       : err_set(err, ERR_LIMIT, "%s of the pod is too long", path);
}

int kube_endpoint(struct kube *kube, const struct job *job, unsigned int rank, const char *programs,
		  char **ret, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(ENDPOINT_MAX);
	cleanup_free char *file = file_of(job, rank);
	cleanup(json_release) json_t *pods = NULL;
	const json_t *pod;

	if (find_running(kube, job, rank, &pods, &pod, &text, err) < 0)
		return -1;
	if (json_is_true(json_object_get(json_object_get(pod, "spec"), "hostNetwork"))) {
		buf_clear(&text);
		if (ask_pod(kube, text_of(json_object_get(pod, "metadata"), "name"), rank, programs,
			    &text, err) < 0)
			return -1;
	}
	if (fs_write_file_unsynced(file, buf_span(&text), 0600, err) < 0)
		return -1;
	*ret = take_ptr(file);
	return 0;
}

int kube_known_target(const struct kube *kube, const struct job *job, unsigned int rank,
		      struct kube_target *ret, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(ENDPOINT_MAX);
	cleanup_free char *file = file_of(job, rank);
	cleanup(json_release) json_t *json = NULL;
	const char *name;

	if (job_is_adopted(job))
		return kube_adopted_target(job, ret, err);
	if (fs_read_file(file, ENDPOINT_MAX, &text, err) < 0 ||
	    json_parse(buf_span(&text), ENDPOINT_MAX, &json, err) < 0)
		return err_wrap(err, "where the pod is");
	name = text_of(json, "host");
	if (name[0] == '\0')
		return err_set(err, ERR_NOT_FOUND, "%s names no pod", file);
	*ret = target_of(kube, name);
	return 0;
}
