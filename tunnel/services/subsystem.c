/* SPDX-License-Identifier: MIT */
/* Which verb a subsystem is; see subsystem.h. */
#include "subsystem.h"

#include <ctype.h>
#include <sys/auxv.h>
#include <unistd.h>

static char verb_sftp[] = "sftp";

static const struct {
	const char *name;
	char *verb;
} subsystems[] = {
	{ "sftp", verb_sftp },
};

/* What a peer sent is shown only if it looks like a name. */
static char *refuse(struct span name, struct err *err)
{
	bool plain = name.len > 0 && name.len <= 64;

	for (size_t i = 0; plain && i < name.len; i++)
		plain = isalnum(name.ptr[i]) || strchr("-_.@", name.ptr[i]);
	err_set(err, ERR_UNSUPPORTED, "this job does not offer the subsystem %.*s",
		plain ? (int)name.len : 1, plain ? (const char *)name.ptr : "?");
	return NULL;
}

char *subsystem_verb(struct span name, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(subsystems); i++) {
		if (span_equal_str(name, subsystems[i].name))
			return subsystems[i].verb;
	}
	return refuse(name, err);
}

const char *subsystem_program(void)
{
	static const char link[] = "/proc/self/exe";
	unsigned long path = getauxval(AT_EXECFN);

	return access(link, X_OK) == 0 || path == 0 ? link : (const char *)path;
}
