/* SPDX-License-Identifier: MIT */
/* The table of launchers, and those that need no file; see launcher.h. */
#include "launcher.h"

#include <string.h>

#include "init/base/fs.h"
#include "init/base/text.h"

#define SETUP_MAX (256 * 1024)

void launch_words_finish(struct launch_words *words)
{
	buf_finish(&words->setup);
	argv_finish(&words->step);
	argv_finish(&words->program);
}

char *launcher_bundle(const struct launcher *launcher, const struct submission *submission)
{
	return launcher_mounts_image(launcher, submission)
		       ? fs_join(submission->bundle, "berth.sqsh")
		       : str_dup(submission->bundle);
}

char *launcher_env_name(const char *assignment)
{
	return str_dup_len(assignment, strcspn(assignment, "="));
}

bool launcher_env_counts(const struct opt_list *env, size_t index)
{
	size_t len = strcspn(env->items[index], "=") + 1;

	for (size_t later = index + 1; later < env->len; later++) {
		if (strncmp(env->items[later], env->items[index], len) == 0)
			return false;
	}
	return true;
}

static int check_mount(const char *what, const char *path, const char *refused, struct err *err)
{
	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f || strchr(refused, *p))
			return err_set(err, ERR_INVALID,
				       "%s '%.200s' has one of %s or a control character, which "
				       "cannot be mounted into a container: use another 'home' for "
				       "the cluster",
				       what, path, refused);
	}
	return 0;
}

int launcher_check_mounts(const struct submission *submission, const char *refused, struct err *err)
{
	if (check_mount("the bundle", submission->bundle, refused, err) < 0)
		return -1;
	return check_mount("the job directory", submission->job->directory, refused, err);
}

/* `NAME="$NAME"` under another name: the value has been through no hands but the scheduler's. */
static int export_as(const struct submission *submission, const char *prefix,
		     struct launch_words *ret, struct err *err)
{
	const struct opt_list *env = &submission->spec->env;

	for (size_t i = 0; i < env->len; i++) {
		cleanup_free char *name = launcher_env_name(env->items[i]);

		if (!buf_printf(&ret->setup, "export %s%s=\"$%s\"\n", prefix, name, name))
			return err_set(err, ERR_LIMIT, "--env: too many variables");
	}
	return 0;
}

/*
 * --no-eval: values of APPTAINERENV_ variables are values, not shell. These win over the image's
 * own; SingularityCE reads the other names. An image that is not said to be read-only is tried for
 * writing, and its owner warned in the job's own stderr.
 */
static int add_apptainer(const struct launcher *launcher, const struct submission *submission,
			 struct launch_words *ret, struct err *err)
{
	bool is_apptainer = strcmp(launcher->program, "apptainer") == 0;
	cleanup_free char *bundle = launcher_bundle(launcher, submission);
	const char *dir = submission->job->directory;

	if (launcher_check_mounts(submission, LAUNCHER_SEPARATORS, err) < 0 ||
	    export_as(submission, is_apptainer ? "APPTAINERENV_" : "SINGULARITYENV_", ret, err) < 0)
		return -1;
	argv_add_words(&ret->program, launcher->program, "exec", "--no-eval", "--bind", NULL);
	argv_addf(&ret->program, "%s:" LAUNCHER_BUNDLE ":%s", bundle,
		  launcher_mounts_image(launcher, submission) ? "image-src=/,ro" : "ro");
	argv_add(&ret->program, "--bind");
	argv_addf(&ret->program, "%s:%s", dir, dir);
	argv_add_words(&ret->program, "--pwd", submission->spec->workdir, submission->spec->image,
		       NULL);
	return 0;
}

int launcher_carry(const struct opt_list *env, bool (*is_plain)(const char *value),
		   struct launch_words *ret, struct err *err)
{
	cleanup(buf_finish) struct buf shell = BUF_INIT(SETUP_MAX);
	bool ok = true;

