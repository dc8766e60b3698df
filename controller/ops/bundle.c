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
#include "controller/ops/place.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define TEXT_SMALL (32 * 1024)
#define PROGRAM_MAX (256 * 1024 * 1024)
#define APPLETS_MAX (64 * 1024)
#define APPLET_NAME_MAX 64
#define DIGEST_TEXT_SIZE (2 * SHA256_DIGEST_LENGTH + 1)
#define NOTE "bundle"
#define NOTE_DIGEST "bundle digest"

static const struct {
	const char *name;
	size_t offset; /* of the member of struct bundle that names the source */
	mode_t mode;
} files[] = {
	{ "berth-init", offsetof(struct bundle, init), 0555 },
	{ "berth-tunnel", offsetof(struct bundle, tunnel), 0555 },
	{ "busybox", offsetof(struct bundle, busybox), 0555 },
	{ "applets", offsetof(struct bundle, applets), 0444 },
	{ "busybox.licence", offsetof(struct bundle, licence), 0444 },
	{ "berth.sqsh", offsetof(struct bundle, image), 0444 },
};

/* NULL: this bundle is without it. */
static const char *source(const struct bundle *bundle, size_t i)
{
	return *(char *const *)(const void *)((const char *)bundle + files[i].offset);
}

/* What changes when a program is built again. free() it. */
static char *fingerprint(const struct bundle *bundle)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(65536);

	for (size_t i = 0; i < ARRAY_LEN(files) && source(bundle, i); i++) {
		struct stat st = { 0 };

		if (stat(source(bundle, i), &st) < 0 ||
		    !buf_printf(&b, "%s %ju %jd %jd.%09ld ", source(bundle, i),
				(uintmax_t)st.st_ino, (intmax_t)st.st_size,
				(intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec))
			buf_clear(&b);
	}
	return buf_take_str(&b);
}

/* The note of this name: bundles of several architectures do not take each other's place. */
static char *note_of(const char *name, const struct bundle *bundle)
{
	return bundle->architecture ? str_printf("%s %s", name, bundle->architecture)
				    : str_dup(name);
}

static void add_to_digest(SHA2_CTX *digest, const char *name, struct span bytes)
{
	cleanup_free char *header = str_printf("%s %zu\n", name, bytes.len);

	SHA256Update(digest, (const uint8_t *)header, strlen(header));
	SHA256Update(digest, bytes.ptr, bytes.len);
}

/* One file, which is copied to `to` unless that is NULL. */
static int copy(const char *from, const char *to, size_t i, SHA2_CTX *digest, struct err *err)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT(PROGRAM_MAX);
	cleanup_free char *target = to ? fs_join(to, files[i].name) : NULL;

	if (fs_read_file(from, PROGRAM_MAX, &bytes, err) < 0)
		return -1;
	add_to_digest(digest, files[i].name, buf_span(&bytes));
	return to ? fs_write_file(target, buf_span(&bytes), files[i].mode, err) : 0;
}

/*
 * The digest of what is in a directory, or of the bundle when dir is NULL; copied to `to` unless
 * that is NULL.
 */
static int digest_all(const struct bundle *bundle, const char *dir, const char *to,
		      char out[DIGEST_TEXT_SIZE], struct err *err)
{
	uint8_t bytes[SHA256_DIGEST_LENGTH];
	SHA2_CTX digest;

	SHA256Init(&digest);
	for (size_t i = 0; i < ARRAY_LEN(files) && source(bundle, i); i++) {
		cleanup_free char *from =
			dir ? fs_join(dir, files[i].name) : str_dup(source(bundle, i));

		if (copy(from, to, i, &digest, err) < 0)
			return -1;
	}
	SHA256Final(bytes, &digest);
	text_hex(span_of(bytes, sizeof(bytes)), out, DIGEST_TEXT_SIZE);
	return 0;
}

int bundle_digest(struct controller *c, const struct bundle *bundle, char ret[BUNDLE_DIGEST_SIZE],
		  struct err *err)
{
	cleanup_free char *print = fingerprint(bundle), *note = NULL;
	cleanup_free char *key = note_of(NOTE_DIGEST, bundle);
	size_t len = strlen(print);

