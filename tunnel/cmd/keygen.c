/* SPDX-License-Identifier: MIT */
/* berth-tunnel keygen: the two files of a submission, or the user's SSH host key. */
#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/text.h"
#include "tunnel/net/host_key.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/jsonfile.h"
#include "tunnel/net/rotation.h"

struct args {
	const char *job_file, *client_file;
	struct opt_list allow;
	bool rotate, finish, revoke, list;
	const char *workstation;
	uint64_t idle_timeout, connections;
	const char *relays, *paths, *login;
	bool no_punch;
	const char *host_key, *known_hosts, *alias;
};

static const struct opt opts[] = {
	OPT_STR(0, "job-file", struct args, job_file, "FILE", "make the job's file (tunnel.json)"),
	OPT_STR(0, "client-file", struct args, client_file, "FILE", "and the workstation's"),
	OPT_LIST(0, "allow", struct args, allow, "HOST:PORT",
		 "let the job connect there for us, beside its own loopback (repeatable)"),
	OPT_FLAG(0, "rotate", struct args, rotate,
		 "begin to replace the workstation's key: another one is let in, too"),
	OPT_FLAG(0, "finish-rotation", struct args, finish,
		 "take that one, and let the old one in no more"),
	OPT_FLAG(0, "revoke", struct args, revoke,
		 "let nobody in any more, or not --workstation: in the job's file only"),
	OPT_FLAG(0, "list", struct args, list, "print who is let in"),
	OPT_STR(0, "workstation", struct args, workstation, "NAME",
		"what the workstation is called in the job's file"),
	OPT_DURATION(0, "idle-timeout", struct args, idle_timeout, "TIME",
		     "end a connection that is silent for so long (24h)"),
	OPT_UINT(0, "connections", struct args, connections, "N",
		 "so many at once; then the most silent ones end (256)"),
	OPT_STR(0, "relays", struct args, relays, "FILE",
		"where the two may meet: a JSON array of url, key, token; mode 0600"),
	OPT_STR(0, "paths", struct args, paths, "LIST",
		"only these: direct, relay, relay-tcp, login (all)"),
	OPT_STR(0, "login", struct args, login, "[USER@]HOST",
		"where the workstation's ssh gets into the cluster"),
	OPT_FLAG(0, "no-punch", struct args, no_punch, "open no way through NATs"),
	OPT_STR(0, "host-key", struct args, host_key, "FILE",
		"make the user's SSH host key, unless it exists"),
	OPT_STR(0, "known-hosts", struct args, known_hosts, "FILE", "and the file that pins it"),
	OPT_STR(0, "alias", struct args, alias, "NAME", "the host's name in it (berth)"),
	OPT_END,
};

static int check_new(const char *path, struct err *err)
{
	if (fs_exists(path))
		return err_set(err, ERR_EXISTS, "%s exists already: keys are never replaced", path);
	return 0;
}

static int set_allow(const struct opt_list *list, struct job_file *file, struct err *err)
{
	if (list->len > JOB_FILE_ALLOW_MAX)
		return err_set(err, ERR_LIMIT, "--allow: given more than %d times",
			       JOB_FILE_ALLOW_MAX);
	file->allow = new_array(char *, list->len + 1);
	for (size_t i = 0; i < list->len; i++) {
		if (!job_file_is_target(list->items[i]))
			return err_set(err, ERR_INVALID, "--allow: '%s' is not HOST:PORT",
				       list->items[i]);
		file->allow[file->allow_len++] = str_dup(list->items[i]);
	}
	return 0;
}

/* By which ways the two find each other. */
static int set_ways(const struct args *args, struct job_file *job, struct client_file *client,
		    struct err *err)
{
	if (args->relays && relay_sites_read(args->relays, &job->relays, err) < 0)
		return -1;
	job->paths = PATH_MASK_ALL;
	if (args->paths && path_mask_parse_list(args->paths, &job->paths, err) < 0)
		return err_wrap(err, "--paths");
	if (args->login && !client_file_is_login(args->login))
		return err_set(err, ERR_INVALID, "--login: '%s' is not [USER@]HOST", args->login);
	client_file_take_ways(client, job);
	if (args->no_punch)
		client->paths &= ~PATH_MASK(PATH_PUNCHED);
	client->login = args->login ? str_dup(args->login) : NULL;
	return 0;
}

/*
 * Each fsync(2) would take as long as the rest of a submission. The record of the job is not
 * forced to the disk either (store.h): a power cut in these seconds may take both.
 */
static int write_pair(const struct args *args, const struct job_file *job,
		      const struct client_file *client, struct err *err)
{
	cleanup(buf_wipe) struct buf job_text = BUF_INIT(JSONFILE_MAX);
	cleanup(buf_wipe) struct buf client_text = BUF_INIT(JSONFILE_MAX);

	if (!job_file_format(job, &job_text) || !client_file_format(client, &client_text))
		return err_set(err, ERR_LIMIT, "--allow: too much for one file");
	if (fs_create_file_unsynced(args->client_file, buf_span(&client_text), 0600, err) < 0)
		return -1;
	if (fs_create_file_unsynced(args->job_file, buf_span(&job_text), 0600, err) < 0) {
		unlink(args->client_file); /* one is of no use without the other */
		return -1;
	}
	return 0;
}

