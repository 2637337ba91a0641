"""What the pages and the docstrings promise, and the tests that fail when a promise is broken.

Each row was tried: with the guard of the promise taken out of the package, the tests of the row
failed. A change that takes a check, a lock, a hook or an order away has to keep the sentence, or to
withdraw it.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent


class Promise(NamedTuple):
    """A sentence, where it stands, and the tests that keep it."""

    place: str
    """A file, or what has the sentence in its docstring, as ``rusage/_memory.py::peak``."""
    sentence: str
    tests: str
    """Separated by spaces: ``test_memory.py::test_fork_in_a_block``."""


SECURITY = ".github/SECURITY.md"
CHILDREN = "docs/children.md"
INHERITED = "docs/inherited-peaks.md"
LAUNCHER = "docs/launcher.md"
MEASURE = "docs/measure.md"
TREES = "docs/trees.md"
COMMAND = "docs/command.md"
LIMITS = "docs/limits.md"
SERIES = "docs/series.md"
REFERENCE = "docs/command-reference.md"

# Of SECURITY.md, each sentence that claims something of the package. What is not prevented, and not
# recognised, is no promise.
PROMISES = [
    Promise(
        SECURITY,
        "It opens no network connection and needs no privileges.",
        """test_import.py::test_names_need_no_later_import
        test_launcher.py::test_launcher_has_the_rights_of_its_parent""",
    ),
    Promise(
        SECURITY,
        """On Linux, `run`, `Popen` and the command start a plain program by the package's launcher,
        `rusage/_launcher/launcher` (source: `rusage/_launcher/launcher.c`), which creates the child
        and exits.""",
        "test_popen.py::test_peaks_from_a_large_process",
    ),
    Promise(
        SECURITY,
        "`subprocess` itself starts everything else.",
        "test_launcher.py::test_other_users_are_started_directly",
    ),
    Promise(
        SECURITY,
        "The launcher runs with exactly the rights that the program has, and changes none.",
        """test_launcher.py::test_launcher_has_the_rights_of_its_parent
        test_differential.py::test_random_starts_as_in_subprocess""",
    ),
    Promise(
        SECURITY,
        """It is not used for a child with another user or other groups, nor if the parent is not
        dumpable, if its real, effective, saved and file-system IDs differ, if executing a program
        would change its capabilities (capabilities(7)), or if a security label waits for the next
        exec.""",
        """test_launcher.py::test_other_users_are_started_directly
        test_launcher.py::test_launcher_has_the_rights_of_its_parent
        test_launcher.py::test_security_label_for_the_next_exec""",
    ),
    Promise(
        SECURITY,
        """It is executed only by a thread with the root directory and the mount namespace in which
        the parent has imported `rusage`: in another one, an attacker may own the file at its
        path.""",
        "test_differential.py::test_random_starts_as_in_subprocess",
    ),
    Promise(
        SECURITY,
        """They are compared before each start, by the device, the inode and the mount of the root
        directory; before Linux 5.8, by the inode of the mount namespace in place of the mount.""",
        """test_differential.py::test_random_starts_as_in_subprocess
        test_launcher.py::test_namespace_in_place_of_the_mount
        test_launcher.py::test_launcher_of_another_root""",
    ),
    Promise(
        SECURITY,
        """The program is the one that the parent's own path leads to: the launcher's child does not
        execute the launcher, to which a link such as `/proc/self/exe` leads there.""",
        "test_launcher.py::test_links_in_proc",
    ),
    Promise(
        SECURITY,
        "The child has only the descriptors that `subprocess` would give it.",
        """test_launcher.py::test_without_close_range
        test_differential.py::test_random_starts_as_in_subprocess""",
    ),
    Promise(
        SECURITY,
        """Its process ID comes back through memory that the launcher inherits; it must be the ID of
        a child of the starting thread.""",
        """test_launcher.py::test_child_of_another_thread_is_not_believed
        test_launcher.py::test_process_id_of_another_process""",
    ),
    Promise(
        SECURITY,
        """A process that Python code forks during a start closes this memory before it can become
        another user.""",
        "test_launcher.py::test_worker_that_names_other_children",
    ),
    Promise(
        SECURITY,
        """The launcher checks each number that it is given against its type, and starts nothing if
        it does not understand one.""",
        "test_launcher.py::test_launcher_with_bad_numbers",
    ),
    Promise(
        CHILDREN,
        "They take the same arguments and raise the same exceptions.",
        """test_differential.py::test_random_starts_as_in_subprocess
        test_popen.py::test_errors_carry_the_usage""",
    ),
    Promise(
        CHILDREN,
        """If `run` raises [`rusage.TimeoutExpired`](api.md#rusagetimeoutexpired) or
        [`rusage.CalledProcessError`](api.md#rusagecalledprocesserror), subclasses of
        `subprocess`'s, it has the same three attributes:""",
        "test_popen.py::test_errors_carry_the_usage",
    ),
    Promise(
        CHILDREN,
        """A `Popen` object has them once `wait`, `poll` or `communicate` has seen the child's exit,
        or the `with` block has ended.""",
        "test_popen.py::test_usage_comes_with_the_exit test_popen.py::test_threads_wait_and_poll",
    ),
    Promise(
        CHILDREN,
        """It is 0, and not in `measured`, if it may be [the parent's](inherited-peaks.md), as on
        Linux [without the launcher](launcher.md#without-the-launcher):""",
        """test_inherited.py::test_inherited_peak_is_not_measured
        test_inherited.py::test_own_fields_of_each_system
        test_popen.py::test_child_that_is_not_isolated""",
    ),
    Promise(
        CHILDREN,
        """`rlimits` sets resource limits in the child only: a mapping of the constants of
        [`resource`] to pairs of a soft and a hard limit.""",
        "test_rlimits.py::test_limits_of_the_child",
    ),
    Promise(
        CHILDREN,
        "The child's own peak is still measured, unlike with a `preexec_fn`.",
        "test_rlimits.py::test_peak_under_a_limit",
    ),
    Promise(
        CHILDREN,
        """An invalid or refused limit raises the same exception as [`resource.setrlimit()`],
        and the program is not started.""",
        """test_rlimits.py::test_bad_limits
        test_differential.py::test_random_starts_as_in_subprocess""",
    ),
    Promise(
        CHILDREN,
        """- Where the program is [started directly](launcher.md#without-the-launcher), and where
        another library has replaced [`subprocess.Popen`], a `preexec_fn` sets the limits: unsafe
        with threads, and on Linux the peak is not measured. It runs after yours and after the
        change of user and group, so no hard limit can be raised for another user.""",
        """test_rlimits.py::test_process_limit_of_another_user
        test_rlimits.py::test_limits_of_the_child test_patched.py::test_positional_preexec_fn""",
    ),
    Promise(
        CHILDREN,
        """- Another caller has waited for the child, or SIGCHLD is ignored: the kernel then
        discards the usage.""",
        "test_popen.py::test_repr_without_figures test_launcher.py::test_ignored_sigchld",
    ),
    Promise(
        CHILDREN,
        """- Another library has replaced [`subprocess.Popen`], as gevent does. That library
        then runs the child.""",
        "test_patched.py::test_another_execute_child",
    ),
    Promise(
        CHILDREN,
        """- Private methods of [`subprocess.Popen`] have changed in a new version of
        Python. `subprocess.Popen` then runs the child.""",
        """test_patched.py::test_changed_before_the_import
        test_patched.py::test_another_parameter_that_is_required""",
    ),
    Promise(
        CHILDREN,
        """With a `timeout`, the exit is seen at once where the system has `pidfd_open` (Linux 5.3)
        or `kqueue` (macOS and the BSDs), and on CPython 3.15 and later.""",
        "test_timeout.py::test_exit_is_seen_without_polling",
    ),
    Promise(
        LAUNCHER,
        """A handler that calls `waitpid(-1)` in a loop also reaps the launcher, and sees a process
        ID that it does not know. This loses nothing;""",
        "test_launcher.py::test_children_reaped_by_a_handler",
    ),
    Promise(
        LAUNCHER,
        "A launcher that a sandbox kills harms nothing: the program is then started directly.",
        """test_launcher.py::test_sandbox_without_a_system_call
        test_launcher.py::test_launcher_that_a_signal_kills""",
    ),
    Promise(
        LAUNCHER,
        """If a signal handler raises an exception while a child is being started, the exception
        propagates, and the program is not started a second time.""",
        """test_launcher.py::test_exception_at_each_instruction_of_a_start
        test_launcher.py::test_interrupted_starts""",
    ),
    Promise(
        LAUNCHER,
        """On Linux the child and the launcher are killed and reaped first, except in short moments:
        while a direct start is under way, and after the child has executed its program until
        `Popen` returns.""",
        """test_launcher.py::test_handler_raises_while_a_start_waits
        test_launcher.py::test_handler_of_the_launchers_exit_raises""",
    ),
    Promise(
        LAUNCHER,
        "A fork waits while another thread imports one of these names, except `rusage.asyncio`.",
        "test_import.py::test_fork_during_an_import",
    ),
    Promise(
        LAUNCHER,
        """- In another root directory or mount namespace, the first use of such a name raises
        `ImportError`, which names the import to do before: other files may be there in
        place of the package, and they would run with the rights of this process.""",
        "test_import.py::test_first_use_in_another_root",
    ),
    Promise(
        INHERITED,
        "With a `preexec_fn` it is never measured",
        "test_inherited.py::test_floor_of_each_rule",
    ),
    Promise(
        INHERITED,
        """- `peak()` does not fall when
        [`measure(reset_peak=True)`](measure.md#peak-memory-of-a-block) or the pytest plugin resets
        the mark of the process, since both read the mark first.""",
        "test_memory.py::test_resets_lower_no_peak",
    ),
    Promise(
        LAUNCHER,
        """Everything else is as in [`subprocess`]: the child's parent, process ID, signals,
        descriptors and exit status, and the exceptions if it cannot be executed.""",
        "test_differential.py::test_random_starts_as_in_subprocess",
    ),
    Promise(
        LAUNCHER,
        """- if the launcher's child cannot execute the program, also because `cwd` or its path
        leads elsewhere there: `/proc/self/exe` to the launcher, and `/dev/fd/3` to no file if
        descriptor 3 is closed in the child;""",
        """test_launcher.py::test_links_in_proc
        test_differential.py::test_random_starts_as_in_subprocess""",
    ),
    Promise(
        LAUNCHER,
        """- with 256 or more descriptors in `pass_fds`, or if the arguments are as long as the
        kernel allows;""",
        """test_launcher.py::test_many_passed_descriptors
        test_launcher.py::test_arguments_that_are_too_long""",
    ),
    Promise(
        LAUNCHER,
        """- if another library has replaced the function by which `subprocess` starts a child, or
        `subprocess._USE_VFORK` is false;""",
        "test_patched.py::test_another_fork_exec test_patched.py::test_vfork_is_refused",
    ),
    Promise(
        LAUNCHER,
        """- if the launcher might not run as the program would: if this process is not dumpable,
        has different real and effective IDs, capabilities that executing a program would change,
        a security label for the next exec or READ_IMPLIES_EXEC, if children get a PID namespace of
        their own, or in [another root directory](#after-chroot-or-a-change-of-user);""",
        """test_launcher.py::test_launcher_has_the_rights_of_its_parent
        test_launcher.py::test_security_label_for_the_next_exec
        test_launcher.py::test_pid_namespaces
        test_differential.py::test_random_starts_as_in_subprocess""",
    ),
    Promise(
        LAUNCHER,
        """- if the launcher cannot run: on a file system mounted noexec, where a sandbox refuses
        it, without `/proc`, with RLIMIT_FSIZE below 12 bytes or RLIMIT_STACK below 256 KiB, or
        after the package was upgraded under this process (for a minute).""",
        """test_launcher.py::test_unusable_launcher
        test_launcher.py::test_launcher_dumps_no_core
        test_launcher.py::test_launcher_has_the_rights_of_its_parent
        test_launcher.py::test_launcher_with_bad_numbers""",
    ),
    Promise(
        LAUNCHER,
        """The peak of a child that was started directly is measured only if it exceeds the largest
        peak of this process by more than twice the [error of the
        peak](accuracy.md#the-peak-on-linux), so that it cannot be inherited.""",
        """test_inherited.py::test_own_fields_of_each_system
        test_inherited.py::test_floor_of_each_rule""",
    ),
    Promise(
        LAUNCHER,
        """Otherwise, and always before Linux 6.2, with a `preexec_fn`, and with `rlimits`,
        `ru_maxrss` is 0 and not in `measured`.""",
        """test_popen.py::test_child_that_is_not_isolated test_inherited.py::test_floor_of_each_rule
        test_peak_error.py::test_error_by_release""",
    ),
    Promise(
        "rusage/_children/popen.py::Popen",
        """``elapsed`` is None until the exit has been seen, then the elapsed seconds since the
        start.""",
        "test_popen.py::test_elapsed",
    ),
    Promise(
        "rusage/_getrusage.py::getrusage",
        "Fields that ``measured(who)`` does not name are 0.",
        "test_backends.py::test_place_and_unit_of_each_field",
    ),
    Promise(
        "rusage/_getrusage.py::getrusage",
        """Raises ``ValueError`` if this system does not have ``who``, ``TypeError`` and
        ``OverflowError`` where CPython's ``resource.getrusage`` does, and ``OSError`` if the system
        call fails for another reason.""",
        "test_contract.py::test_argument_kinds test_contract.py::test_system_call_that_fails",
    ),
    Promise(
        CHILDREN,
        """On FreeBSD, the functions of `os` may return a usage that lacks the child's last thread;
        these do not.""",
        """test_process_kernels.py::test_complete_usage_of_a_child_on_freebsd
        test_wait.py::test_usage_is_complete_at_once""",
    ),
    Promise(
        "rusage/_getrusage.py::wait4",
        """Wait for a child as ``os.wait4`` does; return its process ID, its exit status indication
        and its usage.""",
        "test_wait.py::test_wait_goes_on_after_signals",
    ),
    Promise(
        "rusage/_getrusage.py::wait4",
        "Raises the same exceptions as ``os.wait4``: ``ChildProcessError`` if there is no child.",
        "test_wait.py::test_wait_that_fails",
    ),
    Promise(
        "rusage/_memory.py::peak",
        """Unlike ``maxrss()`` it never includes the peak of the process from which this one was
        started.""",
        "test_memory.py::test_peak_below_an_inherited_one",
    ),
    Promise(
        "rusage/_memory.py::peak",
        "In a forked child the peak begins with the resident set size at the fork.",
        "test_memory.py::test_fork_in_a_block",
    ),
    Promise(
        "rusage/_memory.py::known_peak",
        "A block does not lower it.",
        "test_memory.py::test_resets_lower_no_peak",
    ),
    Promise(
        "rusage/_memory.py::BlockPeak",
        "It is 0 if it is not ``measured``.",
        "test_memory.py::test_blocks_without_descriptors test_memory.py::test_refused_reset",
    ),
    Promise(
        MEASURE,
        """Entering an object whose block has not ended, in the same or in another thread, raises
        `RuntimeError`.""",
        "test_measure.py::test_open_object_refuses_second_block",
    ),
    Promise(
        MEASURE,
        """| `RUSAGE_THREAD` | the calling thread; the block must end in the thread that began it;
        on Linux its `ru_maxrss` is the whole process's; on macOS and Windows only its times; [not
        on NetBSD and DragonFly BSD](platforms.md) |""",
        "test_measure.py::test_block_of_a_thread_left_in_another",
    ),
    Promise(
        MEASURE,
        "As a decorator, `measure()` measures each call separately;",
        "test_measure.py::test_decorates_functions",
    ),
    Promise(
        MEASURE,
        """- Where the peak is not measured, both are 0 and `m.measured` does not contain `"peak"`:
        on other systems than Linux, without `/proc`, on kernels older than 4.0 or built without
        `CONFIG_PROC_PAGE_MONITOR`, and in sandboxes that deny access to `/proc/PID/clear_refs`.""",
        "test_memory.py::test_refused_reset test_memory.py::test_peak_not_measured",
    ),
    Promise(
        MEASURE,
        """- Blocks with `reset_peak` can be nested and can run in several threads at once: a reset
        by one block does not change the peak of another.""",
        "test_memory.py::test_nested_blocks test_memory.py::test_blocks_in_threads",
    ),
    Promise(
        MEASURE,
        """- `m.peak` is the maximum resident set size of the process in the block, in bytes, and
        `m.peak_growth` is the peak minus the resident set size at the start of the block, just
        after the reset.""",
        "test_memory.py::test_start_that_waits",
    ),
    Promise(
        MEASURE,
        """If the process forks in a `reset_peak` block, reading the block's figures in the child
        raises `RuntimeError`.""",
        "test_memory.py::test_fork_in_a_block",
    ),
    Promise(
        MEASURE,
        "A sum of usages has the sums of the counters and times, and the largest peak.",
        "test_fields.py::test_sum",
    ),
    Promise(
        "rusage/_process.py::Process",
        """The object refers to the process that had this process ID when it was opened, even if
        another process gets the ID later.""",
        "test_process_scenes.py::test_reused_number",
    ),
    Promise(
        "rusage/_process.py::Process",
        "A forked child can use its copy.",
        """test_opened.py::test_copy_of_a_forked_child
        test_process_scenes.py::test_fork_into_a_namespace""",
    ),
    Promise(
        "rusage/_process.py::Process",
        """Raises the same exceptions as ``os.kill`` for a bad argument, and ``ValueError`` for a
        number below 1.""",
        "test_opened.py::test_bad_arguments",
    ),
    Promise(
        "rusage/_process.py::Process",
        """Raises ``ProcessLookupError`` if there is no such process, if it has ended but has not
        been waited for, and if the number is the ID of a thread; ``PermissionError`` if the system
        does not allow reading the process; ``OSError`` if too many files are open.""",
        """test_process.py::test_process_that_has_ended test_opened.py::test_number_of_a_thread
        test_process_scenes.py::test_too_many_open_files
        test_tree_scenes.py::test_hidden_processes""",
    ),
    Promise(
        "rusage/_process.py::Process",
        "On Linux, during exec or exit, readings retry for up to a second.",
        "test_process.py::test_directory_unreadable_for_a_moment",
    ),
    Promise(
        "rusage/_process.py::Process",
        """Before one reports an exit, it looks a second time: at once, or before Linux 5.3 after a
        millisecond.""",
        """test_process.py::test_end_that_is_seen_for_a_moment
        test_process.py::test_ended_processes_cost_no_waiting""",
    ),
    Promise(
        "rusage/_process.py::Process.close",
        """Make all methods raise ``ValueError`` from now on. A reading in another thread is not
        interrupted.""",
        "test_opened.py::test_closed test_opened.py::test_close_at_each_instruction",
    ),
    Promise(
        "rusage/_record.py::record",
        "``largest`` and ``on_sample`` see every sample.",
        "test_record.py::test_neighbours_are_joined",
    ),
    Promise(
        "rusage/_record.py::record",
        "The interval never changes. When there are ``max_samples``, neighbours are joined:",
        "test_record.py::test_neighbours_are_joined",
    ),
    Promise(
        "rusage/_record.py::record",
        "``missed`` is the number of intervals without a sample:",
        "test_record.py::test_missed_intervals",
    ),
    Promise(
        "rusage/_record.py::record",
        "All signals are blocked in it, except for errors such as SIGSEGV;",
        "test_record.py::test_blocked_signals",
    ),
    Promise(
        "rusage/_record.py::record",
        """``on_sample`` is called with each sample: in the recording's thread from the first
        interval on, and with the last sample in the thread that calls ``stop()``.""",
        """test_record.py::test_on_sample_in_compiled_code
        test_record.py::test_samples_during_a_slow_start""",
    ),
    Promise(
        "rusage/_record.py::record",
        "An exception of ``on_sample`` ends the recording, and ``stop()`` raises it.",
        "test_record.py::test_error_in_on_sample",
    ),
    Promise(
        "rusage/_record.py::record",
        """A recording also ends when no member of the tree lives any more. A last sample,
        without members, is added if a zombie shows more CPU time than the sample before.""",
        "test_record.py::test_recording_that_is_never_stopped test_record.py::test_zombie",
    ),
    Promise(
        "rusage/_record.py::record",
        "After a fork the child has no thread: it keeps what was recorded until then.",
        "test_record.py::test_fork_in_a_block",
    ),
    Promise(
        "rusage/_record.py::record",
        """The thread keeps a recording that is in progress; one that has ended by itself and was
        never stopped gives a ``ResourceWarning``.""",
        "test_record.py::test_recording_that_is_never_stopped",
    ),
    Promise(
        "rusage/prometheus.py::WorkersCollector",
        """What cannot be read is left out: a process that has ended, or a number that is no process
        ID.""",
        "test_prometheus.py::test_workers test_prometheus.py::test_numbers_of_workers",
    ),
    Promise(
        REFERENCE,
        "A file with another first line is refused before the run.",
        "test_cli_export.py::test_append_to_another_head",
    ),
    Promise(
        REFERENCE,
        """On Linux, the report of a program that failed says if the kernel has killed a process of
        this cgroup for lack of memory meanwhile""",
        """test_cli_oom.py::test_failure_while_the_count_grows
        test_cli_oom.py::test_file_of_the_cgroup""",
    ),
    Promise(
        LIMITS,
        """If the lower bound of a sample is over the limit, it is exceeded, and `--kill` ends the
        tree. If the upper bound of each sample is within it, it is kept. Otherwise the status is
        125, and a line shows both bounds.""",
        "test_cli_pss.py::test_verdicts",
    ),
    Promise(
        LIMITS,
        "If the program ended before the second sample, the status is 125.",
        "test_cli_pss.py::test_limit_of_a_short_program",
    ),
    Promise(
        COMMAND,
        """If it ends between two samples, its CPU time up to the last of these readings is known;
        the rest only until its parent waits for it.""",
        "test_cli_tree.py::test_end_long_before_the_next_sample",
    ),
    Promise(
        REFERENCE,
        """The program inherits everything from the caller of `rusage`: streams, file descriptors,
        environment, signal mask, ignored signals.""",
        """test_cli.py::test_environment_is_unchanged
        test_cli_series.py::test_signal_state_of_each_run""",
    ),
    Promise(
        SERIES,
        "- A run that fails, or that `--kill` ends, ends the series with its exit status, "
        "and is not in the statistics.",
        """test_cli_series.py::test_runs_that_fail
        test_cli_tree.py::test_killed_run_that_succeeds""",
    ),
    Promise(
        SERIES,
        "- Only complete rounds are in the statistics.",
        "test_cli_compare.py::test_failing_command_ends_the_series",
    ),
    Promise(
        LIMITS,
        """Limits are checked after the program has ended, and never stop it; only `--kill`, with
        a limit of the tree, does.""",
        "test_cli_tree.py::test_limit_of_the_tree",
    ),
    Promise(
        LIMITS,
        """| the program's | the program failed | it is not 0 | | 125 | not checked | a figure is
        not known, or only two bounds of it, and the limit is between them |""",
        """test_cli_limits.py::test_limit_of_the_cpu_time
        test_cli_limits.py::test_unmeasured_figure_is_125""",
    ),
    Promise(
        LIMITS,
        """With `--kill`, a sample over the limit of the tree ends the program and all its
        descendants: they get SIGTERM (on Windows, `TerminateProcess`), and those that are left
        after five seconds get SIGKILL, again and again until none is left, for five more seconds at
        most.""",
        """test_cli_tree.py::test_kill_of_members_that_ignore_sigterm
        test_cli_tree.py::test_kill_of_a_chain""",
    ),
    Promise(
        LIMITS,
        """It exits with 123 if it has sent signals, whatever the program's status is; a line says
        so.""",
        "test_cli_tree.py::test_kill_ends_all_members",
    ),
    Promise(
        COMMAND,
        "The program runs on, and its status is passed on.",
        "test_cli_tree.py::test_status_after_a_failing_recording",
    ),
    Promise(
        LIMITS,
        """What `( program & )` starts stays in the tree, is killed by `--kill`, and counts in
        `--samples`.""",
        """test_cli_tree.py::test_orphans_are_limited_and_killed
        test_cli_tree.py::test_cpu_time_of_orphans""",
    ),
    Promise(
        LIMITS,
        """`rusage` waits for them half a second after the program, and on Linux up to five seconds
        while one that the program has left is running, unless a signal arrives; it is not
        forwarded.""",
        """test_cli_orphans.py::test_busy_ones_are_waited_for_longer
        test_cli_orphans.py::test_signal_ends_the_wait""",
    ),
    Promise(
        LIMITS,
        """If they run on, their own peaks and their CPU time so far count. A line says what is not
        compared: later use, and use before exec. If one has waited for children, whose peaks are
        unknown, `--limit-maxrss` gives 125; with `--tree`, the samples count.""",
        """test_cli_orphans.py::test_limits_of_an_orphan
        test_cli_orphans.py::test_one_that_has_waited_runs_on""",
    ),
    Promise(
        LIMITS,
        """an orphan may be another's. It is in no report, and is never killed. If one that has
        ended was over a limit, the status is 125; a line says if others run on. - Where a sandbox
        refuses waitid or prctl, nothing that the program leaves is counted; a line says so.""",
        """test_cli_orphans.py::test_those_from_before
        test_cli_orphans.py::test_orphans_without_waitid
        test_cli_orphans.py::test_orphans_in_doubt""",
    ),
    Promise(
        LIMITS,
        """- Orphans and the largest process of `--tree` count if both reports have them; otherwise
        a line says that they do not.""",
        """test_cli_orphans.py::test_relative_limits
        test_cli_orphans.py::test_orphans_in_a_stored_report""",
    ),
    Promise(
        "docs/accuracy.md",
        """`peak()` is never below a value that `peak()`, `rss()` or a `Process` of this process has
        returned, and `rusage --tree` compares `--limit-maxrss` with all samples.""",
        """test_memory.py::test_what_was_read_counts
        test_cli_tree.py::test_member_of_any_sample""",
    ),
    Promise(
        LIMITS,
        """- The file is read before anything is run or written, 16 MiB at most. The exit status is
        125, and nothing is run, if the file is not the report of a run or a series in version 2
        of the JSON, if a run failed, was killed or was stopped, or if the figure of a relative
        limit is missing.""",
        """test_cli_against.py::test_refused_report test_cli_against.py::test_refused_file
        test_cli_against.py::test_unknown_figures""",
    ),
    Promise(
        LIMITS,
        """- A report cannot replace the one that it is compared with.""",
        "test_cli_files.py::test_two_reports_in_one_file",
    ),
    Promise(
        REFERENCE,
        "Without a report, no file is made.",
        "test_cli_files.py::test_file_without_a_report",
    ),
    Promise(
        REFERENCE,
        """It has the mode, the owner and, on Linux, the extended attributes of the old one, such as
        an ACL. A hard link, and a process that has the old file open, keep the old report.""",
        """test_cli_files.py::test_replaced_file_keeps_what_it_is
        test_cli_files.py::test_readers_of_a_replaced_file""",
    ),
    Promise(
        REFERENCE,
        """The report is written into the file itself if its folder allows no other one, its owner
        cannot be kept, or it is a mount point, as with `docker run -v FILE:FILE`.""",
        """test_cli_files.py::test_error_of_the_new_file
        test_cli_files.py::test_file_that_is_mounted""",
    ),
    Promise(
        REFERENCE,
        "Except in GNU time's formats, it begins a line.",
        "test_cli_export.py::test_append_behind_part_of_a_line",
    ),
    Promise(
        REFERENCE,
        "Reports of several runs at once do not mix.",
        "test_cli_files.py::test_runs_append_at_once",
    ),
    Promise(
        REFERENCE,
        "In GNU time's formats, the bytes of the command are written as they are, in any encoding.",
        "test_cli_files.py::test_encoding_that_lacks_characters",
    ),
    Promise(
        REFERENCE,
        """- `rusage` forwards SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGALRM to the program, unless
        the caller ignores them.""",
        """test_cli.py::test_signals_are_forwarded
        test_cli.py::test_ignored_signals_are_not_forwarded""",
    ),
    Promise(
        REFERENCE,
        """The file keeps its content until the whole report is written, also on a full disk, and a
        file that the program has moved away keeps it.""",
        """test_cli_files.py::test_file_without_a_report
        test_cli_files.py::test_full_disk test_cli_files.py::test_file_that_may_not_grow
        test_cli_export.py::test_file_that_the_program_moves""",
    ),
    Promise(
        REFERENCE,
        "A file that is also the program's standard output or error is not emptied.",
        "test_cli_export.py::test_report_in_the_output_of_the_program",
    ),
    Promise(
        REFERENCE,
        "A report that cannot be written to standard error does not change the status.",
        "test_cli.py::test_report_that_cannot_be_written",
    ),
    Promise(
        REFERENCE,
        """If the reader of standard output has closed it, as in `rusage --help | head -3`,
        `rusage` dies of SIGPIPE without a message.""",
        "test_cli.py::test_closed_pipe_ends_silently",
    ),
    Promise(
        REFERENCE,
        "With `--append` the header is written only once, also by several runs at once.",
        """test_cli_export.py::test_csv_has_every_run
        test_cli_files.py::test_runs_append_at_once""",
    ),
    Promise(
        SERIES,
        """One slow run cannot make a verdict unless the other rounds nearly make it: with six
        rounds, all of them must agree.""",
        "test_cli_compare.py::test_sentence_at_the_end",
    ),
    Promise(
        TREES,
        "It stays one until it has ended, even if its parent ends before.",
        "test_tree.py::test_orphans_stay_members",
    ),
    Promise(
        TREES,
        "Zombies are not counted.",
        "test_tree.py::test_zombies_are_not_counted test_tree_kernels.py::test_zombies",
    ),
    Promise(
        TREES,
        "`members()` lists each member after its parent; the root comes first while it lives.",
        "test_tree_kernels.py::test_parent_behind_its_child",
    ),
    Promise(
        TREES,
        "Its `rss` and `pss` are 0, so that this memory counts once.",
        "test_tree.py::test_child_before_exec_has_no_memory",
    ),
    Promise(
        TREES,
        """It is a lower bound that never falls: what a member uses between its last reading and its
        end is known only if its parent waits for it.""",
        "test_tree_kernels.py::test_members_and_their_time",
    ),
    Promise(
        TREES,
        """No second counts twice, except on macOS for the children of a process that ignores
        SIGCHLD. Where processes are hidden, a hidden child's time from before the opening counts
        when a member has waited for it.""",
        "test_tree_kernels.py::test_members_and_their_time",
    ),
    Promise(
        TREES,
        "`unread` is the number of living members that may not be read. They are in no sum.",
        """test_tree_kernels.py::test_members_that_may_not_be_read
        test_tree_scenes.py::test_other_user""",
    ),
    Promise(
        TREES,
        "A reading on Linux needs four free file descriptors, and leaves none open.",
        "test_tree.py::test_few_free_descriptors test_tree.py::test_no_file_stays_open",
    ),
    Promise(
        "rusage/_tree.py::Tree",
        """Members are known by process IDs, start times and parents and, on Linux 6.9 and later, by
        the inodes of their pidfds until no other process can have their start times.""",
        "test_tree_kernels.py::test_reused_number",
    ),
    Promise(
        "rusage/_tree.py::Tree",
        """A reading that raises an exception, for example since no file descriptor is free, changes
        nothing: the next one finds all members, and counts what they have used meanwhile.""",
        """test_tree_kernels.py::test_reading_that_fails_half_way
        test_tree.py::test_few_free_descriptors""",
    ),
    Promise(
        "rusage/_tree.py::Tree",
        """A forked child can use its copy, which refers to the same processes; it raises
        ``RuntimeError`` if another thread was reading the tree at the fork.""",
        """test_opened.py::test_copy_of_a_forked_child
        test_tree.py::test_fork_while_another_thread_reads""",
    ),
    Promise(
        "rusage/_tree.py::Tree.send_signal",
        "Send a signal to each living member; to this process, if it is one, last.",
        "test_tree.py::test_signal_to_this_process_last",
    ),
    Promise(
        "rusage/_tree.py::Tree.send_signal",
        """On Windows and on Linux no other process can receive the signal; before Linux 6.9 another
        process can that has got the process ID within 10 ms of the member's start.""",
        "test_tree_scenes.py::test_reused_number",
    ),
    Promise(
        "rusage/_tree.py::Tree.close",
        """Make all methods raise ``ValueError`` from now on. A reading in another thread is
        finished first.""",
        "test_opened.py::test_closed test_opened.py::test_close_at_each_instruction",
    ),
]


