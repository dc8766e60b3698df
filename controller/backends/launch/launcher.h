/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Launchers start the container that a job runs in. Each is a small strategy: the words that it
 * puts before berth-init, and a file for those that want one. The bundle is at LAUNCHER_BUNDLE in
 * the container, and the job directory where it is outside, so that berth-init, the tunnel and
 * whoever reads the job directory need not know of the container.
 *
 *	exec srun STEP... PROGRAM... /berth/berth-init --dir DIR -- COMMAND...
 *
 * STEP are options of srun, for those that work as a plugin or a part of Slurm; PROGRAM is
 * one of its own. All are argument vectors: what reads them takes a word as it is, or the launcher
 * refuses the job. Lists within a word (mounts) have no escapes that all versions know, so that
 * paths with their separators are refused.
 *
 * Variables of --env are in the environment of the batch script. Where an image's own would win
 * over them, the launcher names them once more.
 *
 * To add one: a line in the table in launcher.c, its functions, a paragraph in berth-backends.7.scd
 * and a golden text in tests/unit/ctl_launcher.c.
 */

#include "controller/backends/backend.h"
#include "controller/run/argv.h"

#define LAUNCHER_BUNDLE "/berth"
#define LAUNCHER_FILE_MAX (1024 * 1024)

/* What a launcher says; all of it is for the shell of the batch script. */
struct launch_words {
	struct buf setup;    /* lines before the command, complete */
	struct argv step;    /* options of srun */
	struct argv program; /* before berth-init, with its options and the image */
};

void launch_words_finish(struct launch_words *words);
DEFINE_CLEANUP_VALUE(struct launch_words, launch_words_finish)

struct launcher {
	const char *name;
	const char *program; /* of those that are programs; NULL: options of srun */
	bool has_squashfs;   /* takes the image of the bundle instead of its unpacked tree */
	/* Beginning of names that it fetches from registries: "" for any; NULL: it fetches none. */
	const char *pulls;
	/* Mandatory. Refuses what it could not pass on unchanged. */
	int (*add)(const struct launcher *launcher, const struct submission *submission,
		   struct launch_words *ret, struct err *err);
	/* A file in the job directory, and what is in it; or both NULL. */
	const char *file;
	int (*render)(const struct launcher *launcher, const struct submission *submission,
		      struct buf *ret, struct err *err);
};

/*
 * How this job is started: as --launcher or the cluster's setting says, else by what the image is.
 * *ret is NULL for a job without a container. ERR_INVALID, with what to say, when that is not
 * clear.
 */
int launcher_choose(const struct spec *spec, const struct launcher **ret, struct err *err)
	attr_must_use;

/* Whether the ranks are steps of srun even when there is only one. */
static inline bool launcher_is_step(const struct launcher *launcher)
{
	return launcher && !launcher->program;
}

/* Whether it would fetch an image of this name from a registry of containers. */
bool launcher_pulls(const struct launcher *launcher, const char *image) attr_must_use;

int launcher_words(const struct launcher *launcher, const struct submission *submission,
		   struct launch_words *ret, struct err *err) attr_must_use;

/* The absolute path of the launcher's file; NULL when it has none. free() it. */
char *launcher_file(const struct launcher *launcher, const struct submission *submission);
int launcher_render(const struct launcher *launcher, const struct submission *submission,
		    struct buf *ret, struct err *err) attr_must_use;

/* Writes that file of the job's, if its launcher has one. */
int launcher_write_file(const struct submission *submission, struct site *site, struct err *err)
	attr_must_use;

/* Whether that launcher mounts the bundle as an image: there may be none. */
static inline bool launcher_mounts_image(const struct launcher *launcher,
					 const struct submission *submission)
{
	return launcher->has_squashfs && submission->has_squashfs;
}

/* What is bound at LAUNCHER_BUNDLE. free() it. */
char *launcher_bundle(const struct launcher *launcher, const struct submission *submission);

/* Mounts are lists of SOURCE:TARGET:FLAGS with commas. */
#define LAUNCHER_SEPARATORS ":,\\\""

/*
 * Refuses paths to mount with one of these characters in them, or with control characters; true
 * words, so that spaces and a shell's characters are no matter.
 */
int launcher_check_mounts(const struct submission *submission, const char *refused, struct err *err)
	attr_must_use;

/* The name in KEY=VALUE. free() it. */
char *launcher_env_name(const char *assignment);

/* Whether no later one says the same name: the last counts, as for a shell. */
bool launcher_env_counts(const struct opt_list *env, size_t index);

/*
 * For values that something on the way would change: they go into the container under another name,
 * which nobody there looks at, and a shell of the bundle gives them theirs before berth-init.
 */
int launcher_carry(const struct opt_list *env, bool (*is_plain)(const char *value),
		   struct launch_words *ret, struct err *err) attr_must_use;

int launcher_podman_add(const struct launcher *launcher, const struct submission *submission,
			struct launch_words *ret, struct err *err) attr_must_use;

/* Those with a file of their own. */
int launcher_edf_add(const struct launcher *launcher, const struct submission *submission,
		     struct launch_words *ret, struct err *err) attr_must_use;
int launcher_edf_render(const struct launcher *launcher, const struct submission *submission,
			struct buf *ret, struct err *err) attr_must_use;
int launcher_oci_add(const struct launcher *launcher, const struct submission *submission,
		     struct launch_words *ret, struct err *err) attr_must_use;
int launcher_oci_render(const struct launcher *launcher, const struct submission *submission,
			struct buf *ret, struct err *err) attr_must_use;