	for (size_t i = 0; ok && i < env->len; i++) {
		cleanup_free char *name = launcher_env_name(env->items[i]);

		if (!launcher_env_counts(env, i) || is_plain(env->items[i] + strlen(name) + 1))
			continue;
		ok = buf_printf(&ret->setup, "export BERTH_ENV_%s=\"$%s\"\n", name, name) &&
		     buf_printf(&shell, "export %s=\"$BERTH_ENV_%s\"; unset BERTH_ENV_%s; ", name,
				name, name);
	}
	if (!ok || !buf_printf(&shell, "exec \"$@\""))
		return err_set(err, ERR_LIMIT, "--env: too many variables");
	if (buf_len(&ret->setup) > 0)
		argv_add_words(&ret->program, LAUNCHER_BUNDLE "/busybox", "sh", "-c",
			       buf_str(&shell), "sh", NULL);
	return 0;
}

static bool is_one_line(const char *value)
{
	return !strchr(value, '\n');
}

/*
 * The image's variables win over the job's unless they are named. For those, enroot reads lines of
 * NAME=VALUE that the plugin prints: a value's second line may look like one more variable.
 */
static int add_pyxis_env(const struct opt_list *env, struct launch_words *ret, struct err *err)
{
	cleanup(buf_finish) struct buf names = BUF_INIT(SETUP_MAX);

	for (size_t i = 0; i < env->len; i++) {
		cleanup_free char *name = launcher_env_name(env->items[i]);

		if (launcher_env_counts(env, i) && is_one_line(env->items[i]) &&
		    !buf_printf(&names, "%s%s", buf_len(&names) > 0 ? "," : "", name))
			return err_set(err, ERR_LIMIT, "--env: too many variables");
	}
	if (buf_len(&names) > 0)
		argv_addf(&ret->step, "--container-env=%s", buf_str(&names));
	return launcher_carry(env, is_one_line, ret, err);
}

/* The plugin writes the mounts into a script of bash, within double quotes. */
static int add_pyxis(const struct launcher *launcher, const struct submission *submission,
		     struct launch_words *ret, struct err *err)
{
	const struct spec *spec = submission->spec;
	const char *dir = submission->job->directory;

	(void)launcher;
	if (launcher_check_mounts(submission, LAUNCHER_SEPARATORS "$`", err) < 0)
		return -1;
	argv_addf(&ret->step, "--container-image=%s", spec->image);
	argv_addf(&ret->step, "--container-mounts=%s:" LAUNCHER_BUNDLE ":ro,%s:%s",
		  submission->bundle, dir, dir);
	argv_addf(&ret->step, "--container-workdir=%s", spec->workdir);
	argv_add(&ret->step, "--no-container-entrypoint");
	return add_pyxis_env(&spec->env, ret, err);
}

static const struct launcher launchers[] = {
	{ "apptainer", "apptainer", true, "docker://", add_apptainer, NULL, NULL },
	{ "apptainer-tree", "apptainer", false, "docker://", add_apptainer, NULL, NULL },
	{ "singularity", "singularity", true, "docker://", add_apptainer, NULL, NULL },
	{ "singularity-tree", "singularity", false, "docker://", add_apptainer, NULL, NULL },
	{ "pyxis", NULL, false, "", add_pyxis, NULL, NULL },
	{ "edf", NULL, true, "", launcher_edf_add, "environment.toml", launcher_edf_render },
	{ "edf-tree", NULL, false, "", launcher_edf_add, "environment.toml", launcher_edf_render },
	{ "skybox", NULL, false, "", launcher_edf_add, "environment.toml", launcher_edf_render },
	{ "oci", NULL, false, NULL, launcher_oci_add, "container.json", launcher_oci_render },
	{ "podman", "podman", false, "", launcher_podman_add, NULL, NULL },
};
#define NAMES                                                                                    \
	"none, apptainer, apptainer-tree, singularity, singularity-tree, pyxis, edf, edf-tree, " \
	"skybox, oci and podman"

/* What only one launcher can make anything of. */
static const struct {
	const char *begin, *end;
	const char *launcher;
} kinds[] = {
	{ "docker://", "", "apptainer" },
	{ "oras://", "", "apptainer" },
	{ "library://", "", "apptainer" },
	{ "docker-archive:", "", "apptainer" },
	{ "oci-archive:", "", "apptainer" },
	{ "", ".sif", "apptainer" },
	{ "/", ".sqsh", "pyxis" },
	{ "/", ".squashfs", "pyxis" },
	{ "/", "", "oci" },
};

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), end_len = strlen(end);

	return len >= end_len && strcmp(s + len - end_len, end) == 0;
}

