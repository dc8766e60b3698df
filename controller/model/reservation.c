/* SPDX-License-Identifier: MIT */
/* Reservations; see reservation.h. */
#include "reservation.h"

#include <stdlib.h>

#include "init/base/alloc.h"

void reservation_finish(struct reservation *reservation)
{
	free(reservation->name);
	free(reservation->state);
	free(reservation->node_list);
	free(reservation->features);
	free(reservation->users);
	*reservation = (struct reservation){ 0 };
}

void reservation_list_finish(struct reservation_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		reservation_finish(&list->items[i]);
	free(list->items);
	*list = (struct reservation_list){ 0 };
}

void reservation_list_take(struct reservation_list *list, struct reservation *reservation)
{
	list->items = alloc_grow(list->items, list->len + 1, sizeof(*list->items));
	list->items[list->len++] = *reservation;
	*reservation = (struct reservation){ 0 };
}
