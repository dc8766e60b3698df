/* SPDX-License-Identifier: MIT */
/* What the pod of a job may use; see pod.h. */
#include <inttypes.h>

#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod.h"
#include "controller/model/container.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define NAME_OF_GPUS "nvidia.com/gpu"

static int set_gpus(json_t *limits, const char *gpus, struct err *err)
{
	uint64_t count;

	if (!text_parse_uint(gpus, INT32_MAX, &count) || count == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "--gpus: '%.40s': a pod takes a number of GPUs; what kind they are "
			       "is for the node selector of the pod template",
			       gpus);
	json_object_set_new(limits, NAME_OF_GPUS, json_integer((json_int_t)count));
	return 0;
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
		json_object_set_new(requests, "cpu", json_integer((json_int_t)spec->cpus));
	if (spec->cpu_limit) {
		cleanup_free char *text = NULL;

		if (!container_parse_cpus(spec->cpu_limit, &milli))
			return err_set(err, ERR_INVALID, "--cpu-limit: '%.40s' is not a number",
				       spec->cpu_limit);
		text = str_printf("%" PRIu64 "m", milli);
		kube_set_text(limits, "cpu", text);
	}
	if (memory) {
		json_object_set_new(requests, "memory", json_integer((json_int_t)memory));
		json_object_set_new(limits, "memory", json_integer((json_int_t)memory));
	}
	return spec->gpus ? set_gpus(limits, spec->gpus, err) : 0;
}
