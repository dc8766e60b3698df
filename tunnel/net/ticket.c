/* SPDX-License-Identifier: MIT */
/* Tickets on disk; see ticket.h. */
#include "ticket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/jsonfile.h"

/* A round trip over a minute is no measurement. */
#define RTT_MAX_US UINT64_C(60000000)

void ticket_init(struct ticket *ticket)
{
	*ticket = (struct ticket){ 0 };
	buf_init(&ticket->session, TLS_TICKET_MAX);
	buf_init(&ticket->params, QUIC_TICKET_PARAMS_MAX);
}

void ticket_finish(struct ticket *ticket)
{
	buf_wipe(&ticket->session);
	buf_finish(&ticket->params);
}

static int read_bytes(const json_t *object, const char *name, struct buf *ret, struct err *err)
{
	const char *text;
	size_t len, padding = 0;
	uint8_t *at;

	if (jsonfile_string(object, name, &text, err) < 0)
		return -1;
	len = strlen(text);
	if (len % 4 != 0)
		return err_set(err, ERR_INVALID, "\"%s\" is not base64", name);
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	if (len == 0 || len / 4 * 3 - padding > ret->max)
		return err_set(err, ERR_LIMIT, "\"%s\" is empty, or longer than %zu bytes", name,
			       ret->max);
	len = len / 4 * 3 - padding;
	at = buf_reserve(ret, len);
	if (!at || !text_parse_base64(text, at, len))
		return err_set(err, ERR_INVALID, "\"%s\" is not base64", name);
	buf_commit(ret, len);
	return 0;
}

static int read_key(const json_t *object, struct key_public *ret, struct err *err)
{
	const char *text;

	if (jsonfile_string(object, "key", &text, err) < 0)
		return -1;
	if (!text_parse_base64(text, ret->bytes, sizeof(ret->bytes)))
		return err_set(err, ERR_INVALID, "\"key\" is not 32 bytes in base64");
	return 0;
}

static int read_members(const json_t *object, struct ticket *ret, struct err *err)
{
	const json_t *started = json_object_get(object, "started");
	const char *address;

	if (!json_is_number(started))
		return err_set(err, ERR_INVALID, "\"started\" is not a number");
	ret->started = json_number_value(started);
	if (jsonfile_uint(object, "expires", INT64_MAX, &ret->expires, err) < 0 ||
	    jsonfile_uint(object, "rtt_us", RTT_MAX_US, &ret->rtt_us, err) < 0 ||
	    read_key(object, &ret->key, err) < 0 ||
	    jsonfile_string(object, "address", &address, err) < 0)
		return -1;
	if (!addr_parse(address, &ret->remote))
		return err_set(err, ERR_INVALID, "\"address\" is not ADDRESS:PORT");
	if (read_bytes(object, "session", &ret->session, err) < 0)
		return -1;
	return read_bytes(object, "params", &ret->params, err);
}

int ticket_parse(struct span text, struct ticket *ret, struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_parse(text, err);
	cleanup(ticket_finish) struct ticket ticket;

	ticket_init(&ticket);
	if (!object || read_members(object, &ticket, err) < 0)
		return -1;
	*ret = ticket;
	ticket_init(&ticket);
	return 0;
}

static bool append_bytes(struct buf *b, const char *name, struct span bytes)
{
	size_t size = TEXT_BASE64_SIZE(bytes.len);
	cleanup_free char *text = new_array(char, size);
	bool done;

	text_base64(bytes, text, size);
	done = buf_printf(b, ", \"%s\": \"%s\"", name, text);
	explicit_bzero(text, size);
	return done;
}

bool ticket_format(const struct ticket *ticket, struct buf *b)
{
	char address[ADDR_TEXT_MAX];

	addr_format(&ticket->remote, address);
	return buf_printf(b,
			  "{\"version\": 1, \"started\": %.3f, \"expires\": %llu, "
			  "\"address\": \"%s\", \"rtt_us\": %llu",
			  ticket->started, (unsigned long long)ticket->expires, address,
			  (unsigned long long)MIN(ticket->rtt_us, RTT_MAX_US)) &&
	       append_bytes(b, "key", span_of(ticket->key.bytes, sizeof(ticket->key.bytes))) &&
	       append_bytes(b, "session", buf_span(&ticket->session)) &&
	       append_bytes(b, "params", buf_span(&ticket->params)) && buf_printf(b, "}\n");
}

