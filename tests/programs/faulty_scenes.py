"""Play a scene once for each call that it makes and each error that the call can return.

``faulty_scenes.py SCENE [STEP]``, started by ``tests/tools/faults.py``, with its build. In each run
one call fails once; in the scene "meanwhile", processes end before it instead. Prints what
differed, and at last how many errors were tried.

What is asked of the reading in which the call has failed: it is right, or raises an ``OSError``. An
error that says something of a process may be believed in this reading: that it may not be read
(EACCES), or has ended (ESRCH). All later readings are right, as if no call had failed: the members,
their sizes, and a CPU time that is not above the kernel's clocks, and never falls. A process that
lives, and was believed to have ended, is found again; it is lost only where the error is the last
word of the kernel (see FINAL). All files are closed, and all memory is freed. A signal reaches all
processes, or an exception says that it has not. A start runs the program once, or at most once if
it raises an exception or a signal kills the launcher or its child; no process is left.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import itertools
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import rusage
from rusage import _rusage
from rusage._cli import main
from rusage._cli.orphans import Descendants
from rusage._launcher import start
from rusage._rusage import ffi, lib

IMPORTED = [getattr(rusage, name) for name in rusage.__all__]  # while their files can be read
MIB, PAGE = 2**20, os.sysconf("SC_PAGESIZE")
NOBODY = 65534
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_THP_DISABLE = 1, 4, 36, 41
CLONE_VM = 0x100
LIBC = ctypes.CDLL(None)
STACK = ctypes.create_string_buffer(1 << 16)
TICK = 0.01  # seconds
NOISE = TICK / 10  # what a process may use until it sleeps

# --- Faults ---

# What each call can return, for the files of /proc too; EPERM where a filter refuses it. One error,
# as EIO, stands for all that the C does not name, and EMFILE for ENFILE, which it treats alike.
# "+": all later calls of this name in the step fail too, as long as no descriptor is free.
ERRORS = {
    call: errors
    for calls, errors in {
        "open openat": "EMFILE EMFILE+ EINTR EACCES ESRCH",
        "opendir": "EMFILE EMFILE+ EACCES",
        "read pread": "EIO EACCES ESRCH",
        "readlink access stat": "EIO EACCES",
        "readdir write fstat statfs fstatfs": "EIO",
        "poll": "ENOMEM EINTR",
        "kill SYS_pidfd_send_signal SYS_kcmp": "EPERM ESRCH",
        "getrlimit getrusage": "EPERM",
        "clock_gettime": "EINVAL",  # of a process that has ended
        "SYS_pidfd_open": "EMFILE EMFILE+ ENFILE ENOMEM EPERM ESRCH",
        "fdopendir malloc calloc realloc": "ENOMEM",
        # Of a start.
        "getresgid getresuid personality prctl SYS_capget": "EPERM EPERM+",
        "pthread_sigmask SYS_statx waitid": "EPERM EPERM+",
        "fcntl dup2 pipe2 SYS_memfd_create": "EMFILE EPERM EPERM+",
        "execve": "EPERM ENOENT EMFILE",
        "vfork": "EAGAIN EPERM+",
        "waitpid": "EPERM EINTR",
        "launcher": "EPERM ENOMEM SIGKILL",
    }.items()
    for call in calls.split()
}
ENDED = {"ESRCH", "EINVAL"}
OF_PROCESS = {"EACCES", "EPERM", *ENDED}
# For a process that lives, the kernel never says so, unlike ESRCH of a file in /proc, which it may
# return once while a thread executes a program.
FINAL = {
    ("clock_gettime", "EINVAL"),
    ("SYS_pidfd_open", "ESRCH"),
    ("SYS_pidfd_send_signal", "ESRCH"),
    ("kill", "ESRCH"),
}


class Fault(NamedTuple):
    """The call that fails: the n-th one of a name, from 0, in a step of a scene."""

    step: int
    call: str
    number: int
    error: str

    def __str__(self) -> str:
        return f"{self.error} of {self.call} {self.number + 1} in step {self.step}"

    def is_believed(self) -> bool:
        """Return whether it says something of a process, so that the reading may lack it."""
        return self.error in OF_PROCESS

    def lasts(self) -> bool:
        """Return whether all later calls fail too."""
        return self.error.endswith("+")

    def is_believed_later(self, *, at_end: bool) -> bool:
        """Return whether it says that a process has ended, so that later readings may lack it.

        A parent that does not run is asked for children in every eighth reading only.
        """
        return (self.call, self.error) in FINAL or (self.error in ENDED and not at_end)


def faults_of(step: int, calls: list[str]) -> Iterator[Fault]:
    for call, count in Counter(calls).items():
        for number in range(count):
            for error in ERRORS.get(call, "").split():
                yield Fault(step, call, number, error)


LIB = ctypes.PyDLL(_rusage.__file__)
LIB.faults_recorded.restype = ctypes.c_char_p
BLOCKS = ctypes.c_int.in_dll(LIB, "faults_blocks")
LAUNCHER = "launcher"  # a call of it, or of its child


def kept() -> tuple[int, int]:
    """Return the numbers of open files and of blocks of memory that C has not released."""
    return len(os.listdir("/proc/self/fd")), BLOCKS.value


def result_of(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:
        error.__traceback__ = error.__context__ = None  # they would keep what was not opened
        return error


def calls_of(function: Callable[[], Any]) -> tuple[Any, list[str]]:
    LIB.faults_record()
    return result_of(function), LIB.faults_recorded().decode().split()


def result_with(fault: Fault, function: Callable[[], Any]) -> tuple[Any, bool]:
    """Return the result of a function in which a call fails, and whether it has made that call."""
    error = getattr(errno, fault.error.rstrip("+"), -signal.SIGKILL)
    if fault.call == LAUNCHER:
        pending = Path("pending").absolute()
        pending.touch()
        os.environ["FAULT"] = f"{fault.number} {error} {pending}"
        result = result_of(function)
        del os.environ["FAULT"]
        return result, not pending.exists()
    LIB.faults_begin(fault.call.encode(), fault.number, error, fault.lasts())
    return result_of(function), bool(LIB.faults_end())


def wrong_error(error: Exception, fault: Fault | None) -> Iterator[str]:
    """Yield what is wrong with an exception after a call that has failed; None: none has."""
    if fault is None:
        yield f"raises {error!r}"
    elif not isinstance(error, OSError):
        yield f"raises {error!r}, which is no OSError"
    elif isinstance(error, ProcessLookupError) and not fault.is_believed():
        yield f"raises {error!r}: the process lives"


class Report:
    """Counts the errors that were tried, and prints what differed."""

    def __init__(self, scene: str) -> None:
        self.scene, self.tried, self.differed = scene, 0, 0
        self.calls: set[tuple[int, str, int]] = set()

    def add(self, fault: Fault | None, differences: list[str]) -> None:
        """Enter one run; an empty text is no difference."""
        differences = [text for text in differences if text]
        if fault is not None:
            self.tried += 1
            self.calls.add(fault[:3])
        self.differed += bool(differences)
        for text in differences:
            print(f"{self.scene}: {fault or 'no error'}: {text}")

    def end(self) -> int:
        """Print the numbers; return the exit status."""
        print(
            f"{self.scene}: {len(self.calls)} calls, {self.tried} errors tried, "
            f"{self.differed} differed"
        )
        return self.differed > 0


# --- Processes ---


def clock(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)


class Cast:
    """Processes that do what they are told; process 0 is the root."""

    def __init__(self, count: int) -> None:
        self.orders, self.answers = ([os.pipe() for _ in range(count)] for _ in range(2))
        self.pids: dict[int, int] = {}  # of those that live
        self.hidden: set[int] = set()  # the numbers of those that may not be read
        self.ended: dict[int, float] = {}
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        self.pids[0] = self._do_fork(0)
        self._answer(0)

    def _answer(self, who: int) -> int:
        return int(os.read(self.answers[who][0], 100))

    def tell(self, who: int, order: str, number: int = 0) -> int:
        """Let a process do something; return its answer."""
        os.write(self.orders[who][1], f"{order} {int(number)}".encode())
        return self._answer(who)

    def fork(self, who: int, child: int) -> None:
        """Let a process start another one, or one that uses its memory and does nothing."""
        self.pids[child] = self.tell(who, "share" if child == SHARING else "fork", child)
        assert self.pids[child] > 0
        if child != SHARING:
            self._answer(child)

    def end(self, who: int, parent: int) -> None:
        """Kill a process, and let its parent wait for it."""
        pid = self.pids.pop(who)
        self.hidden.discard(pid)
        pidfd = os.pidfd_open(pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        select.select([pidfd], [], [])
        os.close(pidfd)
        self.ended[pid] = clock(pid)
        self.tell(parent, "wait", pid)

    def show(self, who: int, *, shown: bool) -> None:
        """Let a process become one that may be read, or not, as a setuid program."""
        self.tell(who, "dumpable", shown)
        (self.hidden.discard if shown else self.hidden.add)(self.pids[who])

    def clocks(self) -> dict[int, float]:
        """Return the CPU times, also of those that have ended."""
        return {**self.ended, **{pid: clock(pid) for pid in self.pids.values()}}

    def close(self) -> None:
        """Kill those that live."""
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
        for fd in [fd for ends in [*self.orders, *self.answers] for fd in ends]:
            os.close(fd)
        while not isinstance(result_of(os.wait), OSError):
            pass

    # --- In the processes ---

    def _serve(self, me: int) -> None:
        try:
            block = bytearray(2 * MIB)
            block[::PAGE] = b"x" * len(range(0, len(block), PAGE))
            os.write(self.answers[me][1], b"0")
            while True:
                order, number = os.read(self.orders[me][0], 100).decode().split()
                answer = getattr(self, f"_do_{order}")(int(number))
                os.write(self.answers[me][1], b"%d" % (answer or 0))
        finally:
            os._exit(1)

    def _do_burn(self, ticks: int) -> None:
        end = time.process_time() + ticks * TICK
        while time.process_time() < end:
            pass

    def _do_fork(self, child: int) -> int:
        pid = os.fork()
        if pid == 0:
            self._serve(child)
        return pid

    def _do_share(self, _: int) -> int:
        top = ctypes.c_void_p((ctypes.addressof(STACK) + len(STACK)) // 64 * 64)
        pid: int = LIBC.clone(LIBC.pause, top, CLONE_VM | signal.SIGCHLD, None)
        return pid

    def _do_thread(self, _: int) -> None:
        threading.Thread(target=signal.pause, daemon=True).start()

    def _do_adopt(self, _: int) -> None:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def _do_dumpable(self, number: int) -> None:
        LIBC.prctl(PR_SET_DUMPABLE, number, 0, 0, 0)

    def _do_wait(self, pid: int) -> None:
        os.waitpid(pid, 0)

    def _do_signal(self, _: int) -> int:
        return signal.sigtimedwait([signal.SIGUSR1], 0) is not None


# --- Trees ---

SHARING = 9
COUNT = 10


def story(cast: Cast) -> Iterator[str]:
    """Let the processes of a tree do things; yield what all trees do then.

    The root adopts orphans. A parent and its child end three times: 1 and 2, which becomes one that
    may not be read; 3, which has threads, and 4; 5 and 6, both between two readings.
    """
    cast.tell(0, "adopt")
    for parent, child in (0, 1), (1, 2), (0, 3), (3, 4), (0, 5), (5, 6):
        cast.fork(parent, child)
    cast.fork(0, SHARING)
    cast.tell(3, "thread")
    yield "open"
    cast.tell(2, "burn", 10)
    cast.tell(4, "burn", 10)
    cast.tell(6, "burn", 4)
    yield "members"
    cast.show(2, shown=False)
    cast.end(1, parent=0)
    yield "sample"
    cast.end(2, parent=0)
    cast.fork(3, 7)
    cast.tell(7, "burn", 4)
    yield "sample"
    cast.end(7, parent=3)
    yield "pss"
    cast.end(3, parent=0)
    yield "sample"
    cast.end(4, parent=0)
    yield "sample"
    yield "signal"
    cast.end(5, parent=0)
    cast.end(6, parent=0)
    yield "sample"
    cast.end(SHARING, parent=0)
    cast.fork(0, 8)
    cast.tell(8, "burn", 4)
    cast.show(8, shown=False)
    yield "members"
    cast.show(8, shown=True)
    yield "members"
    yield "end"


def counts(sample: Any) -> tuple[int, int, int]:
    """Return what is equal in each sample of processes that sleep."""
    return sample.processes, sample.unread, sample.rss


class Reader:
    """A tree in which a call fails; the control has no fault."""

    def __init__(self, cast: Cast, fault: Fault | None) -> None:
        self.cast, self.fault = cast, fault
        self.tree: Any = None
        self.has_failed = False
        self.calls: list[str] = []  # of the last step
        self.before: dict[int, float] = {}  # clocks
        self.cputime, self.blocks = 0.0, 0
        self.differences: list[str] = []

    def operation(self, step: int, operation: str) -> str:
        """Return what this tree does: what takes long only where its call fails."""
        is_its_step = self.fault is None or self.fault.step == step
        return "sample" if operation in ("pss", "signal") and not is_its_step else operation

    def act(self, step: int, operation: str) -> tuple[Any, bool]:
        """Do what a step says; return the result or an exception, and whether a call has failed."""
        blocks = BLOCKS.value
        function, failed = getattr(self, f"_do_{operation}"), False
        if self.fault is None:
            result, self.calls = calls_of(function)
        elif self.fault.step == step:
            result, failed = result_with(self.fault, function)
            if self.tree is None:
                self._do_open()
        else:
            result = result_of(function)
        self.has_failed |= failed
        self.blocks += BLOCKS.value - blocks
        return result, failed

    def _do_open(self) -> None:
        self.before = self.cast.clocks()
        self.tree = rusage.Tree(self.cast.pids[0])

    def _do_members(self) -> Any:
        return self.tree.members()

    def _do_sample(self) -> Any:
        return self.tree.sample()

    def _do_end(self) -> Any:
        return [self.tree.sample() for _ in range(9)][-1]

    def _do_pss(self) -> Any:
        return self.tree.sample(pss=True)

    def _do_signal(self) -> tuple[Any, int]:
        """Return an exception or None, and to how many processes the signal did not come."""
        error = result_of(lambda: self.tree.send_signal(signal.SIGUSR1))
        told = [self.cast.tell(who, "signal") for who in self.cast.pids if who != SHARING]
        return error, told.count(0)

    def _do_close(self) -> None:
        self.tree.close()
        self.tree = None  # which frees all that C has

    # --- What is right ---

    def check(self, operation: str, outcome: tuple[Any, bool], control: Any) -> Iterator[str]:
        """Yield how the outcome of a step differs from the control's, or from the clocks."""
        result, failed = outcome
        fault = self.fault if failed else None
        may_lack = fault is not None and fault.is_believed()
        if self.fault is not None and self.has_failed:
            may_lack |= self.fault.is_believed_later(at_end=operation == "end")
        error, missed = result if operation == "signal" else (result, 0)
        if isinstance(error, Exception):
            yield from wrong_error(error, fault)
            if missed > 1 and not (fault and fault.lasts()):
                yield f"{missed} processes got no signal"
        elif operation == "signal" and missed and not may_lack:
            yield f"{missed} processes got no signal, without an exception"
        elif operation == "members":
            yield from self._differ_members(result, control, may_lack=may_lack)
        elif operation in ("sample", "pss", "end"):
            yield from self._differ_sums(result, control, may_lack=may_lack)

    def _has_believed(self) -> bool:
        return self.fault is not None and self.has_failed and self.fault.is_believed()

    def _differ_members(self, members: Any, control: Any, *, may_lack: bool) -> Iterator[str]:
        sizes, right = ({member.pid: member.rss for member in each} for each in (members, control))
        if may_lack:
            right = {pid: right[pid] for pid in {*sizes} & {*right}}
            sharing = self.cast.pids.get(SHARING, 0)  # where kcmp(2) fails
            right |= {pid: sizes[pid] for pid in {sharing} & {*sizes}}
        if sizes != right:
            yield f"sizes {sizes} instead of {right}"
        clocks = self.cast.clocks()
        for member in members:
            used = clocks.get(member.pid, 0) - self.before.get(member.pid, 0)
            least = 0 if self._has_believed() else used - NOISE
            if not least <= member.cputime <= used + NOISE:
                yield f"CPU time {member.cputime} of {member.pid} instead of {used}"

    def _differ_sums(self, sample: Any, control: Any, *, may_lack: bool) -> Iterator[str]:
        if isinstance(control, rusage.Sample):
            sums, right = counts(sample), counts(control)
            if sums[0] > right[0] if may_lack else sums != right:
                yield f"{sums} instead of {right}"
            if None not in (sample.pss, control.pss) and not may_lack:
                yield near(control.pss, MIB)(sample.pss, None)
        used = {pid: time - self.before.get(pid, 0) for pid, time in self.cast.clocks().items()}
        living = sum(used[pid] for pid in {*self.cast.pids.values()} - self.cast.hidden)
        least = 0 if self._has_believed() else living - NOISE
        # What is wrong without an error too counts once.
        most = max(sum(used.values()), getattr(control, "cputime", 0))
        if not least <= sample.cputime <= most + NOISE:
            yield f"CPU time {sample.cputime} where {most} s were used, {living} by the living"
        if sample.cputime < self.cputime:
            yield f"CPU time {sample.cputime} after {self.cputime}"
        self.cputime = sample.cputime

    def end(self, step: int, right: float) -> None:
        """Compare the last CPU time with the control's, and close the tree."""
        # A parent's time may lack two ticks for each child that only it has seen.
        if self.cputime < right - 2 * TICK * COUNT and not self._has_believed():
            self.differences.append(f"CPU time {self.cputime} at the end instead of {right}")
        self.act(step, "close")
        if self.blocks:
            self.differences.append(f"{self.blocks} blocks are left")


