/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The identity of a process on this machine: its pid and when it started, because pids are used
 * again; and the host, because a home directory may be shared by several. As text (the native id of
 * a local job) it reads "1234.567890@node1".
 */

#include <stdbool.h>
#include <sys/types.h>

#include "init/base/err.h"

#define PROCESS_HOST_MAX 65
#define PROCESS_TEXT_MAX 128

struct process {
	pid_t pid;
	uint64_t start; /* clock ticks after boot; field 22 of proc(5)'s stat */
	char host[PROCESS_HOST_MAX];
};

/* Of a process that is there; false when it is not (a zombie is not). */
bool process_identify(pid_t pid, struct process *ret) attr_must_use;

/* The parent of a process; false when the process is gone. */
bool process_parent(pid_t pid, pid_t *ret) attr_must_use;

void process_format(const struct process *process, char *out, size_t size);
bool process_parse(const char *text, struct process *ret) attr_must_use;

bool process_is_here(const struct process *process); /* on this host at all */
bool process_is_alive(const struct process *process);

/* Sends a signal unless the process is gone, which is success. */
int process_signal(const struct process *process, int signal, struct err *err) attr_must_use;
