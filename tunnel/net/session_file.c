/* SPDX-License-Identifier: MIT */
/* session.json; see session_file.h. */
#include "session_file.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/net/jsonfile.h"

void session_file_finish(struct session_file *file)
{
	free(file->uid);
	free(file->job);
	free(file->name);
	free(file->shell);
	*file = (struct session_file){ 0 };
}

/* These leave the default where the object has no such member. */
static int read_text(const json_t *object, const char *name, char **ret, struct err *err)
{
	const json_t *member = json_object_get(object, name);

	if (!member)
		return 0;
	if (!json_is_string(member))
		return err_set(err, ERR_INVALID, "\"%s\" is not a string", name);
	*ret = str_dup(json_string_value(member));
	return 0;
}

static int read_flag(const json_t *object, const char *name, bool *ret, struct err *err)
{
	const json_t *member = json_object_get(object, name);

	if (member && !json_is_boolean(member))
		return err_set(err, ERR_INVALID, "\"%s\" is neither true nor false", name);
	*ret = json_is_true(member);
	return 0;
}

static int read_time(const json_t *object, uint64_t *ret, struct err *err)
{
	if (!json_object_get(object, "time_limit_s"))
		return 0;
	return jsonfile_uint(object, "time_limit_s", SESSION_FILE_TIME_MAX_S, ret, err);
}

static int read_port(const json_t *object, uint64_t *ret, struct err *err)
{
	if (!json_object_get(object, "port"))
		return 0;
	return jsonfile_uint(object, "port", UINT16_MAX, ret, err);
}

static bool is_plain(const char *text)
{
	size_t len =
		strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");

	return len > 0 && text[len] == '\0' && len <= SESSION_FILE_UID_MAX;
}

int session_file_parse(struct span text, struct session_file *ret, struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_parse(text, err);
	cleanup(session_file_finish) struct session_file file = { 0 };

	if (!object)
		return -1;
	if (read_text(object, "uid", &file.uid, err) < 0 ||
	    read_text(object, "job", &file.job, err) < 0 ||
	    read_text(object, "name", &file.name, err) < 0 ||
	    read_text(object, "shell", &file.shell, err) < 0 ||
	    read_time(object, &file.time_limit_s, err) < 0 ||
	    read_port(object, &file.port, err) < 0 ||
	    read_flag(object, "plain_shell", &file.plain_shell, err) < 0 ||
	    read_flag(object, "no_motd", &file.no_motd, err) < 0 ||
	    read_flag(object, "no_vscode_folder", &file.no_vscode_folder, err) < 0)
		return -1;
	if (file.shell && file.shell[0] != '/')
		return err_set(err, ERR_INVALID, "\"shell\" is not an absolute path");
	/* It becomes a part of a file's name. */
	if (file.uid && !is_plain(file.uid))
		return err_set(err, ERR_INVALID, "\"uid\" is not a plain word");
	*ret = file;
	file = (struct session_file){ 0 };
	return 0;
}

int session_file_read(const char *path, struct session_file *ret, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);
	struct err why;

	if (fs_read_file(path, JSONFILE_MAX, &text, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND) {
			*ret = (struct session_file){ 0 };
			return 0;
		}
		return err_set(err, why.kind, "%s", why.text);
	}
	if (session_file_parse(buf_span(&text), ret, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}
