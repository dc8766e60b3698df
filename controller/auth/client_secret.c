/* SPDX-License-Identifier: MIT */
/* The secret of a client; see client_secret.h. */
#include "client_secret.h"

#include <errno.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/auth/keyring.h"
#include "controller/auth/secret_env.h"
#include "controller/run/secret.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

/* What a command prints, of which the first line counts. */
#define PRINTED_MAX 65536

const char *client_secret_place_word(enum client_secret_place place)
{
	static const char *const words[] = {
		[CLIENT_SECRET_NONE] = "nowhere",
		[CLIENT_SECRET_ENVIRONMENT] = "the environment",
		[CLIENT_SECRET_COMMAND] = "client_secret_command",
		[CLIENT_SECRET_FILE] = "client_secret_file",
		[CLIENT_SECRET_KEYRING] = "the keyring",
		[CLIENT_SECRET_KEPT] = "a file of berth's that only you can read",
	};

	return words[place];
}

char *client_secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
	return NULL;
}

bool client_secret_is_valid(const char *secret)
{
	size_t len = strlen(secret);

	for (const char *p = secret; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	}
	return len > 0 && len <= CLIENT_SECRET_MAX;
}

/* The first line. */
static int take_line(struct buf *text, const char *where, char **ret, struct err *err)
{
	cleanup(client_secret_free) char *line = str_dup(buf_str(text));

	line[strcspn(line, "\r\n")] = '\0';
	if (!client_secret_is_valid(line))
		return err_set(err, ERR_INVALID,
			       "%s gives no secret: its first line has to be one, of at most %d "
			       "characters",
			       where, CLIENT_SECRET_MAX);
	*ret = take_ptr(line);
	return 0;
}

static int run_command(const struct client_secret *from, char **ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(PRINTED_MAX);

	if (secret_print("client_secret_command", from->command, &text, err) < 0)
		return -1;
	return take_line(&text, "client_secret_command", ret, err);
}

static int read_private(const char *path, char **ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(CLIENT_SECRET_MAX + 2);
	cleanup_close int fd = fd_open(path, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_set_errno(err, errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "stat %s", path);
	if (st.st_mode & (S_IRWXG | S_IRWXO) || (st.st_uid != geteuid() && st.st_uid != 0))
		return err_set(err, ERR_DENIED,
			       "%s: others can read it, or it is not yours: make it so with "
			       "'chmod 600' and use another secret, for this one may be known",
			       path);
	if (fd_read_all(fd, CLIENT_SECRET_MAX + 2, &text, err) < 0)
		return err_wrap(err, "read %s", path);
	return take_line(&text, path, ret, err);
}

static struct keyring_name keyring_name(const struct client_secret *from)
{
	return (struct keyring_name){ .issuer = from->issuer, .client_id = from->client_id };
}

static int find_kept(const struct client_secret *from, char **ret,
		     enum client_secret_place *ret_place, struct err *err)
{
	const struct keyring_name name = keyring_name(from);
	char *secret = NULL;

	if (fs_exists(from->kept)) {
		*ret_place = CLIENT_SECRET_KEPT;
		return read_private(from->kept, ret, err);
	}
	/* A keyring that is not there has none. */
	if (keyring_find(&name, &secret, NULL) == 0 && secret)
		*ret_place = CLIENT_SECRET_KEYRING;
	*ret = secret;
	return 0;
}

int client_secret_find(const struct client_secret *from, char **ret,
		       enum client_secret_place *ret_place, struct err *err)
{
	cleanup_free char *variable = secret_env_name(from->cluster);
	const char *value = secret_env_get(variable);

	*ret = NULL;
	*ret_place = CLIENT_SECRET_NONE;
	if (value) {
		if (!client_secret_is_valid(value))
			return err_set(err, ERR_INVALID, "%s is no secret", variable);
		*ret = str_dup(value);
		*ret_place = CLIENT_SECRET_ENVIRONMENT;
		return 0;
	}
	if (from->command) {
		*ret_place = CLIENT_SECRET_COMMAND;
		return run_command(from, ret, err);
	}
	if (from->file) {
		*ret_place = CLIENT_SECRET_FILE;
		return read_private(from->file, ret, err) < 0 ? err_wrap(err, "client_secret_file")
							      : 0;
	}
	return find_kept(from, ret, ret_place, err);
}

int client_secret_keep(const struct client_secret *from, const char *secret, bool no_keyring,
		       enum client_secret_place *ret_place, struct err *err)
{
	const struct keyring_name name = keyring_name(from);

	if (!no_keyring && keyring_keep(&name, secret, NULL) == 0) {
		*ret_place = CLIENT_SECRET_KEYRING;
		unlink(from->kept);
		return 0;
	}
	*ret_place = CLIENT_SECRET_KEPT;
	return fs_write_file(from->kept, span_of_str(secret), 0600, err);
}

int client_secret_forget(const struct client_secret *from, bool *ret_did, struct err *err)
{
	const struct keyring_name name = keyring_name(from);
	char *secret = NULL;

	*ret_did = unlink(from->kept) == 0;
	if (!*ret_did && errno != ENOENT)
		return err_set_errno(err, errno, "remove %s", from->kept);
	if (keyring_find(&name, &secret, NULL) < 0 || !secret)
		return 0;
	client_secret_free(secret);
	*ret_did = true;
	return keyring_forget(&name, err);
}
