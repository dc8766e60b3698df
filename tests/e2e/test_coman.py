# SPDX-License-Identifier: MIT
"""What is known to be wrong in coman, the client that berth takes the place of at sites with FirecREST, and why it cannot
be so here: for each defect a reason, and the test that fails when it comes back ("" where nothing could fail).

The test below holds the table to the tests that there are."""

import pytest

import harness

# (defect, why it cannot be here, file::test)
DEFECTS = (
    ("exit status of the command is lost", "berth-init ends as its command does",
     "test_init.py::test_exit_status_is_the_commands"),
    ("a panic of the tunnel ends the job", "the tunnel is a process of its own",
     "test_job_end.py::test_a_killed_tunnel_is_not_the_end_of_the_job"),
    ("an image from the configuration gets no ssh", "what starts containers starts berth-init in them, whoever named the image",
     "test_containers.py::test_ssh_lands_in_the_container"),
    ("signals end the wrapper, or do not arrive", "every signal is forwarded once",
     "test_init.py::test_each_signal_arrives_once_with_its_number"),
    ("tasks share one identity and one port", "a rank has a key and an endpoint of its own",
     "test_job.py::test_a_rank_can_be_named"),
    ("words are joined with blanks into a script", "each word is quoted, values stand in a file",
     "test_firecrest.py::test_quoting_survives_anything"),
    ("the job needs a writable home, and asks GitHub", "berth-init needs no environment",
     "test_init.py::test_no_environment_is_needed"),
    ("the image's CMD is ignored, no command is a panic", "without a command the image's own runs, or the job is refused",
     "test_architecture.py::test_a_job_without_a_command_runs_what_its_image_does"),
    ("needs srun --pty and the site's ssh hook", "the way in is berth's own",
     "test_firecrest.py::test_a_job_runs_and_ssh_leads_into_it"),
    ("one fixed port for all jobs of a node", "the kernel chooses a port",
     "test_firecrest.py::test_jobs_of_one_name_on_one_node_share_nothing"),
    ("an upload to a new path fails", "a new path, an empty directory and one with a file are what they are",
     "test_files_firecrest.py::test_targets_are_those_of_cp"),
    ("a directory is removed by accident", "rm takes a directory only with -r, and asks",
     "test_files_firecrest.py::test_rm_takes_no_directory_by_accident"),
    ("binary files are read as text", "files come byte for byte",
     "test_files_firecrest.py::test_any_bytes_go_there_and_come_back"),
    ("an unknown state of Slurm is a panic", "unknown words are UNKNOWN, and shown",
     "../unit/ctl_firecrest_read.c::every_state_of_slurm_and_pbs_is_one_of_ours"),
    ("collecting never finds its own entries", "one file a job: collecting is unlinking",
     "test_concurrency.py::test_fifty_submissions_and_collections_at_once_leave_ssh_a_valid_configuration"),
    ("jobs of one name share a directory", "a directory for each submission, never reused",
     "test_firecrest.py::test_jobs_of_one_name_on_one_node_share_nothing"),
    ("one forwarded connection at a time", "each is a stream of its own",
     "test_port_forward.py::test_a_thousand_connections_at_once"),
    ("a menu quits the program", "there are no menus", ""),
    ("the platform is forgotten after submitting", "the record names its cluster",
     "test_firecrest.py::test_jobs_of_one_name_on_one_node_share_nothing"),
    ("an update is offered inside of ssh", "nothing asks, and nothing updates itself",
     "test_job_input.py::test_the_client_never_asks"),
    ("what fails after submitting loses the job", "the record is made before; a lost answer is looked for",
     "test_firecrest.py::test_a_submission_that_was_answered_by_nobody_is_found"),
    ("ssh is announced that cannot work", "every job has its way in, or says why not",
     "test_attach.py::test_what_is_not_there_or_has_ended_is_one_line"),
    ("the architecture is not checked where it matters", "an image without one for the nodes is refused before anything is made",
     "test_architecture.py::test_an_image_for_other_machines_is_refused_before_anything_is_made"),
    ("a name finds an old job; digits are ids", "jobs are job-N; the newest of a name that has not ended",
     "test_cli.py::test_who_uses_a_name_that_several_jobs_have_is_told_which_one_is_meant"),
    ("statuses of S3 are not looked at", "every answer's status and ETag is",
     "test_files_firecrest.py::test_a_part_that_went_wrong_goes_again"),
    ("a storm of requests, none waits when told to", "one list for all jobs; Retry-After is kept to",
     "test_firecrest.py::test_what_passes_is_tried_again"),
    ("a closed list of systems and platforms", "any address and name in the configuration",
     "test_firecrest.py::test_the_machine_is_described"),
    ("the tunnel lets everybody in", "both ends are proven by key",
     "test_job_secrets.py::test_a_wrong_key_on_either_side_is_refused_with_one_line"),
    ("needs a third party's relays and names", "direct, an own relay, or the login node",
     "test_firecrest_ways.py::test_a_job_that_only_dials_out_is_entered_through_a_relay"),
    ("secrets in the environment and in files of others", "files that only the user reads, never elsewhere",
     "test_job_secrets.py::test_no_process_shows_a_secret"),
    ("host keys are asked about, or not checked", "one pinned key, checked strictly",
     "test_job_secrets.py::test_a_host_key_that_is_not_the_pinned_one_stops_the_client"),
    ("a private key may be uploaded", "no key of the user's is read",
     "test_job_secrets.py::test_files_with_secrets_are_private_and_few"),
    ("local files are open to others", "0600 and 0700",
     "test_job_secrets.py::test_directories_with_secrets_are_private"),
    ("programs come over TLS without a checksum", "checksums before and after",
     "test_firecrest.py::test_programs_are_brought_once"),
    ("names become paths and configuration", "the directory is a number of ours; names are words, or refused",
     "test_cli.py::test_a_mistake_is_one_line_with_a_status_and_leaves_nothing"),
    ("anybody can make the job start processes", "who is not proven is answered nothing",
     "test_relay_flood.py::test_strangers_hurt_nobody"),
    ("a token for each call, calls one after another", "a token until it ends; calls at the same time",
     "test_firecrest.py::test_a_token_that_expires_is_replaced_once"),
    ("programs are uploaded for each name of a job", "once for a version",
     "test_firecrest.py::test_programs_are_brought_once"),
    ("works in one engine of containers only", "a table of launchers, or none",
     "test_containers.py::test_a_job_runs_in_the_container_and_its_exit_status_comes_out"),
    ("no waiting, no log that goes on, no other machine", "wait, logs -f, attach",
     "test_firecrest.py::test_a_second_workstation_enters_a_job"),
    ("options in other letters are panics", "wrong words are refused with what is right",
     "test_cli.py::test_a_verb_or_an_option_that_is_nearly_one_is_suggested"),
)


def test_the_list_is_whole():
    assert len(DEFECTS) == 41


@pytest.mark.parametrize("defect, why, test", DEFECTS, ids=[defect.replace(" ", "-")[:40] for defect, _, _ in DEFECTS])
def test_a_test_says_that_it_is_not_here(defect, why, test):
    assert why
    if not test:
        return
    file, _, name = test.partition("::")
    text = (harness.TOP / "tests" / "e2e" / file).resolve().read_text()
    begins = f"def {name}(" if file.endswith(".py") else f"static void {name}("
    assert name and begins in text, f"{defect}: no {test}"
    assert file.endswith(".py") or f"cmocka_unit_test({name})" in text, f"{defect}: {test} is not run"
