/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What slurmrestd answers, of every version that we know: v0.0.38 writes numbers, later ones
 * {"set": true, "infinite": false, "number": 5}; states are words, from v0.0.40 on lists of words.
 * Each reader takes any of these forms wherever a number or a word is expected, so that the version
 * of an answer need not be known. What is missing, unknown or of an odd type is passed over.
 *
 * Pure, no I/O. Texts for people come out without control characters.
 */

#include "controller/backends/slurm/list.h"
#include "controller/model/json.h"

#define SLURMREST_TASKS_MAX 4096

/* A number, or the object or digits that stand for one; false when it is not set or infinite. */
bool slurmrest_number(const json_t *value, uint64_t *ret) attr_must_use;

/* A word, or the words of a list joined with the separator; cut to size. "" for anything else. */
void slurmrest_words(const json_t *value, const char *separator, char *out, size_t size);

/* A job, or some tasks of an array. */
struct slurmrest_job {
	char id[SLURM_ID_MAX];		 /* of the job, or of the array */
	char tasks[SLURMREST_TASKS_MAX]; /* of an array, as indices.h reads them; else "" */
	struct observation seen;
};

/* False when the object is not a job. The first is of the controller, the second of slurmdbd. */
bool slurmrest_read_job(const json_t *json, struct slurmrest_job *ret) attr_must_use;
bool slurmrest_read_account(const json_t *json, struct slurmrest_job *ret) attr_must_use;

/*
 * The id of the job (of an array, that of the whole) with this standard input, among all of an
 * answer; false when there is none.
 */
bool slurmrest_find_input(const json_t *answer, const char *input, char ret_id[BACKEND_ID_MAX])
	attr_must_use;

/*
 * Appends the jobs of this user in an answer that have a directory of ours: the script of those
 * that sbatch took, or the standard input of those that slurmrestd took (of this name), lies there.
 */
void slurmrest_locate_jobs(const json_t *answer, const char *user, const char *input,
			   struct job_list *ret);

/* Appends all nodes, or partitions, of an answer; of partitions idle nodes and CPUs in use, too. */
void slurmrest_read_nodes(const json_t *answer, struct node_list *ret);
void slurmrest_read_reservations(const json_t *answer, struct reservation_list *ret);
void slurmrest_read_queues(const json_t *answer, const struct node_list *nodes,
			   struct queue_list *ret);

/* The first error in an answer in Slurm's words, or "". */
void slurmrest_complaint(const json_t *answer, char *out, size_t size);
