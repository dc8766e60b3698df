/* SPDX-License-Identifier: MIT */
#pragma once

/* For services that have a connection already: bytes both ways, as after a CONNECT. */

#include "tunnel/services/service.h"

/* Takes the connected, non-blocking socket over, answers the request with 200, and splices. */
void connect_adopt(struct service_env *env, struct h3_stream *stream, int fd);