def play_story(faults: list[Fault]) -> tuple[list[Fault], Reader, list[Reader]]:
    possible: list[Fault] = []
    cast = Cast(COUNT)
    try:
        control = Reader(cast, None)
        readers = [control, *(Reader(cast, fault) for fault in faults)]
        step = -1
        for step, operation in enumerate(story(cast)):
            outcomes = [reader.act(step, reader.operation(step, operation)) for reader in readers]
            for reader, outcome in zip(readers, outcomes, strict=True):
                found = reader.check(reader.operation(step, operation), outcome, outcomes[0][0])
                reader.differences += [
                    f"step {step}, {operation}: {text}" for text in found if text
                ]
            possible += faults_of(step, control.calls)
        for reader in readers:
            reader.end(step + 1, control.cputime)
    finally:
        cast.close()
    return possible, control, readers[1:]


def play_trees(report: Report, mode: str, step: str) -> None:
    if mode == "listed":  # all processes are, as where the kernel has no lists of children
        LIB.faults_refuse(b"access")
    at_once = 200
    possible, control, _ = play_story([])
    report.add(None, control.differences)
    faults = [fault for fault in possible if step in ("", str(fault.step))]
    open_before = len(os.listdir("/proc/self/fd"))
    for at in range(0, len(faults), at_once):
        for reader in play_story(faults[at : at + at_once])[2]:
            if reader.has_failed:
                report.add(reader.fault, reader.differences)
    if len(os.listdir("/proc/self/fd")) != open_before:
        report.add(None, ["files are left"])


