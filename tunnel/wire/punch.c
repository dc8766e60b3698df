/* SPDX-License-Identifier: MIT */
/* The capsules of `POST /punch`; see punch.h. */
#include "punch.h"

#include "capsule.h"
#include "value.h"
#include "varint.h"

int punch_round_parse(struct span value, uint64_t *ret_number, struct err *err)
{
	uint64_t number = 0;

	if (value_read_uint(&value, VARINT_MAX, &number, err, "number") < 0 ||
	    value_end(value, err) < 0)
		return err_wrap(err, "ROUND");
	*ret_number = number;
	return 0;
}

int punch_candidate_parse(struct span value, struct punch_candidate *ret, struct err *err)
{
	struct punch_candidate candidate = { 0 };

	if (value_read_uint(&value, VARINT_MAX, &candidate.kind, err, "kind") < 0 ||
	    relay_address_read(&value, &candidate.address, err, "address") < 0 ||
	    value_end(value, err) < 0)
		return err_wrap(err, "CANDIDATE");
	*ret = candidate;
	return 0;
}

bool punch_round_format(uint64_t number, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(PUNCH_VALUE_MAX);

	return varint_append(&value, number) && capsule_append(b, PUNCH_ROUND, buf_span(&value));
}

bool punch_candidate_format(const struct punch_candidate *candidate, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(PUNCH_VALUE_MAX);

	return varint_append(&value, candidate->kind) &&
	       relay_address_append(&value, &candidate->address) &&
	       capsule_append(b, PUNCH_CANDIDATE, buf_span(&value));
}
