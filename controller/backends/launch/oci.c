/* SPDX-License-Identifier: MIT */
/*
 * Slurm's own containers (srun --container): an OCI bundle, which is a directory with config.json
 * (the OCI runtime specification, 1.0) that names the root directory. Slurm puts in the command and
 * the environment, and gives it to the runtime that the site's oci.conf names.
 *
 * Who runs it is known on the cluster only, so that the batch script puts in the two numbers. A
 * runtime without root needs a user namespace; the user is root in it, as `crun spec --rootless`
 * has it.
 *
 * Slurm 22.05 takes "rootfs" in the bundle for the root directory, whatever config.json names. crun
 * goes through a link there; runc refuses links, but lets the real one be mounted over the root.
 * crun does not, so that the script looks into oci.conf, and that mount comes to lie under /tmp.
 */
#include <jansson.h>
#include <string.h>

#include "controller/backends/launch/launcher.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define UID "@UID@"
#define GID "@GID@"
#define ROOT "@ROOT@"

/* Where the filled-in file is: a directory is the bundle. */
static char *bundle_of(const struct submission *submission)
{
	return fs_join(submission->job->directory, "container");
}

/* $over is where the root directory is mounted once more, as part of an expression of sed. */
static const char find_runtime[] =
	"conf=${SLURM_CONF:-$(scontrol show config | sed -n 's/^SLURM_CONF *= //p')}\n"
	"if grep -qs '^ *RunTime.*runc ' \"${conf%/*}/oci.conf\"; then\n"
	"\tmkdir -p \"$bundle/rootfs\"\n"
	"\tover=/\n"
	"else\n"
	"\tln -sfn \"$image\" \"$bundle/rootfs\"\n"
	"\tover=/tmp\n"
	"fi\n";

/* Tasks of an array do it at the same time, on many nodes: numbers of processes are not enough. */
static const char into_place[] = " >\"$bundle/$SLURM_JOB_ID.part\" &&\n"
				 "\tmv \"$bundle/$SLURM_JOB_ID.part\" "
				 "\"$bundle/config.json\" || exit 125\n";

int launcher_oci_add(const struct launcher *launcher, const struct submission *submission,
		     struct launch_words *ret, struct err *err)
{
	cleanup_free char *file = launcher_file(launcher, submission);
	cleanup_free char *bundle = bundle_of(submission);
	const char *image = submission->spec->image ? submission->spec->image : "";
	bool ok = buf_printf(&ret->setup, "bundle=") && text_append_shell(&ret->setup, bundle) &&
		  buf_printf(&ret->setup, "\nimage=") && text_append_shell(&ret->setup, image) &&
		  buf_printf(&ret->setup, "\nmkdir -p \"$bundle\"\n%s", find_runtime) &&
		  buf_printf(&ret->setup, "sed -e \"s/\\\"" UID "\\\"/$(id -u)/\" "
					  "-e \"s/\\\"" GID "\\\"/$(id -g)/\" "
					  "-e \"s|" ROOT "|$over|\" ") &&
		  text_append_shell(&ret->setup, file) && buf_printf(&ret->setup, "%s", into_place);

	if (!ok)
		return err_set(err, ERR_LIMIT, "the job directory has too long a name");
	if (image[0] != '/')
		return err_set(err, ERR_INVALID,
			       "--image: '%.80s' is not the absolute path of a root directory on "
			       "the cluster",
			       image);
	argv_addf(&ret->step, "--container=%s", bundle);
	return 0;
}

static json_t *mount(const char *target, const char *type, const char *source,
		     const char *const *options)
{
	json_t *list = json_array();

	for (; *options; options++)
		json_array_append_new(list, json_string(*options));
	return json_pack("{s:s, s:s, s:s, s:o}", "destination", target, "type", type, "source",
			 source, "options", list);
}

static json_t *mounts(const struct submission *submission)
{
	static const char *const own[] = { "rbind", "rw", NULL };
	static const char *const read_only[] = { "rbind", "ro", NULL };
	static const char *const plain[] = { "nosuid", "noexec", "nodev", NULL };
	static const char *const tmp[] = { "nosuid", "nodev", "mode=1777", NULL };
	const char *dir = submission->job->directory;
	json_t *list = json_array();

	json_array_append_new(list, mount(ROOT, "none", submission->spec->image, own));
	json_array_append_new(list, mount("/proc", "proc", "proc", plain));
	/* GPUs and the interconnect are devices of the node. */
	json_array_append_new(list, mount("/dev", "none", "/dev", own));
	json_array_append_new(list, mount("/sys", "none", "/sys", read_only));
	json_array_append_new(list, mount("/tmp", "tmpfs", "tmpfs", tmp));
	json_array_append_new(list, mount(LAUNCHER_BUNDLE, "none", submission->bundle, read_only));
	json_array_append_new(list, mount(dir, "none", dir, own));
	/* Names resolve as on the node: the network is the node's. */
	json_array_append_new(list,
			      mount("/etc/resolv.conf", "none", "/etc/resolv.conf", read_only));
	return list;
}

int launcher_oci_render(const struct launcher *launcher, const struct submission *submission,
			struct buf *ret, struct err *err)
{
	const struct spec *spec = submission->spec;
	json_error_t why;
	char *text = NULL;
	json_t *root = json_pack_ex(
		&why, 0,
		"{s:s, s:{s:b, s:{s:i, s:i}, s:[s], s:[], s:s, s:b}, s:{s:s, s:b}, s:o, "
		"s:{s:[{s:s}, {s:s}, {s:s}], s:[{s:i, s:s, s:i}], s:[{s:i, s:s, s:i}]}}",
		"ociVersion", "1.0.2", "process", "terminal", 0, "user", "uid", 0, "gid", 0, "args",
		"/bin/sh", "env", "cwd", spec->workdir, "noNewPrivileges", 1, "root", "path",
		spec->image, "readonly", 0, "mounts", mounts(submission), "linux", "namespaces",
		"type", "pid", "type", "mount", "type", "user", "uidMappings", "containerID", 0,
		"hostID", UID, "size", 1, "gidMappings", "containerID", 0, "hostID", GID, "size",
		1);
	bool ok;

	(void)launcher;
	if (!root)
		return err_set(err, ERR_INVALID,
			       "--image, --workdir or the job directory is not UTF-8");
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	ok = text && buf_append(ret, text, strlen(text)) && buf_append_u8(ret, '\n');
	free(text);
	return ok ? 0 : err_set(err, ERR_LIMIT, "too long");
}
