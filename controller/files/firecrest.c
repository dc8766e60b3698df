/* SPDX-License-Identifier: MIT */
/* Files behind FirecREST; see firecrest.h. */
#include "firecrest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/files/firecrest_internal.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define MODE_FORMAT 0170000U
#define MODE_BITS 07777U
#define NUMBER_MAX INT64_MAX

struct fs_firecrest *fs_firecrest_of(struct fs *fs)
{
	return (struct fs_firecrest *)(void *)fs;
}

/* The system */

static const json_t *find_system(const json_t *answer, const char *name)
{
	const json_t *machine;
	size_t i;

	json_array_foreach(json_object_get(answer, "systems"), i, machine) {
		if (strcasecmp(firecrest_text(machine, "name"), name) == 0)
			return machine;
	}
	return NULL;
}

/* The user's directory where jobs usually are. */
static char *own_directory(const json_t *machine, const char *user)
{
	const json_t *mount, *found = NULL;
	size_t i;

	json_array_foreach(json_object_get(machine, "fileSystems"), i, mount) {
		if (json_is_true(json_object_get(mount, "defaultWorkDir")))
			found = mount;
	}
	if (!found || !user[0] || firecrest_text(found, "path")[0] != '/')
		return NULL;
	return fs_path_join(firecrest_text(found, "path"), user);
}

static void take_system(struct fs_firecrest *f, const json_t *machine)
{
	const json_t *operation = json_object_get(machine, "dataOperation");

	f->direct_max = firecrest_number(operation, "max_ops_file_size", NUMBER_MAX);
	if (f->direct_max == 0)
		f->direct_max = FIRECREST_DIRECT_MAX;
	snprintf(f->method, sizeof(f->method), "%s",
		 firecrest_text(json_object_get(operation, "data_transfer"), "serviceType"));
	f->is_described = true;
}

/* The system, and where the user's directory is, which has to be asked for apart. */
static int ask_system(struct fs_firecrest *f, bool wants_home, struct err *err)
{
	static const struct firecrest_request requests[] = {
		{ .path = "/status/systems" },
		{ .path = "/status/{system}/userinfo" },
	};
	json_t *answers[ARRAY_LEN(requests)] = { NULL };
	struct err errs[ARRAY_LEN(requests)] = { 0 };
	const json_t *machine;

	(void)!firecrest_call_many(f->fc, requests, wants_home ? 2 : 1, answers, errs);
	if (!answers[0])
		err_set(err, errs[0].kind, "%s", errs[0].text);
	machine = answers[0] ? find_system(answers[0], firecrest_system(f->fc)) : NULL;
	if (answers[0] && !machine)
		err_set(err, ERR_NOT_FOUND, "FirecREST has no system '%s'",
			firecrest_system(f->fc));
	if (machine) {
		take_system(f, machine);
		if (wants_home && !f->home)
			f->home = own_directory(
				machine,
				firecrest_text(json_object_get(answers[1], "user"), "name"));
	}
	json_decref(answers[0]);
	json_decref(answers[1]);
	return machine ? 0 : -1;
}

int fs_firecrest_describe(struct fs_firecrest *f, struct err *err)
{
	return f->is_described ? 0 : ask_system(f, false, err);
}

/* Paths */

/* Without "." and "..", which would be taken as text where only the server knows links. */
static char *flatten(const char *path)
{
	cleanup(buf_finish) struct buf flat = BUF_INIT(SIZE_MAX / 2);

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			const uint8_t *slash = buf_len(&flat) > 0 ? memrchr(buf_span(&flat).ptr,
									    '/', buf_len(&flat))
								  : NULL;

			buf_truncate(&flat, slash ? (size_t)(slash - buf_span(&flat).ptr) : 0);
		} else if (len > 0 && !(len == 1 && path[0] == '.')) {
			(void)!(buf_append_u8(&flat, '/') && buf_append(&flat, path, len));
		}
		path += len + (path[len] == '/');
	}
	if (buf_len(&flat) == 0)
		return str_dup("/");
	return buf_take_str(&flat);
}

static int check_text(const char *path, struct err *err)
{
	json_t *text = json_string(path);

	json_decref(text);
	if (!text)
		return err_set(err, ERR_INVALID,
			       "FirecREST cannot be told of names that are not UTF-8");
	return firecrest_check_path(path, err);
}

