/* SPDX-License-Identifier: MIT */
/* What the pod of a job may use; see pod.h. */
#include <inttypes.h>
#include <string.h>

#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod.h"
#include "controller/model/container.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define NAME_OF_GPUS "nvidia.com/gpu"

/*
 * "2" or "amd.com/gpu:2". Kinds of GPUs that are no resources of their own are labels of nodes.
 */
static int set_gpus(json_t *limits, const char *option, const char *gpus, uint64_t pods,
		    struct err *err)
{
	const char *colon = strrchr(gpus, ':');
	cleanup_free char *name =
		colon ? str_dup_len(gpus, (size_t)(colon - gpus)) : str_dup(NAME_OF_GPUS);
	uint64_t count;

	if (!strchr(name, '/') || !text_parse_uint(colon ? colon + 1 : gpus, INT32_MAX, &count) ||
	    count == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "--%s: '%.40s': a pod takes a number of " NAME_OF_GPUS
			       ", or of another resource, such as amd.com/gpu:2; what kind they "
			       "are is for --constraint, such as nvidia.com/gpu.product=NAME",
			       option, gpus);
	if (count % pods != 0)
		return err_set(err, ERR_INVALID,
			       "--%s: %" PRIu64 " GPUs are not the same number for each of %" PRIu64
			       " tasks: say --gpus-per-task",
			       option, count, pods);
	kube_set_count(limits, name, count / pods);
	return 0;
}

/* "NAME:COUNT", with commas between; of a name alone one. */
static int set_gres(json_t *limits, const char *gres, struct err *err)
{
	while (*gres) {
		size_t len = strcspn(gres, ",");
		cleanup_free char *name = str_dup_len(gres, len);
		char *colon = strrchr(name, ':');
		uint64_t count = 1;

		if (colon)
			*colon++ = '\0';
		if (!strchr(name, '/') || (colon && !text_parse_uint(colon, INT32_MAX, &count)))
			return err_set(err, ERR_UNSUPPORTED,
				       "--gres: '%.80s': resources of nodes are called such as "
				       "amd.com/gpu:2 ('kubectl describe nodes' lists them)",
				       gres);
		kube_set_count(limits, name, count);
		gres += len + (gres[len] == ',');
	}
	return 0;
}

static int set_devices(json_t *limits, const struct spec *spec, struct err *err)
{
	/* Each task of an array is a job to itself. */
	uint64_t pods = spec_ranks(spec);

	if (spec->gpus && set_gpus(limits, "gpus", spec->gpus, pods, err) < 0)
		return -1;
	if (spec->gpus_per_task &&
	    set_gpus(limits, "gpus-per-task", spec->gpus_per_task, 1, err) < 0)
		return -1;
	return spec->gres ? set_gres(limits, spec->gres, err) : 0;
}

/* What is asked for is also the limit, except for CPUs, of which more may be used. */
int kube_fill_resources(json_t *container, const struct spec *spec, struct err *err)
{
	json_t *resources = kube_object_at(container, "resources");
	json_t *requests = kube_object_at(resources, "requests");
	json_t *limits = kube_object_at(resources, "limits");
	uint64_t memory =
		spec->memory ? spec->memory : spec->memory_per_cpu * MAX(spec->cpus, UINT64_C(1));
	uint64_t milli;

	if (spec->cpus)
		kube_set_count(requests, "cpu", spec->cpus);
	if (spec->cpu_limit) {
		cleanup_free char *text = NULL;

		if (!container_parse_cpus(spec->cpu_limit, &milli))
			return err_set(err, ERR_INVALID, "--cpu-limit: '%.40s' is not a number",
				       spec->cpu_limit);
		text = str_printf("%" PRIu64 "m", milli);
		kube_set_text(limits, "cpu", text);
	}
	if (memory) {
		kube_set_count(requests, "memory", memory);
		kube_set_count(limits, "memory", memory);
	}
	return set_devices(limits, spec, err);
}
