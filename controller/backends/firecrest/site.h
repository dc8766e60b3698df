/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The files of a system behind FirecREST as a site (backends/site.h). It runs no commands. What is
 * put off goes as one archive, which is unpacked there: directories, files with their modes and
 * links are one upload, one call that unpacks, and one that removes the archive, however many they
 * are. Small things go directly: one file of the usual mode, one link.
 *
 * An archive larger than the server takes directly is compressed, and cut between files. The
 * directory in which the first of the changes is made is private: it is made with mode 0700 when it
 * is not there.
 */

#include "controller/backends/site.h"
#include "controller/firecrest/client.h"

/* Takes the client over. Nothing is sent yet. */
struct site *site_firecrest_new(struct firecrest *fc);

/* The client of such a site. */
struct firecrest *site_firecrest_client(struct site *site);
