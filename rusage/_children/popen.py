"""``Popen`` and ``run``: subprocess's own with the resource usage of the child.

On Linux the peak is the child's own.

``Popen`` overrides private methods of subprocess's: ``_execute_child`` starts the child and calls
``_close_pipe_fds``; only ``_try_wait`` and ``_internal_poll`` wait for it, and ``_wait`` decides
when. Each start checks that these methods are the known ones. If another library has replaced them,
that library's class runs the child, and nothing is measured.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterable, Mapping  # noqa: TC003 (for typing.get_type_hints)

from .._fields import RUsage
from .._subprocess import SubprocessPopen, clock, is_patched
from .._units import usage_text
from .rlimits import check_limits

if sys.platform == "win32":
    from .windows import WindowsPopen as SystemPopen
else:
    from .posix import PosixPopen as SystemPopen
    from .rlimits import set_in_child

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, AnyStr
else:  # for typing.get_type_hints; to import typing takes longer than to import this package
    Any = AnyStr = object

PREEXEC_FN, UNIVERSAL_NEWLINES = 6, 11  # their places among the arguments of subprocess.Popen


def name_encoding(args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Warn of a default encoding as subprocess does, at the line that has called the caller.

    subprocess would warn of the first line that is not its own, which is in this package.
    """
    texts = ("encoding", "errors", "text", "universal_newlines")
    universal_newlines = args[UNIVERSAL_NEWLINES:][:1]
    has_text = any(map(options.get, texts)) or any(universal_newlines)
    if sys.flags.warn_default_encoding and has_text and options.get("encoding") is None:
        from io import text_encoding  # noqa: PLC0415 (only needed here)

        options["encoding"] = text_encoding(None, 3)


@functools.cache
def unmeasured(base: Any) -> Any:
    """Return a subclass of another library's ``Popen`` with our attributes; nothing is measured."""
    # A subclass, because the other library's own methods create the child, and its code may test
    # for its class. It is made here, because a library can replace subprocess.Popen after this
    # module has been imported, and again later.

    class Popen(base):  # type: ignore[misc]  # the class is known only at run time
        __doc__ = base.__doc__
        elapsed: float | None = None
        measured: frozenset[str] = frozenset()
        _returncode: int | None = None

        def __init__(
            self, *args: Any, rlimits: Mapping[int, Iterable[int]] | None = None, **kwargs: Any
        ) -> None:
            self._began = clock()
            limits = check_limits(rlimits)
            if sys.platform != "win32" and limits:
                is_named = len(args) <= PREEXEC_FN
                given = kwargs.pop("preexec_fn", None) if is_named else args[PREEXEC_FN]
                with set_in_child(limits, given) as preexec_fn:
                    if is_named:
                        kwargs["preexec_fn"] = preexec_fn
                    else:
                        args = (*args[:PREEXEC_FN], preexec_fn, *args[PREEXEC_FN + 1 :])
                    super().__init__(*args, **kwargs)
            else:
                super().__init__(*args, **kwargs)

        @property
        def returncode(self) -> int | None:
            # The library's methods set it when they see the exit.
            return self._returncode

        @returncode.setter
        def returncode(self, code: int | None) -> None:
            if code is not None and self.elapsed is None:
                self.elapsed = clock() - self._began
            self._returncode = code

        @property
        def rusage(self) -> RUsage | None:
            return None if self.returncode is None else RUsage.zero

    Popen.__module__, Popen.__qualname__ = "rusage", "Popen"
    return Popen


class _Signature:
    """The signature of ``Popen`` for help() and editors: subprocess's, and ``rlimits``."""

    def __get__(self, _: object, owner: Any) -> Any:
        if owner.__init__ is not Popen.__init__:
            raise AttributeError("__signature__")  # a subclass has its own
        import inspect  # noqa: PLC0415 (only needed here)

        theirs = inspect.signature(SubprocessPopen)
        rlimits = inspect.Parameter("rlimits", inspect.Parameter.KEYWORD_ONLY, default=None)
        return theirs.replace(parameters=[*theirs.parameters.values(), rlimits])


