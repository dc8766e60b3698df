/* SPDX-License-Identifier: MIT */
/* Helpers over jansson for the tunnel's files; see jsonfile.h. */
#include "jsonfile.h"

#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/stat.h>

#include "init/base/fd.h"
#include "init/base/text.h"

static void *allocate(size_t size)
{
	return malloc(size);
}

/* jansson copies strings, and some of ours are secrets. */
static void release(void *ptr)
{
	if (ptr)
		explicit_bzero(ptr, malloc_usable_size(ptr));
	free(ptr);
}

int jsonfile_read_private(const char *path, struct buf *ret, struct err *err)
{
	cleanup_close int fd = fd_open(path, O_RDONLY);
	struct stat st;

	if (fd < 0)
		return err_set_errno(err, errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a file", path);
	if (st.st_mode & 077)
		return err_set(err, ERR_DENIED,
			       "%s holds a key but others have access (mode %04o): chmod 600 it",
			       path, st.st_mode & 07777);
	if (fd_read_all(fd, JSONFILE_MAX, ret, err) < 0)
		return err_wrap(err, "read %s", path);
	return 0;
}

json_t *jsonfile_load(struct span text, struct err *err)
{
	json_error_t why;
	json_t *value;

	json_set_alloc_funcs(allocate, release);
	if (text.len > JSONFILE_MAX) {
		err_set(err, ERR_LIMIT, "larger than %d bytes", JSONFILE_MAX);
		return NULL;
	}
	value = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
	/* jansson's own text may quote the input, and the input may be a secret. */
	if (!value)
		err_set(err, ERR_INVALID, "line %d: not valid JSON", why.line);
	return value;
}

static int append(const char *text, size_t len, void *user)
{
	return buf_append(user, text, len) ? 0 : -1;
}

bool jsonfile_append(struct buf *b, const char *name, json_t *value)
{
	bool done = buf_printf(b, ", \"%s\": ", name) &&
		    json_dump_callback(value, append, b, JSON_ENCODE_ANY) == 0;

	json_decref(value);
	return done;
}

json_t *jsonfile_parse(struct span text, struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_load(text, err);
	uint64_t version;

	if (!object)
		return NULL;
	if (!json_is_object(object)) {
		err_set(err, ERR_INVALID, "not a JSON object");
		return NULL;
	}
	if (jsonfile_uint(object, "version", INT32_MAX, &version, err) < 0)
		return NULL;
	if (version != 1) {
		err_set(err, ERR_UNSUPPORTED, "\"version\" is %u, this program knows 1",
			(unsigned int)version);
		return NULL;
	}
	return take_ptr(object);
}

int jsonfile_string(const json_t *object, const char *name, const char **ret, struct err *err)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text)
		return err_set(err, ERR_INVALID, "\"%s\" is not a string", name);
	*ret = text;
	return 0;
}

int jsonfile_bytes32(const json_t *object, const char *name, uint8_t ret[32], struct err *err)
{
	const char *text = NULL;

	if (jsonfile_string(object, name, &text, err) < 0)
		return -1;
	if (!text_parse_base64(text, ret, 32))
		return err_set(err, ERR_INVALID, "\"%s\" is not 32 bytes in base64", name);
	return 0;
}

int jsonfile_array(const json_t *object, const char *name, const json_t **ret, struct err *err)
{
	const json_t *array = json_object_get(object, name);

	if (!json_is_array(array))
		return err_set(err, ERR_INVALID, "\"%s\" is not an array", name);
	*ret = array;
	return 0;
}

int jsonfile_uint(const json_t *object, const char *name, uint64_t max, uint64_t *ret,
		  struct err *err)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max)
		return err_set(err, ERR_INVALID, "\"%s\" is not a number from 0 to %llu", name,
			       (unsigned long long)max);
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}
