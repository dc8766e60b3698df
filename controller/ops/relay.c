/* SPDX-License-Identifier: MIT */
/* Relays: the tunnel knows how to speak to one, the controller what to call. */
#include "controller/ops/relay.h"

#include "controller/ops/internal.h"

int ops_relay_check(struct controller *c, const struct relay_plan *plan, struct argv *ret,
		    struct err *err)
{
	cleanup(bundle_finish) struct bundle bundle = { 0 };

	if (bundle_find(c->paths.program, &bundle, err) < 0)
		return -1;
	argv_add_words(ret, bundle.tunnel, "relay", "check", plan->url, NULL);
	if (plan->key)
		argv_add_words(ret, "--relay-key", plan->key, NULL);
	if (plan->token)
		argv_add_words(ret, "--token", plan->token, NULL);
	if (plan->relays)
		argv_add_words(ret, "--relays", plan->relays, NULL);
	return 0;
}
