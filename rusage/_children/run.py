"""``run``: ``subprocess.run`` with the resource usage of the process."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from .popen import CompletedProcess, Popen, add_usage, choose_encoding


def run(
    *popenargs: Any,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **kwargs: Any,
) -> CompletedProcess[Any]:
    """Run a program as ``subprocess.run`` does; the result also has ``rusage``, ``measured`` and ``elapsed`` (seconds).

    It takes the same arguments and raises the same exceptions as ``subprocess.run``. ``TimeoutExpired`` and
    ``CalledProcessError`` also have the three attributes. ``measured`` names the fields of ``rusage`` that were
    measured for this process; the others are 0.

    ``rlimits`` sets resource limits in the process (Unix), such as ``{resource.RLIMIT_CPU: (1, 2)}``: it maps constants
    of ``resource`` to pairs of a soft and a hard limit. ``Popen`` describes it and ``measured`` in full.
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
    choose_encoding(kwargs, 4)
    return Popen(*popenargs, **kwargs)


def complete(process: Popen[Any], *, input: Any, timeout: float | None, check: bool) -> CompletedProcess[Any]:
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
