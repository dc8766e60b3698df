/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The compiler extensions this project uses, spelled once.
 */

#include <stddef.h>
#include <stdint.h>

#define attr_printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define attr_must_use __attribute__((warn_unused_result))
#define attr_noreturn __attribute__((noreturn))
#define attr_unused __attribute__((unused))
#define attr_malloc __attribute__((malloc, returns_nonnull))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* <sys/param.h>, which <uv.h> brings along, has its own. */
#undef MIN
#undef MAX
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The object of the given type whose member this pointer points to. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
