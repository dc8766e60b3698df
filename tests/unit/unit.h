/* SPDX-License-Identifier: MIT */
#pragma once

/* What every unit test includes: cmocka and the headers it wants before it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
