/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Calls that are refused at compile time, in every file: the build force-includes this header. The
 * libc headers that declare them come first, so that only uses are caught; where a libc has them as
 * macros, those go.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef alloca
#undef sprintf
#undef strcat
#undef strcpy
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gets system popen alloca
