/* SPDX-License-Identifier: MIT */
/* Containers that berth did not start; see adopt.h. */
#include "adopt.h"

#include <string.h>
#include <sys/stat.h>

#include "controller/backends/docker/container.h"
#include "controller/backends/docker/exec.h"
#include "controller/backends/docker/files.h"
#include "controller/backends/docker/volume.h"
#include "controller/model/tar.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define PLACE_FILE "adopted.place"
#define PLACE_MAX 4096
#define COMMAND_MAX 4096
#define SAID_MAX 65536
#define JOB_FILES_MAX (1024 * 1024)

/* What a job directory has for the tunnel. */
static const char *const job_files[] = { "tunnel.json", "session.json" };

/* Where the root is read-only: places that often are not, and from which programs may be run. */
static const char *const other_places[] = { "/run", "/tmp", "/var/tmp", "/dev/shm" };

/* Where programs cannot be run, nothing stays. */
static const char unpack[] = "umask 022; cd \"$1\" && tar -xf - && \"$2/bundle/berth-init\" "
			     "--version; s=$?; [ $s -eq 0 ] || rm -rf \"$2\"; exit $s";

/* $1: the directory. */
static const char start[] = "d=$1; shift; echo $$ >\"$d/job/pid\"; exec \"$d/bundle/berth-init\" "
			    "--dir \"$d/job\" --rank 0 --grace 1s -- "
			    "\"$d/bundle/busybox\" sleep 2147483647";

#define IS_ALIVE                                   \
	"d=$1; read -r p <\"$d/job/pid\" && "      \
	"tr '\\0' ' ' <\"/proc/$p/cmdline\" 2>&1 " \
	"| grep -qF \"$d/job\""

static const char is_alive[] = IS_ALIVE;

/* As soon as it is there; a tunnel that does not come is not waited for long. */
static const char show_endpoint[] =
	"e=$1/job/endpoint.0.json; n=0\n"
	"while ! [ -e \"$e\" ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done\n"
	"cat \"$e\"";

static const char deliver[] = "umask 077; cat >\"$1/job/$2.part\" && mv \"$1/job/$2.part\" "
			      "\"$1/job/$2\"";

static const char leave[] = "if " IS_ALIVE "; then kill \"$p\"; n=0\n"
			    "while kill -0 \"$p\" 2>/dev/null && [ $n -lt 60 ]; do sleep 0.05; "
			    "n=$((n + 1)); done\nkill -KILL \"$p\" 2>/dev/null; fi; :";

static bool runs(const json_t *container)
{
	return json_is_true(json_object_get(json_object_get(container, "State"), "Running"));
}

/* True also when nobody can tell. */
static bool seems_to_run(struct engine *engine, const char *id)
{
	cleanup(json_release) json_t *container = NULL;
	struct err own;

	if (docker_inspect(engine, id, &container, &own) < 0)
		return own.kind != ERR_NOT_FOUND;
	return runs(container);
}

/* The engines' own rule for names. */
static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

static void describe(const json_t *container, struct job *ret)
{
	const char *name = json_string_value(json_object_get(container, "Name"));
	const char *path = json_string_value(json_object_get(container, "Path"));
	cleanup(buf_finish) struct buf line = BUF_INIT(COMMAND_MAX);
	cleanup_free char *command = NULL;
	const json_t *word;
	size_t i;
	bool ok = buf_printf(&line, "%s", path ? path : "");

	json_array_foreach(json_object_get(container, "Args"), i, word) {
		if (ok && json_is_string(word))
			ok = buf_printf(&line, " %s", json_string_value(word));
	}
	command = buf_take_str(&line);
	text_make_printable(command);
	job_set(ret, command, command);
	name = name ? name + (name[0] == '/') : "";
	job_set(ret, name, name[strspn(name, plain)] == '\0' ? name : "");
}

