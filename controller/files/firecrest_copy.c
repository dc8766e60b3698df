/* SPDX-License-Identifier: MIT */
/* Copies within a system behind FirecREST, by a job of it; see fs.h. */
#include <stdlib.h>
#include <string.h>

#include "controller/files/firecrest_internal.h"
#include "init/base/alloc.h"

/* What is below a directory, in the order of `ls -R`. */
static int list_all(struct fs_firecrest *f, const char *dir, json_t **ret, struct err *err)
{
	cleanup_free char *path = fs_path_join(dir, "");
	const char *const query[] = {
		"path", path, "recursive", "true", "showHidden", "true", NULL
	};
	const struct firecrest_request request = { .path = OPS "ls", .query = query };

	return firecrest_call(f->fc, &request, ret, err);
}

static const char *last_name(const json_t *entry)
{
	const char *name = firecrest_text(entry, "name"), *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static bool is_same_entry(const json_t *a, const json_t *b)
{
	const char *type = firecrest_text(a, "type");

	return strcmp(last_name(a), last_name(b)) == 0 &&
	       strcmp(type, firecrest_text(b, "type")) == 0 &&
	       (strcmp(type, "-") != 0 ||
		firecrest_number(a, "size", INT64_MAX) == firecrest_number(b, "size", INT64_MAX));
}

bool fs_firecrest_is_same_tree(const json_t *a, const json_t *b)
{
	const json_t *from = json_object_get(a, "output"), *to = json_object_get(b, "output");
	size_t len = json_array_size(from);

	if (len != json_array_size(to))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_same_entry(json_array_get(from, i), json_array_get(to, i)))
			return false;
	}
	return true;
}

/* 1: names, kinds and sizes are those of the source; 0: they are not. */
static int look_at_copy(struct fs_firecrest *f, const char *from, const char *to,
			const struct fs_entry *source, struct err *err)
{
	cleanup(fs_entry_finish) struct fs_entry copy = { 0 };
	cleanup(json_release) json_t *old = NULL, *new = NULL;
	struct err why = { 0 };

	if (source->type != 'd') {
		if (f->base.ops->stat(&f->base, to, false, &copy, &why) == 0)
			return copy.type == source->type && copy.size == source->size;
		return why.kind == ERR_NOT_FOUND ? 0 : err_set(err, why.kind, "%s", why.text);
	}
	if (list_all(f, from, &old, err) < 0)
		return -1;
	if (list_all(f, to, &new, &why) == 0)
		return fs_firecrest_is_same_tree(old, new);
	return why.kind == ERR_NOT_FOUND ? 0 : err_set(err, why.kind, "%s", why.text);
}

/* How the job ends says nothing of what it did. */
int fs_firecrest_copy(struct fs *fs, const char *from, const char *to,
		      const struct fs_entry *source, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup_free char *old = NULL, *new = NULL, *inside = NULL;
	cleanup(json_release) json_t *started = NULL;
	json_t *body;
	int same;

	if (fs_firecrest_path(f, from, &old, err) < 0 || fs_firecrest_path(f, to, &new, err) < 0)
		return -1;
	/* A link to a directory is followed, those in it are not. */
	inside = source->type == 'd' ? fs_path_join(old, ".") : NULL;
	body = fs_firecrest_body(inside ? inside : old, new, err);
	if (body && source->type == '-')
		json_object_set_new(body, "dereference", json_true());
	if (fs_firecrest_start(f, "cp", body, &started, err) < 0 ||
	    fs_firecrest_wait(f, started, err) < 0)
		return -1;
	same = look_at_copy(f, old, new, source, err);
	return same == 0 ? fs_firecrest_refuse_end(f, started, err) : MIN(same, 0);
}