char *ticket_dir(const char *client_file)
{
	return str_printf("%s.tickets", client_file);
}

/* "RANK.N" */
static bool is_ticket_of(const char *name, unsigned int rank)
{
	cleanup_free char *prefix = str_printf("%u.", rank);
	uint64_t number;

	return strncmp(name, prefix, strlen(prefix)) == 0 &&
	       text_parse_uint(name + strlen(prefix), TICKETS_MAX - 1, &number);
}

/* The file is ours alone from here on, and gone afterwards. */
static bool take_file(const char *path, struct ticket *ret)
{
	cleanup_free char *mine = str_printf("%s.%ld", path, (long)getpid());
	cleanup(buf_wipe) struct buf text = BUF_INIT(JSONFILE_MAX);
	struct err err;
	bool done;

	if (rename(path, mine) < 0)
		return false;
	done = jsonfile_read_private(mine, &text, &err) == 0 &&
	       ticket_parse(buf_span(&text), ret, &err) == 0;
	if (!done)
		log_debug("ticket: %s", err.text);
	(void)unlink(mine);
	return done;
}

static bool is_of_use(const struct ticket *ticket, double started, const struct key_public *key)
{
	return (double)ticket->expires > clock_wall() && ticket->started >= started - 0.001 &&
	       ticket->started <= started + 0.001 && key_public_equal(&ticket->key, key);
}

bool ticket_take(const char *dir, unsigned int rank, double started, const struct key_public *key,
		 struct ticket *ret)
{
	DIR *names = opendir(dir);
	const struct dirent *entry;
	bool found = false;

	if (!names)
		return false;
	while (!found && (entry = readdir(names))) {
		cleanup_free char *path = fs_join(dir, entry->d_name);

		if (!is_ticket_of(entry->d_name, rank) || !take_file(path, ret))
			continue;
		found = is_of_use(ret, started, key);
		if (!found)
			ticket_finish(ret);
	}
	closedir(names);
	return found;
}

/*
 * Not fs_write_file(): a ticket that a crash garbles is refused, and waiting for the disk would be
 * felt by who has just connected.
 */
static int write_new(const char *path, struct span bytes, struct err *err)
{
	cleanup_close int fd = fd_open_mode(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		return err_set_errno(err, errno, "create %s", path);
	if (fd_write_all(fd, bytes, err) == 0)
		return 0;
	(void)unlink(path);
	return err_wrap(err, "write %s", path);
}

/* Gives it the first free number, or the one that was written longest ago. */
static int put_in_place(const char *dir, unsigned int rank, const char *from, struct err *err)
{
	cleanup_free char *oldest = NULL;
	struct timespec oldest_at = { 0 };
	struct stat st;

	for (unsigned int i = 0; i < TICKETS_MAX; i++) {
		char *path = str_printf("%s/%u.%u", dir, rank, i);

		if (link(from, path) == 0) {
			free(path);
			(void)unlink(from);
			return 0;
		}
		if (stat(path, &st) == 0 && (!oldest || st.st_mtim.tv_sec < oldest_at.tv_sec ||
					     (st.st_mtim.tv_sec == oldest_at.tv_sec &&
					      st.st_mtim.tv_nsec < oldest_at.tv_nsec))) {
			free(oldest);
			oldest = take_ptr(path);
			oldest_at = st.st_mtim;
		}
		free(path);
	}
	if (oldest && rename(from, oldest) == 0)
		return 0;
	err_set_errno(err, errno, "rename %s", from);
	(void)unlink(from);
	return -1;
}

void ticket_keep(const char *dir, unsigned int rank, const struct ticket *ticket)
{
	cleanup_free char *path = str_printf("%s/new.%ld", dir, (long)getpid());
	cleanup(buf_wipe) struct buf text = BUF_INIT(JSONFILE_MAX);
	struct err err;

	if (!ticket_format(ticket, &text))
		return;
	if (fs_make_dirs(dir, 0700, &err) < 0 || write_new(path, buf_span(&text), &err) < 0 ||
	    put_in_place(dir, rank, path, &err) < 0)
		log_debug("ticket: %s", err.text);
}
