/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a user asked for: which command, how much, where, when, and who may be reached through the
 * tunnel. It is written down beside the job as spec.json. Zero and NULL mean "the backend's
 * default". All strings are borrowed: the specification lives as long as the verb that made it.
 *
 * Every member but the command is a line of the table in spec_options.h, which options of `berth
 * run`, keys of files and options of sbatch are made of.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"
#include "init/base/opt.h"

#define SPEC_JSON_MAX (4 * 1024 * 1024)
#define SPEC_LINE_MAX 200
#define SPEC_COMMAND_MAX 1024 /* words, in a file */
/* In the job directory: a batch script of the user's. */
#define SPEC_SCRIPT_NAME "command"

struct spec {
	const char *name;	    /* or NULL */
	const char *const *command; /* NULL-terminated, at least one word */
	/*
	 * The text of a batch script, or NULL. It is the command then, and word 0 only its name. It
	 * runs once and starts tasks itself; what it needs it asks of sbatch, in its own lines.
	 */
	const char *script;
	const char *script_lines; /* "#SBATCH ...\n", byte for byte */
	bool script_has_name;
	/* An option in those lines that no member tells, for who cannot hand the lines on. */
	const char *script_beyond;
	/* How much. */
	uint64_t nodes;
	uint64_t tasks;
	uint64_t tasks_per_node;
	uint64_t cpus;		 /* a task */
	uint64_t memory;	 /* bytes a node */
	uint64_t memory_per_cpu; /* bytes; not together with memory */
	uint64_t time_ns;	 /* limit */
	const char *gpus;
	const char *gpus_per_node;
	const char *gpus_per_task;
	const char *gres;
	const char *licenses;
	/* Where. */
	const char *partition;
	const char *jobset;
	const char *account;
	const char *qos;
	const char *reservation;
	const char *constraint;
	const char *nodelist;
	const char *exclude;
	bool exclusive;
	const char *image;    /* of the container; locally the root directory */
	const char *launcher; /* what starts the container; NULL: it is told by the image */
	const char *edf;      /* an environment definition file of the user's */
	const char *workdir;  /* absolute; NULL only with an image: where that says */
	/* When, and what becomes of it. */
	const char *array; /* indices.h: one task for each */
	const char *begin;
	const char *dependency;
	const char *priority;
	const char *nice;
	const char *signal; /* "SIGNAL[@SECONDS]", sent before the time limit */
	const char *hold;   /* "DURATION[,on-failure]": how long it outlives its command; or NULL */
	bool requeue;
	bool no_requeue;
	const char *mail_type;
	const char *mail_user;
	const char *comment;
	/* What it sees, and what it leaves. */
	struct opt_list env;	 /* "KEY=VALUE", what was added to the environment */
	const char *export_list; /* Slurm's --export: which variables of ours it has */
	const char *output;	 /* Slurm's file name patterns; NULL: in the job directory */
	const char *error;
	/* What sessions in the job may do, and look like (session.json). */
	struct opt_list allow; /* "host:port" beyond loopback that the tunnel may reach */
	const char *shell;     /* absolute path, or NULL: the job's own */
	bool plain_shell;      /* no login shell */
	bool no_motd;
	bool no_vscode_folder;
	/* How its container is; container.h reads the values. */
	const char *entrypoint; /* NULL: the image's; "": none */
	const char *pull;	/* "always", "missing" or "never" */
	const char *user;
	const char *cpu_limit;
	uint64_t shm_size; /* bytes */
	struct opt_list mounts;
	const char *input_dir;
	const char *output_dir;
	const char *network;
	const char *restart;
	struct opt_list labels;
	const char *pod; /* YAML: a PodSpec, or a Pod */
};

/* A line of the table, for those that read it at run time. */
struct spec_option {
	enum opt_type type;
	const char *name;
	size_t offset; /* in struct spec */
	int (*check)(const char *option, const char *value, struct err *err);
	const char *sbatch; /* without dashes, or NULL */
	const char *local;  /* why a machine without a scheduler refuses it, or NULL */
};

extern const struct spec_option spec_options[]; /* ends with a NULL name */

/* Whether the specification says something about it. */
bool spec_has(const struct spec *spec, const struct spec_option *option) attr_must_use;

/* Everything that can be known to be wrong before a backend is asked. */
int spec_check(const struct spec *spec, struct err *err) attr_must_use;

/* Refuses, as ERR_UNSUPPORTED with the alternative, what a machine without a scheduler cannot do.
 */
int spec_check_local(const struct spec *spec, struct err *err) attr_must_use;

/*
 * The same for a container engine, which is one machine without a scheduler but for what belongs to
 * containers; and for who runs no containers (named for people), what those alone can do.
 */
int spec_check_engine(const struct spec *spec, struct err *err) attr_must_use;
/* What schedules containers on many nodes takes more: arrays and tasks, each one container. */
int spec_check_pods(const struct spec *spec, struct err *err) attr_must_use;
int spec_check_no_engine(const struct spec *spec, const char *who, struct err *err) attr_must_use;

/* How many ranks the job will have, or each task of its array. */
uint64_t spec_ranks(const struct spec *spec);

int spec_to_json(const struct spec *spec, struct buf *ret, struct err *err) attr_must_use;

/* The command on one line, shell-quoted, cut to SPEC_LINE_MAX bytes. free() it. */
char *spec_command_line(const struct spec *spec) attr_must_use;
