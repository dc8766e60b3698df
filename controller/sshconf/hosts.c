/* SPDX-License-Identifier: MIT */
/* The file of one job in ~/.ssh/berth/; see sshconf.h. */
#include "sshconf.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "init/base/buf.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define FILE_MAX 65536
#define MARK "# made by berth of "

/*
 * Up to here every rank is named; of more, and of arrays, a pattern stands for them. It would also
 * match host names that hold characters of the shell, and ssh before 9.6 passes those on to
 * ProxyCommand: there the name stands in single quotes, so that one without them is harmless.
 */
#define RANKS_NAMED_MAX 64
#define NOT_QUOTED "\"!*'*\""

static bool is_plain(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@+=:,./ -";

	return path[strspn(path, plain)] == '\0';
}

/* Doubles '%', which begins a token in ssh_config(5). free() it. */
static char *escape_tokens(const char *s)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(FILE_MAX);

	for (; *s; s++) {
		if (!buf_append_u8(&b, (uint8_t)*s) || (*s == '%' && !buf_append_u8(&b, '%')))
			break;
	}
	return buf_take_str(&b);
}

/* ProxyCommand is run by the user's shell. */
static char *proxy_command(const struct sshconf *sc)
{
	cleanup_free char *program = escape_tokens(sc->program);
	cleanup_free char *path = sc->path ? str_printf(" --path=%s", sc->path) : str_dup("");
	cleanup_free char *port = sc->port ? str_printf(" --ssh-port=%s", sc->port) : str_dup("");
	cleanup(buf_finish) struct buf quoted = BUF_INIT(FILE_MAX);

	if (is_plain(sc->program))
		return str_printf("ProxyCommand \"%s\" proxy%s%s '%%n'", program, path, port);
	if (!text_append_shell(&quoted, program))
		buf_clear(&quoted);
	return str_printf("ProxyCommand %s proxy%s%s '%%n'", buf_str(&quoted), path, port);
}

/*
 * Also whatever somebody's "Host *" or a site's policy might choose so that ssh and we have nothing
 * in common: the first value ssh reads holds, and a list that begins with + is its own default.
 */
static const char *const of_ours[] = {
	"HostKeyAlias berth",
	"HostKeyAlgorithms ssh-ed25519",
	"KexAlgorithms +curve25519-sha256",
	"Ciphers +aes128-gcm@openssh.com",
	"GlobalKnownHostsFile /dev/null",
	"StrictHostKeyChecking yes",
	"UpdateHostKeys no",
	"CheckHostIP no",
	"IdentityFile none",
	"GSSAPIAuthentication no",
	"PasswordAuthentication no",
	"ServerAliveInterval 0",
	"TCPKeepAlive no",
};

/*
 * An sshd of the job's own. That it is the job's has been proved by the tunnel, whatever key it
 * shows, which is often made anew for each job; how the user logs in there is between the two.
 */
static const char *const of_theirs[] = {
	"UserKnownHostsFile /dev/null",
	"GlobalKnownHostsFile /dev/null",
	"StrictHostKeyChecking no",
	"UpdateHostKeys no",
	"CheckHostIP no",
	"LogLevel ERROR",
	"ServerAliveInterval 0",
	"TCPKeepAlive no",
};

char *sshconf_option(const struct sshconf *sc, size_t n)
{
	const char *const *fixed = sc->port ? of_theirs : of_ours;
	size_t len = sc->port ? ARRAY_LEN(of_theirs) : ARRAY_LEN(of_ours);
	cleanup_free char *known_hosts = NULL;

	if (n < len)
		return str_dup(fixed[n]);
	n -= len;
	if (sc->port && !sc->user)
		n++;
	if (n > 0)
		return n == 1 ? proxy_command(sc) : NULL;
	if (sc->port)
		return str_printf("User %s", sc->user);
	known_hosts = escape_tokens(sc->known_hosts);
	return str_printf("UserKnownHostsFile \"%s\"", known_hosts);
}

static char *file_of(const struct sshconf *sc, uint64_t id)
{
	return str_printf("%s/job-%" PRIu64 ".conf", sc->jobs_dir, id);
}

/*
 * 1: there and ours; 0: not there; -1: somebody else's. An empty one is what a power cut leaves of
 * ours, and nobody loses anything with it.
 */
static int whose(const struct sshconf *sc, const char *path)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
	cleanup_free char *mark = str_printf(MARK "%s\n", sc->state_dir);
	struct err err;

	if (fs_read_file(path, FILE_MAX, &text, &err) < 0)
		return err.kind == ERR_NOT_FOUND ? 0 : -1;
	return buf_len(&text) == 0 || strncmp(buf_str(&text), mark, strlen(mark)) == 0 ? 1 : -1;
}