static int make_job(const struct args *args, struct err *err)
{
	cleanup(job_file_finish) struct job_file job = { 0 };
	cleanup(client_file_finish) struct client_file client = { 0 };

	job.idle_timeout_s =
		args->idle_timeout ? args->idle_timeout / NSEC_PER_SEC : JOB_FILE_IDLE_DEFAULT_S;
	if (job.idle_timeout_s == 0 || job.idle_timeout_s > JOB_FILE_IDLE_MAX_S)
		return err_set(err, ERR_INVALID, "--idle-timeout: between 1s and 100d, please");
	job.connections = args->connections ? args->connections : JOB_FILE_CONNECTIONS_DEFAULT;
	if (job.connections > JOB_FILE_CONNECTIONS_MAX)
		return err_set(err, ERR_INVALID, "--connections: at most %d, please",
			       JOB_FILE_CONNECTIONS_MAX);
	if (check_new(args->job_file, err) < 0 || check_new(args->client_file, err) < 0 ||
	    set_allow(&args->allow, &job, err) < 0 || set_ways(args, &job, &client, err) < 0 ||
	    key_random_secret(&job.secret, err) < 0 || key_pair_generate(&client.key, err) < 0)
		return -1;
	client.secret = job.secret;
	job.peers[job.peers_len++].key = client.key.public;
	if (args->workstation)
		memcpy(job.peers[0].name, args->workstation, strlen(args->workstation));
	return write_pair(args, &job, &client, err);
}

static int make_host_key(const struct args *args, struct err *err)
{
	cleanup(key_pair_finish) struct key_pair key = { 0 };
	cleanup(buf_finish) struct buf line = BUF_INIT(4096), old = BUF_INIT(4096);
	const char *alias = args->alias ? args->alias : "berth";

	if (alias[0] == '\0' || strpbrk(alias, " \t\r\n,*?!#@|"))
		return err_set(err, ERR_INVALID, "--alias: '%s' is not a plain name", alias);
	if (host_key_ensure(args->host_key, &key, err) < 0)
		return -1;
	if (!host_key_known_hosts(&key.public, alias, &line))
		return err_set(err, ERR_LIMIT, "--alias: too long");
	/*
	 * Unchanged, it is not written: ssh processes may be reading it, and the disk may be full.
	 */
	if (fs_read_file(args->known_hosts, old.max, &old, NULL) == 0 &&
	    span_equal(buf_span(&old), buf_span(&line)))
		return 0;
	return fs_write_file(args->known_hosts, buf_span(&line), 0600, err);
}

/* What is done to the keys of a job that there is; ERR_INVALID without the files it needs. */
static int change_job(const struct args *args, struct err *err)
{
	const struct rotation rotation = { .job_file = args->job_file,
					   .client_file = args->client_file,
					   .name = args->workstation,
					   .login = args->login,
					   .no_punch = args->no_punch };
	bool needs_client = args->rotate || args->finish;

	if (args->rotate + args->finish + args->revoke + args->list != 1 || !args->job_file ||
	    args->host_key || args->known_hosts || (needs_client && !args->client_file) ||
	    (args->revoke && args->client_file))
		return err_set(err, ERR_INVALID,
			       "--rotate and --finish-rotation need --job-file and --client-file; "
			       "--revoke and --list need --job-file");
	if (args->login && !client_file_is_login(args->login))
		return err_set(err, ERR_INVALID, "--login: '%s' is not [USER@]HOST", args->login);
	if (args->rotate)
		return rotation_begin(&rotation, err);
	if (args->finish)
		return rotation_finish(&rotation, err);
	if (args->revoke)
		return rotation_revoke(args->job_file, args->workstation, err);
	return rotation_list(&rotation, stdout, err);
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	const struct args *args = user;
	bool job = args->job_file && args->client_file;
	bool host = args->host_key && args->known_hosts;

	(void)argc;
	(void)argv;
	if (args->workstation && !job_file_is_name(args->workstation))
		return err_set(err, ERR_INVALID,
			       "--workstation: '%.80s' is no name: letters, digits, '.', '-', '_'",
			       args->workstation);
	if (args->rotate || args->finish || args->revoke || args->list)
		return change_job(args, err);
	if (job == host || (!job && (args->job_file || args->client_file)) ||
	    (!host && (args->host_key || args->known_hosts)))
		return err_set(err, ERR_INVALID,
			       "give --job-file and --client-file, or --host-key and "
			       "--known-hosts");
	return job ? make_job(args, err) : make_host_key(args, err);
}

const struct verb cmd_keygen = {
	.name = "keygen",
	.operands = "",
	.summary = "make the keys of a job, or the user's SSH host key",
	.details = "Files are made 0600 and never replaced; a host key that exists is kept.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
