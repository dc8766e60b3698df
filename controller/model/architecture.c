/* SPDX-License-Identifier: MIT */
/* Names of architectures; see architecture.h. */
#include "architecture.h"

#include <elf.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#include "init/base/macro.h"

#define WORDS 4

static const struct {
	const char *name;
	const char *others[WORDS]; /* what uname and people call it */
	unsigned int machine;	   /* elf(5) */
	unsigned int class;
	unsigned int order;
} architectures[ARCHITECTURES_MAX] = {
	{ "amd64", { "x86_64", "x86-64", "x64" }, EM_X86_64, ELFCLASS64, ELFDATA2LSB },
	{ "arm64", { "aarch64", "armv8", "arm64v8" }, EM_AARCH64, ELFCLASS64, ELFDATA2LSB },
	{ "arm", { "armv7l", "armhf", "armv7" }, EM_ARM, ELFCLASS32, ELFDATA2LSB },
	{ "386", { "i686", "i386", "x86" }, EM_386, ELFCLASS32, ELFDATA2LSB },
	{ "ppc64le", { "ppc64el" }, EM_PPC64, ELFCLASS64, ELFDATA2LSB },
	{ "riscv64", { NULL }, EM_RISCV, ELFCLASS64, ELFDATA2LSB },
	{ "s390x", { NULL }, EM_S390, ELFCLASS64, ELFDATA2MSB },
	{ "loong64", { "loongarch64" }, 258, ELFCLASS64, ELFDATA2LSB },
};

const char *architecture_name(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(architectures); i++) {
		if (strcasecmp(word, architectures[i].name) == 0)
			return architectures[i].name;
		for (size_t k = 0; k < WORDS && architectures[i].others[k]; k++) {
			if (strcasecmp(word, architectures[i].others[k]) == 0)
				return architectures[i].name;
		}
	}
	return NULL;
}

const char *architecture_here(void)
{
	struct utsname here;

	return uname(&here) == 0 ? architecture_name(here.machine) : NULL;
}

const char *architecture_of_program(struct span head)
{
	const uint8_t *p = head.ptr;
	unsigned int machine;

	if (head.len < ARCHITECTURE_HEAD || memcmp(p, ELFMAG, SELFMAG) != 0)
		return NULL;
	/* e_machine is the second half-word after e_ident, in the program's own order. */
	machine = p[EI_DATA] == ELFDATA2MSB
			  ? (unsigned int)p[EI_NIDENT + 2] << 8 | p[EI_NIDENT + 3]
			  : (unsigned int)p[EI_NIDENT + 3] << 8 | p[EI_NIDENT + 2];
	for (size_t i = 0; i < ARRAY_LEN(architectures); i++) {
		if (architectures[i].machine == machine && architectures[i].class == p[EI_CLASS] &&
		    architectures[i].order == p[EI_DATA])
			return architectures[i].name;
	}
	return NULL;
}

bool architectures_have(const struct architectures *list, const char *name)
{
	for (size_t i = 0; i < list->len; i++) {
		if (strcmp(list->items[i], name) == 0)
			return true;
	}
	return false;
}

void architectures_add(struct architectures *list, const char *word)
{
	const char *name = architecture_name(word);

	if (name && !architectures_have(list, name))
		list->items[list->len++] = name;
}