# --- What ends between two calls of one reading ---

# The root adopts orphans, and otherwise does nothing; 1 is its child, 2 is a child of 1, 3 of 2.
CHAIN = [1, 2, 3]
# Which of them end in turn, and how many calls there are between two ends; 0: none.
ENDS = [
    (ends, pause)
    for count in CHAIN
    for ends in itertools.permutations(CHAIN, count)
    for pause in ([0, 7] if count > 1 else [0])
]


def end_meanwhile(cast: Cast, tree: Any, case: int, number: int) -> tuple[bool, list[str]]:
    """Let processes end, the first one before a call of a reading, from 1.

    Return whether the reading has made that call, and what is wrong with the tree's CPU time.
    """
    ends, pause = ENDS[case]
    for who in CHAIN:
        cast.fork(who - 1, who)
    # More than what the parents' times lack, which are cut: otherwise that hides what counts twice.
    cast.tell(ends[0], "burn", 3)
    tree.sample()
    tree.sample()  # reads the root quickly
    left = [*ends]

    def end_next() -> None:
        while left:
            who = left.pop(0)
            cast.end(who, parent=who - 1 if who - 1 in cast.pids else 0)
            if pause:
                LIB.faults_happen(at_call, pause)
                return

    at_call = ctypes.CFUNCTYPE(None)(end_next)
    LIB.faults_happen(at_call, number)
    differences = []
    for _ in range(3):
        found, used = tree.cputime(), sum(cast.clocks().values())
        if found > used + NOISE:
            differences.append(f"CPU time {found} instead of {used}")
    LIB.faults_happen(at_call, 0)
    for who in reversed(CHAIN):
        if who in cast.pids:
            cast.end(who, parent=who - 1 if who - 1 in cast.pids else 0)
    return len(left) < len(ends), differences


