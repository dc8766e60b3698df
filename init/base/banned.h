/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Calls that are refused at compile time, in every file: the build force-includes this header. The
 * libc headers that declare them come first, so that only uses are caught.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef alloca
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gets system popen alloca
