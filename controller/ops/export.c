/* SPDX-License-Identifier: MIT */
/* Entering a job from a machine that cannot ask its scheduler; see export.h. */
#include "export.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/model/job_spec.h"
#include "controller/ops/connect.h"
#include "controller/ops/export_file.h"
#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/ops/place.h"
#include "controller/ops/rekey.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

#define CLIENT_MAX 65536
#define ENDPOINT_MAX 65536
#define DAY_NS (86400 * NSEC_PER_SEC)

/* What is being put together. */
struct parcel {
	struct export_file file;
	struct buf client;
	struct buf endpoints[EXPORT_FILE_ENDPOINTS_MAX];
	char *client_path;
};

static void parcel_finish(struct parcel *p)
{
	buf_wipe(&p->client);
	for (size_t i = 0; i < EXPORT_FILE_ENDPOINTS_MAX; i++)
		buf_finish(&p->endpoints[i]);
	if (p->client_path)
		unlink(p->client_path);
	free(p->client_path);
	export_file_finish(&p->file);
}
DEFINE_CLEANUP_VALUE(struct parcel, parcel_finish)

static void add_endpoints(struct controller *c, const struct backend *backend,
			  const struct job *job, struct parcel *p)
{
	uint64_t rank = 0;

	for (size_t i = 0; i < EXPORT_FILE_ENDPOINTS_MAX && job_next_rank(job, rank, &rank);
	     i++, rank++) {
		struct buf *text = &p->endpoints[p->file.endpoints_len];
		cleanup_free char *path =
			place_known_endpoint(c, backend_site(backend), job, (unsigned int)rank);

		*text = BUF_INIT(ENDPOINT_MAX);
		if (!path || fs_read_file(path, ENDPOINT_MAX, text, NULL) < 0)
			continue;
		p->file.endpoints[p->file.endpoints_len].rank = (unsigned int)rank;
		p->file.endpoints[p->file.endpoints_len++].text = buf_span(text);
	}
}

static uint64_t expiry(struct backend *backend, const struct job *job)
{
	cleanup_free char *path = fs_join(job->directory, "spec.json");
	cleanup(buf_finish) struct buf text = BUF_INIT(SPEC_JSON_MAX);
	uint64_t now = controller_now_ns(), limit_ns = 0;

	if (site_read(backend_site(backend), path, 0, SPEC_JSON_MAX, &text, NULL) == 0)
		limit_ns = job_spec_time(buf_span(&text));
	if (limit_ns == 0 || limit_ns > EXPORT_DAYS * DAY_NS)
		return now + EXPORT_DAYS * DAY_NS;
	/* One that waits may run for all of its time yet. */
	return job->started_ns ? job->started_ns + limit_ns : now + EXPORT_DAYS * DAY_NS;
}

/* The parcel has a copy of the record, with what matters elsewhere. */
static void copy_record(const struct job *job, uint64_t expires_ns, struct job *ret)
{
	job_init(ret);
	job_set(ret, uid, job->uid);
	job_set(ret, name, job->name);
	job_set(ret, cluster, job->cluster);
	job_set(ret, backend, job->backend);
	job_set(ret, native_id, job->native_id);
	job_set(ret, directory, job->directory);
	job_set(ret, command, job->command);
	job_set(ret, queue, job->queue);
	job_set(ret, user, job->user);
	job_set(ret, node_list, job->node_list);
	job_set(ret, array, job->array);
	ret->state = job->state;
	ret->nodes = job->nodes;
	ret->tasks = job->tasks;
	ret->created_ns = job->created_ns;
	ret->started_ns = job->started_ns;
	ret->expires_ns = expires_ns;
}

int ops_export(struct controller *c, const struct job *job, const char *workstation,
	       struct buf *ret, struct err *err)
{
	cleanup(parcel_finish) struct parcel p = { 0 };
	struct backend *backend;
	struct rekey_plan plan = { .workstation = workstation ? workstation : "exported" };

	if (ops_check_not_ended(job, err) < 0 ||
	    controller_backend(c, job->cluster, &backend, err) < 0)
		return -1;
	p.client = BUF_INIT(CLIENT_MAX);
	p.client_path =
		str_printf("%s/%s.export-%d.json", c->paths.keys_dir, job->uid, (int)getpid());
	plan.client_file = p.client_path;
	if (ops_rotate_key(c, job, &plan, err) < 0)
		return -1;
	copy_record(job, expiry(backend, job), &p.file.job);
	add_endpoints(c, backend, job, &p);
	if (fs_read_file(p.client_path, CLIENT_MAX, &p.client, err) < 0)
		return -1;
	p.file.client = buf_span(&p.client);
	if (!export_file_format(&p.file, ret))
		return err_set(err, ERR_LIMIT, "longer than %d bytes", EXPORT_FILE_MAX);
	return 0;
}

