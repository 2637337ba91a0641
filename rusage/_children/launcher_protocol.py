"""The protocol between this process and the launcher (Linux only): the command line and the reports.

The first argument contains decimal numbers, the first of which is the version of this protocol. The launcher checks
each number, and starts nothing if one is invalid, for example because the package has been upgraded since this process
imported it.

The launcher reports through two descriptors. The kernel stores the child's process ID in a memfd, which the
launcher maps. The other descriptor is a close-on-exec pipe. End-of-file means that the child has executed its program
or has been killed. A report of two numbers before end-of-file means that the child could not execute it, and why.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Mapping
from operator import index

from .._rusage import ffi, lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

assert sys.platform == "linux"  # noqa: S101 (for the type checkers)

VERSION = lib.LAUNCHER_VERSION
_MAX_ERRNO = 4095
_MEMORY = struct.Struct("=ii")  # the process IDs of the child and of the launcher
_REPORT = struct.Struct("=ii")  # a step and an errno


# os.environ and os.environb share their variables, unless another mapping replaced os.environ before this import.
_environb = os.environb
_environ = os.environ if isinstance(os.environ, type(_environb)) else None
# Reading these has no effect on them.
_PLAIN = {dict, type(_environb)}


class _ReadOnce(dict["Any", "Any"]):
    """The variables of a mapping as one reading returned them. The search for the program reads the mapping again."""

    def __init__(self, env: Mapping[Any, Any], items: list[Any]) -> None:
        super().__init__(items)
        self._env = env

    def __getitem__(self, name: Any) -> Any:
        return self._env[name]

    def get(self, name: Any, default: Any = None) -> Any:
        return self._env.get(name, default)


def read_once(env: Any) -> Any:
    """Return an environment that several attempts can read, although a mapping may change when it is read.

    os.get_exec_path() looks for two variables, and a ``defaultdict`` then contains them. subprocess reads all first.
    A mapping that names a variable twice stays as it is.
    """
    if not isinstance(env, Mapping) or type(env) in _PLAIN:
        return env
    items = list(env.items())
    copy = _ReadOnce(env, items)
    return copy if len(copy) == len(items) else env


def is_plain_environment(env: Any) -> bool:
    """Return whether an environment is a mapping without equal names, an empty name or one that contains "=".

    How subprocess treats other environments depends on how it starts the child. ``env``: a result of ``read_once``.
    """
    if type(env) not in _PLAIN and not isinstance(env, _ReadOnce):
        return False
    return all(name and b"=" not in name for name in map(os.fsencode, env))


def is_replaced_environment() -> bool:
    """Return whether another mapping has replaced ``os.environ``, which then has no effect on the environment."""
    return os.environ is not _environ


def resolve(args: Any, executable: Any, env: Any, *, shell: bool) -> tuple[list[Any], Any, bytes, bytes]:
    """Return the arguments, the program as given and as bytes, and the folders to search for it, as in PATH.

    May raise on invalid arguments; the caller then falls back to subprocess, which raises the documented exception.
    """
    if shell and isinstance(args, os.PathLike):
        raise TypeError
    if not isinstance(args, list) and isinstance(args, (str, bytes, os.PathLike)):  # the second is slow for a list
        args = [args]
    arguments = list(args)
    # The behaviour of subprocess depends on how it starts the child.
    if not arguments or (executable is not None and not shell and not os.fsencode(arguments[0])):
        raise IndexError
    if shell:
        arguments = [executable or "/bin/sh", "-c", *arguments]
    program = executable if executable is not None else arguments[0]
    name = os.fsencode(program)
    if b"/" in name:
        folders = b""
    elif env is None and not is_replaced_environment():  # the same as os.get_exec_path(), but faster
        path = _environb.get(b"PATH")
        folders = os.fsencode(os.defpath) if path is None else path
    else:
        folders = b":".join(os.fsencode(folder) for folder in os.get_exec_path(env))
    if b"\0" in name or b"\0" in folders:
        raise ValueError
    return arguments, program, name, folders


def find_paths(name: bytes, folders: bytes, cwd: Any, *, other_ids: bool, search_all: bool) -> tuple[list[bytes], bool]:
    """Return the paths for the launcher's child, and whether it may try only the first.

    They begin with the program that was found first: the others are seldom needed, and are checked only with
    ``search_all``. If that program cannot be executed, an earlier path's error is the one to raise, as in subprocess.
    Raises ``OSError`` if a path, relative to the directory ``cwd``, may lead the launcher's child elsewhere. Call it
    when the launcher's descriptors are open: ``/dev/fd`` shows subprocess's descriptors otherwise.
    """
    directory = ffi.NULL if cwd is None else os.fsencode(cwd)
    number = lib.rusage_find_program(directory, folders, name, other_ids, search_all)
    if number < 0:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    candidates = folders.split(b":")
    left = candidates[number:] or candidates
    paths = [folder + name if folder[-1:] in {b"", b"/"} else folder + b"/" + name for folder in left]
    return paths, number < len(candidates) > 1


SAME_IDS: tuple[int, ...] = (0, 0, 0, 0)


def id_numbers(user: int | None, group: int | None, groups: Sequence[int] | None) -> tuple[int, ...]:
    """Return the launcher's flags and arguments: the flags, user, group, number of groups and the groups.

    Raises an exception for an invalid ID; the caller then falls back to subprocess, which raises its own.
    """
    flags = 0 if user is None else lib.LAUNCHER_SET_USER
    flags |= 0 if group is None else lib.LAUNCHER_SET_GROUP
    flags |= 0 if groups is None else lib.LAUNCHER_SET_GROUPS
    numbers = [0 if number is None else index(number) for number in (user, group, *(groups or ()))]
    out_of_range = not all(0 <= number <= lib.LAUNCHER_MAX_ID for number in numbers)
    if out_of_range or len(numbers) - 2 > lib.LAUNCHER_MAX_GROUPS:
        raise OverflowError
    return (flags, *numbers[:2], len(numbers) - 2, *numbers[2:])


def _halves(limits: Iterable[int]) -> list[int]:
    """Return the higher and the lower 32 bits of limits, which may be negative: -1 is RLIM_INFINITY."""
    return [half for limit in limits for half in divmod(limit % 2**64, 2**32)]


def command_line(  # noqa: PLR0913 (the parameters of subprocess)
    arguments: list[Any],
    paths: list[bytes],
    done: int,
    memory: int,
    *,
    session: int = False,
    process_group: int = -1,
    ids: tuple[int, ...] = SAME_IDS,
    keep: Iterable[int] | None = None,
    limits: Sequence[tuple[int, int, int]] = (),
    first_only: bool = False,
) -> list[Any]:
    """Return the launcher's command line for a program with these arguments, to be searched in these paths.

    ``done``, ``memory``: the descriptors through which the launcher reports. ``keep``: the descriptors above 2 that the
    child inherits; None: all inheritable ones. ``ids``: see ``id_numbers``. ``limits``: resources with their soft and
    hard limits. ``first_only``: a child tries only the first path. A negative process group means "unchanged", as in
    subprocess.
    """
    flags, *id_list = ids
    if index(session):
        flags |= lib.LAUNCHER_SET_SESSION
    if first_only:
        flags |= lib.LAUNCHER_FIRST_ONLY
    process_group = index(process_group)
    if process_group >= 0:
        flags |= lib.LAUNCHER_SET_PROCESS_GROUP
    fds: list[int] = []
    if keep is not None:
        flags |= lib.LAUNCHER_CLOSE_OTHERS
        fds = sorted({done, *map(int, keep)})
    greatest = lib.LAUNCHER_MAX_INT
    out_of_range = not -greatest - 1 <= process_group <= greatest or not all(0 <= fd <= greatest for fd in fds)
    if out_of_range or len(limits) > lib.LAUNCHER_MAX_LIMITS:
        raise OverflowError
    limit_numbers = [number for resource, *pair in limits for number in (resource, *_halves(pair))]
    numbers = [VERSION, flags, os.getpid(), memory, done, max(process_group, 0), *id_list]
    numbers += [len(limits), *limit_numbers, len(fds), *fds, len(paths)]
    return ["rusage", " ".join(map(str, numbers)), *paths, *arguments]


def read_pids(memory: int) -> tuple[int, int]:
    """Return the process IDs of the child and the launcher; 0 if unset, or if another process has cut them off."""
    data = os.pread(memory, _MEMORY.size, 0)
    pids: tuple[int, int] = _MEMORY.unpack(data.ljust(_MEMORY.size, b"\0"))
    return pids


def read_report(pipe: int) -> tuple[int, int]:
    """Return the next step and errno that were reported; zeros at the end of the pipe."""
    data = os.read(pipe, _REPORT.size)
    if not data:
        return 0, 0
    step, error = _REPORT.unpack(data.ljust(_REPORT.size, b"\xff"))
    return step, error


def is_known_report(step: int, error: int) -> bool:
    """Return whether a report, or the end of the pipe, says how a start ended."""
    if step == 0:
        return error == 0
    return step in {lib.LAUNCHER_BEFORE_EXEC, lib.LAUNCHER_EXEC, lib.LAUNCHER_LIMITS} and 0 < error <= _MAX_ERRNO
