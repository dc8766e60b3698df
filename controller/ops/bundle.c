/* SPDX-License-Identifier: MIT */
/*
 * The bundle under $BERTH_HOME/images/. It is named by the SHA-256 of its contents, so that it is
 * copied once a version, and a copy is never changed. Hashing 8 MB at every submission would cost
 * more than the rest of it: the digest is remembered with the size and time of the files.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sha2.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/ops/internal.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define PROGRAM_MAX (256 * 1024 * 1024)
#define DIGEST_TEXT_SIZE (2 * SHA256_DIGEST_LENGTH + 1)
#define NOTE "bundle"

static const char *const names[] = { "berth-init", "berth-tunnel" };

static const char *source(const struct bundle *bundle, size_t i)
{
	return i == 0 ? bundle->init : bundle->tunnel;
}

/* What changes when a program is built again. free() it. */
static char *fingerprint(const struct bundle *bundle)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(65536);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct stat st = { 0 };

		if (stat(source(bundle, i), &st) < 0 ||
		    !buf_printf(&b, "%s %ju %jd %jd.%09ld ", source(bundle, i),
				(uintmax_t)st.st_ino, (intmax_t)st.st_size,
				(intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec))
			buf_clear(&b);
	}
	return buf_take_str(&b);
}

static void add_to_digest(SHA2_CTX *digest, const char *name, struct span bytes)
{
	cleanup_free char *header = str_printf("%s %zu\n", name, bytes.len);

	SHA256Update(digest, (const uint8_t *)header, strlen(header));
	SHA256Update(digest, bytes.ptr, bytes.len);
}

static int copy(const char *from, const char *to, SHA2_CTX *digest, const char *name,
		struct err *err)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT(PROGRAM_MAX);

	if (fs_read_file(from, PROGRAM_MAX, &bytes, err) < 0)
		return -1;
	add_to_digest(digest, name, buf_span(&bytes));
	return to ? fs_write_file(to, buf_span(&bytes), 0555, err) : 0;
}

/* The digest of the two programs in a directory, or of the bundle when dir is NULL; copied to `to`
 * unless that is NULL. */
static int digest_all(const struct bundle *bundle, const char *dir, const char *to,
		      char out[DIGEST_TEXT_SIZE], struct err *err)
{
	uint8_t bytes[SHA256_DIGEST_LENGTH];
	SHA2_CTX digest;

	SHA256Init(&digest);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup_free char *from = dir ? fs_join(dir, names[i]) : str_dup(source(bundle, i));
		cleanup_free char *target = to ? fs_join(to, names[i]) : NULL;

		if (copy(from, target, &digest, names[i], err) < 0)
			return -1;
	}
	SHA256Final(bytes, &digest);
	text_hex(span_of(bytes, sizeof(bytes)), out, DIGEST_TEXT_SIZE);
	return 0;
}

/* There is such a directory: somebody else was first, or what is in it was damaged since. */
static int replace(const char *part, const char *dir, const char *digest, struct err *err)
{
	char found[DIGEST_TEXT_SIZE];

	if (errno != EEXIST && errno != ENOTEMPTY)
		return err_set_errno(err, errno, "rename");
	if (digest_all(NULL, dir, NULL, found, NULL) == 0 && strcmp(found, digest) == 0)
		return 0;
	/* The damaged one gets the name of the part, under which it is removed. */
	if (renameat2(AT_FDCWD, part, AT_FDCWD, dir, RENAME_EXCHANGE) < 0)
		return err_set_errno(err, errno, "it is damaged: remove it");
	return 0;
}

/* Copies into `part`, reads the copy back, and only then gives it its name. */
static int install_part(struct controller *c, const struct bundle *bundle, const char *part,
			char **ret_dir, char out[DIGEST_TEXT_SIZE], struct err *err)
{
	cleanup_free char *dir = NULL;
	char written[DIGEST_TEXT_SIZE];

	if (fs_make_dirs(part, 0755, err) < 0 || digest_all(bundle, NULL, part, out, err) < 0 ||
	    digest_all(bundle, part, NULL, written, err) < 0)
		return -1;
	if (strcmp(out, written) != 0)
		return err_set(err, ERR_SYSTEM,
			       "the copy in %s differs from what was written: is the disk well?",
			       part);
	dir = fs_join(c->paths.images_dir, out);
	if (rename(part, dir) < 0 && replace(part, dir, out, err) < 0)
		return err_wrap(err, "create %s", dir);
	*ret_dir = take_ptr(dir);
	return 0;
}

static int install(struct controller *c, const struct bundle *bundle, char **ret_dir,
		   char out[DIGEST_TEXT_SIZE], struct err *err)
{
	cleanup_free char *part = str_printf("%s/.%d.part", c->paths.images_dir, (int)getpid());
	struct err left;
	int result;

	if (fs_remove_tree(part, err) < 0)
		return -1;
	result = install_part(c, bundle, part, ret_dir, out, err);
	if (fs_remove_tree(part, &left) < 0)
		log_debug("%s: %s", part, left.text);
	return result;
}

static bool is_complete(const char *dir, const struct bundle *bundle)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup_free char *path = fs_join(dir, names[i]);
		struct stat there, here;

		if (stat(path, &there) < 0 || stat(source(bundle, i), &here) < 0 ||
		    there.st_size != here.st_size || !(there.st_mode & S_IXUSR))
			return false;
	}
	return true;
}

/* The directory that the remembered digest names, when it is still right. */
static char *find_installed(struct controller *c, const struct bundle *bundle, const char *print)
{
	cleanup_free char *note = NULL, *dir = NULL;
	size_t len = strlen(print);

	if (len == 0 || store_get_note(c->store, NOTE, &note, NULL) < 0 || !note ||
	    strncmp(note, print, len) != 0 || strlen(note + len) != DIGEST_TEXT_SIZE - 1)
		return NULL;
	dir = fs_join(c->paths.images_dir, note + len);
	return is_complete(dir, bundle) ? take_ptr(dir) : NULL;
}

int bundle_install(struct controller *c, const struct bundle *bundle, char **ret_dir,
		   struct err *err)
{
	cleanup_free char *print = fingerprint(bundle), *note = NULL;
	cleanup_free char *dir = find_installed(c, bundle, print);
	char digest[DIGEST_TEXT_SIZE];

	if (!dir) {
		if (install(c, bundle, &dir, digest, err) < 0)
			return err_wrap(err, "cannot install the bundle");
		note = str_printf("%s%s", print, digest);
		if (store_put_note(c->store, NOTE, note, err) < 0)
			return -1;
	}
	/* Its time says when it was last used; collecting old ones looks at it. */
	utimensat(AT_FDCWD, dir, NULL, 0);
	*ret_dir = take_ptr(dir);
	return 0;
}
