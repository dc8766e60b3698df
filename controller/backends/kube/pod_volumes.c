/* SPDX-License-Identifier: MIT */
/* What the pod of a job sees of volumes; see pod.h. */
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod.h"
#include "controller/model/container.h"

static json_t *volume_of(const struct mount *mount, const char *name)
{
	json_t *volume = json_pack("{s:s}", "name", name), *memory;

	switch (mount->kind) {
	case MOUNT_DIRECTORY:
		json_object_set_new(volume, "hostPath", json_pack("{s:s}", "path", mount->source));
		break;
	case MOUNT_VOLUME:
		json_object_set_new(volume, "persistentVolumeClaim",
				    json_pack("{s:s}", "claimName", mount->source));
		break;
	case MOUNT_MEMORY:
		memory = json_pack("{s:s}", "medium", "Memory");
		if (mount->size)
			kube_set_count(memory, "sizeLimit", mount->size);
		json_object_set_new(volume, "emptyDir", memory);
		break;
	}
	return volume;
}

static void add_mount(json_t *pod, json_t *container, const struct mount *mount)
{
	json_t *volumes = kube_array_at(pod, "volumes");
	cleanup_free char *name = str_printf("berth-%zu", json_array_size(volumes));
	json_t *inside = json_pack("{s:s, s:s}", "name", name, "mountPath", mount->target);

	if (mount->is_read_only)
		json_object_set_new(inside, "readOnly", json_true());
	json_array_append_new(volumes, volume_of(mount, name));
	kube_put_item(kube_array_at(container, "volumeMounts"), "mountPath", inside);
}

static int add_bound_dir(json_t *pod, json_t *container, const char *text, bool is_input,
			 struct err *err)
{
	cleanup(mount_finish) struct mount mount = { 0 };

	if (!text)
		return 0;
	if (container_parse_bound_dir(text, is_input ? CONTAINER_INPUT_DIR : CONTAINER_OUTPUT_DIR,
				      &mount, err) < 0)
		return -1;
	mount.is_read_only = is_input;
	add_mount(pod, container, &mount);
	return 0;
}

int kube_fill_volumes(json_t *pod, json_t *container, const struct spec *spec, struct err *err)
{
	const struct mount shm = { .kind = MOUNT_MEMORY,
				   .target = (char *)(uintptr_t) "/dev/shm",
				   .size = spec->shm_size };

	for (size_t i = 0; i < spec->mounts.len; i++) {
		cleanup(mount_finish) struct mount mount = { 0 };

		if (mount_parse(spec->mounts.items[i], &mount, err) < 0)
			return err_wrap(err, "--mount");
		add_mount(pod, container, &mount);
	}
	if (spec->shm_size)
		add_mount(pod, container, &shm);
	if (add_bound_dir(pod, container, spec->input_dir, true, err) < 0)
		return err_wrap(err, "--input-dir");
	if (add_bound_dir(pod, container, spec->output_dir, false, err) < 0)
		return err_wrap(err, "--output-dir");
	return 0;
}