class Popen(SystemPopen[AnyStr]):
    """``subprocess.Popen`` with the resource usage of its child.

    >>> with rusage.Popen(["sleep", "0.1"]) as child:
    ...     pass
    >>> child.rusage.cputime
    0.000712

    ``rusage`` is None until the child's exit has been seen (by ``wait``, ``poll``, ``communicate``
    or at the end of a ``with`` block), then an ``RUsage``: the usage of the child and of its own
    children that it has waited for; on Windows, of the child alone. ``measured`` names the fields
    that were measured for this child; the others are 0. ``elapsed`` is None until the exit has been
    seen, then the elapsed seconds since the start.

    ``ru_maxrss`` is the peak of the child or of its largest descendant that was waited for (on
    Windows: of the child), never a sum, for which there is ``record``. It is measured only if it is
    known not to be the parent's: on Linux if the launcher has started the child, or if it is too
    large to be inherited, and never with a ``preexec_fn``: ``start_new_session=True`` does what
    ``preexec_fn=os.setsid`` does, and keeps the peak.

    ``rlimits`` maps constants of ``resource`` to pairs of a soft and a hard limit, which are set in
    the child. An invalid or refused limit raises the same exception as ``resource.setrlimit``.
    Windows: ``ValueError``.

    Nothing is measured if another caller has waited for the child, if SIGCHLD is ignored, or if
    another library (gevent) has replaced ``subprocess.Popen``.
    """

    elapsed: float | None = None
    """The elapsed seconds since the start; None until the exit has been seen."""

    if TYPE_CHECKING and sys.platform != "win32":  # where they are properties
        rusage: RUsage | None
        """The usage of the child; None until the exit has been seen."""
        measured: frozenset[str]
        """The names of the fields that were measured for this child; the others are 0."""

    if not TYPE_CHECKING:  # type checkers use the __init__ of subprocess
        __signature__ = _Signature()

        def __new__(cls, *args: Any, **kwargs: Any) -> Popen[Any]:
            """Record the start time; if subprocess is patched, return an object of its class."""
            if is_patched(Popen):
                if cls is not Popen:
                    raise RuntimeError(
                        "subprocess.Popen was replaced after "
                        f"{cls.__name__} was derived from rusage.Popen"
                    )
                return unmeasured(subprocess.Popen)(*args, **kwargs)
            self = super().__new__(cls)
            self._began = clock()
            return self

        def __init__(
            self, *args: Any, rlimits: Mapping[int, Iterable[int]] | None = None, **kwargs: Any
        ) -> None:
            self._limits = check_limits(rlimits)
            name_encoding(args, kwargs)
            super().__init__(*args, **kwargs)

    def __repr__(self) -> str:
        text = super().__repr__()
        usage, elapsed = self.rusage, self.elapsed
        if usage is None or elapsed is None:
            return text
        return f"{text[:-1]}, {figures_of_child(usage, self.measured, elapsed)}>"


class _Measured:
    """What a result of ``run`` and its exceptions have."""

    rusage: RUsage = RUsage.zero
    """The usage of the process and of its own children that it has waited for.

    On Windows, of the process alone.
    """
    measured: frozenset[str] = frozenset()
    """The fields of ``rusage`` measured for this process; the others are 0 (see ``Popen``)."""
    elapsed: float = 0
    """Elapsed seconds from the start of the process until its exit was seen."""


class CompletedProcess(_Measured, subprocess.CompletedProcess[AnyStr]):
    """``subprocess.CompletedProcess`` with the resource usage of the process.

    >>> rusage.run(["sleep", "0.1"]).elapsed
    0.101537
    """

    def __repr__(self) -> str:
        figures = figures_of_child(self.rusage, self.measured, self.elapsed)
        return f"{super().__repr__()[:-1]}, {figures})"

    def check_returncode(self) -> None:
        """Raise ``CalledProcessError``, with the usage, if the exit status is not 0."""
        if self.returncode:
            error = CalledProcessError(self.returncode, self.args, self.stdout, self.stderr)
            add_usage(error, self)
            raise error


