"""``run``: ``subprocess.run`` with the usage of the process."""

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

    All arguments are those of ``subprocess.run``, and so are the exceptions: ``TimeoutExpired`` and
    ``CalledProcessError`` have the three attributes too. ``Popen`` says what is measured.
    """
    process = start(*popenargs, input=input, capture_output=capture_output, **kwargs)
    return complete(process, input=input, timeout=timeout, check=check)


def start(*popenargs: Any, input: Any, capture_output: bool, **kwargs: Any) -> Popen[Any]:
    """Start the process that ``run`` is to run; the caller's caller is whom an EncodingWarning names."""
    if input is not None:
        if kwargs.get("stdin") is not None:
            raise ValueError("stdin and input arguments may not both be used.")
        kwargs["stdin"] = subprocess.PIPE
    if capture_output:
        if kwargs.get("stdout") is not None or kwargs.get("stderr") is not None:
            raise ValueError("stdout and stderr arguments may not be used with capture_output.")
        kwargs["stdout"] = kwargs["stderr"] = subprocess.PIPE
    # subprocess names the first frame that is not its own, and that is here; Python 3.10's does not warn.
    if sys.flags.warn_default_encoding and sys.version_info >= (3, 11) and kwargs.get("encoding") is None:
        if any(kwargs.get(name) for name in ("errors", "text", "universal_newlines")):
            kwargs["encoding"] = io.text_encoding(None, 3)
    return Popen(*popenargs, **kwargs)


def complete(process: Popen[Any], *, input: Any, timeout: float | None, check: bool) -> CompletedProcess[Any]:
    """Wait for a process, with its input and output, and return the result."""
    with process:
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired as expired:
            process.kill()
            if sys.platform == "win32":
                # Threads read there: what they have is only to be had from another call.
                expired.stdout, expired.stderr = process.communicate()
            else:
                process.wait()  # not for the pipes: a grandchild may hold them for ever
            add_usage(expired, process)
            raise
        except BaseException:
            process.kill()  # the with statement waits, and a little only after a KeyboardInterrupt
            raise
        if check and process.returncode:
            failed = subprocess.CalledProcessError(process.returncode, process.args, stdout, stderr)
            add_usage(failed, process)
            raise failed
    return CompletedProcess(process, stdout, stderr)