def play_meanwhile(report: Report, step: str) -> None:
    """Let processes end, and be waited for, before each call: no time counts twice.

    The tree is opened before they start: its CPU time then lacks only what is cut in their parents.
    *step*: a case, and before each which call; by default, all cases and calls.
    """
    only, _, each = step.partition("/")
    for case in [int(only)] if step else range(len(ENDS)):
        cast, number, has_happened = Cast(len(CHAIN) + 1), 1, True
        with Descendants() as tree:
            cast.tell(0, "adopt")
            while has_happened:
                has_happened, differences = end_meanwhile(cast, tree, case, number)
                report.add(Fault(case, "call", number - 1, "end"), differences)
                number += int(each or 1)
        cast.close()


# --- What is read at once ---


def each_fails(
    report: Report,
    step: int,
    action: Callable[[], Any],
    differs: Differs,
    *,
    launches: bool = False,
) -> None:
    """``differs`` returns how a result differs; the fault is None for a call that has none."""
    result, calls = calls_of(action)
    report.add(None, [repr(result) if isinstance(result, Exception) else differs(result, None)])
    for fault in faults_of(step, calls + [LAUNCHER] * 20 * launches):
        before = kept()
        result, failed = result_with(fault, action)
        if not failed:
            continue
        if isinstance(result, Exception):
            found = [*wrong_error(result, fault)]
        else:
            found = [differs(result, fault)]
        result = result_of(action)
        if isinstance(result, Exception):
            found += [f"later: {text}" for text in wrong_error(result, None)]
        elif text := differs(result, None):
            found.append(f"later: {text}")
        left = kept()[0] - before[0], kept()[1] - before[1]
        if left not in {(0, 0), (fault.call == "close", 0)}:
            found.append(f"files and blocks are left: {left}")
        report.add(fault, found)


