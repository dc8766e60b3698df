/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The verbs of berth-tunnel. One verb is one file: a comment, an option table, a `const struct
 * verb`, and what it runs. To add one: write NAME.c here with `const struct verb cmd_NAME`, declare
 * it below, add it to the table in tunnel/main.c, to tunnel/cmd/meson.build and to tunnel/berth-
 * tunnel.1.scd.
 */

#include "init/base/verb.h"

extern const struct verb cmd_cp;
extern const struct verb cmd_doctor;
extern const struct verb cmd_exec;
extern const struct verb cmd_forward;
extern const struct verb cmd_keygen;
extern const struct verb cmd_knock;
extern const struct verb cmd_motd;
extern const struct verb cmd_relay;
extern const struct verb cmd_serve;
extern const struct verb cmd_sftp;
extern const struct verb cmd_ssh;
extern const struct verb cmd_stat;
