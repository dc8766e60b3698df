/* SPDX-License-Identifier: MIT */
/* Archives; see tar.h. */
#include "tar.h"

#include <stdio.h>
#include <string.h>

#define SUM_AT 148
#define SUM_LEN 8
#define SIZE_OCTAL_MAX 077777777777 /* of sizes and times */
#define ID_OCTAL_MAX 07777777

/* POSIX.1-2017, pax: "ustar Interchange Format". GNU's has another magic, and no prefix. */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[8], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};

#define MAGIC_GNU "ustar  "
#define MAGIC_POSIX "ustar" /* and a NUL */

_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is a block");

static unsigned int checksum(const uint8_t block[TAR_BLOCK])
{
	unsigned int sum = SUM_LEN * ' ';

	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= SUM_AT && i < SUM_AT + SUM_LEN ? 0 : block[i];
	return sum;
}

static size_t padding(size_t len)
{
	return (TAR_BLOCK - len % TAR_BLOCK) % TAR_BLOCK;
}

/* Octal digits to the end of the field, where a NUL stays. */
static void number(char *field, size_t size, uint64_t value)
{
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

static char type_of(const struct tar_file *file)
{
	if (file->link)
		return '2';
	return file->name[strlen(file->name) - 1] == '/' ? '5' : '0';
}

/* A name needs no NUL in a header: what is longer stands in an entry before it. */
static void set_name(char field[100], const char *name)
{
	memcpy(field, name, strnlen(name, 100));
}

static bool add(struct buf *archive, char type, const struct tar_file *file)
{
	static const uint8_t zeros[TAR_BLOCK];
	struct header header = { .magic = MAGIC_GNU, .type = type };
	struct span content = file->content;
	uint8_t block[TAR_BLOCK];

	if (content.len > SIZE_OCTAL_MAX || file->modified > SIZE_OCTAL_MAX ||
	    file->uid > ID_OCTAL_MAX || file->gid > ID_OCTAL_MAX)
		return false;
	set_name(header.name, file->name);
	set_name(header.link, file->link ? file->link : "");
	number(header.mode, sizeof(header.mode), file->mode & 07777);
	number(header.uid, sizeof(header.uid), file->uid);
	number(header.gid, sizeof(header.gid), file->gid);
	number(header.size, sizeof(header.size), content.len);
	number(header.mtime, sizeof(header.mtime), file->modified);
	memcpy(block, &header, sizeof(block));
	number(header.sum, sizeof(header.sum) - 1, checksum(block));
	header.sum[7] = ' ';
	return buf_append(archive, &header, sizeof(header)) && buf_append_span(archive, content) &&
	       buf_append(archive, zeros, padding(content.len));
}

/* The whole of a long name, with its NUL, before the entry that it belongs to. */
static bool add_long(struct buf *archive, char type, const char *name)
{
	const size_t len = strlen(name);

	return len <= sizeof(((struct header *)0)->name) ||
	       add(archive, type,
		   &(struct tar_file){ .name = "././@LongLink",
				       .content = span_of(name, len + 1) });
}

bool tar_add(struct buf *archive, const struct tar_file *file)
{
	return file->name[0] && add_long(archive, 'K', file->link ? file->link : "") &&
	       add_long(archive, 'L', file->name) && add(archive, type_of(file), file);
}

bool tar_end(struct buf *archive)
{
	static const uint8_t zeros[2 * TAR_BLOCK];

	return buf_append(archive, zeros, sizeof(zeros));
}

/* Octal digits, with blanks around and perhaps a NUL behind. */
static bool parse_octal(const char *field, size_t size, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < size && field[i] == ' ')
		i++;
	if (i == size)
		return false;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		value = value << 3 | (uint64_t)(field[i] - '0');
	*ret = value;
	return i == size || field[i] == ' ' || field[i] == '\0';
}

static bool is_zero(const uint8_t block[TAR_BLOCK])
{
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		if (block[i])
			return false;
	}
	return true;
}

static int refuse(struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "the archive is damaged");
}

static void copy_name(const struct header *header, char *ret, size_t size)
{
	const bool has_prefix =
		memcmp(header->magic, MAGIC_POSIX, sizeof(MAGIC_POSIX)) == 0 && header->prefix[0];

	snprintf(ret, size, "%.*s%s%.*s", has_prefix ? (int)sizeof(header->prefix) : 0,
		 header->prefix, has_prefix ? "/" : "", (int)sizeof(header->name), header->name);
}

int tar_next(struct span *archive, struct tar_entry *ret, struct err *err)
{
	struct header header;
	uint64_t size, sum;

	if (archive->len == 0)
		return 0;
	if (archive->len < TAR_BLOCK)
		return refuse(err);
	if (is_zero(archive->ptr))
		return 0;
	memcpy(&header, archive->ptr, sizeof(header));
	if (!parse_octal(header.sum, sizeof(header.sum), &sum) || sum != checksum(archive->ptr) ||
	    !parse_octal(header.size, sizeof(header.size), &size) ||
	    size > archive->len - TAR_BLOCK)
		return refuse(err);
	copy_name(&header, ret->name, sizeof(ret->name));
	ret->type = header.type ? header.type : '0';
	span_cut(archive, TAR_BLOCK);
	ret->content = span_cut(archive, (size_t)size);
	span_cut(archive, MIN(padding((size_t)size), archive->len));
	return 1;
}

int tar_first_file(struct span archive, struct span *ret, struct err *err)
{
	struct tar_entry entry;
	int found;

	while ((found = tar_next(&archive, &entry, err)) > 0) {
		if (entry.type != '0')
			continue;
		*ret = entry.content;
		return 0;
	}
	return found < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "the archive has no file in it");
}
