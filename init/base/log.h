/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Logging, to one descriptor (standard error unless told otherwise): text on a terminal, one JSON
 * object a line otherwise. Messages name the object first: "conn 3f2a: closed by peer: idle". A
 * line is one write(2) from a buffer on the stack; nothing is allocated. What a peer sent is
 * escaped here.
 *
 *	log_error  we failed a user        log_info   once per job or connection
 *	log_warn   degraded                log_debug  for finding out
 */

#include "macro.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* The program's name is borrowed and must stay. The defaults are standard error, warnings and
 * above, AUTO. */
void log_setup(const char *program, int fd, enum log_level level, enum log_format format);
enum log_level log_level(void);

void log_write(enum log_level level, const char *fmt, ...) attr_printf(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                           \
	do {                                                     \
		if (log_level() >= LOG_LEVEL_DEBUG)              \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)
