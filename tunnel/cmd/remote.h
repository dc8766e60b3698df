/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the verbs of the workstation share: options, the connection to a rank of the job, the loop,
 * the signals that end a program, and how the end is reported. Such a verb is an option table,
 * what it does with an h3_conn, and how it ends:
 *
 *	struct args { struct remote_args remote; bool all; };
 *
 *	static const struct opt opts[] = {
 *		REMOTE_OPTS(struct args, remote),
 *		OPT_FLAG(0, "all", struct args, all, "everything"),
 *		OPT_END,
 *	};
 *
 *	static void on_connected(void *owner, struct h3_conn *conn)
 *	{
 *		struct work *w = owner;
 *		...a request (h3/conn.h, or fetch.h for a small answer); at its end:
 *		remote_end(&w->remote, 0);
 *	}
 *
 *	static const struct remote_ops ops = { .connected = on_connected };
 *
 *	static int run(void *args, int argc, char **argv, struct err *err)
 *	{
 *		static struct work w;
 *
 *		return remote_run(&w.remote, &args->remote, &ops, &w, err);
 *	}
 *
 * A verb with more on the loop than requests calls the parts of remote_run() itself: remote_open(),
 * its own handles on remote.loop, remote_connect(), remote_loop(). It gives its handles back in
 * remote_ops.close().
 */

#include <stdbool.h>
#include <uv.h>

#include "init/base/opt.h"
#include "tunnel/h3/conn.h"
#include "tunnel/net/client.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/path_stream.h"
#include "tunnel/net/turn.h"

struct remote_args {
	const char *client_file, *endpoint, *name, *path;
	uint64_t rank;
	uint64_t silence_ns; /* 0: KEEPER_SILENCE */
	struct opt_list refresh, through;
	bool verbose;
};

#define REMOTE_OPTS(type, member)                                                               \
	OPT_STR(0, "client-file", type, member.client_file, "FILE", "the job's keys (keygen)"), \
		OPT_STR(0, "endpoint", type, member.endpoint, "FILE", "where the job listens"), \
		OPT_LIST(0, "refresh", type, member.refresh, "WORD",                            \
			 "a program and its arguments, run when nobody answers there"),         \
		OPT_LIST(0, "through", type, member.through, "WORD",                            \
			 "a program and its arguments, whose input and output lead there"),     \
		OPT_UINT(0, "rank", type, member.rank, "N", "which process of the job (0)"),    \
		OPT_STR(0, "name", type, member.name, "NAME",                                   \
			"what to call the job in messages (job)"),                              \
		OPT_STR(0, "path", type, member.path, "KIND",                                   \
			"go this way only: direct, relay, relay-tcp, login"),                   \
		OPT_DURATION(0, "silence", type, member.silence_ns, "TIME",                     \
			     "say it when the job did not answer for so long (30s)"),           \
		OPT_FLAG('v', "verbose", type, member.verbose,                                  \
			 "say what happens on standard error")

struct remote;

/* NULL members do what is said here. Each may call any function below but remote_open(). */
struct remote_ops {
	/* Ready for requests; again after each remote_reconnect(). */
	void (*connected)(void *owner, struct h3_conn *conn);
	/*
	 * Another connection has taken over all requests (net/client.h). A verb that has this is
	 * connected at once when there is a ticket, but not by remote_reconnect().
	 */
	void (*moved)(void *owner, struct h3_conn *conn);
	/* The job has proved that it is there: after connected(), perhaps later. */
	void (*proven)(void *owner);
	/*
	 * No connection could be made, or it is over, and its streams had their closed() before.
	 * True: there is something left to do, and remote_end() follows within two seconds, or
	 * remote_reconnect(). False or NULL: the verb ends now. Either way it fails with *why,
	 * unless there is another connection.
	 */
	bool (*lost)(void *owner, const struct err *why);
	/* Before remote_reconnect() dials. False: no, the last reason is the one to end with. */
	bool (*again)(void *owner);
	/* The end of a turn of the loop: outside of all other callbacks. */
	void (*turn)(void *owner);
	/* SIGHUP, SIGINT or SIGTERM. NULL: ends with 128 and the signal's number. */
	void (*signal)(void *owner, int number);
	/* The verb is over: gives its own handles back to the loop. */
	void (*close)(void *owner);
};

#define REMOTE_SIGNALS 3

struct remote {
	uv_loop_t loop;
	const struct remote_args *args;
	const struct remote_ops *ops;
	void *owner;
	struct turn turn;
	uv_timer_t timer; /* the last words, or the next connection */
	uv_signal_t signals[REMOTE_SIGNALS];
	struct client_file keys; /* that tls is made of */
	struct key_public job;	 /* the rank's */
	struct tls_context *tls;
	char *tickets;			       /* directory */
	const char *refresh[OPT_LIST_MAX + 1]; /* as of args, NULL-terminated */
	const char *through[PATH_STREAM_WORDS + 1];
	bool lingers;	 /* set it before remote_connect(): see net/client.h */
	bool no_tickets; /* so is this: none are used, and none kept */
	struct client *client;
	struct err why;	 /* ERR_NONE: all went well */
	struct err last; /* why there is to be another connection */
	int status;	 /* in that case */
	bool lost, again, ending, finished;
};

/* All of it; returns the verb's exit status, or -1 with *err. */
int remote_run(struct remote *remote, const struct remote_args *args, const struct remote_ops *ops,
	       void *owner, struct err *err) attr_must_use;

/*
 * Checks the options, sets up logging, ignores SIGPIPE, makes the loop. After a failure nothing is
 * to be done; after success remote_loop() is, even if remote_connect() fails.
 */
int remote_open(struct remote *remote, const struct remote_args *args, const struct remote_ops *ops,
		void *owner, struct err *err) attr_must_use;
/* Reads the keys and starts to dial. */
int remote_connect(struct remote *remote, struct err *err) attr_must_use;
/* Runs until the end and gives everything back. Returns the exit status, or -1 with *err. */
int remote_loop(struct remote *remote, struct err *err) attr_must_use;

/*
 * The verb is over: at the end of this turn the connection is closed, and remote_loop() returns.
 * The first one to say so is right; after a loss of the connection that is the reason.
 */
void remote_end(struct remote *remote, int status);
void remote_fail(struct remote *remote, const struct err *why);

/* After lost(): lets go of that connection and dials anew after delay_ms, with the file's keys. */
void remote_reconnect(struct remote *remote, uint64_t delay_ms);

/* What the job is called in messages. */
const char *remote_name(const struct remote *remote);
