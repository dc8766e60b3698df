/* SPDX-License-Identifier: MIT */
/* Jobs on this machine; see local.h. */
#include "local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/local/launch.h"
#include "controller/backends/local/node.h"
#include "controller/backends/local/kill.h"
#include "controller/backends/local/sandbox.h"
#include "controller/model/job_spec.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

/* What this machine cannot give is refused, not ignored. */
static int check_request(const struct spec *spec, struct err *err)
{
	struct sysinfo info;

	if (spec_check_local(spec, err) < 0)
		return -1;
	if (spec->cpus > (uint64_t)get_nprocs())
		return err_set(err, ERR_UNSUPPORTED, "--cpus: this machine has %d, not %" PRIu64,
			       get_nprocs(), spec->cpus);
	if (sysinfo(&info) == 0 && spec->memory > (uint64_t)info.totalram * info.mem_unit)
		return err_set(err, ERR_UNSUPPORTED, "--mem: this machine has %" PRIu64 " MiB",
			       (uint64_t)info.totalram * info.mem_unit >> 20);
	return 0;
}

static void add_init(struct argv *argv, const struct submission *submission)
{
	bool inside = submission->spec->image;

	argv_addf(argv, "%s/berth-init", inside ? SANDBOX_BUNDLE : submission->bundle);
	argv_add_words(argv, "--dir", inside ? SANDBOX_JOB_DIR : submission->job->directory,
		       "--rank", "0", NULL);
	if (submission->spec->hold)
		argv_add_words(argv, "--hold", submission->spec->hold, NULL);
	argv_add(argv, "--");
	if (submission->spec->script)
		argv_addf(argv, "%s/%s", inside ? SANDBOX_JOB_DIR : submission->job->directory,
			  SPEC_SCRIPT_NAME);
	else
		argv_add_all(argv, submission->spec->command);
}

static int check_workdir(const struct spec *spec, struct err *err)
{
	if (spec->image && access(spec->image, X_OK) < 0)
		return err_set_errno(err, errno, "--image: %s", spec->image);
	if (!spec->image && access(spec->workdir, X_OK) < 0)
		return err_set_errno(err, errno, "--workdir: %s", spec->workdir);
	return 0;
}

static int submit(struct backend *backend, const struct submission *submission,
		  struct submitted *ret, struct err *err)
{
	const struct spec *spec = submission->spec;
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup_close int info = -1;
	struct launch launch = {
		.env = spec->env.items,
		.env_len = spec->env.len,
		.workdir = spec->image ? "/" : spec->workdir,
		.job_dir = submission->job->directory,
		.info = { -1, -1 },
		.limit_ns = spec->time_ns,
	};
	struct process process;
	bool sandboxed;

	(void)backend;
	if (check_request(spec, err) < 0 || check_workdir(spec, err) < 0)
		return -1;
	sandboxed = sandbox_works(ret->degraded, sizeof(ret->degraded));
	if (!sandboxed && spec->image)
		return err_set(err, ERR_UNSUPPORTED,
			       "--image needs a sandbox, and there is none: %s", ret->degraded);
	if (sandboxed) {
		if (pipe2(launch.info, O_CLOEXEC) < 0)
			return err_set_errno(err, errno, "pipe");
		info = launch.info[0];
		sandbox_add_prefix(&argv, submission, launch.info[1]);
	}
	add_init(&argv, submission);
	launch.argv = argv_words(&argv);
	if (launch_detached(&launch, &process, err) < 0)
		return -1;
	process_format(&process, ret->native_id, sizeof(ret->native_id));
	ret->state = JOB_STARTING;
	return 0;
}

/* A job whose berth-init is gone without having written how the command ended. */
static void explain_death(const struct job *job, struct observation *ret)
{
	if (ret->reason[0] != '\0') {
		ret->state = JOB_UNKNOWN; /* a status that cannot be understood */
	} else if (ret->started_ns == 0) {
		ret->state = JOB_FAILED;
		jobdir_first_line(job->directory, "stderr", ret->reason, sizeof(ret->reason));
		if (ret->reason[0] == '\0')
			jobdir_copy_text(ret->reason, sizeof(ret->reason), "it did not start");
	} else {
		ret->state = JOB_FAILED;
		jobdir_copy_text(ret->reason, sizeof(ret->reason),
				 "it was killed, or the machine restarted");
	}
	ret->ended_ns = jobdir_now_ns();
}

static void name_end(const struct job *job, struct observation *ret)
{
	cleanup_free char *mark = fs_join(job->directory, LAUNCH_LIMIT_MARK);

	if (fs_exists(mark)) {
		ret->state = JOB_TIMEOUT;
		jobdir_copy_text(ret->reason, sizeof(ret->reason), "its time limit");
	} else if (job->cancel_requested) {
		ret->state = JOB_CANCELLED;
	}
}

static void observe_one(const struct job *job, struct observation *ret)
{
	struct process process;
	bool alive;

	if (!process_parse(job->native_id, &process)) {
		jobdir_copy_text(ret->reason, sizeof(ret->reason), "its process was not recorded");
		return;
	}
	if (!process_is_here(&process)) {
		ret->state = job->state;
		snprintf(ret->reason, sizeof(ret->reason), "it runs on %s", process.host);
		return;
	}
	/* Alive first: a status that berth-init writes before it ends is then seen for certain. */
	alive = process_is_alive(&process);
	jobdir_observe(NULL, job, ret);
	if (!alive && !job_state_is_ended(ret->state))
		explain_death(job, ret);
	else if (alive && ret->state == JOB_UNKNOWN)
		ret->state = ret->reason[0] != '\0' ? JOB_RUNNING : JOB_STARTING;
	if (job_state_is_ended(ret->state))
		name_end(job, ret);
}