static const char *infer(const struct spec *spec)
{
	if (spec->edf)
		return "edf";
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strncmp(spec->image, kinds[i].begin, strlen(kinds[i].begin)) == 0 &&
		    ends_with(spec->image, kinds[i].end))
			return kinds[i].launcher;
	}
	return NULL;
}

static int check_words(const struct spec *spec, struct err *err)
{
	for (const char *p = spec->image ? spec->image : ""; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(err, ERR_INVALID,
				       "--image: has a line break or another control character in "
				       "it");
	}
	if (spec->image && spec->image[0] == '-')
		return err_set(err, ERR_INVALID, "--image: '%.80s' begins with a dash",
			       spec->image);
	if (spec->image && spec->image[0] != '/' && !strstr(spec->image, ":/") &&
	    (ends_with(spec->image, ".sif") || ends_with(spec->image, ".sqsh")))
		return err_set(err, ERR_INVALID,
			       "--image: '%.80s' is a file, but no absolute path on the cluster",
			       spec->image);
	return 0;
}

int launcher_choose(const struct spec *spec, const struct launcher **ret, struct err *err)
{
	const char *name = spec->launcher;

	*ret = NULL;
	if (!spec->image && !spec->edf) {
		if (name && strcmp(name, "none") != 0)
			return err_set(err, ERR_INVALID,
				       "--launcher=%.40s: there is no container: say --image",
				       name);
		return 0;
	}
	if (check_words(spec, err) < 0)
		return -1;
	name = name ? name : infer(spec);
	if (!name)
		return err_set(err, ERR_INVALID,
			       "--image: several programs could start '%.80s': say --launcher "
			       "(pyxis, edf, podman), or set 'launcher' of the cluster",
			       spec->image);
	for (size_t i = 0; i < ARRAY_LEN(launchers); i++) {
		if (strcmp(launchers[i].name, name) == 0)
			*ret = &launchers[i];
	}
	if (!*ret)
		return err_set(err, ERR_INVALID,
			       "--launcher: '%.40s' starts no containers; there are " NAMES, name);
	if (spec->edf && (*ret)->render != launcher_edf_render)
		return err_set(err, ERR_INVALID,
			       "--edf is for the launchers edf and skybox, and not for %s", name);
	if (!spec->image && !spec->edf)
		return err_set(err, ERR_INVALID, "--launcher=%s needs --image", name);
	return 0;
}

bool launcher_pulls(const struct launcher *launcher, const char *image)
{
	return launcher->pulls && strncmp(image, launcher->pulls, strlen(launcher->pulls)) == 0;
}

int launcher_words(const struct launcher *launcher, const struct submission *submission,
		   struct launch_words *ret, struct err *err)
{
	ret->setup = BUF_INIT(SETUP_MAX);
	if (!launcher)
		return 0;
	if (launcher->add(launcher, submission, ret, err) < 0)
		return err_wrap(err, "launcher %s", launcher->name);
	return 0;
}

char *launcher_file(const struct launcher *launcher, const struct submission *submission)
{
	if (!launcher || !launcher->file)
		return NULL;
	return fs_join(submission->job->directory, launcher->file);
}

int launcher_render(const struct launcher *launcher, const struct submission *submission,
		    struct buf *ret, struct err *err)
{
	if (launcher->render(launcher, submission, ret, err) < 0)
		return err_wrap(err, "launcher %s", launcher->name);
	return 0;
}

int launcher_write_file(const struct submission *submission, struct site *site, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(LAUNCHER_FILE_MAX);
	cleanup_free char *path = NULL;
	const struct launcher *launcher;

	if (launcher_choose(submission->spec, &launcher, err) < 0)
		return -1;
	path = launcher_file(launcher, submission);
	if (!path)
		return 0;
	if (launcher_render(launcher, submission, &text, err) < 0)
		return -1;
	return site_write(site, path, buf_span(&text), 0600, err);
}
