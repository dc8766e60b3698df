/* SPDX-License-Identifier: MIT */
/* What pods run on; see nodes.h. */
#include "nodes.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod_state.h"
#include "controller/backends/kube/quantity.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define MILLI 1000
#define TEXT_MAX (64 * 1024)
/* Those that have not ended: the others use nothing. */
#define ACTIVE "?fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"

static const json_t *part(const json_t *object, const char *key, const char *inner)
{
	return json_object_get(json_object_get(object, key), inner);
}

static const char *name_of(const json_t *object)
{
	return kube_text(json_object_get(object, "metadata"), "name");
}

/* What comes from the server is shown to people, and taken apart at commas. */
static char *take_text(struct buf *b)
{
	char *text = buf_take_str(b);

	text_make_printable(text);
	return text;
}

static char *features_of(const json_t *node)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(TEXT_MAX);
	json_t *labels = (json_t *)(uintptr_t)part(node, "metadata", "labels"), *value;
	const char *key;

	json_object_foreach(labels, key, value) {
		const char *text = json_string_value(value);

		if (!buf_printf(&b, "%s%s%s%s", buf_len(&b) ? "," : "", key,
				text && text[0] ? "=" : "", text ? text : ""))
			break;
	}
	return take_text(&b);
}

/* Taints that no job of ours is meant to tolerate: of the control plane, and of what is wrong. */
static bool is_of_system(const char *key)
{
	return strncmp(key, "node-role.kubernetes.io/", 24) == 0 ||
	       strncmp(key, "node.kubernetes.io/", 19) == 0;
}

static void add_reason(struct buf *b, const char *first, const char *separator, const char *second)
{
	/* One that is too long is cut: the first reasons are the ones that count. */
	if (!buf_printf(b, "%s%s%s%s", buf_len(b) ? "; " : "", first, second[0] ? separator : "",
			second))
		log_debug("a node has too many reasons");
}

/* Whether a taint keeps every job off it; the others are told, and jobs may tolerate them. */
static bool read_taints(const json_t *node, struct buf *reason)
{
	const json_t *taints = part(node, "spec", "taints"), *taint;
	bool is_reserved = false;
	size_t i;

	json_array_foreach(taints, i, taint) {
		const char *key = kube_text(taint, "key"), *effect = kube_text(taint, "effect");
		cleanup_free char *text = NULL;

		if (strcmp(effect, "PreferNoSchedule") == 0)
			continue;
		is_reserved |= is_of_system(key);
		text = str_printf("taint %s%s%s", key, kube_text(taint, "value")[0] ? "=" : "",
				  kube_text(taint, "value"));
		add_reason(reason, text, ":", effect);
	}
	return is_reserved;
}

/* In words of `kubectl get nodes`, joined as those of other schedulers are. */
static void read_state(const json_t *json, struct node *node)
{
	cleanup(buf_finish) struct buf reason = BUF_INIT(TEXT_MAX);
	bool is_ready = kube_condition(json, "Ready", "True");
	const json_t *not_ready = kube_condition(json, "Ready", "False");
	const json_t *unknown = kube_condition(json, "Ready", "Unknown");
	bool is_cordoned = json_is_true(part(json, "spec", "unschedulable")), is_reserved;

	if (not_ready || unknown)
		add_reason(&reason, kube_text(not_ready ? not_ready : unknown, "reason"), ": ",
			   kube_text(not_ready ? not_ready : unknown, "message"));
	is_reserved = read_taints(json, &reason);
	node->state = str_printf("%s%s%s", is_ready ? "Ready" : "NotReady",
				 is_cordoned ? "+SchedulingDisabled" : "",
				 is_reserved && !is_cordoned && is_ready ? "+Reserved" : "");
	node->reason = take_text(&reason);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* nvidia.com/gpu, amd.com/gpu, gpu.intel.com/i915, nvidia.com/mig-1g.5gb. */
static bool is_gpu(const char *resource)
{
	return ends_with(resource, "/gpu") || strncmp(resource, "gpu.", 4) == 0 ||
	       strstr(resource, "/mig-");
}

/* How an element of a list of resources begins: "gpu:TYPE", or its name. */
static char *word_for(const char *resource, const json_t *labels)
{
	cleanup_free char *label = str_printf("%s.product", resource);
	const char *product = kube_text(labels, label);

	if (!is_gpu(resource))
		return str_dup(resource);
	return str_printf("gpu:%s", product[0] ? product : resource);
}

/* Resources beyond CPUs and memory have a vendor: "nvidia.com/gpu". */
static char *gres_of(const json_t *amounts, const json_t *labels)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(TEXT_MAX);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)amounts, key, value) {
		uint64_t count = quantity_of(amounts, key) / MILLI;
		cleanup_free char *word = word_for(key, labels);

		if (!strchr(key, '/') || strncmp(key, "hugepages-", 10) == 0 || count == 0)
			continue;
		if (!buf_printf(&b, "%s%s:%" PRIu64, buf_len(&b) ? "," : "", word, count))
			break;
	}
	return take_text(&b);
}

