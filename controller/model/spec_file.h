/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs written down in a file.
 *
 * A job file is YAML, or JSON, which is YAML too: one mapping a job, several jobs as several
 * documents. Its keys are name, command, backend, and the options of `berth run` (spec_options.h).
 *
 *	name: train
 *	command: [python, train.py]	# a text instead is for sh -c
 *	backend: slurm
 *	time: 2h
 *	env: {EPOCHS: 3}
 *
 * A file that begins with "#!" is a batch script of Slurm's and is taken as it is: its #SBATCH
 * lines reach sbatch byte for byte, in the order and with the precedence that sbatch gives them,
 * and those of #PBS and #BSUB, which sbatch understands as well. The script becomes the job's
 * command. What the lines say is read too, so that the record knows it; what is not understood is
 * no error, sbatch judges it. A few options would break what berth does with the job and are
 * refused with the alternative. Lines of #BERTH have options of `berth run` for what sbatch has
 * none for (--image); to sbatch they are comments.
 *
 * Foreign input: SPEC_FILE_MAX bytes and SPEC_FILE_JOBS jobs at most, no anchors and aliases.
 * Errors begin with FILE:LINE:COLUMN.
 */

#include "controller/model/spec.h"
#include "init/base/span.h"

#define SPEC_FILE_MAX (1024 * 1024)
#define SPEC_FILE_JOBS 1000

struct spec_document {
	struct spec spec;
	const char *backend; /* or NULL */
	const char *command[SPEC_COMMAND_MAX + 1];
};

/* All-zero is an empty file. The specifications borrow from it. */
struct spec_file {
	struct spec_document **items;
	size_t len;
	char **texts;
	size_t texts_len;
};

/* At least one job, or an error; file is its name for messages. */
int spec_file_parse(const char *file, struct span text, struct spec_file *ret, struct err *err)
	attr_must_use;
void spec_file_finish(struct spec_file *file);
DEFINE_CLEANUP_VALUE(struct spec_file, spec_file_finish)

/* For the parsers: an empty job at the end, and a copy of a text that lives as long as the file. */
struct spec_document *spec_file_add(struct spec_file *file);
const char *spec_file_keep(struct spec_file *file, const char *text, size_t len);

/* The parsers of the two kinds; spec_file_parse() chooses. */
int spec_yaml_parse(const char *file, struct span text, struct spec_file *ret, struct err *err)
	attr_must_use;
int spec_script_parse(const char *file, struct span text, struct spec_file *ret, struct err *err)
	attr_must_use;

/* Sets one option from its text as `berth run` would; the error does not name the option. */
int spec_set(struct spec *spec, const struct spec_option *option, const char *value,
	     struct err *err) attr_must_use;

/*
 * Lets what is given go before what the file says; lists grow. A script's lines get more of them,
 * of which sbatch takes the last. Nothing is checked here but what cannot be said in a line.
 */
int spec_override(struct spec_file *file, struct spec *spec, const struct spec *given,
		  struct err *err) attr_must_use;

/* What sbatch calls it, without dashes; NULL: it has none such. */
const char *spec_option_of_sbatch(const struct spec_option *option) attr_must_use;

/* By the name that `berth run` has for it, or Slurm's; NULL when there is none. */
const struct spec_option *spec_find_option(const char *name) attr_must_use;
