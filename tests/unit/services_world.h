/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A job side for tests: a real loop, a service environment, and clients on fake streams.
 * world_wait() runs the loop and moves the clients' bytes until a condition holds, and fails the
 * test after 20 s.
 */

#include <stdbool.h>

#include "tests/unit/fake_h3.h"
#include "tunnel/services/service.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/process.h"

#define CLIENTS_MAX 256
#define EVERYTHING SIZE_MAX

/* One stream as its peer sees it. */
struct client {
	struct h3_stream *stream;
	bool is_process; /* capsules, taken apart into out and err */
	size_t pace; /* most bytes that are taken in one turn of the loop; EVERYTHING by default */
	struct span send; /* what waits to be sent, as credit comes */
	bool send_end;	  /* and after it the end */
	struct capsule_reader reader;
	struct buf out, err;
	uint64_t out_len, out_sum; /* of all output, also what out did not keep */
	bool has_exit;
	struct process_exit exit;
	char signal[16];
};

struct world {
	uv_loop_t loop;
	uv_timer_t tick;
	struct service_env env;
	bool env_closed;
	struct client clients[CLIENTS_MAX];
	size_t clients_len;
};

void world_open(struct world *w, const struct service_config *config);
/* Ends what is left; the loop must then be without handles, or something leaks. */
void world_close(struct world *w);
void world_wait(struct world *w, bool (*done)(struct world *w));
/* Runs the loop for a while, to see that something does not happen. */
void world_run(struct world *w, unsigned int ms);

struct client *world_request(struct world *w, const struct h3_request *request);
struct client *world_process(struct world *w, const struct process_start *start);
/* `$SHELL -c command` without a terminal. */
struct client *world_exec(struct world *w, const char *command);
void client_send(struct client *c, struct span bytes);
void client_send_str(struct client *c, const char *text); /* as one STDIN capsule */
void client_send_capsule(struct client *c, uint64_t type, struct span value);
void client_close(struct client *c); /* the stream is over */

/* FNV-1a, in pieces. */
#define SUM_START UINT64_C(0xcbf29ce484222325)
uint64_t sum_of(uint64_t sum, struct span bytes);

/* Conditions: every client has its end; every answer is there. */
bool all_ended(struct world *w);
bool all_answered(struct world *w);
bool first_has_output(struct world *w);

/* The number that the output begins with. */
long client_number(struct client *c);
