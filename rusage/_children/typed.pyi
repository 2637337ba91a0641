"""For type checkers: ``Popen``, ``run`` and ``asyncio.run`` with typeshed's types.

This module does not exist at run time. ``tests/tools/typing_compare.py`` compares it with
``subprocess``, call by call.
"""

from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from subprocess import _CMD, _ENV, _FILE
from typing import Any, AnyStr, Literal, ParamSpec, TypedDict, Unpack, overload

from _typeshed import ReadableBuffer, StrOrBytesPath

from . import popen

_P = ParamSpec("_P")

# Type checkers keep all overloads of a function that is passed for a ParamSpec.
def _async(
    function: Callable[_P, popen.CompletedProcess[AnyStr]], /
) -> Callable[_P, Coroutine[Any, Any, popen.CompletedProcess[AnyStr]]]: ...

class _Options(TypedDict, total=False):
    """The arguments that do not depend on the type of the text."""

    bufsize: int
    executable: StrOrBytesPath | None
    stdin: _FILE
    stdout: _FILE
    stderr: _FILE
    preexec_fn: Callable[[], object] | None
    close_fds: bool
    shell: bool
    cwd: StrOrBytesPath | None
    env: _ENV | None
    startupinfo: Any
    creationflags: int
    restore_signals: bool
    start_new_session: bool
    pass_fds: Collection[int]
    user: str | int | None
    group: str | int | None
    extra_groups: Iterable[str | int] | None
    umask: int
    pipesize: int
    process_group: int | None
    rlimits: Mapping[int, tuple[int, int]] | None

class _RunOptions(_Options, total=False):
    capture_output: bool
    check: bool
    timeout: float | None

# Checkers do not infer the type variable of a subclass from the overloads of its base class. The
# types of positional arguments after the command are not checked.
# fmt: off
class Popen(popen.Popen[AnyStr]):
    @overload
    def __init__(
        self: Popen[str], args: _CMD, *positional: Any,
        text: bool | None = ..., encoding: str, errors: str | None = ...,
        universal_newlines: bool | None = ..., **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[str], args: _CMD, *positional: Any,
        text: bool | None = ..., encoding: str | None = ..., errors: str,
        universal_newlines: bool | None = ..., **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[str], args: _CMD, *positional: Any,
        text: bool | None = ..., encoding: str | None = ..., errors: str | None = ...,
        universal_newlines: Literal[True], **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[str], args: _CMD, *positional: Any,
        text: Literal[True], encoding: str | None = ..., errors: str | None = ...,
        universal_newlines: bool | None = ..., **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[bytes], args: _CMD, *positional: Any,
        text: Literal[False] | None = ..., encoding: None = ..., errors: None = ...,
        universal_newlines: Literal[False] | None = ..., **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Popen[Any], args: _CMD, *positional: Any,
        text: bool | None = ..., encoding: str | None = ..., errors: str | None = ...,
        universal_newlines: bool | None = ..., **options: Unpack[_Options],
    ) -> None: ...

@overload
def run(
    args: _CMD, *positional: Any, input: str | None = ...,
    text: bool | None = ..., encoding: str, errors: str | None = ...,
    universal_newlines: bool | None = ..., **options: Unpack[_RunOptions],
) -> popen.CompletedProcess[str]: ...
@overload
def run(
    args: _CMD, *positional: Any, input: str | None = ...,
    text: bool | None = ..., encoding: str | None = ..., errors: str,
    universal_newlines: bool | None = ..., **options: Unpack[_RunOptions],
) -> popen.CompletedProcess[str]: ...
@overload
def run(
    args: _CMD, *positional: Any, input: str | None = ...,
    text: bool | None = ..., encoding: str | None = ..., errors: str | None = ...,
    universal_newlines: Literal[True], **options: Unpack[_RunOptions],
) -> popen.CompletedProcess[str]: ...
@overload
def run(
    args: _CMD, *positional: Any, input: str | None = ...,
    text: Literal[True], encoding: str | None = ..., errors: str | None = ...,
    universal_newlines: bool | None = ..., **options: Unpack[_RunOptions],
) -> popen.CompletedProcess[str]: ...
@overload
def run(
    args: _CMD, *positional: Any, input: ReadableBuffer | None = ...,
    text: Literal[False] | None = ..., encoding: None = ..., errors: None = ...,
    universal_newlines: Literal[False] | None = ..., **options: Unpack[_RunOptions],
) -> popen.CompletedProcess[bytes]: ...
@overload
def run(
    args: _CMD, *positional: Any, input: ReadableBuffer | str | None = ...,
    text: bool | None = ..., encoding: str | None = ..., errors: str | None = ...,
    universal_newlines: bool | None = ..., **options: Unpack[_RunOptions],
) -> popen.CompletedProcess[Any]: ...
# fmt: on

run_async = _async(run)
