/* SPDX-License-Identifier: MIT */
#pragma once

#include "controller/ops/controller.h"
#include "controller/run/argv.h"

/* What is known of a relay beside its URL; NULL: nothing. */
struct relay_plan {
	const char *url;
	const char *key;    /* its public key */
	const char *token;  /* path of a file with our token */
	const char *relays; /* path of a file of relays, which has both */
};

/* The command that looks whether a relay works from here. */
int ops_relay_check(struct controller *c, const struct relay_plan *plan, struct argv *ret,
		    struct err *err) attr_must_use;
