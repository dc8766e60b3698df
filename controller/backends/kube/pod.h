/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a job asks of its pod, put into the pod that the user's template describes. The container
 * "main", or else the first, becomes the job's; the others stay as they are. Pure.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

#define KUBE_CONTAINER "main"

/* The container of the job in this pod, made when there is none; borrowed. */
json_t *kube_find_container(json_t *pod);

/*
 * A word that reaches the container as it is: of "$(NAME)" and "$$" Kubernetes makes something else
 * in commands, arguments and variables, unless each $ is written twice.
 */
json_t *kube_literal(const char *text);

int kube_fill_pod(json_t *pod, const struct spec *spec, struct err *err) attr_must_use;

/* Its parts: where it runs, what it may use, and what it sees of volumes. */
int kube_fill_scheduling(json_t *pod, const struct spec *spec, struct err *err) attr_must_use;
int kube_fill_resources(json_t *container, const struct spec *spec, struct err *err) attr_must_use;
int kube_fill_volumes(json_t *pod, json_t *container, const struct spec *spec, struct err *err)
	attr_must_use;