static void add_amount(json_t *sum, const char *key, uint64_t milli)
{
	json_int_t before = json_integer_value(json_object_get(sum, key));
	uint64_t room = (uint64_t)(INT64_MAX - before);

	json_object_set_new(sum, key, json_integer(before + (json_int_t)MIN(milli, room)));
}

/* What a pod asks for: its containers together, or the largest that runs before them. */
static void add_pod(json_t *sum, const json_t *pod)
{
	const json_t *containers = part(pod, "spec", "containers"), *container;
	const json_t *before = part(pod, "spec", "initContainers");
	cleanup(json_release) json_t *own = json_object();
	const char *key;
	json_t *value;
	size_t i;

	json_array_foreach(containers, i, container) {
		const json_t *requests = part(container, "resources", "requests");

		json_object_foreach((json_t *)(uintptr_t)requests, key, value)
			add_amount(own, key, quantity_of(requests, key));
	}
	json_array_foreach(before, i, container) {
		const json_t *requests = part(container, "resources", "requests");

		json_object_foreach((json_t *)(uintptr_t)requests, key, value) {
			json_int_t one =
				(json_int_t)MIN(quantity_of(requests, key), (uint64_t)INT64_MAX);

			if (one > json_integer_value(json_object_get(own, key)))
				json_object_set_new(own, key, json_integer(one));
		}
	}
	json_object_foreach(own, key, value)
		add_amount(sum, key, (uint64_t)json_integer_value(value));
}

/* By node: what the pods there ask for, in thousandths. */
static json_t *sum_up(const json_t *pods)
{
	json_t *sums = json_object(), *pod;
	size_t i;

	json_array_foreach(pods, i, pod) {
		const char *node = kube_text(json_object_get(pod, "spec"), "nodeName");
		const char *phase = kube_text(json_object_get(pod, "status"), "phase");

		if (node[0] != '\0' && strcmp(phase, "Succeeded") != 0 &&
		    strcmp(phase, "Failed") != 0)
			add_pod(kube_object_at(sums, node), pod);
	}
	return sums;
}

static uint64_t sum_of(const json_t *sums, const char *key)
{
	json_int_t milli = json_integer_value(json_object_get(sums, key));

	/* A part of one is one: so much is not free. */
	return ((uint64_t)milli + MILLI - 1) / MILLI;
}

static char *gres_used(const json_t *sums, const json_t *labels)
{
	cleanup(json_release) json_t *whole = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)sums, key, value)
		json_object_set_new(whole, key, json_integer((json_int_t)sum_of(sums, key)));
	return gres_of(whole, labels);
}

/* The kubelet's own word, which its label kubernetes.io/arch repeats. */
static char *architecture_of(const json_t *json)
{
	const json_t *word = json_object_get(part(json, "status", "nodeInfo"), "architecture");
	char *text = str_dup(json_is_string(word) ? json_string_value(word) : "");

	text_make_printable(text);
	return text;
}

static void read_node(const json_t *json, const json_t *sums, struct node *node)
{
	const json_t *has = part(json, "status", "allocatable");
	const json_t *labels = part(json, "metadata", "labels");

	node->name = str_dup(name_of(json));
	text_make_printable(node->name);
	node->queues = str_dup("");
	read_state(json, node);
	node->gres = gres_of(has, labels);
	node->gres_used = gres_used(sums, labels);
	node->features = features_of(json);
	node->architecture = architecture_of(json);
	node->cpus = quantity_of(has, "cpu") / MILLI;
	node->cpus_used = sum_of(sums, "cpu");
	node->memory = quantity_of(has, "memory") / MILLI;
	node->memory_used = sum_of(sums, "memory");
}

void kube_read_nodes(const json_t *nodes, const json_t *pods, struct node_list *ret)
{
	cleanup(json_release) json_t *sums = sum_up(pods);
	const json_t *json;
	size_t i;

	json_array_foreach(nodes, i, json) {
		cleanup(node_finish) struct node node = { 0 };

		if (name_of(json)[0] == '\0')
			continue;
		read_node(json, json_object_get(sums, name_of(json)), &node);
		node_list_take(ret, &node);
	}
}