int fs_firecrest_path(struct fs_firecrest *f, const char *path, char **ret, struct err *err)
{
	cleanup_free char *whole = NULL, *flat = NULL;

	if (path[0] == '~' && path[1] != '\0' && path[1] != '/')
		return err_set(err, ERR_INVALID, "write the directory of another user as it is");
	if (path[0] != '/') {
		if (!f->home && ask_system(f, true, err) < 0)
			return -1;
		if (!f->home)
			return err_set(err, ERR_INVALID,
				       "this server tells no home: write an absolute path");
		whole = fs_path_join(f->home, path[0] == '~' ? path + 1 : path);
	}
	flat = flatten(whole ? whole : path);
	if (check_text(flat, err) < 0)
		return -1;
	*ret = take_ptr(flat);
	return 0;
}

static int resolve(struct fs *fs, const char *path, char **ret, struct err *err)
{
	return fs_firecrest_path(fs_firecrest_of(fs), path, ret, err);
}

/* Calls */

json_t *fs_firecrest_body(const char *source, const char *target, struct err *err)
{
	json_t *body = target ? json_pack("{s:s, s:s}", "sourcePath", source, "targetPath", target)
			      : json_pack("{s:s}", "sourcePath", source);

	if (!body)
		err_set(err, ERR_INVALID, "FirecREST cannot be told of names that are not UTF-8");
	return body;
}

int fs_firecrest_do(struct fs_firecrest *f, const char *method, const char *path, json_t *body,
		    struct err *err)
{
	const struct firecrest_request request = { .method = method, .path = path, .body = body };
	json_t *answer = NULL;
	int result = body ? firecrest_call(f->fc, &request, &answer, err) : -1;

	json_decref(answer);
	json_decref(body);
	return result;
}

/* A question about a path. What is listed has a slash behind it: a link there is followed. */
static int ask(struct fs_firecrest *f, const char *what, const char *path, const char *option,
	       json_t **ret, struct err *err)
{
	bool is_dir = strcmp(what, "ls") == 0;
	cleanup_free char *whole = NULL, *call = str_printf(OPS "%s", what), *with_slash = NULL;
	const char *query[] = { "path", NULL, option, "true", NULL };
	const struct firecrest_request request = { .path = call, .query = query };

	if (fs_firecrest_path(f, path, &whole, err) < 0)
		return -1;
	with_slash = fs_path_join(whole, "");
	query[1] = is_dir ? with_slash : whole;
	return firecrest_call(f->fc, &request, ret, err);
}

/* Entries */

uint32_t fs_firecrest_mode(const char *text)
{
	static const char letters[] = "rwxrwxrwx";
	static const struct {
		size_t at;
		char with, without; /* permission to execute */
		uint32_t bit;
	} special[] = { { 2, 's', 'S', 04000 }, { 5, 's', 'S', 02000 }, { 8, 't', 'T', 01000 } };
	size_t len = strcspn(text, ".+@");
	uint32_t mode = 0;

	if (len == strlen(letters) + 1) {
		text++;
		len--;
	}
	if (len != strlen(letters))
		return 0;
	for (size_t i = 0; i < len; i++) {
		uint32_t bit = 0400U >> i;

		if (text[i] == letters[i])
			mode |= bit;
		for (size_t j = 0; j < ARRAY_LEN(special); j++) {
			if (special[j].at != i)
				continue;
			if (text[i] == special[j].with)
				mode |= bit | special[j].bit;
			else if (text[i] == special[j].without)
				mode |= special[j].bit;
		}
	}
	return mode;
}

/* "2026-11-21T10:00:00", in the server's time, which is taken for UTC. */
static uint64_t parse_time(const char *text)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t when = end ? timegm(&tm) : 0;

	return when > 0 ? (uint64_t)when : 0;
}

static char *printable(const char *text)
{
	char *copy = str_dup(text);

	text_make_printable(copy);
	return copy;
}