Differs = Callable[[Any, Fault | None], str]


def near(right: Any, error: float) -> Differs:
    def differs(found: Any, _: Fault | None) -> str:
        is_right = found == right or (error and abs(found - right) <= error)
        return "" if is_right else f"{found} instead of {right}"

    return differs


def play_process(report: Report) -> None:
    cast = Cast(1)
    pid = cast.pids[0]
    cast.tell(0, "burn", 4)

    def open_it() -> float:
        with rusage.Process(pid) as opened:
            return opened.cputime()

    with rusage.Process(pid) as process:
        actions: dict[Callable[[], Any], float] = {open_it: NOISE, process.cputime: NOISE}
        actions |= {process.rss: 0, process.peak: 0, process.pss: MIB, process.getrusage: 0}
        for step, (action, error) in enumerate(actions.items()):
            each_fails(report, step, action, near(action(), error))
    cast.close()


def play_memory(report: Report) -> None:
    for step, action in enumerate([rusage.rss, rusage.peak, rusage.pss]):
        each_fails(report, step, action, near(action(), 4 * MIB))


def play_block(report: Report) -> None:
    def use(mib: int) -> int:
        block = bytearray(mib * MIB)
        block[::PAGE] = b"x" * len(range(0, len(block), PAGE))
        return rusage.rss()

    def measure_blocks() -> list[tuple[int, int]]:
        with rusage.measure(reset_peak=True) as outer:
            used = use(16)
            with rusage.measure(reset_peak=True) as inner:
                used_inside = use(8)
        peaks = (outer, max(used, used_inside)), (inner, used_inside)
        return [(block.peak, right) for block, right in peaks if "peak" in block.measured]

    def differs(found: list[tuple[int, int]], fault: Fault | None) -> str:
        if fault is None and len(found) < 2:
            return "not measured"
        return "".join(near(right, MIB)(peak, None) for peak, right in found)

    measure_blocks()  # which allocates for the marks
    each_fails(report, 0, measure_blocks, differs)