static bool add_hosts(struct buf *b, const struct job *job)
{
	bool matches = job_is_array(job) || job->tasks > RANKS_NAMED_MAX;
	bool ok = buf_printf(b, "Host job-%" PRIu64, job->id);

	for (uint64_t rank = 0; ok && rank < job->tasks && !matches; rank++)
		ok = buf_printf(b, " job-%" PRIu64 ".%" PRIu64, job->id, rank);
	if (ok && matches)
		ok = buf_printf(b, " job-%" PRIu64 ".* job-%" PRIu64 "_* " NOT_QUOTED, job->id,
				job->id);
	if (ok && !matches && job->cluster[0] != '\0')
		ok = buf_printf(b, " job-%" PRIu64 ".%s", job->id, job->cluster);
	if (ok && job->name[0] != '\0')
		ok = buf_printf(b, " %s.job", job->name) &&
		     (!matches || buf_printf(b, " %s.job.* %s.job_*", job->name, job->name));
	return ok && buf_append_u8(b, '\n');
}

int sshconf_add_job(const struct sshconf *sc, const struct job *job, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
	cleanup_free char *path = file_of(sc, job->id);
	char *option;
	bool ok;

	if (strpbrk(sc->program, "\r\n") || strpbrk(sc->known_hosts, "\"\r\n") ||
	    strpbrk(sc->state_dir, "\r\n"))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s or %s cannot be written into an ssh configuration: rename it",
			       sc->program, sc->state_dir);
	if (whose(sc, path) < 0)
		return err_set(err, ERR_EXISTS, "%s is not ours: move it away", path);
	ok = buf_printf(&text, MARK "%s\n# Gone when the job has ended.\n", sc->state_dir) &&
	     add_hosts(&text, job);
	for (size_t i = 0; ok && (option = sshconf_option(sc, i)); i++) {
		ok = buf_printf(&text, "  %s\n", option);
		free(option);
	}
	if (!ok)
		return err_set(err, ERR_LIMIT, "%s would be too large", path);
	/* After a power cut it may be empty: `berth ssh` finds the job all the same. */
	return fs_write_file_unsynced(path, buf_span(&text), 0600, err);
}

int sshconf_remove_job(const struct sshconf *sc, uint64_t id, struct err *err)
{
	cleanup_free char *path = file_of(sc, id);

	if (whose(sc, path) <= 0)
		return 0;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set_errno(err, errno, "remove %s", path);
	return 0;
}

static bool parse_file_name(const char *name, uint64_t *ret_id)
{
	size_t len = strlen(name);
	char digits[24];

	if (len <= 9 || len - 9 >= sizeof(digits) || strncmp(name, "job-", 4) != 0 ||
	    strcmp(name + len - 5, ".conf") != 0)
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)(len - 9), name + 4);
	return text_parse_uint(digits, INT64_MAX, ret_id);
}

/* "job-7.conf.4242.0.part": what is left of a berth that died while it wrote the file. */
static bool parse_part_name(const char *name, uint64_t *ret_id)
{
	const char *end = strstr(name, ".conf.");
	cleanup_free char *whole = end ? str_dup_len(name, (size_t)(end - name) + 5) : NULL;
	size_t len = strlen(name);

	return whole && strcmp(name + len - 5, ".part") == 0 && parse_file_name(whole, ret_id);
}

int sshconf_remove_parts(const struct sshconf *sc, uint64_t id, struct err *err)
{
	DIR *dir = opendir(sc->jobs_dir);
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "list %s", sc->jobs_dir);
	while (result == 0 && (entry = readdir(dir))) {
		cleanup_free char *path = fs_join(sc->jobs_dir, entry->d_name);
		uint64_t of;

		if (parse_part_name(entry->d_name, &of) && of == id && whose(sc, path) == 1 &&
		    unlink(path) < 0 && errno != ENOENT)
			result = err_set_errno(err, errno, "remove %s", path);
	}
	closedir(dir);
	return result;
}

int sshconf_list_jobs(const struct sshconf *sc, uint64_t **ret_ids, size_t *ret_len,
		      struct err *err)
{
	cleanup_free uint64_t *ids = NULL;
	DIR *dir = opendir(sc->jobs_dir);
	struct dirent *entry;
	size_t len = 0;

	if (!dir && errno != ENOENT)
		return err_set_errno(err, errno, "list %s", sc->jobs_dir);
	while (dir && (entry = readdir(dir))) {
		cleanup_free char *path = fs_join(sc->jobs_dir, entry->d_name);
		uint64_t id;

		if ((!parse_part_name(entry->d_name, &id) &&
		     !parse_file_name(entry->d_name, &id)) ||
		    whose(sc, path) != 1)
			continue;
		ids = alloc_grow(ids, len + 1, sizeof(*ids));
		ids[len++] = id;
	}
	if (dir)
		closedir(dir);
	*ret_ids = take_ptr(ids);
	*ret_len = len;
	return 0;
}
