"""For type checkers: ``Popen``, ``run`` and ``asyncio.run`` with the signatures of typeshed's ``subprocess``.

This module does not exist at run time. ``tests/tools/typing_compare.py`` compares it with ``subprocess``, call by call.
"""

import sys
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import IO, Any, AnyStr, Literal, ParamSpec, TypeAlias, TypedDict, overload

from _typeshed import ReadableBuffer, StrOrBytesPath
from typing_extensions import Unpack

from . import popen

_P = ParamSpec("_P")

# Type checkers keep all overloads of a function that is passed for a ParamSpec.
def _async(
    function: Callable[_P, popen.CompletedProcess[AnyStr]], /
) -> Callable[_P, Coroutine[Any, Any, popen.CompletedProcess[AnyStr]]]: ...

_Command: TypeAlias = StrOrBytesPath | Sequence[StrOrBytesPath]
_File: TypeAlias = int | IO[Any] | None
_Path: TypeAlias = StrOrBytesPath | None
_Function: TypeAlias = Callable[[], object] | None
if sys.platform == "win32":
    _Env: TypeAlias = Mapping[str, str] | None
else:
    _Env: TypeAlias = Mapping[bytes, StrOrBytesPath] | Mapping[str, StrOrBytesPath] | None

class _OptionsOf310(TypedDict, total=False):
    """The arguments that do not depend on the type of the text."""

    user: str | int | None
    group: str | int | None
    extra_groups: Iterable[str | int] | None
    umask: int
    pipesize: int
    rlimits: Mapping[int, tuple[int, int]] | None

if sys.version_info >= (3, 11):
    class _Options(_OptionsOf310, total=False):
        """As above, with the argument of Python 3.11."""

        process_group: int | None

else:
    _Options = _OptionsOf310

# Checkers do not infer the type variable of a subclass from the overloads of its base class. Each overload has all
# parameters, in subprocess's order; they differ in text, encoding, errors and universal_newlines.
# fmt: off
class Popen(popen.Popen[AnyStr]):
    """``subprocess.Popen`` with the resource usage of its child."""

    @overload
    def __init__(
        self: Popen[str],
        args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
        stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
        env: _Env = ..., universal_newlines: bool | None = ..., startupinfo: Any = ..., creationflags: int = ...,
        restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ..., *,
        text: bool | None = ..., encoding: str, errors: str | None = ..., **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[str],
        args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
        stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
        env: _Env = ..., universal_newlines: bool | None = ..., startupinfo: Any = ..., creationflags: int = ...,
        restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ..., *,
        text: bool | None = ..., encoding: str | None = ..., errors: str, **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[str],
        args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
        stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
        env: _Env = ..., *, universal_newlines: Literal[True], startupinfo: Any = ..., creationflags: int = ...,
        restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ...,
        text: bool | None = ..., encoding: str | None = ..., errors: str | None = ..., **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[str],
        args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
        stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
        env: _Env = ..., universal_newlines: Literal[True] | None = ..., startupinfo: Any = ...,
        creationflags: int = ..., restore_signals: bool = ..., start_new_session: bool = ...,
        pass_fds: Collection[int] = ..., *,
        text: Literal[True], encoding: str | None = ..., errors: str | None = ..., **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[bytes],
        args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
        stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
        env: _Env = ..., universal_newlines: Literal[False] | None = ..., startupinfo: Any = ...,
        creationflags: int = ..., restore_signals: bool = ..., start_new_session: bool = ...,
        pass_fds: Collection[int] = ..., *,
        text: Literal[False] | None = ..., encoding: None = ..., errors: None = ..., **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[Any],
        args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
        stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
        env: _Env = ..., universal_newlines: bool | None = ..., startupinfo: Any = ..., creationflags: int = ...,
        restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ..., *,
        text: bool | None = ..., encoding: str | None = ..., errors: str | None = ..., **options: Unpack[_Options],
    ) -> None: ...

@overload
def run(
    args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
    stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
    env: _Env = ..., universal_newlines: bool | None = ..., startupinfo: Any = ..., creationflags: int = ...,
    restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ..., *,
    capture_output: bool = ..., check: bool = ..., encoding: str | None = ..., errors: str | None = ...,
    input: str | None = ..., text: Literal[True], timeout: float | None = ...,
    **options: Unpack[_Options],
) -> popen.CompletedProcess[str]: ...
@overload
def run(
    args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
    stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
    env: _Env = ..., universal_newlines: bool | None = ..., startupinfo: Any = ..., creationflags: int = ...,
    restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ..., *,
    capture_output: bool = ..., check: bool = ..., encoding: str, errors: str | None = ...,
    input: str | None = ..., text: bool | None = ..., timeout: float | None = ...,
    **options: Unpack[_Options],
) -> popen.CompletedProcess[str]: ...
@overload
def run(
    args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
    stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
    env: _Env = ..., universal_newlines: bool | None = ..., startupinfo: Any = ..., creationflags: int = ...,
    restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ..., *,
    capture_output: bool = ..., check: bool = ..., encoding: str | None = ..., errors: str,
    input: str | None = ..., text: bool | None = ..., timeout: float | None = ...,
    **options: Unpack[_Options],
) -> popen.CompletedProcess[str]: ...
@overload
def run(
    args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
    stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
    env: _Env = ..., *, universal_newlines: Literal[True], startupinfo: Any = ..., creationflags: int = ...,
    restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ...,
    capture_output: bool = ..., check: bool = ..., encoding: str | None = ..., errors: str | None = ...,
    input: str | None = ..., text: bool | None = ..., timeout: float | None = ...,
    **options: Unpack[_Options],
) -> popen.CompletedProcess[str]: ...
@overload
def run(
    args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
    stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
    env: _Env = ..., universal_newlines: Literal[False] | None = ..., startupinfo: Any = ..., creationflags: int = ...,
    restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ..., *,
    capture_output: bool = ..., check: bool = ..., encoding: None = ..., errors: None = ...,
    input: ReadableBuffer | None = ..., text: Literal[False] | None = ..., timeout: float | None = ...,
    **options: Unpack[_Options],
) -> popen.CompletedProcess[bytes]: ...
@overload
def run(
    args: _Command, bufsize: int = ..., executable: _Path = ..., stdin: _File = ..., stdout: _File = ...,
    stderr: _File = ..., preexec_fn: _Function = ..., close_fds: bool = ..., shell: bool = ..., cwd: _Path = ...,
    env: _Env = ..., universal_newlines: bool | None = ..., startupinfo: Any = ..., creationflags: int = ...,
    restore_signals: bool = ..., start_new_session: bool = ..., pass_fds: Collection[int] = ..., *,
    capture_output: bool = ..., check: bool = ..., encoding: str | None = ..., errors: str | None = ...,
    input: ReadableBuffer | str | None = ..., text: bool | None = ..., timeout: float | None = ...,
    **options: Unpack[_Options],
) -> popen.CompletedProcess[Any]: ...
# fmt: on

run_async = _async(run)