# --- Starts ---

# Without a child, which would be an orphan, and this process's, if the shell is killed.
PROGRAM = ["/bin/sh", "-c", "echo out; exec >>log; ulimit -n; umask; echo /proc/self/fd/*"]
STARTS: list[dict[str, Any]] = [
    {"stdout": subprocess.DEVNULL},
    {"close_fds": False, "stdout": subprocess.PIPE, "cwd": ".", "start_new_session": True}
    | {"rlimits": {resource.RLIMIT_NOFILE: (64, 64)}, "umask": 0o22, "env": os.environ},
]


def play_start(report: Report) -> None:
    ERRORS.update({"close": "EPERM", "read": "EINTR EPERM EPERM+", "pread": "EPERM EPERM+"})
    log = Path("log")

    def start_it(call: dict[str, Any]) -> tuple[Any, ...]:
        log.write_text("")
        start.__dict__["_retry_at"] = 0.0
        is_measured, output, left = False, None, 0
        try:
            process = rusage.Popen(PROGRAM, **call)
            output = process.communicate()[0]
            is_measured, outcome = "ru_maxrss" in process.measured, f"status {process.returncode}"
        except OSError as error:
            outcome = f"errno {error.errno}"
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        while isinstance(result_of(lambda: os.waitpid(-1, 0)), tuple):
            left += 1
        return is_measured, outcome, output or b"", log.read_text(), left

    for step, call in enumerate(STARTS):
        usual = start_it(call)

        def differs(found: Any, fault: Fault | None, usual: Any = usual) -> str:
            right = [usual[1:]]
            if fault is not None and fault.error == "SIGKILL":
                right.append(("status -9", b"", "", 0))
            elif fault is not None and (fault.number or not fault.lasts()):  # not always refused
                number = getattr(errno, fault.error.rstrip("+"))
                log = found[3] if usual[3].startswith(found[3]) else ""
                right.append((f"errno {number}", b"", log, 0))
            return "" if found[1:] in right and (fault or found[0]) else f"{found}"

        each_fails(report, step, functools.partial(start_it, call), differs, launches=True)

    def open_channel() -> None:
        if error := lib.rusage_channel_open(channel, ffi.NULL, 0):
            raise OSError(error, "")
        lib.rusage_channel_close(channel)

    channel = ffi.new("rusage_channel *", {"memory": -1, "read_end": -1, "write_end": -1})
    each_fails(report, len(STARTS), open_channel, near(None, 0))