class CalledProcessError(_Measured, subprocess.CalledProcessError):
    """``subprocess.CalledProcessError`` with the resource usage of the process; ``run`` raises it.

    >>> try:
    ...     rusage.run(["false"], check=True)
    ... except rusage.CalledProcessError as error:
    ...     print(error.returncode, error.rusage.cputime)
    1 0.000803
    """


class TimeoutExpired(_Measured, subprocess.TimeoutExpired):
    """``subprocess.TimeoutExpired`` with the resource usage of the process; ``run`` raises it.

    >>> try:
    ...     rusage.run(["sleep", "9"], timeout=0.5)
    ... except rusage.TimeoutExpired as expired:
    ...     print(expired.elapsed)
    0.501537
    """


def figures_of_child(usage: RUsage, measured: frozenset[str], elapsed: float) -> str:
    """Return the figures of a child for a repr."""
    peak = usage.ru_maxrss if "ru_maxrss" in measured else None
    return usage_text(usage, measured, {"peak": peak}, elapsed)


def add_usage(result: _Measured, process: Any) -> None:
    """Copy the usage of a process that has ended, or of its result, to a result or an exception."""
    result.rusage, result.measured = process.rusage, process.measured
    result.elapsed = process.elapsed


def run(
    *popenargs: Any,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **kwargs: Any,
) -> CompletedProcess[Any]:
    """Run a program as ``subprocess.run`` does, and also return its resource usage.

    >>> rusage.run(["true"]).rusage.ru_maxrss
    1495040

    It takes the same arguments and raises the same exceptions as ``subprocess.run``. The result,
    ``TimeoutExpired`` and ``CalledProcessError`` also have ``rusage``, ``measured`` and ``elapsed``
    (seconds), which ``Popen`` describes, as it does ``rlimits``, such as
    ``{resource.RLIMIT_CPU: (1, 2)}``. On Windows the usage is of the program alone, without its own
    children.
    """
    name_encoding(popenargs, kwargs)
    process = start(*popenargs, input=input, capture_output=capture_output, **kwargs)
    return complete(process, input=input, timeout=timeout, check=check)


def start(*popenargs: Any, input: Any, capture_output: bool, **kwargs: Any) -> Popen[Any]:
    """Start the process for ``run``."""
    if input is not None:
        if kwargs.get("stdin") is not None:
            raise ValueError("stdin and input arguments may not both be used.")
        kwargs["stdin"] = subprocess.PIPE
    if capture_output:
        if kwargs.get("stdout") is not None or kwargs.get("stderr") is not None:
            raise ValueError("stdout and stderr arguments may not be used with capture_output.")
        kwargs["stdout"] = kwargs["stderr"] = subprocess.PIPE
    return Popen(*popenargs, **kwargs)


def complete(
    process: Popen[Any], *, input: Any, timeout: float | None, check: bool
) -> CompletedProcess[Any]:
    """Send the input to a process, collect its output, wait for it and return the result."""
    with process:
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired as expired:
            process.kill()
            if sys.platform == "win32":
                # Threads read the output; only another call returns it.
                expired.stdout, expired.stderr = process.communicate()
            else:
                process.wait()  # do not wait for the pipes: a grandchild may keep them open
            ours = TimeoutExpired(expired.cmd, expired.timeout, expired.output, expired.stderr)
            add_usage(ours, process)
            raise ours from None
        except BaseException:
            # the with statement then waits, but only briefly after a KeyboardInterrupt
            process.kill()
            raise
    done: CompletedProcess[Any] = CompletedProcess(process.args, process.returncode, stdout, stderr)
    add_usage(done, process)
    if check:
        done.check_returncode()
    return done


for _class in Popen, CompletedProcess, CalledProcessError, TimeoutExpired:
    _class.__module__ = "rusage"

if not TYPE_CHECKING and is_patched(Popen):
    Popen = unmeasured(subprocess.Popen)
