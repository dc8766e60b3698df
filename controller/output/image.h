/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * An image of containers: for people line by line, for programs as one object an image.
 */

#include <jansson.h>

#include "controller/model/image.h"
#include "controller/output/output.h"

void output_describe_image(const struct oci_image *image, const struct output *output);
json_t *output_image_value(const struct oci_image *image);
