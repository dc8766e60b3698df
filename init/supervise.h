/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The life of a job's first process, in one loop that waits in one place.
 *
 *	RUNNING  the command lives: signals are passed on, orphans reaped, the tunnel kept up
 *	HELD     it has ended, and all else is left as it is for somebody to look at; see hold.h
 *	ENDING   it has ended: its status is written, everybody else was told to end (SIGTERM)
 *	KILLING  the grace is over: SIGKILL, until nobody is left or nothing helps
 *
 * There is one place to wait because all news arrives as a signal: SIGCHLD for children, the others
 * for the command; time is the deadline of that wait. When nothing happens and nothing is due,
 * nothing wakes us up. From the moment the command runs no failure ends us: what cannot be done is
 * left undone.
 */

#include "plan.h"
#include "signals.h"

/*
 * Returns the exit status that belongs to how the command ended, or -1 when it could not be
 * started. Fills the command's process id into the plan.
 */
int supervise(struct plan *plan, const struct signals_inherited *signals, struct err *err)
	attr_must_use;
