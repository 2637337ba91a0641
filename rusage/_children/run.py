"""``run``: ``subprocess.run`` with the resource usage of the process."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

from .popen import CompletedProcess, Popen, add_usage


def run(
    *popenargs: Any,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **kwargs: Any,
) -> CompletedProcess[Any]:
    """Run a program as ``subprocess.run`` does; the result also has ``rusage``, ``measured`` and ``elapsed`` (seconds).

    Arguments and exceptions are those of ``subprocess.run``; ``TimeoutExpired`` and ``CalledProcessError`` also have
    these attributes. See ``Popen`` for what is measured.
    """
    process = start(*popenargs, input=input, capture_output=capture_output, **kwargs)
    return complete(process, input=input, timeout=timeout, check=check)


def start(*popenargs: Any, input: Any, capture_output: bool, **kwargs: Any) -> Popen[Any]:
    """Start the process for ``run``. An EncodingWarning names the caller of this function's caller."""
    if input is not None:
        if kwargs.get("stdin") is not None:
            raise ValueError("stdin and input arguments may not both be used.")
        kwargs["stdin"] = subprocess.PIPE
    if capture_output:
        if kwargs.get("stdout") is not None or kwargs.get("stderr") is not None:
            raise ValueError("stdout and stderr arguments may not be used with capture_output.")
        kwargs["stdout"] = kwargs["stderr"] = subprocess.PIPE
    # subprocess would name this frame, the first outside its own module; that of Python 3.10 does not warn.
    if sys.flags.warn_default_encoding and sys.version_info >= (3, 11) and kwargs.get("encoding") is None:
        if any(kwargs.get(name) for name in ("errors", "text", "universal_newlines")):
            kwargs["encoding"] = io.text_encoding(None, 3)
    return Popen(*popenargs, **kwargs)


def complete(process: Popen[Any], *, input: Any, timeout: float | None, check: bool) -> CompletedProcess[Any]:
    """Send the input to a process, collect its output, wait for it and return the result."""
    with process:
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired as expired:
            process.kill()
            if sys.platform == "win32":
                # The output is read by threads; only another call returns what they have read.
                expired.stdout, expired.stderr = process.communicate()
            else:
                process.wait()  # do not wait for the pipes: a grandchild may keep them open
            add_usage(expired, process)
            raise
        except BaseException:
            process.kill()  # the with statement then waits, but only briefly after a KeyboardInterrupt
            raise
        if check and process.returncode:
            failed = subprocess.CalledProcessError(process.returncode, process.args, stdout, stderr)
            add_usage(failed, process)
            raise failed
    return CompletedProcess(process, stdout, stderr)
