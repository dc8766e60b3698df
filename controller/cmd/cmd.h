/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The verbs of `berth`, one file each. A verb reads its options, calls an operation and shows what
 * came of it; what it can do, it can do because an operation can.
 *
 * To add one: a file here with `const struct verb cmd_NAME`, its line below and in main.c's table,
 * a line in meson.build, a section in berth.1.scd, and a test of its --help in tests/golden.
 */

#include "controller/cmd/many.h"
#include "controller/model/act.h"
#include "controller/ops/connect.h"
#include "controller/ops/controller.h"
#include "init/base/verb.h"

/* All of them, NULL-terminated. */
extern const struct verb *const cmd_verbs[];

extern const struct verb cmd_attach;
extern const struct verb cmd_cancel;
extern const struct verb cmd_checksum;
extern const struct verb cmd_chmod;
extern const struct verb cmd_complete_jobs;
extern const struct verb cmd_complete_places;
extern const struct verb cmd_completion;
extern const struct verb cmd_compress;
extern const struct verb cmd_config;
extern const struct verb cmd_cp;
extern const struct verb cmd_describe;
extern const struct verb cmd_doctor;
extern const struct verb cmd_exec;
extern const struct verb cmd_export;
extern const struct verb cmd_extract;
extern const struct verb cmd_find;
extern const struct verb cmd_gc;
extern const struct verb cmd_get;
extern const struct verb cmd_head;
extern const struct verb cmd_hold;
extern const struct verb cmd_import;
extern const struct verb cmd_init;
extern const struct verb cmd_keys;
extern const struct verb cmd_login;
extern const struct verb cmd_logout;
extern const struct verb cmd_logs;
extern const struct verb cmd_ls;
extern const struct verb cmd_mkdir;
extern const struct verb cmd_mv;
extern const struct verb cmd_port_forward;
extern const struct verb cmd_proxy;
extern const struct verb cmd_relay;
extern const struct verb cmd_release;
extern const struct verb cmd_reprioritize;
extern const struct verb cmd_requeue;
extern const struct verb cmd_rm;
extern const struct verb cmd_run;
extern const struct verb cmd_schema;
extern const struct verb cmd_signal;
extern const struct verb cmd_ssh;
extern const struct verb cmd_stat;
extern const struct verb cmd_submit;
extern const struct verb cmd_tail;
extern const struct verb cmd_update;
extern const struct verb cmd_use;
extern const struct verb cmd_version;
extern const struct verb cmd_wait;
extern const struct verb cmd_whoami;

/* Notes go to standard error, one line each, as "berth: TEXT". */
void cmd_show_notes(const struct notes *notes);

/* Does this to the jobs that many_choose() gives, and prints "job-7 DONE" for each. */
int cmd_act(const struct act *act, const char *done, const struct many_args *args, int argc,
	    char **argv, struct err *err) attr_must_use;

/* What a doctor found; the exit status is that of the worst of it: 0, 1 for a warning, 2. */
struct finding_list;
struct output;
int cmd_show_findings(const struct finding_list *list, const struct output *output, struct err *err)
	attr_must_use;

/* Becomes another program; returns only when that fails. */
int cmd_become(const char *const *argv, struct err *err);

/*
 * The command that does a verb of berth-tunnel in a job (ops/connect.h); waits for the job to run,
 * 10 minutes unless wait_ns says otherwise, and tells on standard error what it waits for.
 */
int cmd_connect(const char *verb, const struct ref *ref, uint64_t wait_ns, struct argv *ret,
		struct err *err) attr_must_use;

/* What --wait says, or how long is waited without; and where it is told what is waited for. */
uint64_t cmd_wait_ns(uint64_t asked_ns);
const struct progress *cmd_progress(void);

#define CMD_OPT_PATH(type, member)               \
	OPT_STR(0, "path", type, member, "KIND", \
		"go this way only: direct, relay, relay-tcp or login")

#define CMD_OPT_SSH_PORT(type, member)               \
	OPT_STR(0, "ssh-port", type, member, "PORT", \
		"lead ssh to this port of the job: an sshd of its own")

#define CMD_OPT_WAIT(type, member)                        \
	OPT_DURATION(0, "wait", type, member, "DURATION", \
		     "how long to wait for the job to run (10m)")
