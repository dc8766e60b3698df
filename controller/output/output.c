/* SPDX-License-Identifier: MIT */
/* Formats; see output.h. */
#include "output.h"

#include <errno.h>
#include <string.h>

static const char *const words[] = {
#define X(name, word) word,
	OUTPUT_FORMATS(X)
#undef X
};

static const char known[] = ""
#define X(name, word) ", " word
	OUTPUT_FORMATS(X)
#undef X
	;

int output_parse_format(const char *word, enum output_format *ret, struct err *err)
{
	*ret = OUTPUT_TABLE;
	if (!word)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], word) == 0) {
			*ret = (enum output_format)i;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "--output: '%.40s' is not one of %s", word,
		       known + strlen(", "));
}

int output_end(const struct output *output, struct err *err)
{
	if (fflush(output->out) != 0 || ferror(output->out))
		return err_set_errno(err, errno, "write the list");
	return 0;
}