	if (store_get_note(c->store, key, &note, err) < 0)
		return -1;
	if (len > 0 && note && strncmp(note, print, len) == 0 &&
	    strlen(note + len) == DIGEST_TEXT_SIZE - 1) {
		memcpy(ret, note + len, DIGEST_TEXT_SIZE);
		return 0;
	}
	free(take_ptr(note));
	if (digest_all(bundle, NULL, NULL, ret, err) < 0)
		return -1;
	note = str_printf("%s%s", print, ret);
	return store_put_note(c->store, key, note, err);
}

int bundle_pack(const struct bundle *bundle, const char *digest, const char *part, struct buf *pack,
		struct buf *script, struct err *err)
{
	char hash[DIGEST_TEXT_SIZE];
	bool ok;

	ok = buf_printf(script, "rm -rf %s && mkdir %s %s/bin || exit 96\n", part, part, part);
	for (size_t i = 0; ok && i < ARRAY_LEN(files) && source(bundle, i); i++) {
		size_t before = buf_len(pack);

		if (fs_read_file(source(bundle, i), PROGRAM_MAX, pack, err) < 0)
			return -1;
		ok = buf_printf(script,
				"tail -c +%zu %s.pack | head -c %zu >%s/%s && chmod %o %s/%s || "
				"exit 96\n",
				before + 1, part, buf_len(pack) - before, part, files[i].name,
				(unsigned int)files[i].mode, part, files[i].name);
	}
	SHA256Data(buf_span(pack).ptr, buf_len(pack), hash);
	ok = ok &&
	     buf_printf(
		     script,
		     "[ \"$(sha256sum <%s.pack | cut -d' ' -f1)\" = %s ] || "
		     "{ echo 'what arrived is not what was sent: is the disk full?' >&2; exit 96; "
		     "}\n",
		     part, hash) &&
	     buf_printf(
		     script,
		     "[ ! -e %s/applets ] || while IFS= read -r a; do ln -s ../busybox "
		     "\"%s/bin/$a\" || exit 96; done <%s/applets\n"
		     "rm -f %s.pack\nif [ -x %s/berth-init ]; then rm -rf %s; else rm -rf %s; mv %s "
		     "%s; fi || exit 96\n",
		     part, part, part, part, digest, part, digest, part, digest);
	return ok ? 0 : err_set(err, ERR_LIMIT, "too long");
}

static bool is_applet_name(struct span name)
{
	if (name.len == 0 || name.len > APPLET_NAME_MAX || name.ptr[0] == '.')
		return false;
	return !memchr(name.ptr, '/', name.len) && !memchr(name.ptr, '\0', name.len);
}

/* The next line of a list of applets; false at its end. */
static bool cut_applet(struct span *rest, struct span *ret)
{
	const uint8_t *newline = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;

	if (rest->len == 0)
		return false;
	*ret = span_cut(rest, newline ? (size_t)(newline - rest->ptr) : rest->len);
	if (newline)
		span_cut(rest, 1);
	return true;
}

static int refuse_applet(const char *list, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s: a line is no name of a program", list);
}

/* What is brought to a site without commands: where each file comes to be, and its checksum. */
struct brought {
	char *paths[ARRAY_LEN(files)];
	char sums[ARRAY_LEN(files)][SITE_CHECKSUM_SIZE];
	size_t len;
};

static void brought_finish(struct brought *brought)
{
	for (size_t i = 0; i < brought->len; i++)
		free(brought->paths[i]);
}
DEFINE_CLEANUP_VALUE(struct brought, brought_finish)

static int list_brought(const struct bundle *bundle, const char *dir, struct brought *ret,
			struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(files) && source(bundle, i); i++) {
		cleanup(buf_finish) struct buf bytes = BUF_INIT(PROGRAM_MAX);

		if (fs_read_file(source(bundle, i), PROGRAM_MAX, &bytes, err) < 0)
			return -1;
		/* Small texts come with the programs, and nothing runs them. */
		if (buf_len(&bytes) < TEXT_SMALL)
			continue;
		SHA256Data(buf_span(&bytes).ptr, buf_len(&bytes), ret->sums[ret->len]);
		ret->paths[ret->len++] = fs_join(dir, files[i].name);
	}
	return 0;
}

