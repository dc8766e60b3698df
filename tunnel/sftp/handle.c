/* SPDX-License-Identifier: MIT */
/* Handles with generations; see handle.h. */
#include "handle.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "init/base/alloc.h"

static int close_handle(struct handle *handle)
{
	int result = handle->dir ? closedir(handle->dir) : close(handle->fd);

	handle->open = false;
	handle->dir = NULL;
	handle->fd = -1;
	return result < 0 ? errno : 0;
}

void handles_finish(struct handles *handles)
{
	for (size_t i = 0; i < handles->len; i++) {
		if (handles->items[i].open)
			close_handle(&handles->items[i]);
	}
	free(handles->items);
	*handles = (struct handles){ .max = handles->max };
}

bool handles_are_full(const struct handles *handles)
{
	return handles->open >= handles->max;
}

static struct handle *take_slot(struct handles *handles)
{
	struct handle *handle;

	if (handles->first_free > 0) {
		handle = &handles->items[handles->first_free - 1];
		handles->first_free = handle->next_free;
		return handle;
	}
	handles->items = alloc_grow(handles->items, handles->len + 1, sizeof(*handles->items));
	handle = &handles->items[handles->len++];
	*handle = (struct handle){ 0 };
	return handle;
}

struct handle *handles_add(struct handles *handles, int fd, DIR *dir)
{
	struct handle *handle;

	assert(!handles_are_full(handles));
	handle = take_slot(handles);
	handle->fd = fd;
	handle->dir = dir;
	handle->open = true;
	handles->open++;
	return handle;
}

static void put_u32(uint8_t *out, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

static uint32_t get_u32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

void handles_name(const struct handles *handles, const struct handle *handle,
		  uint8_t ret[HANDLE_LEN])
{
	put_u32(ret, (uint32_t)(handle - handles->items));
	put_u32(ret + 4, handle->generation);
}

struct handle *handles_find(struct handles *handles, struct span name)
{
	struct handle *handle;
	uint32_t index;

	if (name.len != HANDLE_LEN)
		return NULL;
	index = get_u32(name.ptr);
	if (index >= handles->len)
		return NULL;
	handle = &handles->items[index];
	return handle->open && handle->generation == get_u32(name.ptr + 4) ? handle : NULL;
}

int handles_remove(struct handles *handles, struct handle *handle)
{
	int error = close_handle(handle);

	handle->generation++;
	handle->next_free = handles->first_free;
	handles->first_free = (size_t)(handle - handles->items) + 1;
	handles->open--;
	return error;
}
