/* SPDX-License-Identifier: MIT */
/*
 * The Container Engine's environment definition file (EDF), TOML. Its values expand ${VARIABLE}, an
 * empty one removes the variable, and the file is text in UTF-8. So values that are empty, have a
 * '$' or are no text are carried past it; such paths are refused. The engine of the Sarus suite
 * puts mounts through a shell once more and escapes blanks for nobody who would read that.
 */
#include <string.h>

#include "controller/backends/launch/launcher.h"
#include "init/base/text.h"

/* Bytes of the UTF-8 sequence (RFC 3629) that begins here, or 0. */
static size_t sequence(const unsigned char *s)
{
	unsigned long code;
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (len < 2)
		return len;
	if (s[0] > 0xf4)
		return 0;
	code = s[0] & (0xffUL >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if ((len == 3 && code < 0x800) || (len == 4 && (code < 0x10000 || code > 0x10ffff)) ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

static bool is_plain(const char *value)
{
	for (const char *p = value; *p;) {
		size_t len = sequence((const unsigned char *)p);

		if (len == 0 || *p == '$')
			return false;
		p += len;
	}
	return true;
}

/* A basic string of TOML 1.0; all that it does not take as it is can be escaped. */
static bool add_string(struct buf *b, const char *value)
{
	bool ok = buf_append_u8(b, '"');

	for (const char *p = value; ok && *p; p++) {
		if (*p == '"' || *p == '\\')
			ok = buf_printf(b, "\\%c", *p);
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			ok = buf_printf(b, "\\u%04x", (unsigned int)*p);
		else
			ok = buf_append_u8(b, (uint8_t)*p);
	}
	return ok && buf_append_u8(b, '"');
}

static bool is_plain_value(const char *value)
{
	return value[0] && is_plain(value);
}

static int check_path(const char *what, const char *path, struct err *err)
{
	if (is_plain(path))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: '%.200s' has a '$' or bytes that are no text, which an environment "
		       "file cannot hold",
		       what, path);
}

static int check_mount(const char *what, const char *path, struct err *err)
{
	if (strpbrk(path, ":,; \t\n\"\\`"))
		return err_set(err, ERR_INVALID,
			       "%s: '%.200s' has a blank or one of :,;\"\\` and cannot be "
			       "mounted: use another 'home' for the cluster",
			       what, path);
	return check_path(what, path, err);
}

int launcher_edf_add(const struct launcher *launcher, const struct submission *submission,
		     struct launch_words *ret, struct err *err)
{
	cleanup_free char *file = launcher_file(launcher, submission);
	bool is_skybox = strcmp(launcher->name, "skybox") == 0;

	argv_addf(&ret->step, "--%s=%s", is_skybox ? "edf" : "environment", file);
	return launcher_carry(&submission->spec->env, is_plain_value, ret, err);
}

static bool add_env(struct buf *b, const struct opt_list *env)
{
	bool ok = env->len == 0 || buf_printf(b, "\n[env]\n");

	for (size_t i = 0; ok && i < env->len; i++) {
		cleanup_free char *name = launcher_env_name(env->items[i]);
		const char *value = env->items[i] + strlen(name) + 1;

		/* Said twice is an error in TOML. */
		if (launcher_env_counts(env, i) && is_plain_value(value))
			ok = buf_printf(b, "%s = ", name) && add_string(b, value) &&
			     buf_append_u8(b, '\n');
	}
	return ok;
}

static bool add_key(struct buf *b, const char *key, const char *value)
{
	return !value ||
	       (buf_printf(b, "%s = ", key) && add_string(b, value) && buf_append_u8(b, '\n'));
}

int launcher_edf_render(const struct launcher *launcher, const struct submission *submission,
			struct buf *ret, struct err *err)
{
	const struct spec *spec = submission->spec;
	const char *dir = submission->job->directory;
	cleanup_free char *bundle = launcher_bundle(launcher, submission), *own = NULL;
	cleanup_free char *shared =
		str_printf("%s:" LAUNCHER_BUNDLE ":%s", bundle,
			   launcher_mounts_image(launcher, submission) ? "sqsh" : "ro");
	bool ok;

	if (check_mount("the bundle", bundle, err) < 0 ||
	    check_mount("the job directory", dir, err) < 0 ||
	    check_path("--workdir", spec->workdir, err) < 0 ||
	    (spec->image && check_path("--image", spec->image, err) < 0) ||
	    (spec->edf && check_path("--edf", spec->edf, err) < 0))
		return -1;
	own = str_printf("%s:%s", dir, dir);
	ok = add_key(ret, "base_environment", spec->edf) && add_key(ret, "image", spec->image) &&
	     /* What the user's own file says stays when nothing else is asked for. */
	     (strcmp(spec->workdir, "/") == 0 || add_key(ret, "workdir", spec->workdir)) &&
	     buf_printf(ret, "entrypoint = false\nmounts = [") && add_string(ret, shared) &&
	     buf_printf(ret, ", ") && add_string(ret, own) && buf_printf(ret, "]\n") &&
	     add_env(ret, &spec->env);
	return ok ? 0 : err_set(err, ERR_LIMIT, "--env: too long");
}