bool fs_firecrest_entry(const json_t *json, struct fs_entry *ret)
{
	const char *name = firecrest_text(json, "name"), *type = firecrest_text(json, "type");
	const char *target = firecrest_text(json, "linkTarget");

	if (!name[0] || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	*ret = (struct fs_entry){
		.name = str_dup(name),
		.type = type[0] && strchr("-dlpscb", type[0]) ? type[0] : '?',
		.mode = fs_firecrest_mode(firecrest_text(json, "permissions")),
		.size = firecrest_number(json, "size", NUMBER_MAX),
		.mtime_s = parse_time(firecrest_text(json, "lastModified")),
		.user = printable(firecrest_text(json, "user")),
		.group = printable(firecrest_text(json, "group")),
		.target = target[0] ? str_dup(target) : NULL,
	};
	return true;
}

static int list(struct fs *fs, const char *path, struct fs_list *ret, struct err *err)
{
	cleanup(fs_list_finish) struct fs_list found = { 0 };
	cleanup(json_release) json_t *answer = NULL;
	const json_t *item;
	size_t i;

	if (ask(fs_firecrest_of(fs), "ls", path, "showHidden", &answer, err) < 0)
		return -1;
	if (json_array_size(json_object_get(answer, "output")) > FS_ENTRIES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d entries", FS_ENTRIES_MAX);
	json_array_foreach(json_object_get(answer, "output"), i, item) {
		struct fs_entry entry;

		if (fs_firecrest_entry(item, &entry))
			fs_list_add(&found, &entry);
	}
	*ret = found;
	found = (struct fs_list){ 0 };
	return 0;
}

static char type_of(uint32_t mode)
{
	static const struct {
		uint32_t format;
		char type;
	} types[] = {
		{ 0100000, '-' }, { 0040000, 'd' }, { 0120000, 'l' }, { 0010000, 'p' },
		{ 0140000, 's' }, { 0020000, 'c' }, { 0060000, 'b' },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].format == (mode & MODE_FORMAT))
			return types[i].type;
	}
	return '?';
}

static int stat_file(struct fs *fs, const char *path, bool follows, struct fs_entry *ret,
		     struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	const json_t *st;
	uint32_t mode;

	if (ask(fs_firecrest_of(fs), "stat", path, follows ? "dereference" : NULL, &answer, err) <
	    0)
		return -1;
	st = json_object_get(answer, "output");
	if (!json_is_object(st))
		return err_set(err, ERR_PROTOCOL, "the server's answer tells nothing about it");
	mode = (uint32_t)firecrest_number(st, "mode", UINT32_MAX);
	*ret = (struct fs_entry){
		.name = str_dup(path),
		.type = type_of(mode),
		.mode = mode & MODE_BITS,
		.size = firecrest_number(st, "size", NUMBER_MAX),
		.mtime_s = firecrest_number(st, "mtime", NUMBER_MAX),
		.user = str_printf("%" PRIu64, firecrest_number(st, "uid", UINT32_MAX)),
		.group = str_printf("%" PRIu64, firecrest_number(st, "gid", UINT32_MAX)),
	};
	return 0;
}

/* Changes */

static int make_dir(struct fs *fs, const char *path, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	cleanup_free char *whole = NULL;
	struct err why = { 0 };

	if (fs_firecrest_path(f, path, &whole, err) < 0)
		return -1;
	if (fs_firecrest_do(f, "POST", OPS "mkdir", fs_firecrest_body(whole, NULL, &why), &why) ==
	    0)
		return 0;
	/* Servers have no status of their own for it. */
	if (why.kind != ERR_NOT_FOUND && stat_file(fs, whole, false, &entry, NULL) == 0)
		return err_set(err, ERR_EXISTS, "File exists");
	return err_set(err, why.kind, "%s", why.text);
}

static int change_mode(struct fs *fs, const char *path, uint32_t mode, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup_free char *whole = NULL, *octal = str_printf("%o", (unsigned int)mode);
	json_t *body;

	if (fs_firecrest_path(f, path, &whole, err) < 0)
		return -1;
	body = fs_firecrest_body(whole, NULL, err);
	if (body)
		json_object_set_new(body, "mode", json_string(octal));
	return fs_firecrest_do(f, "PUT", OPS "chmod", body, err);
}

