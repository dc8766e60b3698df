# SPDX-License-Identifier: MIT
"""What is known to be wrong in coman, the client that berth takes the place of at sites with FirecREST, and why it cannot
be so here: for each defect a reason, and the test that fails when it comes back ("" where nothing could fail).

The test below holds the table to the tests that there are."""

import pytest

import harness

# (defect, why it cannot be here, file::test, or a file whose every test is about it)
DEFECTS = (
    ("exit status of the command is lost", "berth-init ends as its command does",
     "test_init.py::test_exit_status_is_the_commands"),
    ("a panic of the tunnel ends the job", "the tunnel is a process of its own",
     "test_job_end.py::test_a_killed_tunnel_is_not_the_end_of_the_job"),
    ("an image from the configuration gets no ssh", "one way for all images",
     "test_config.py::test_options_of_the_cluster_and_the_context_reach_the_job"),
    ("signals end the wrapper, or do not arrive", "every signal is forwarded once",
     "test_init.py::test_each_signal_arrives_once_with_its_number"),
    ("tasks share one identity and one port", "a rank has a key and an endpoint of its own",
     "test_job.py::test_a_rank_can_be_named"),
    ("words are joined with blanks into a script", "each word is quoted, values stand in a file",
     "test_firecrest.py::test_quoting_survives_anything"),
    ("the job needs a writable home, and asks GitHub", "berth-init needs no environment",
     "test_init.py::test_no_environment_is_needed"),
    ("the image's CMD is ignored, no command is a panic", "a job has a command, or is refused", "test_cli.py"),
    ("needs srun --pty and the site's ssh hook", "the way in is berth's own",
     "test_firecrest.py::test_a_job_runs_and_ssh_leads_into_it"),
    ("one fixed port for all jobs of a node", "the kernel chooses a port",
     "test_job.py::test_twenty_clients_at_once"),
    ("an upload to a new path fails", "what is not there is made",
     "test_firecrest.py::test_programs_are_brought_once"),
    ("a directory is removed by accident", "rm takes a directory only with -r, and asks",
     "test_files.py::test_rm_refuses_what_nobody_means"),
    ("binary files are read as text", "what is no text is fetched as it is",
     "test_firecrest.py::test_a_log_is_followed_in_pieces_and_byte_for_byte"),
    ("an unknown state of Slurm is a panic", "unknown words are UNKNOWN, and shown", "../unit/ctl_firecrest_read.c"),
    ("collecting never finds its own entries", "one file a job: collecting is unlinking", "test_concurrency.py"),
    ("jobs of one name share a directory", "a directory for each submission, never reused",
     "test_firecrest.py::test_a_job_runs_and_ssh_leads_into_it"),
    ("one forwarded connection at a time", "each is a stream of its own",
     "test_port_forward.py::test_a_thousand_connections_at_once"),
    ("a menu quits the program", "there are no menus", ""),
    ("the platform is forgotten after submitting", "the record names its cluster",
     "test_firecrest.py::test_looking_is_one_request_and_a_later_ssh_none"),
    ("an update is offered inside of ssh", "nothing asks, and nothing updates itself",
     "test_job.py::test_standard_error_stays_apart_from_standard_output"),
    ("what fails after submitting loses the job", "the record is made before; a lost answer is looked for",
     "test_firecrest.py::test_a_submission_that_was_answered_by_nobody_is_found"),
    ("ssh is announced that cannot work", "every job has its way in, or says why not",
     "test_attach.py::test_what_is_not_there_or_has_ended_is_one_line"),
    ("the architecture is not checked where it matters", "the bundle is named by its contents, one for each",
     "test_squashfs.py"),
    ("a name finds an old job; digits are ids", "jobs are job-N; the newest of a name that has not ended",
     "test_attach.py::test_a_job_is_found_with_two_questions_and_given_a_key_with_one"),
    ("statuses of S3 are not looked at", "every answer's status is", "test_s3.py"),
    ("a storm of requests, none waits when told to", "one list for all jobs; Retry-After is kept to",
     "test_firecrest.py::test_what_passes_is_tried_again"),
    ("a closed list of systems and platforms", "any address and name in the configuration",
     "test_firecrest.py::test_settings_that_are_missing_are_named"),
    ("the tunnel lets everybody in", "both ends are proven by key",
     "test_job_secrets.py::test_a_wrong_key_on_either_side_is_refused_with_one_line"),
    ("needs a third party's relays and names", "direct, an own relay, or the login node", "test_paths.py"),
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
    ("names become paths and configuration", "names are checked, paths that a shell takes apart refused",
     "../unit/ctl_firecrest.c"),
    ("anybody can make the job start processes", "who is not proven is answered nothing", "test_relay_flood.py"),
    ("a token for each call, calls one after another", "a token until it ends; calls at the same time",
     "test_firecrest.py::test_a_token_that_expires_is_replaced_once"),
    ("programs are uploaded for each name of a job", "once for a version",
     "test_firecrest.py::test_programs_are_brought_once"),
    ("works in one engine of containers only", "a table of launchers, or none", "test_containers.py"),
    ("no waiting, no log that goes on, no other machine", "wait, logs -f, attach",
     "test_firecrest.py::test_a_second_workstation_enters_a_job"),
    ("options in other letters are panics", "wrong words are refused with what is right", "test_cli.py"),
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
    assert not name or f"def {name}(" in text, f"{defect}: no {test}"
