/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the job side offers on HTTP/3 streams. A service is a line in the table of service.c: which
 * request it answers, and the function that takes the stream over.
 *
 *	struct service_env env;
 *
 *	service_env_open(&env, &config, &err);
 *	...for each request of a connection (h3_conn_ops.request):
 *		service_open(&env, stream, request);
 *	...once every connection is closed:
 *	service_env_close(&env, closed, owner);
 *
 * A service uses the stream only through tunnel/h3/conn.h and lives as long as it: everything that
 * it holds is given back after the stream's closed(). It never blocks: descriptors are watched by
 * libuv. Back-pressure needs no code of its own: reading stops while the stream has no room, and
 * bytes are reported as consumed only once they were written on.
 *
 * README.md says how to add a service.
 */

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <uv.h>

#include "init/base/err.h"
#include "tunnel/h3/conn.h"
#include "tunnel/net/presence.h"
#include "tunnel/net/resolve.h"
#include "tunnel/net/server.h"
#include "tunnel/net/turn.h"
#include "tunnel/services/reaper.h"
#include "tunnel/services/rlimits.h"
#include "tunnel/services/stat_read.h"

#define SERVICE_STREAMS_MAX 4096

/* Connections that the job accepted and the workstation did not fetch: of one listener, of all. */
#define LISTEN_PENDING_MAX 256
#define LISTEN_PENDING_ALL_MAX 1024
#define LISTEN_FETCH_MS 30000

struct punches;
struct scratch;
struct session_file;

/* Who is here, and by which ways the job can be reached. */
struct service_ways {
	size_t (*count)(void *owner); /* connections */
	size_t (*connections)(void *owner, struct server_entry *ret, size_t max);
	size_t (*paths)(void *owner, struct presence_entry ret[PRESENCE_MAX]);
	void *owner;
};

/* Everything is borrowed and stays valid until service_env_close() is done. */
struct service_config {
	uv_loop_t *loop;
	unsigned int rank;
	unsigned int ranks;	  /* in each task of an array, or 0 */
	const char *dir;	  /* the job directory */
	pid_t main_pid;		  /* the job's main command; 0: not known */
	char *const *environment; /* the job's, given to processes as it is; usually environ */
	const char *program; /* what subsystems and the greeting are verbs of; NULL: this one */
	char *const *allow;  /* CONNECT targets beside loopback: "host:port", "*:port", "host:*" */
	size_t allow_len;
	/* How sessions look; each may be NULL. */
	const struct session_file *session;
	const char *tools;		 /* directory of programs that an image may lack */
	struct punches *punches;	 /* NULL: the job looks for no direct ways */
	struct scratch *scratch;	 /* the job's own directory on this node */
	struct stat_source stat;	 /* for tests; all-zero is this machine and our parent */
	struct resolve_sources names;	 /* for tests; all-zero is this machine's */
	const struct service_ways *ways; /* NULL: nothing is known */
	size_t streams_max;		 /* streams at once; 0: SERVICE_STREAMS_MAX */
	uint64_t fetch_ms; /* how long a connection waits to be fetched; 0: LISTEN_FETCH_MS */
};

/* Something to do at the end of a turn; a member of the object that it is about. */
struct service_later {
	void (*run)(struct service_later *later);
	struct service_later *next;
	bool queued;
};

struct service_env {
	struct service_config config;
	struct reaper reaper;
	struct resolver *resolver; /* NULL before its first use */
	struct turn turn;
	struct service_later *later;
	struct rlimits limits;	    /* as the job has them; ours are others */
	double started;		    /* seconds since the epoch */
	struct listener *listeners; /* listen.c */
	size_t pending;		    /* connections that wait to be fetched */
	size_t streams; /* how many there are, including those whose descriptors are being closed */
	unsigned int handles; /* reaper, resolver and turn, until they are closed */
	bool ending;	      /* see service_env_end() */
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

/* From here on SIGCHLD belongs to the environment: it reaps every child of this program. */
int service_env_open(struct service_env *env, const struct service_config *config, struct err *err)
	attr_must_use;

/*
 * The job ends, and every process in it: that is not told any more as the end of each, since what
 * the clients shall hear is how the job ended.
 */
static inline void service_env_end(struct service_env *env)
{
	env->ending = true;
}

/*
 * Every stream must have had its closed(). The callback says that the memory is the owner's again.
 */
void service_env_close(struct service_env *env, void (*closed)(void *owner), void *owner);

/*
 * Takes a request's stream: hands it to the service that the request names, or rejects it. 404:
 * there is no such service; 403: the target is not allowed; 503: too many streams; others by
 * service.
 */
void service_open(struct service_env *env, struct h3_stream *stream,
		  const struct h3_request *request);

/* For services: a stream is taken, and given back after its last descriptor was closed. */
void service_enter(struct service_env *env);
void service_leave(struct service_env *env);

/* Calls later->run once, at the end of this turn of the loop. */
void service_later(struct service_env *env, struct service_later *later);

/*
 * Rejects a stream and lets go of it: none of the callbacks that were set is called any more, so
 * that the caller gives back what it holds as if closed() had been called.
 */
void service_reject(struct h3_stream *stream, const struct err *why);

struct resolver *service_resolver(struct service_env *env);

struct service {
	const char *method;
	const char *protocol; /* ":protocol", or NULL */
	/* "/x" exactly or with a query, "/x/..." by "/x/", or NULL: a plain CONNECT. */
	const char *path;
	void (*open)(struct service_env *env, struct h3_stream *stream,
		     const struct h3_request *request);
};

extern const struct service service_process;	 /* process.c */
extern const struct service service_tcp;	 /* connect.c */
extern const struct service service_unix;	 /* connect.c */
extern const struct service service_listen;	 /* listen.c */
extern const struct service service_accept;	 /* listen.c */
extern const struct service service_info;	 /* info.c */
extern const struct service service_connections; /* ways.c */
extern const struct service service_stat;	 /* stat.c */
extern const struct service service_signal;	 /* signal.c */
extern const struct service service_punch;	 /* punch.c */