/* The server's rm takes directories with all that is in them: fs_remove() has looked. */
static int remove_path(struct fs *fs, const char *path, bool is_dir, struct err *err)
{
	const char *query[] = { "path", path, NULL };
	const struct firecrest_request request = { .method = "DELETE",
						   .path = OPS "rm",
						   .query = query };
	json_t *answer = NULL;
	int result = firecrest_call(fs_firecrest_of(fs)->fc, &request, &answer, err);

	(void)is_dir;
	json_decref(answer);
	return result;
}

/* How the job ends says nothing of what became of the file. */
static int rename_path(struct fs *fs, const char *from, const char *to, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	cleanup(json_release) json_t *started = NULL;
	cleanup_free char *old = NULL, *new = NULL;

	if (fs_firecrest_path(f, from, &old, err) < 0 || fs_firecrest_path(f, to, &new, err) < 0 ||
	    fs_firecrest_start(f, "mv", fs_firecrest_body(old, new, err), &started, err) < 0 ||
	    fs_firecrest_wait(f, started, err) < 0)
		return -1;
	if (stat_file(fs, old, false, &entry, NULL) == 0)
		return fs_firecrest_refuse_end(f, started, err);
	return 0;
}

/* Contents */

static int checksum(struct fs *fs, const char *path, char ret[FS_DIGEST_SIZE], struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	struct err own;

	if (ask(fs_firecrest_of(fs), "checksum", path, NULL, &answer, &own) < 0)
		return firecrest_read_sum(own.text, ret) ? 0
							 : err_set(err, own.kind, "%s", own.text);
	return firecrest_read_sum(firecrest_text(json_object_get(answer, "output"), "checksum"),
				  ret)
		       ? 0
		       : err_set(err, ERR_PROTOCOL, "the answer is no sum of SHA-256");
}

/* A server gives such a call a minute or so; what takes longer is a job. */
int fs_firecrest_archive(struct fs_firecrest *f, const char *from, const char *to, bool unpacks,
			 struct err *err)
{
	cleanup(json_release) json_t *started = NULL;
	struct err why = { 0 };

	if (fs_firecrest_do(f, "POST", unpacks ? OPS "extract" : OPS "compress",
			    fs_firecrest_body(from, to, &why), &why) == 0)
		return 0;
	if (why.kind != ERR_TIMEOUT)
		return err_set(err, why.kind, "%s", why.text);
	/* What takes the server too long a job of it does. */
	if (fs_firecrest_start(f, unpacks ? "extract" : "compress",
			       fs_firecrest_body(from, to, err), &started, err) < 0)
		return -1;
	return fs_firecrest_wait(f, started, err);
}

static int archive(struct fs *fs, const struct fs_archive *plan, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup_free char *from = NULL, *to = NULL;

	if (fs_firecrest_path(f, plan->from, &from, err) < 0 ||
	    fs_firecrest_path(f, plan->to, &to, err) < 0 ||
	    (plan->unpacks && fs_make_dir(fs, to, true, err) < 0))
		return -1;
	return fs_firecrest_archive(f, from, to, plan->unpacks, err);
}

static void close_fs(struct fs *fs)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);

	free(f->account);
	free(f->home);
	free(f->read_path);
	buf_finish(&f->read_bytes);
	free(f);
}

static const struct fs_ops firecrest_ops = {
	.resolve = resolve,
	.list = list,
	.stat = stat_file,
	.make_dir = make_dir,
	.rename = rename_path,
	.remove = remove_path,
	.chmod = change_mode,
	.read = fs_firecrest_read,
	.checksum = checksum,
	.bytes = fs_firecrest_bytes,
	.copy = fs_firecrest_copy,
	.archive = archive,
	.get_tree = fs_firecrest_get_tree,
	.put_tree = fs_firecrest_put_tree,
	.get = fs_firecrest_get,
	.put = fs_firecrest_put,
	.close = close_fs,
};

struct fs *fs_firecrest_new(const struct fs_firecrest_plan *plan, struct firecrest *fc)
{
	struct fs_firecrest *f = new_zero(struct fs_firecrest);

	f->base.ops = &firecrest_ops;
	f->base.name = plan->name ? str_dup(plan->name) : NULL;
	f->fc = fc;
	f->account = plan->account ? str_dup(plan->account) : NULL;
	f->wait_ns = plan->wait_ns;
	f->refused = plan->refused;
	return &f->base;
}
