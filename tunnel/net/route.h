/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * News of the kernel's addresses and routes (rtnetlink(7)), on a libuv loop: a laptop that changed
 * the network need not wait for missed heartbeats. What changed is not said: whoever is told looks
 * at what concerns it. Where there is no netlink there is no news, which is not an error.
 */

#include <stdbool.h>
#include <uv.h>

struct route {
	uv_poll_t poll;
	bool open;
	int fd;
	void (*changed)(void *owner);
	void *owner;
	void (*closed)(void *owner);
};

void route_open(struct route *route, uv_loop_t *loop, void (*changed)(void *owner), void *owner);
/* closed is called once the memory is the owner's again; at once when there was no netlink. */
void route_close(struct route *route, void (*closed)(void *owner));