/* One that is paused, or between two runs, counts as running for engines, and takes no program. */
static int check_state(const json_t *container, const char *name, struct err *err)
{
	const char *state =
		json_string_value(json_object_get(json_object_get(container, "State"), "Status"));
	const char *remedy = "start it";

	if (runs(container) && (!state || strcmp(state, "running") == 0))
		return 0;
	if (state && strcmp(state, "paused") == 0)
		remedy = "unpause it";
	else if (state && strcmp(state, "restarting") == 0)
		remedy = "see why it ends (its log), wait until it runs";
	return err_set(err, ERR_UNAVAILABLE, "container %.80s is %.20s: %s, then attach to it",
		       name, state ? state : "not running", remedy);
}

/* Whether an engine may know it: else its name could be another address of the engine's. */
static bool is_name(const char *name)
{
	return name[strspn(name, plain)] == '\0' && name[strspn(name, ".")] != '\0';
}

int docker_find_foreign(struct engine *engine, const char *name, struct job *ret, struct err *err)
{
	cleanup(json_release) json_t *container = NULL;
	const char *id;

	if (!is_name(name)) {
		cleanup_free char *shown = str_dup(name);

		text_make_printable(shown);
		return err_set(err, ERR_NOT_FOUND, "no container can be called '%.80s'", shown);
	}
	if (docker_inspect(engine, name, &container, err) < 0)
		return -1;
	id = json_string_value(json_object_get(container, "Id"));
	if (!id || !id[0] || strlen(id) >= BACKEND_ID_MAX)
		return err_set(err, ERR_PROTOCOL, "the engine does not tell the container's id");
	if (check_state(container, name, err) < 0)
		return -1;
	job_set(ret, native_id, id);
	describe(container, ret);
	return 0;
}

static char *place_path(const struct job *job)
{
	return fs_join(job->directory, PLACE_FILE);
}

/* Written before anything is copied, so that what is there can always be removed. */
static int note_place(const struct job *job, const char *place, struct err *err)
{
	cleanup_free char *path = place_path(job);

	return fs_write_file_unsynced(path, span_of_str(place), 0600, err);
}

static int read_place(const struct job *job, char **ret, struct err *err)
{
	cleanup_free char *path = place_path(job);
	cleanup(buf_finish) struct buf text = BUF_INIT(PLACE_MAX);

	if (fs_read_file(path, PLACE_MAX, &text, err) < 0)
		return -1;
	*ret = buf_take_str(&text);
	return 0;
}

/* A script of ours for the bundle's shell; $1 is the directory. */
struct script {
	const char *text;
	const char *more; /* $2, or NULL */
	const char *user; /* or NULL: the container's */
	struct span input;
};

static int run_script(struct engine *engine, const struct job *job, const char *place,
		      const struct script *script, struct buf *ret, struct err *err)
{
	cleanup_free char *busybox = str_printf("%s/bundle/busybox", place);
	cleanup_free char *text = str_printf("PATH=\"$1/bundle/bin:$PATH\"\n%s", script->text);
	const char *const argv[] = {
		busybox, "sh", "-c", text, "berth", place, script->more, NULL
	};
	const struct docker_question question = { .argv = argv,
						  .user = script->user,
						  .input = script->input };

	return docker_ask(engine, job->native_id, &question, ret, err);
}

/* One that says nothing of interest. */
static int run_silent(struct engine *engine, const struct job *job, const char *place,
		      const struct script *script, struct err *err)
{
	cleanup(buf_finish) struct buf said = BUF_INIT(SAID_MAX);

	return run_script(engine, job, place, script, &said, err);
}

static int add_job_files(struct buf *archive, const char *dir, const char *below,
			 const struct owner *owner, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(job_files); i++) {
		cleanup_free char *path = fs_join(dir, job_files[i]);
		cleanup_free char *there = str_printf("%s%s", below, job_files[i]);
		cleanup(buf_wipe) struct buf content = BUF_INIT(JOB_FILES_MAX);

		if (fs_read_file(path, JOB_FILES_MAX, &content, err) < 0)
			return -1;
		if (!tar_add(archive, &(struct tar_file){ .name = there,
							  .mode = 0600,
							  .uid = owner->uid,
							  .gid = owner->gid,
							  .content = buf_span(&content) }))
			return err_set(err, ERR_LIMIT, "%s: too large", path);
	}
	return 0;
}

