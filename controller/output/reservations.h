/* SPDX-License-Identifier: MIT */
#pragma once

/* Reservations as text: a table for people, values and names for programs. */

#include <jansson.h>

#include "controller/model/reservation.h"
#include "controller/output/output.h"

int output_reservations(const struct reservation_list *reservations, const struct output *output,
			struct err *err) attr_must_use;

/* A reservation as json has it; to be released. */
json_t *output_reservation_value(const struct reservation *reservation);