def folded(text: str) -> str:
    """Return a text with each white space as one space, and no addresses of other sites."""
    return re.sub(r"\]\(https:[^)]*\)", "]", " ".join(text.split()))


@functools.cache
def parsed(file: str) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


@functools.cache
def functions_of(file: str) -> set[str]:
    """Return the functions of a file, which is not imported: systems may lack what it needs."""
    return {node.name for node in ast.walk(parsed(file)) if isinstance(node, ast.FunctionDef)}


@functools.cache
def text_of(place: str) -> str:
    """Return the text of a file, or the docstring of what is defined in it."""
    file, _, name = place.partition("::")
    if not name:
        return folded((ROOT / file).read_text(encoding="utf-8"))
    node: Any = parsed(file)
    for part in name.split("."):
        node = next(inner for inner in ast.walk(node) if getattr(inner, "name", None) == part)
    return folded(ast.get_docstring(node) or "")


def test_promises_and_their_tests() -> None:
    """Each sentence stands where its row says, and the tests of the row exist."""
    promises = [each for each in PROMISES if folded(each.sentence) not in text_of(each.place)]
    assert promises == []
    tests = [test.split("::") for each in PROMISES for test in each.tests.split() or ["::"]]
    assert [(file, name) for file, name in tests if name not in functions_of(f"tests/{file}")] == []