static int pack(const struct submission *submission, const struct owner *owner, struct buf *archive,
		struct err *err)
{
	const struct job *job = submission->job;
	cleanup_free char *top = str_printf(".berth-%s/", job->uid);
	cleanup_free char *bundle = str_printf("%sbundle/", top);
	cleanup_free char *files = str_printf("%sjob/", top);
	/* Root, who may do less here than elsewhere, has to get to the programs. */
	const struct {
		const char *name;
		mode_t mode;
	} directories[] = { { top, 0755 }, { bundle, 0755 }, { files, 0700 } };
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		ok = ok && tar_add(archive, &(struct tar_file){ .name = directories[i].name,
								.mode = directories[i].mode,
								.uid = owner->uid,
								.gid = owner->gid });
	if (docker_add_bundle(archive, submission->bundle, bundle, owner, err) < 0 ||
	    add_job_files(archive, job->directory, files, owner, err) < 0)
		return -1;
	return ok && tar_end(archive) ? 0
				      : err_set(err, ERR_LIMIT, "berth's programs are too large");
}

static int copy_to_root(struct engine *engine, const struct job *job, struct span archive,
			char **ret_place, struct err *err)
{
	cleanup_free char *place = str_printf("/.berth-%s", job->uid);

	if (note_place(job, place, err) < 0 ||
	    docker_put_archive(engine, job->native_id, "/", archive, err) < 0)
		return -1;
	*ret_place = take_ptr(place);
	return 0;
}

/* By what the image has: where its root is read-only, there is no other way. */
static int copy_elsewhere(struct engine *engine, const struct job *job, struct span archive,
			  char **ret_place, const struct err *why, struct err *err)
{
	struct err own = *why;

	for (size_t i = 0; i < ARRAY_LEN(other_places); i++) {
		cleanup_free char *place = str_printf("%s/.berth-%s", other_places[i], job->uid);
		cleanup(buf_finish) struct buf said = BUF_INIT(SAID_MAX);
		const char *const argv[] = { "sh",  "-c", unpack, "berth", other_places[i],
					     place, NULL };
		const struct docker_question question = { .argv = argv, .input = archive };

		if (note_place(job, place, err) < 0)
			return -1;
		if (docker_ask(engine, job->native_id, &question, &said, &own) == 0) {
			*ret_place = take_ptr(place);
			return 0;
		}
		log_debug("%s: %s", other_places[i], own.text);
	}
	return err_set(
		err, ERR_UNAVAILABLE,
		"berth's programs cannot be copied into it (%.120s; then %.160s): give it a "
		"place to write with programs, such as --tmpfs /tmp:exec, and an image with sh "
		"and tar",
		why->text, own.text);
}

static int copy_in(struct engine *engine, const struct submission *submission, char **ret_place,
		   struct err *err)
{
	cleanup(buf_wipe) struct buf archive = BUF_INIT(DOCKER_BUNDLE_MAX);
	cleanup(json_release) json_t *container = NULL;
	const struct job *job = submission->job;
	struct owner owner;
	const char *user;
	struct err own;

	if (docker_inspect(engine, job->native_id, &container, err) < 0)
		return -1;
	user = json_string_value(json_object_get(json_object_get(container, "Config"), "User"));
	if (docker_find_owner(engine, job->native_id, user, &owner, err) < 0 ||
	    pack(submission, &owner, &archive, err) < 0)
		return -1;
	if (copy_to_root(engine, job, buf_span(&archive), ret_place, &own) == 0)
		return 0;
	return copy_elsewhere(engine, job, buf_span(&archive), ret_place, &own, err);
}

static int start_tunnel(struct engine *engine, const struct job *job, const char *place,
			struct err *err)
{
	cleanup_free char *busybox = str_printf("%s/bundle/busybox", place);
	const char *const argv[] = { busybox, "sh", "-c", start, "berth", place, NULL };

	return docker_start_program(engine, job->native_id, argv, err);
}

