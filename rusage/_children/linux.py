"""Linux: start a child through the launcher, which gives it a peak of its own, if that is possible."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, AnyStr

from .._fields import RUsage  # noqa: TC001 (for typing.get_type_hints)
from .._rusage import lib
from . import launcher
from . import launcher_availability as availability
from . import launcher_protocol as protocol
from .base import clock
from .patched import PARAMETERS, pipes_of

if sys.platform == "linux":
    from .limits import limit_error
    from .posix import PosixPopen

assert sys.platform == "linux"  # noqa: S101 (for the type checkers)


# Arguments that subprocess must not apply to the launcher: the child that it creates applies them.
_LEFT_TO_CHILD: dict[str, Any] = {
    "shell": False,
    "uid": None,
    "gid": None,
    "gids": None,
    "start_new_session": False,
}
if "process_group" in PARAMETERS:
    _LEFT_TO_CHILD["process_group"] = -1


class LinuxPopen(PosixPopen[AnyStr]):
    """Start a child through the launcher; wait as on other POSIX systems."""

    pid: int
    _launching: launcher.Launch | None = None
    """Set during a start through the launcher."""

    def _close_pipe_fds(self, *fds: int) -> None:
        if self._launching is None:
            super()._close_pipe_fds(*fds)
        else:
            # Called before subprocess waits for exec. The child's pipe ends stay open, since a direct start may follow.
            self._launching.note_launcher(self.pid)

    def _start_child(self, call: dict[str, Any]) -> None:
        if call["env"] is not None:
            call["env"] = protocol.read_once(call["env"])
        if not self._start_by_launcher(call):
            super()._start_child(call)
        if self.returncode is None:
            launcher.children[self.pid] = launcher.boottime()

    def _saw_exit(self, usage: RUsage | None) -> None:
        super()._saw_exit(usage)
        launcher.children.pop(self.pid, None)

    def _internal_poll(self, _deadstate: int | None = None, _forget: Any = launcher.children.pop) -> int | None:
        returncode = super()._internal_poll(_deadstate)
        if _deadstate is not None and returncode is not None:  # without a call of _saw_exit()
            _forget(self.pid, None)
        return returncode

    def _start_by_launcher(self, call: dict[str, Any], *, search_all: bool = False) -> bool:
        """Start the child through the launcher; return False, with nothing started, if that is not possible."""
        ids = call["uid"], call["gid"], call["gids"]
        other_ids = ids[0] is not None or ids[1] is not None or ids[2] is not None  # a number may be equal to anything
        if not _may_use_launcher(call) or not availability.usable(other_ids=other_ids):
            return False
        keep = call["pass_fds"] if call["close_fds"] and availability.use_close_range else None
        try:
            if call["env"] is not None and not protocol.is_plain_environment(call["env"]):
                return False
            arguments, program, name, folders = protocol.resolve(
                call["args"], call["executable"], call["env"], shell=call["shell"]
            )
            _check_fds(call)
            launch: launcher.Launch = launcher.Launch()
        except _ARGUMENT_ERRORS as error:
            if not _raised_here(error):
                raise
            return False
        with launch:
            try:
                paths, launch.first_only = protocol.find_paths(
                    name, folders, call["cwd"], other_ids=other_ids, search_all=search_all
                )
                command = protocol.command_line(
                    arguments,
                    paths,
                    *launch.inherited_fds,
                    session=call["start_new_session"],
                    process_group=call.get("process_group", -1),
                    ids=protocol.id_numbers(*ids) if other_ids else protocol.SAME_IDS,
                    keep=keep,
                    limits=self._limits,
                    first_only=launch.first_only,
                )
            except _ARGUMENT_ERRORS as error:
                if not _raised_here(error):
                    raise
                return False
            if not search_all:  # else it has been raised; subprocess raises an audit event only for the launcher
                sys.audit("subprocess.Popen", program, arguments, call["cwd"], call["env"])
            result = self._launch(launch, command, call, close_fds=call["close_fds"] and keep is None)
        if result.outcome == launcher.Outcome.NOT_FIRST:
            self._forget_start()
            return self._start_by_launcher(call, search_all=True)
        return self._adopt_child(result, program, call)

    def _adopt_child(self, result: launcher.Result, program: Any, call: dict[str, Any]) -> bool:
        """Take over the child; return False if there is none and a direct start may succeed.

        Raises the exception that says why there is none if a direct start would fail too.
        """
        if result.pid:
            super()._close_pipe_fds(*pipes_of(call))
            self.pid, self._peak_isolated = result.pid, result.outcome == launcher.Outcome.ISOLATED
            if result.outcome == launcher.Outcome.KILLED:
                self._saw_exit(None)
                self._handle_exitstatus(result.status)
            elif result.outcome == launcher.Outcome.LOST:  # as in subprocess if another caller has waited for it
                self._saw_exit(None)
                self.returncode = 0
            return True
        self._forget_start()
        if result.step == lib.LAUNCHER_LIMITS:
            raise limit_error(result.error)
        if result.outcome == launcher.Outcome.NOT_EXECUTED:
            filename = program if result.step == lib.LAUNCHER_EXEC else None
            raise OSError(result.error, os.strerror(result.error), filename)
        return False

    def _forget_start(self) -> None:
        self.pid = self.returncode = None  # type: ignore[assignment]  # as in subprocess before a start
        self._child_created = False

    def _launch(
        self, launch: launcher.Launch, command: list[Any], call: dict[str, Any], *, close_fds: bool
    ) -> launcher.Result:
        """Execute the launcher. If an exception is raised, nothing is left running."""
        self._launching = launch
        started = False
        self._began = clock()
        try:
            super(PosixPopen, self)._execute_child(  # subprocess's
                **{
                    **call,
                    **_LEFT_TO_CHILD,
                    "args": command,
                    "executable": availability.PATH,
                    "close_fds": close_fds,
                    "pass_fds": (*call["pass_fds"], *launch.inherited_fds),
                }
            )
            started = True
            return launch.wait_for_exec(self.pid)
        except BaseException as error:
            if not started and self._child_created and availability.is_own_failure(error, call["cwd"]):
                availability.note_failure(error)
                return launcher.Result(launcher.Outcome.NOT_STARTED)
            # subprocess may not have seen the launcher's ID, or may have reaped it.
            if launch.abort(self.pid if self.returncode is None else 0) or started:
                # The child has been killed and reaped.
                self._saw_exit(None)
                self.returncode = -lib.SIGKILL
                raise
            if not isinstance(error, _ARGUMENT_ERRORS) or not _raised_here(error):
                raise  # a signal handler raised it
            if self._child_created and (not isinstance(error, OSError) or _is_final(error)):
                raise  # a direct start would fail in the same way
            return launcher.Result(launcher.Outcome.NOT_STARTED)
        finally:
            self._launching = None


def _may_use_launcher(call: dict[str, Any]) -> bool:
    # preexec_fn must run in the child itself.
    if call["preexec_fn"] is not None:
        return False
    # Before Python 3.13, subprocess passes on a replaced os.environ only where it uses posix_spawn(3).
    return call["env"] is not None or call["close_fds"] or not protocol.is_replaced_environment()


def _check_fds(call: dict[str, Any]) -> None:
    """Raise ``OSError`` if a descriptor is closed: the launcher's descriptors could get its number."""
    for fd in call["pass_fds"] + pipes_of(call):
        if fd != -1:
            os.fstat(fd)