static int write_endpoints(struct controller *c, const struct export_file *file, struct err *err)
{
	for (size_t i = 0; i < file->endpoints_len; i++) {
		if (place_put_endpoint(c, &file->job, file->endpoints[i].rank,
				       file->endpoints[i].text, err) < 0)
			return -1;
	}
	return 0;
}

/* Nobody here can tell how it is; its scheduler may have the name of another one that is here. */
static void make_foreign(struct job *job)
{
	cleanup_free char *reason = str_printf("it was %s on %s when it was exported",
					       job_state_word(job->state), job->cluster);

	job_set(job, reason, reason);
	job_set(job, cluster, JOB_IMPORTED);
	job_set(job, origin, JOB_IMPORTED);
	job->state = JOB_UNKNOWN;
	job->seen_ns = controller_now_ns();
}

/* The number of a job that came before, or a new one. */
static int record(struct controller *c, struct job *job, bool *ret_is_new, struct err *err)
{
	cleanup(job_finish) struct job known = { 0 };
	struct err own;

	*ret_is_new = store_find_by_uid(c->store, job->uid, &known, &own) < 0;
	if (*ret_is_new && own.kind != ERR_NOT_FOUND)
		return err_set(err, own.kind, "%s", own.text);
	if (!*ret_is_new && (!job_is_imported(&known) || job_state_is_ended(known.state)))
		return err_set(err, ERR_EXISTS, "this is job-%" PRIu64 ", which is known here",
			       known.id);
	make_foreign(job);
	if (*ret_is_new)
		return store_add_job(c->store, job, err);
	job->id = known.id;
	return store_update_job(c->store, job, err);
}

static int write_key(struct controller *c, const struct export_file *file, struct err *err)
{
	cleanup_free char *client = paths_client_key(&c->paths, file->job.uid);
	cleanup_free char *tickets = paths_client_tickets(&c->paths, file->job.uid);
	cleanup(bundle_finish) struct bundle bundle = { 0 };

	if (bundle_find(c->paths.program, &bundle, err) < 0 ||
	    keys_make_host(c, bundle.tunnel, err) < 0 ||
	    fs_write_file(client, file->client, 0600, err) < 0 || fs_remove_tree(tickets, err) < 0)
		return -1;
	place_drop_endpoints(c, &file->job);
	return write_endpoints(c, file, err);
}

int ops_import(struct controller *c, struct span text, struct job *ret, struct notes *notes,
	       struct err *err)
{
	cleanup(export_file_finish) struct export_file file = { 0 };
	bool is_new;

	if (export_file_parse(text, &file, err) < 0)
		return -1;
	if (file.job.expires_ns <= controller_now_ns())
		return err_set(
			err, ERR_UNAVAILABLE,
			"it has expired: the job it leads to has ended, or is to be exported "
			"again");
	if (record(c, &file.job, &is_new, err) < 0)
		return -1;
	if (write_key(c, &file, err) < 0) {
		if (is_new && (leftovers_release_here(c, &file.job, NULL) < 0 ||
			       store_delete_job(c->store, file.job.id, NULL) < 0))
			return err_wrap(err, "job-%" PRIu64 " (not cleared away)", file.job.id);
		return -1;
	}
	hosts_add_job(c, &file.job, notes);
	*ret = file.job;
	file.job = (struct job){ 0 };
	return 0;
}

static int check_private(const char *path, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is no regular file", path);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_DENIED, "%s belongs to somebody else: it is not taken",
			       path);
	if (st.st_mode & 077)
		return err_set(err, ERR_DENIED,
			       "%s may be read by others, and holds a key: export the job again, "
			       "into a file that only you can read (chmod 600)",
			       path);
	return 0;
}

int ops_read_export(const char *path, struct buf *ret, struct err *err)
{
	cleanup_close int fd = -1;

	if (strcmp(path, "-") == 0)
		return fd_read_all(STDIN_FILENO, EXPORT_FILE_MAX, ret, err);
	fd = fd_open(path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return err_set_errno(err, errno, "open %s", path);
	if (check_private(path, fd, err) < 0)
		return -1;
	return fd_read_all(fd, EXPORT_FILE_MAX, ret, err);
}