static int await_endpoint(struct engine *engine, const struct job *job, const char *place,
			  struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, "endpoint.0.json");
	cleanup(buf_finish) struct buf text = BUF_INIT(SAID_MAX);
	const struct script script = { .text = show_endpoint };

	if (run_script(engine, job, place, &script, &text, err) < 0)
		return -1;
	return fs_write_file_unsynced(path, buf_span(&text), 0600, err);
}

static bool is_started(struct engine *engine, const struct job *job, const char *place)
{
	return run_silent(engine, job, place, &(struct script){ .text = is_alive }, NULL) == 0;
}

static int wake(struct engine *engine, const struct job *job, const char *place, struct err *err)
{
	const struct script forget = { .text = "rm -f \"$1\"/job/endpoint.*" };

	if (run_silent(engine, job, place, &forget, err) < 0 ||
	    start_tunnel(engine, job, place, err) < 0)
		return -1;
	log_info("the container was started again: so is its tunnel");
	return 0;
}

int docker_adopted_endpoint(struct engine *engine, const struct job *job, struct err *err)
{
	cleanup_free char *place = NULL;
	struct err own;

	if (read_place(job, &place, err) < 0)
		return -1;
	if ((is_started(engine, job, place) || wake(engine, job, place, &own) == 0) &&
	    await_endpoint(engine, job, place, &own) == 0)
		return 0;
	if (!seems_to_run(engine, job->native_id))
		return err_set(err, ERR_NOT_FOUND, "the container does not run");
	return err_set(err, ERR_UNAVAILABLE,
		       "its tunnel is not there any more (%.200s): 'berth attach %s:%s' puts it "
		       "there again",
		       own.text, job->cluster, job->name[0] ? job->name : job->native_id);
}

int docker_adopted_bundle(const struct job *job, char **ret, struct err *err)
{
	cleanup_free char *place = NULL;

	if (read_place(job, &place, err) < 0)
		return -1;
	*ret = fs_join(place, "bundle");
	return 0;
}

int docker_adopted_deliver(struct engine *engine, const struct job *job, const char *name,
			   struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, name), *place = NULL;
	cleanup(buf_wipe) struct buf content = BUF_INIT(JOB_FILES_MAX);
	struct script script = { .text = deliver, .more = name };

	if (fs_read_file(path, JOB_FILES_MAX, &content, err) < 0 ||
	    read_place(job, &place, err) < 0)
		return -1;
	script.input = buf_span(&content);
	return run_silent(engine, job, place, &script, err);
}

/*
 * By root, since only he may take the directory out of the container's root; where he may do less
 * than elsewhere, by the user whose files they are, and the empty directory stays.
 */
static int remove_files(struct engine *engine, const struct job *job, const char *place,
			struct err *err)
{
	const struct script by_root = { .text = "rm -rf \"$1\"", .user = "0" };
	const struct script by_user = { .text = "rm -rf \"$1\"/* || :; rmdir \"$1\" || :" };

	struct err own;

	if (run_silent(engine, job, place, &by_root, &own) == 0)
		return 0;
	log_debug("%s is not root's to remove: %s", place, own.text);
	return run_silent(engine, job, place, &by_user, err);
}

/* Also of one whose adoption died, wherever it was. */
int docker_abandon(struct engine *engine, const struct job *job, struct err *err)
{
	cleanup_free char *place = NULL;
	struct err own;

	if (read_place(job, &place, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	if (run_silent(engine, job, place, &(struct script){ .text = leave }, &own) == 0 &&
	    remove_files(engine, job, place, &own) == 0)
		return 0;
	/* Without our shell there is nothing of ours, but for what a copy that broke off left. */
	if (own.kind == ERR_NOT_FOUND || own.kind == ERR_INVALID ||
	    !seems_to_run(engine, job->native_id))
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

int docker_adopt(struct engine *engine, const struct submission *submission, struct err *err)
{
	const struct job *job = submission->job;
	cleanup_free char *place = NULL;

	if (docker_abandon(engine, job, err) < 0 || copy_in(engine, submission, &place, err) < 0 ||
	    start_tunnel(engine, job, place, err) < 0)
		return -1;
	return await_endpoint(engine, job, place, err);
}