static int observe(struct backend *backend, const struct job *const *jobs, size_t len,
		   struct observation *ret, struct err *err)
{
	(void)backend;
	(void)err;
	for (size_t i = 0; i < len; i++)
		observe_one(jobs[i], &ret[i]);
	return 0;
}

/* The launcher notes what it started, whatever becomes of berth meanwhile. */
static int find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		struct err *err)
{
	struct process process;

	(void)backend;
	(void)err;
	if (!launch_find(job->directory, &process))
		return 0;
	process_format(&process, ret_id, BACKEND_ID_MAX);
	return 1;
}

/* A directory of ours with a process in it; what another user has there is not. */
static void locate_one(const char *jobs_dir, const char *uid, struct job_list *ret)
{
	cleanup_free char *directory = fs_join(jobs_dir, uid);
	cleanup_free char *note = fs_join(directory, LAUNCH_PROCESS_NOTE);
	cleanup_free char *spec_path = fs_join(directory, "spec.json");
	cleanup(buf_finish) struct buf spec = BUF_INIT(SPEC_JSON_MAX);
	cleanup(job_finish) struct job job = { 0 };
	struct observation seen = { .exit_code = JOB_NO_EXIT_CODE };
	struct process process;
	char id[PROCESS_TEXT_MAX];
	struct stat st;

	if (!job_is_uid(uid) || lstat(directory, &st) < 0 || st.st_uid != geteuid() ||
	    !launch_find(directory, &process) ||
	    fs_read_file(spec_path, SPEC_JSON_MAX, &spec, NULL) < 0)
		return;
	job_init(&job);
	if (job_read_spec(&job, buf_span(&spec), NULL) < 0)
		return;
	process_format(&process, id, sizeof(id));
	job_set(&job, directory, directory);
	job_set(&job, native_id, id);
	job.state = JOB_RUNNING;
	observe_one(&job, &seen);
	jobdir_add_located(&(struct located){ .path = note,
					      .file = LAUNCH_PROCESS_NOTE,
					      .native_id = id,
					      .native_state = "",
					      .name = job.name,
					      .state = seen.state },
			   ret);
}

/* Nobody keeps a list of these jobs but the directory that they are in. */
static int locate(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		  struct err *err)
{
	DIR *dir = opendir(jobs_dir);
	struct dirent *entry;

	(void)backend;
	if (!dir)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "list %s", jobs_dir);
	while ((entry = readdir(dir)))
		locate_one(jobs_dir, entry->d_name, ret);
	closedir(dir);
	return 0;
}

static int find_process(const struct job *job, struct process *ret, struct err *err)
{
	if (!process_parse(job->native_id, ret))
		return err_set(err, ERR_NOT_FOUND, "its process was not recorded");
	if (!process_is_here(ret))
		return err_set(err, ERR_UNAVAILABLE, "it runs on %s: do it there", ret->host);
	return 0;
}

static int cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		  struct err *err)
{
	int result = 0;

	(void)backend;
	for (size_t i = 0; i < len; i++) {
		struct err *own = result == 0 ? err : NULL;
		struct process process;

		if (find_process(jobs[i], &process, own) < 0 ||
		    process_signal(&process, SIGTERM, own) < 0)
			result = -1;
	}
	return result;
}

static int kill_now(struct backend *backend, const struct job *job, struct err *err)
{
	struct process process;

	(void)backend;
	if (find_process(job, &process, err) < 0)
		return -1;
	return process_is_alive(&process) ? localkill(job->directory, &process, err) : 0;
}

/* berth-init passes on what it gets; only what nobody can catch has to be seen to here. */
static int signal_one(struct backend *backend, const struct job *job, int signal, struct err *err)
{
	struct process process;

	if (signal == SIGKILL)
		return kill_now(backend, job, err);
	if (find_process(job, &process, err) < 0)
		return -1;
	return process_signal(&process, signal, err);
}

static int act_on(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		if (signal_one(backend, jobs[i], act->signal, result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

static int release(struct backend *backend, const struct job *job, struct err *err)
{
	struct process process;

	(void)backend;
	if (find_process(job, &process, err) < 0)
		return -1;
	return process_signal(&process, SIGURG, err);
}

static const struct backend_ops local_backend_ops = {
	.name = "local",
	.submit = submit,
	.observe = observe,
	.find = find,
	.locate = locate,
	.cancel = cancel,
	.act = act_on,
	.cannot = {
		[ACT_HOLD] = "starts jobs at once: 'berth signal TSTP' stops one that runs",
		[ACT_RELEASE] = "starts jobs at once: there is none that waits",
		[ACT_REQUEUE] = "has no queue: 'berth cancel' the job and 'berth run' it again",
		[ACT_UPDATE] = "has no scheduler: 'berth cancel' the job and 'berth run' it again",
	},
	.kill = kill_now,
	.release = release,
	.read_log = jobdir_read_log,
	.log_since = jobdir_log_since,
	.endpoint = jobdir_endpoint,
	.list_nodes = local_list_nodes,
	.observes_at_once = true,
};

struct backend *local_backend_open(struct site *site)
{
	static struct backend backend = { .ops = &local_backend_ops };

	(void)site;
	return &backend;
}
