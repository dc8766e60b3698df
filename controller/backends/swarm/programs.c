/* SPDX-License-Identifier: MIT */
/* berth's programs on the nodes of a Swarm; see programs.h. */
#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/backends/docker/create.h"
#include "controller/backends/docker/volume.h"
#include "controller/backends/swarm/lists.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define DIGEST_SHOWN 16
#define PARTS_MAX 99

/* The first two are needed; berth-init has to be whole, since it joins the others. */
static const char *const files[] = { "berth-init", "berth-tunnel", "busybox", "applets",
				     "busybox.licence" };
#define FILES_NEEDED 2

static const char *digest_of(const char *bundle)
{
	const char *slash = strrchr(bundle, '/');

	return slash ? slash + 1 : bundle;
}

char *swarm_part_name(const char *bundle, const char *file, int part)
{
	cleanup_free char *whole =
		str_printf("berth-%.*s-%s", DIGEST_SHOWN, digest_of(bundle), file);

	return part < 0 ? take_ptr(whole) : str_printf("%s.part%02d", whole, part);
}

static int create(struct engine *engine, const char *bundle, const char *name, struct span content,
		  struct err *err)
{
	size_t size = TEXT_BASE64_SIZE(content.len);
	cleanup_free char *text = new_array(char, size);
	cleanup(json_release) json_t *body = NULL;
	struct engine_call call = { .method = "POST", .path = "/configs/create" };
	struct err own;

	text_base64(content, text, size);
	body = json_pack("{s:s, s:{s:s}, s:s}", "Name", name, "Labels", DOCKER_LABEL_BUNDLE,
			 digest_of(bundle), "Data", text);
	call.body = body;
	/* One that is there is as good: it is called after what is in it. */
	if (engine_call(engine, &call, NULL, &own) == 0 || own.kind == ERR_EXISTS)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

static int bring_part(struct engine *engine, const char *bundle, const char *name, int fd,
		      off_t offset, size_t len, struct err *err)
{
	cleanup_free uint8_t *bytes = new_array(uint8_t, len + 1);

	if (pread(fd, bytes, len, offset) != (ssize_t)len)
		return err_set(err, ERR_SYSTEM, "%s: changes while it is read", name);
	return create(engine, bundle, name, span_of(bytes, len), err);
}

/* Parts that are not among those that are there; all of them get a place in `configs`. */
static int bring_file(struct engine *engine, const char *bundle, const char *file, json_t *there,
		      json_t *configs, struct err *err)
{
	cleanup_free char *path = fs_join(bundle, file);
	cleanup_close int fd = fd_open(path, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "open %s", path);
	if (st.st_size / (off_t)SWARM_PART_MAX > PARTS_MAX)
		return err_set(err, ERR_LIMIT,
			       "%s is too large for Configs: set the cluster's 'bundle_volume'",
			       path);
	for (off_t at = 0, part = 0; at < st.st_size; part++) {
		size_t len = MIN((size_t)(st.st_size - at), SWARM_PART_MAX);
		bool is_whole = at == 0 && (off_t)len == st.st_size;
		cleanup_free char *name = swarm_part_name(bundle, file, is_whole ? -1 : (int)part);
		json_t *id = json_object_get(there, name);

		if (!id && bring_part(engine, bundle, name, fd, at, len, err) < 0)
			return err_wrap(err, "berth's programs");
		if (id)
			json_object_set(configs, name, id);
		else
			json_object_set_new(configs, name, json_null());
		at += (off_t)len;
	}
	return 0;
}

static int list_there(struct engine *engine, const char *bundle, json_t **ret, struct err *err)
{
	cleanup_free char *label = str_printf(DOCKER_LABEL_BUNDLE "=%s", digest_of(bundle));
	cleanup(json_release) json_t *list = NULL;
	json_t *config;
	size_t i;

	if (swarm_list(engine, "configs", "label", label, &list, err) < 0)
		return -1;
	*ret = json_object();
	json_array_foreach(list, i, config)
		json_object_set(*ret, swarm_text(json_object_get(config, "Spec"), "Name"),
				json_object_get(config, "ID"));
	return 0;
}

static bool are_known(const json_t *configs)
{
	const char *name;
	json_t *id;

	json_object_foreach((json_t *)(uintptr_t)configs, name, id) {
		if (!json_is_string(id))
			return false;
	}
	return true;
}

/* Once to bring them, and once more to learn what they are called then. */
static int bring(struct engine *engine, const char *bundle, json_t **ret, struct err *err)
{
	for (int i = 0; i < 3; i++) {
		cleanup(json_release) json_t *there = NULL;
		cleanup(json_release) json_t *configs = json_object();

		if (list_there(engine, bundle, &there, err) < 0)
			return -1;
		if (json_object_size(there) == 0)
			log_info("%s: berth's programs are brought there, once for this version",
				 engine->address);
		for (size_t f = 0; f < ARRAY_LEN(files); f++) {
			cleanup_free char *path = fs_join(bundle, files[f]);

			if (f >= FILES_NEEDED && !fs_exists(path))
				continue;
			if (bring_file(engine, bundle, files[f], there, configs, err) < 0)
				return -1;
		}
		if (are_known(configs)) {
			*ret = take_ptr(configs);
			return 0;
		}
	}
	return err_set(err, ERR_UNAVAILABLE,
		       "Configs with berth's programs are removed as fast as they are made");
}

/* 1: the engine's node is the only one; 0: there are others. */
static int is_alone(struct swarm *swarm, struct err *err)
{
	cleanup(json_release) json_t *nodes = NULL;

	if (swarm_list(swarm->engine, "nodes", NULL, NULL, &nodes, err) < 0)
		return -1;
	return json_array_size(nodes) == 1;
}

int swarm_bring_programs(struct swarm *swarm, const struct swarm_source *source, char **ret_mount,
			 json_t **ret_configs, struct err *err)
{
	int alone = source->volume ? 0 : is_alone(swarm, err);

	if (alone < 0)
		return -1;
	if (source->volume) {
		*ret_mount = str_dup(source->volume);
		return 0;
	}
	if (alone)
		return docker_fill_volume(swarm->engine, source->bundle, source->image, ret_mount,
					  err);
	return bring(swarm->engine, source->bundle, ret_configs, err);
}

int swarm_collect_programs(struct swarm *swarm, struct err *err)
{
	cleanup(json_release) json_t *list = NULL;
	json_t *config;
	size_t i;

	if (swarm_list(swarm->engine, "configs", "label", DOCKER_LABEL_BUNDLE, &list, err) < 0)
		return -1;
	json_array_foreach(list, i, config) {
		struct err own;

		/* One that is in use is refused. */
		if (swarm_remove(swarm->engine, "configs", swarm_text(config, "ID"), &own) < 0 &&
		    own.kind != ERR_INVALID && own.kind != ERR_EXISTS)
			return err_set(err, own.kind, "%s", own.text);
	}
	return docker_collect_memory(swarm->engine, err) < 0
		       ? -1
		       : docker_collect_volumes(swarm->engine, err);
}
