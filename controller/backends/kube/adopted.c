/* SPDX-License-Identifier: MIT */
/* What is kept of a pod that was adopted; see adopted.h. */
#include "adopted.h"

#include <string.h>

#include "controller/backends/kube/pod_state.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

#define NOTE_FILE "adopted.json"
#define NOTE_MAX 65536

/* Where the root is read-only, or somebody else's: places that often are not. */
static const char *const usual_places[] = { "/", "/run", "/tmp", "/var/tmp", "/dev/shm" };

void adopted_finish(struct adopted *adopted)
{
	free(adopted->pod_uid);
	free(adopted->place);
	for (size_t i = 0; i < adopted->places_len; i++)
		free(adopted->places[i]);
	*adopted = (struct adopted){ 0 };
}

static void add_place(struct adopted *adopted, const char *place)
{
	for (size_t i = 0; i < adopted->places_len; i++) {
		if (strcmp(adopted->places[i], place) == 0)
			return;
	}
	if (place[0] == '/' && adopted->places_len < ADOPTED_PLACES_MAX)
		adopted->places[adopted->places_len++] = str_dup(place);
}

void adopted_add_places(struct adopted *adopted, const json_t *container)
{
	const json_t *mounts = json_object_get(container, "volumeMounts"), *mount;
	size_t i;

	for (i = 0; i < ARRAY_LEN(usual_places); i++)
		add_place(adopted, usual_places[i]);
	json_array_foreach(mounts, i, mount) {
		if (!json_is_true(json_object_get(mount, "readOnly")))
			add_place(adopted, kube_text(mount, "mountPath"));
	}
}

bool adopted_is_place(const struct adopted *adopted, const struct job *job, const char *place)
{
	for (size_t i = 0; i < adopted->places_len; i++) {
		const char *above = strcmp(adopted->places[i], "/") ? adopted->places[i] : "";
		cleanup_free char *ours = str_printf("%s/.berth-%s", above, job->uid);

		if (strcmp(ours, place) == 0)
			return true;
	}
	return false;
}

static char *note_path(const struct job *job)
{
	return fs_join(job->directory, NOTE_FILE);
}

int adopted_write(const struct job *job, const struct adopted *adopted, struct err *err)
{
	cleanup_free char *path = note_path(job), *text = NULL;
	cleanup(json_release) json_t *note = json_pack("{s:s}", "pod_uid", adopted->pod_uid);
	json_t *places = json_array();

	for (size_t i = 0; i < adopted->places_len; i++)
		json_array_append_new(places, json_string(adopted->places[i]));
	json_object_set_new(note, "places", places);
	if (adopted->place)
		json_object_set_new(note, "place", json_string(adopted->place));
	text = json_dumps(note, JSON_COMPACT);
	if (!text)
		return err_set(err, ERR_PROTOCOL, "the pod's mounts are not text in UTF-8");
	return fs_write_file_unsynced(path, span_of_str(text), 0600, err);
}

int adopted_read(const struct job *job, struct adopted *ret, struct err *err)
{
	cleanup_free char *path = note_path(job);
	cleanup(buf_finish) struct buf text = BUF_INIT(NOTE_MAX);
	cleanup(json_release) json_t *note = NULL;
	const json_t *place;
	size_t i;

	if (fs_read_file(path, NOTE_MAX, &text, err) < 0 ||
	    json_parse(buf_span(&text), NOTE_MAX, &note, err) < 0)
		return err_wrap(err, NOTE_FILE);
	*ret = (struct adopted){ .pod_uid = str_dup(kube_text(note, "pod_uid")) };
	if (kube_text(note, "place")[0])
		ret->place = str_dup(kube_text(note, "place"));
	json_array_foreach(json_object_get(note, "places"), i, place)
		add_place(ret, json_is_string(place) ? json_string_value(place) : "");
	return 0;
}