# --- The command ---

PAUSE = ["/bin/sleep", "0.2"]
COMMANDS = [
    PAUSE,
    ["--tree", *PAUSE],
    ["--limit-tree-rss", "1", "--kill", *PAUSE],
    ["--limit-tree-pss", "1", *PAUSE],
    ["--limit-cputime", "9", "-n", "3", *PAUSE],
    ["--tree", "--interval", "0.02", "--pid"],
]
PATIENCE = 15  # seconds for a command: its program takes 0.2 of them, and what follows at most 10


def run_refused(words: list[str], calls: int, error: int) -> tuple[int | None, bool, str]:
    """Run the command in a forked child in which all calls but the first ones fail.

    Return its exit status, None if it was killed since it did not end; whether it has made a call
    that failed; and what it has written.
    """
    with open("output", "w+") as output, open("failed", "w+") as failed:
        pid = os.fork()
        if pid == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            LIB.faults_allow(calls, error)
            try:
                status = main.main(words)
            except BaseException:
                traceback.print_exc()
                status = 1
            failed.write("yes" * LIB.faults_end())
            failed.flush()
            os._exit(status)
        pidfd = os.pidfd_open(pid)
        has_ended = select.select([pidfd], [], [], PATIENCE)[0]
        os.close(pidfd)
        os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        output.seek(0)
        failed.seek(0)
        return status if has_ended else None, bool(failed.read()), output.read()