def _is_final(error: OSError) -> bool:
    """Return whether subprocess's child would fail with this error however subprocess starts it.

    This is so for an error of the directory. An error of a descriptor has another file name if subprocess uses
    posix_spawn(3), which PyPy does not have.
    """
    return error.filename is not None or not hasattr(os, "posix_spawn")


def _raised_here(error: BaseException) -> bool:
    """Return whether this package or a module that it calls raised an error, and not a signal handler.

    A handler may raise an error of the same types, such as ``TimeoutError``, between any two instructions of a start;
    a direct start would then discard it. Signals cannot be kept from other threads, which the main thread's handlers
    serve too, so only the innermost frame tells the two apart: a handler written in Python has a frame of its own. An
    ``OSError`` that PyThreadState_SetAsyncExc() raises has no such frame, but also no errno.
    """
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = "" if traceback is None else traceback.tb_frame.f_globals.get("__name__", "")
    if isinstance(error, OSError) and error.errno is None:
        return False
    return module.partition(".")[0] in {"rusage", "subprocess", "os"}


# Raised for invalid arguments; a direct start then makes subprocess raise the documented exception.
# subprocess needs less memory for the arguments than the launcher.
_ARGUMENT_ERRORS = (
    *(AttributeError, LookupError, MemoryError, OSError, OverflowError, TypeError, ValueError),
    subprocess.SubprocessError,
)
