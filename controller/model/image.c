/* SPDX-License-Identifier: MIT */
/* What is known of an image; see image.h. */
#include "image.h"

#include <stdlib.h>

static void words_finish(struct oci_words *words)
{
	for (size_t i = 0; i < words->len; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct oci_words){ 0 };
}

void oci_image_finish(struct oci_image *image)
{
	words_finish(&image->platforms);
	words_finish(&image->entrypoint);
	words_finish(&image->command);
	words_finish(&image->env);
	free(image->name);
	free(image->digest);
	free(image->user);
	free(image->directory);
	*image = (struct oci_image){ 0 };
}
