/* SPDX-License-Identifier: MIT */
/* What a scheduler tells about its own work; see report.h. */
#include "report.h"

const struct report_fact_info report_facts[REPORT_FACTS_LEN] = {
#define X(name, group, unit, key, title) { REPORT_##group, REPORT_##unit, key, title },
	REPORT_FACTS(X)
#undef X
};

const char *const report_groups[REPORT_GROUPS] = {
	[REPORT_SERVER] = "Scheduler",
	[REPORT_JOBS] = "Jobs",
	[REPORT_MAIN] = "Main scheduling",
	[REPORT_BACKFILL] = "Backfill",
};

void report_set(struct scheduler_report *report, enum report_fact fact, uint64_t value)
{
	report->facts[fact].value = value;
	report->facts[fact].is_known = true;
}
