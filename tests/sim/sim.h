/* SPDX-License-Identifier: MIT */
#pragma once

/* What every simulation includes. */

#include "tests/unit/unit.h"

#include "tests/sim/peer.h"
#include "tests/sim/world.h"