/* 1: the files from this one on are there as they should be; 0: not. */
static int is_there(struct site *site, const struct brought *brought, size_t from, struct err *err)
{
	char found[ARRAY_LEN(files)][SITE_CHECKSUM_SIZE];

	if (site_checksums(site, (const char *const *)brought->paths + from, brought->len - from,
			   found + from, err) < 0)
		return -1;
	for (size_t i = from; i < brought->len; i++) {
		if (strcasecmp(found[i], brought->sums[i]) != 0)
			return 0;
	}
	return 1;
}

static int bring_links(struct site *site, const char *list, const char *dir, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(APPLETS_MAX);
	cleanup_free char *bin = fs_join(dir, "bin");
	struct span rest, name;

	if (fs_read_file(list, APPLETS_MAX, &text, err) < 0 || site_make_dir(site, bin, err) < 0)
		return -1;
	rest = buf_span(&text);
	while (cut_applet(&rest, &name)) {
		cleanup_free char *link =
			str_printf("%s/%.*s", bin, (int)name.len, (const char *)name.ptr);

		if (!is_applet_name(name))
			return refuse_applet(list, err);
		if (site_link(site, "../busybox", link, err) < 0)
			return -1;
	}
	return 0;
}

static int bring_all(struct site *site, const struct bundle *bundle, const char *dir,
		     struct err *err)
{
	if (site_make_dir(site, dir, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(files) && source(bundle, i); i++) {
		cleanup(buf_finish) struct buf bytes = BUF_INIT(PROGRAM_MAX);
		cleanup_free char *path = fs_join(dir, files[i].name);

		if (fs_read_file(source(bundle, i), PROGRAM_MAX, &bytes, err) < 0 ||
		    site_write(site, path, buf_span(&bytes), files[i].mode, err) < 0)
			return -1;
	}
	if (bundle->busybox && bring_links(site, bundle->applets, dir, err) < 0)
		return -1;
	return site_flush(site, err);
}

int bundle_bring(struct site *site, const char *images, const struct bundle *bundle,
		 const char *digest, struct err *err)
{
	cleanup(brought_finish) struct brought brought = { 0 };
	cleanup_free char *dir = fs_join(images, digest);
	int there;

	if (list_brought(bundle, dir, &brought, err) < 0)
		return -1;
	/* Where the last one is not, the others are not looked at. */
	there = is_there(site, &brought, brought.len - 1, err);
	if (there > 0)
		there = is_there(site, &brought, 0, err);
	if (there != 0)
		return there < 0 ? -1 : 0;
	log_info("uploading berth's programs to %s, once for this version", site->login);
	if (bring_all(site, bundle, dir, err) < 0)
		return -1;
	there = is_there(site, &brought, 0, err);
	if (there == 0)
		return err_set(err, ERR_SYSTEM,
			       "what arrived in %s is not what was sent: is the disk full?", dir);
	return there < 0 ? -1 : 0;
}

/* A link bin/NAME to busybox for each of its applets, in a directory that has both. */
static int link_applets(const char *dir, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(APPLETS_MAX);
	cleanup_free char *list = fs_join(dir, "applets"), *bin = fs_join(dir, "bin");
	struct span rest, name;

	if (fs_read_file(list, APPLETS_MAX, &text, err) < 0 || fs_make_dirs(bin, 0755, err) < 0)
		return -1;
	rest = buf_span(&text);
	while (cut_applet(&rest, &name)) {
		cleanup_free char *link = NULL;

		if (!is_applet_name(name))
			return refuse_applet(list, err);
		link = str_printf("%s/%.*s", bin, (int)name.len, (const char *)name.ptr);
		if (symlink("../busybox", link) < 0 && errno != EEXIST)
			return err_set_errno(err, errno, "create %s", link);
	}
	return 0;
}

/* Sizes, modes and links; the bytes were read back when they were written. */
static bool is_complete(const char *dir, const struct bundle *bundle)
{
	cleanup_free char *shell = fs_join(dir, "bin/sh");

	for (size_t i = 0; i < ARRAY_LEN(files) && source(bundle, i); i++) {
		cleanup_free char *path = fs_join(dir, files[i].name);
		struct stat there, here;

		if (stat(path, &there) < 0 || stat(source(bundle, i), &here) < 0 ||
		    there.st_size != here.st_size ||
		    (there.st_mode & files[i].mode) != files[i].mode)
			return false;
	}
	return !bundle->busybox || access(shell, X_OK) == 0;
}

/* There is such a directory: somebody else was first, or what is in it was damaged since. */
static int replace(const struct bundle *bundle, const char *part, const char *dir,
		   const char *digest, struct err *err)
{
	char found[DIGEST_TEXT_SIZE];

	if (errno != EEXIST && errno != ENOTEMPTY)
		return err_set_errno(err, errno, "rename");
	if (is_complete(dir, bundle) && digest_all(bundle, dir, NULL, found, NULL) == 0 &&
	    strcmp(found, digest) == 0)
		return 0;
	/* The damaged one gets the name of the part, under which it is removed. */
	if (renameat2(AT_FDCWD, part, AT_FDCWD, dir, RENAME_EXCHANGE) < 0)
		return err_set_errno(err, errno, "it is damaged: remove it");
	return 0;
}

/* Copies into `part`, reads the copy back, and only then gives it its name. */
static int install_part(const char *images, const struct bundle *bundle, const char *part,
			char **ret_dir, char out[DIGEST_TEXT_SIZE], struct err *err)
{
	cleanup_free char *dir = NULL;
	char written[DIGEST_TEXT_SIZE];

	if (fs_make_dirs(part, 0755, err) < 0 || digest_all(bundle, NULL, part, out, err) < 0 ||
	    digest_all(bundle, part, NULL, written, err) < 0 ||
	    (bundle->busybox && link_applets(part, err) < 0))
		return -1;
	if (strcmp(out, written) != 0)
		return err_set(err, ERR_SYSTEM,
			       "the copy in %s differs from what was written: is the disk well?",
			       part);
	dir = fs_join(images, out);
	if (rename(part, dir) < 0 && replace(bundle, part, dir, out, err) < 0)
		return err_wrap(err, "create %s", dir);
	*ret_dir = take_ptr(dir);
	return 0;
}

static int install(const char *images, const struct bundle *bundle, char **ret_dir,
		   char out[DIGEST_TEXT_SIZE], struct err *err)
{
	cleanup_free char *part = str_printf("%s/.%d.part", images, (int)getpid());
	struct err left;
	int result;

	if (fs_remove_tree(part, err) < 0)
		return -1;
	result = install_part(images, bundle, part, ret_dir, out, err);
	if (fs_remove_tree(part, &left) < 0)
		log_debug("%s: %s", part, left.text);
	return result;
}

/* The directory that the remembered digest names, when it is still right. */
static char *find_installed(struct controller *c, const char *images, const struct bundle *bundle,
			    const char *print)
{
	cleanup_free char *key = note_of(NOTE, bundle), *note = NULL, *dir = NULL;
	size_t len = strlen(print);

	if (len == 0 || store_get_note(c->store, key, &note, NULL) < 0 || !note ||
	    strncmp(note, print, len) != 0 || strlen(note + len) != DIGEST_TEXT_SIZE - 1)
		return NULL;
	dir = fs_join(images, note + len);
	return is_complete(dir, bundle) ? take_ptr(dir) : NULL;
}

int bundle_install(struct controller *c, const char *images, const struct bundle *bundle,
		   char **ret_dir, struct err *err)
{
	cleanup_free char *print = fingerprint(bundle), *note = NULL, *key = note_of(NOTE, bundle);
	cleanup_free char *dir = find_installed(c, images, bundle, print);
	char digest[DIGEST_TEXT_SIZE];

	if (!dir) {
		if (install(images, bundle, &dir, digest, err) < 0)
			return err_wrap(err, "cannot install the bundle");
		note = str_printf("%s%s", print, digest);
		if (store_put_note(c->store, key, note, err) < 0)
			return -1;
	}
	/* Its time says when it was last used; collecting old ones looks at it. */
	utimensat(AT_FDCWD, dir, NULL, 0);
	*ret_dir = take_ptr(dir);
	return 0;
}