/* The smaller of the limits that there are; 0: none. */
static void read_quota(const json_t *quota, struct queue *queue)
{
	static const char *const keys[] = { "requests.cpu", "cpu", "limits.cpu" };
	const json_t *hard = part(quota, "status", "hard"), *used = part(quota, "status", "used");

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		uint64_t cpus = quantity_of(hard, keys[i]) / MILLI;

		if (!json_object_get(hard, keys[i]) || (queue->cpus && queue->cpus <= cpus))
			continue;
		queue->cpus = cpus;
		queue->cpus_used = (quantity_of(used, keys[i]) + MILLI - 1) / MILLI;
	}
}

static void read_queue(const json_t *json, const json_t *quotas, const struct node_list *nodes,
		       struct queue *queue)
{
	const char *phase = kube_text(json_object_get(json, "status"), "phase");
	const json_t *quota;
	uint64_t cpus = 0;
	size_t i;

	queue->name = str_dup(name_of(json));
	queue->state = str_dup(phase[0] == '\0' || strcmp(phase, "Active") == 0 ? "up" : phase);
	queue->node_list = str_dup("");
	text_make_printable(queue->name);
	text_make_printable(queue->state);
	json_array_foreach(quotas, i, quota) {
		if (strcmp(kube_text(json_object_get(quota, "metadata"), "namespace"),
			   name_of(json)) == 0)
			read_quota(quota, queue);
	}
	for (size_t n = 0; n < nodes->len; n++) {
		if (!node_is_usable(&nodes->items[n]))
			continue;
		queue->nodes++;
		queue->nodes_idle += nodes->items[n].cpus_used == 0;
		cpus += nodes->items[n].cpus;
	}
	if (queue->cpus == 0)
		queue->cpus = cpus;
}

void kube_read_queues(const json_t *namespaces, const json_t *quotas, const struct node_list *nodes,
		      struct queue_list *ret)
{
	const json_t *json;
	size_t i;

	json_array_foreach(namespaces, i, json) {
		cleanup(queue_finish) struct queue queue = { 0 };

		if (name_of(json)[0] == '\0')
			continue;
		read_queue(json, quotas, nodes, &queue);
		queue_list_take(ret, &queue);
	}
}

/*
 * All of a kind, in the whole cluster, or else in our namespace for who may not see the others:
 * then *ret_is_whole is false.
 */
static int list_somewhere(struct kube *kube, const char *kind, const char *query, json_t **ret,
			  bool *ret_is_whole, struct err *err)
{
	cleanup_free char *all = str_printf("/api/v1/%s%s", kind, query);
	cleanup_free char *base = kube_path(kube, "/api/v1", kind, NULL);
	cleanup_free char *own = str_printf("%s%s", base, query);
	struct err why = { 0 };

	*ret_is_whole = kube_list(kube, all, NULL, ret, &why) == 0;
	if (*ret_is_whole)
		return 0;
	if (why.kind != ERR_DENIED)
		return err_set(err, why.kind, "%s", why.text);
	return kube_list(kube, own, NULL, ret, err);
}

int kube_list_nodes(struct kube *kube, struct node_list *ret, struct err *err)
{
	cleanup(json_release) json_t *nodes = NULL;
	cleanup(json_release) json_t *pods = NULL;
	bool is_whole;

	if (kube_list(kube, "/api/v1/nodes", NULL, &nodes, err) < 0)
		return err_wrap(err, "nodes");
	if (list_somewhere(kube, "pods", ACTIVE, &pods, &is_whole, err) < 0)
		return err_wrap(err, "pods on the nodes");
	if (!is_whole)
		log_warn("kubernetes: pods of other namespaces are not shown to you: what they "
			 "use counts as free");
	kube_read_nodes(nodes, pods, ret);
	return 0;
}

static json_t *own_namespace(const struct kube *kube)
{
	return json_pack("[{s:{s:s}}]", "metadata", "name", kube->namespace);
}

int kube_list_queues(struct kube *kube, struct queue_list *ret, struct err *err)
{
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	cleanup(json_release) json_t *namespaces = NULL;
	cleanup(json_release) json_t *quotas = NULL;
	struct err why = { 0 };
	bool is_whole;

	if (kube_list(kube, "/api/v1/namespaces", NULL, &namespaces, &why) < 0) {
		if (why.kind != ERR_DENIED)
			return err_set(err, why.kind, "namespaces: %s", why.text);
		namespaces = own_namespace(kube);
	}
	if (list_somewhere(kube, "resourcequotas", "", &quotas, &is_whole, err) < 0)
		return err_wrap(err, "quotas");
	/* Without the nodes there is still what the quotas say. */
	if (kube_list_nodes(kube, &nodes, &why) < 0)
		log_debug("%s", why.text);
	kube_read_queues(namespaces, quotas, &nodes, ret);
	return 0;
}
