/* SPDX-License-Identifier: MIT */
/* Archives; see archive.h. */
#include "archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BLOCK 512
#define SHORT_MAX 100 /* bytes of a name, which needs no NUL then */

/* POSIX.1-1988, ustar: numbers are octal digits that end with a NUL. */
struct header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char sum[8];
	char type;
	char target[100];
	char magic[8]; /* "ustar", two spaces and a NUL: GNU's own entries are understood */
	char user[32], group[32];
	char device[16];
	char prefix[155];
	char unused[12];
};

struct entry {
	char type; /* '0' file, '2' symbolic link, '5' directory, 'K' and 'L' long names */
	const char *name, *target;
	mode_t mode;
	size_t size;
};

static void set_octal(char *field, size_t size, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%0*" PRIo64, (int)size - 1, value);
	memcpy(field, digits, size);
}

static void set_text(char *field, size_t size, const char *text)
{
	memcpy(field, text, strnlen(text, size));
}

static void set_sum(struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned int sum = 0;
	char digits[24];

	memset(header->sum, ' ', sizeof(header->sum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += bytes[i];
	snprintf(digits, sizeof(digits), "%06o", sum);
	memcpy(header->sum, digits, 7);
}

static bool add_header(struct buf *tar, const struct entry *entry)
{
	struct header header = { .type = entry->type };

	_Static_assert(sizeof(header) == BLOCK, "a header is one block");
	set_text(header.name, sizeof(header.name), entry->name);
	set_text(header.target, sizeof(header.target), entry->target);
	set_octal(header.mode, sizeof(header.mode), entry->mode & 07777);
	set_octal(header.uid, sizeof(header.uid), 0);
	set_octal(header.gid, sizeof(header.gid), 0);
	set_octal(header.size, sizeof(header.size), entry->size);
	set_octal(header.mtime, sizeof(header.mtime), (uint64_t)time(NULL));
	memcpy(header.magic, "ustar  ", 8);
	set_sum(&header);
	return buf_append(tar, &header, sizeof(header));
}

static bool add_bytes(struct buf *tar, struct span bytes)
{
	static const char zeros[BLOCK];

	return buf_append_span(tar, bytes) &&
	       buf_append(tar, zeros, (BLOCK - bytes.len % BLOCK) % BLOCK);
}

/* Before the entry that it belongs to. */
static bool add_long(struct buf *tar, char type, const char *text)
{
	struct entry entry = {
		.type = type, .name = "././@LongLink", .target = "", .size = strlen(text) + 1
	};

	return strlen(text) <= SHORT_MAX ||
	       (add_header(tar, &entry) && add_bytes(tar, span_of(text, entry.size)));
}

static bool add(struct buf *tar, const struct entry *entry, struct span bytes)
{
	return add_long(tar, 'K', entry->target) && add_long(tar, 'L', entry->name) &&
	       add_header(tar, entry) && add_bytes(tar, bytes);
}

bool archive_add_dir(struct buf *tar, const char *name, mode_t mode)
{
	const struct entry entry = { .type = '5', .name = name, .target = "", .mode = mode };

	return add(tar, &entry, (struct span){ 0 });
}

bool archive_add_file(struct buf *tar, const char *name, mode_t mode, struct span bytes)
{
	const struct entry entry = {
		.type = '0', .name = name, .target = "", .mode = mode, .size = bytes.len
	};

	return add(tar, &entry, bytes);
}

bool archive_add_link(struct buf *tar, const char *name, const char *target)
{
	const struct entry entry = { .type = '2', .name = name, .target = target, .mode = 0777 };

	return add(tar, &entry, (struct span){ 0 });
}

bool archive_end(struct buf *tar)
{
	static const char zeros[2 * BLOCK];

	return buf_append(tar, zeros, sizeof(zeros));
}
