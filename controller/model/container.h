/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What is said of a container beside its image and its command: who it runs as, how much of a CPU
 * it gets, what is mounted where. Backends that run containers read the values with these
 * functions; the table of options (spec_options.h) checks with them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"

/* Where berth's programs and the files of the job are. */
#define CONTAINER_BUNDLE "/berth"
#define CONTAINER_JOB_DIR "/berth-job"
#define CONTAINER_INPUT_DIR "/share/incoming"
#define CONTAINER_OUTPUT_DIR "/share/outgoing"
#define CONTAINER_USER_SIZE 32

enum mount_kind {
	MOUNT_DIRECTORY, /* "/data:/in:ro": of the machine that it runs on */
	MOUNT_VOLUME,	 /* "scratch:/work": of the engine, made when it is not there */
	MOUNT_MEMORY,	 /* "tmpfs:/cache:64M": gone with the container */
};

struct mount {
	enum mount_kind kind;
	char *source; /* path or name; NULL of memory */
	char *target; /* absolute */
	bool is_read_only;
	uint64_t size; /* of memory, bytes; 0: as much as there is */
};

void mount_finish(struct mount *mount);
DEFINE_CLEANUP_VALUE(struct mount, mount_finish)

/*
 * "SOURCE:/TARGET[:ro|:rw|:SIZE]". A source may have colons in it, but no ":/"; a target none.
 * ERR_INVALID.
 */
int mount_parse(const char *text, struct mount *ret, struct err *err) attr_must_use;

/* "/DIR[:/TARGET]", with what stands for the target where none is given. */
int container_parse_bound_dir(const char *text, const char *target, struct mount *ret,
			      struct err *err) attr_must_use;

/* Whether something may be mounted there: not over the root or berth's own files. ERR_INVALID. */
int container_check_target(const char *target, struct err *err) attr_must_use;

/* "2", "0.5" or "500m", in thousandths of a CPU. */
bool container_parse_cpus(const char *text, uint64_t *ret_milli) attr_must_use;

/*
 * "UID[:GID]", each a number, a range "LOW-HIGH" of which one is drawn, or a name; either may be
 * empty, and then the image says it. What is drawn is written as the engine is told it.
 */
int container_choose_user(const char *text, char ret[CONTAINER_USER_SIZE], struct err *err)
	attr_must_use;

/* "no", "unless-stopped", "always", "on-failure" or "on-failure:3". *ret_len is of the name. */
bool container_parse_restart(const char *text, size_t *ret_len, uint64_t *ret_times) attr_must_use;

int container_check_pull(const char *value, struct err *err) attr_must_use;
int container_check_user(const char *value, struct err *err) attr_must_use;
int container_check_cpu_limit(const char *value, struct err *err) attr_must_use;
int container_check_mount(const char *value, struct err *err) attr_must_use;
int container_check_bound_dir(const char *value, struct err *err) attr_must_use;
int container_check_restart(const char *value, struct err *err) attr_must_use;
int container_check_label(const char *value, struct err *err) attr_must_use;