def play_command(report: Report, step: str) -> None:
    """Refuse all calls from each one on: the command ends, and says why it cannot do its task.

    *step*: a command, and after each how many calls; by default, all commands and calls.
    """
    only, _, each = step.partition("/")
    for number in [int(only)] if step else range(len(COMMANDS)):
        for error in errno.ENOMEM, errno.EPERM:
            calls, has_failed = 0, True
            while has_failed:
                words = COMMANDS[number]
                with subprocess.Popen(PAUSE) as running:
                    if words[-1] == "--pid":
                        words = [*words, str(running.pid)]
                    status, has_failed, output = run_refused(words, calls, error)
                fault = Fault(number, "call", calls, f"all: {errno.errorcode[error]}")
                wrong = "Traceback" in output or status not in {0, 123, 125, 126, 137, 143}
                text = f"status {status}: {output}" * (wrong or (status == 125 and not output))
                report.add(fault, [text])
                calls += int(each or 1)


def main_of_scene() -> int:
    scene, step = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.chdir("/mnt")
    shutil.copy(start.PATH, "launcher")
    start.PATH = os.path.abspath("launcher")
    kind, _, mode = scene.partition(" ")
    if kind != "command":  # which imports what it needs, and may do so late
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after an exec
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # setuid(2) has undone unshare's
    LIBC.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)  # the kernel may join pages of processes that sleep
    report = Report(scene)
    if kind == "trees":
        play_trees(report, mode, step)
    elif kind in ("meanwhile", "command"):
        globals()[f"play_{kind}"](report, step)
    else:
        globals()[f"play_{kind}"](report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main_of_scene())
