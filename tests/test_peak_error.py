"""The error of ``ru_maxrss``: by Linux's kernel, by the number of CPUs, and where it is shown."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import peak_errors
import peaks
import pytest
from conftest import no_files

import rusage
from rusage import Field
from rusage._backends import linux
from rusage._backends._base import ALL, Backend
from rusage._fields import FIELDS

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20


@pytest.mark.parametrize(
    ("cpus", "page", "expected"),
    [(1, 4096, 393216), (16, 4096, 6 * MIB), (64, 4096, 96 * MIB), (64, 65536, 1536 * MIB)],
)
def test_error_of_linux_counters(cpus: int, page: int, expected: int) -> None:
    """CPUs x max(32, 2 x CPUs) pages for each of three counters: 96 MiB at 64 CPUs."""
    assert linux.rss_error(cpus, page) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0\n", 1), ("0-63\n", 64), ("0,2-3,6-9\n", 7), ("\n", None), ("x-y\n", None)],
)
def test_present_cpus(text: str, expected: int | None, tmp_path: Path) -> None:
    path = tmp_path / "present"
    path.write_text(text)
    assert linux.present_cpus(str(path)) == expected
    assert linux.present_cpus(str(tmp_path / "missing")) is None
    with no_files():
        assert linux.backend(io_accounting=True).fields()["ru_maxrss"].error is None


@pytest.mark.parametrize(
    ("release", "known"),
    [
        ("6.18.44-generic", True),
        ("6.2.0", True),
        ("10.0.1", True),
        ("6.1.0-40-amd64", False),
        ("5.15.167.4-microsoft-standard-WSL2", False),
        ("unheard of", False),
    ],
)
def test_error_by_release(release: str, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 (a parameter)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGESIZE": 4096}.__getitem__, raising=False)
    cpus = linux.present_cpus()
    backend = linux.backend(io_accounting=True, release=release)
    field = backend.fields()["ru_maxrss"]
    assert (backend.peak_error is not None) == known
    assert field.error == (linux.rss_error(cpus, 4096) if known and cpus else None)
    assert ("768 KiB on 2 CPUs, 96 MiB on 64" in field.meaning) == known
    by_threads = "each running thread may hold back the pages of 64 page faults"
    assert (by_threads in field.meaning) != known
    assert backend.process == linux.PROCESS
    assert "ru_maxrss" in backend.measured["RUSAGE_SELF"]


@pytest.mark.parametrize(("release", "shared"), [("5.10.0-35-amd64", True), ("6.1.0", False)])
def test_note_about_shared_memory(release: str, shared: bool) -> None:  # noqa: FBT001 (a parameter)
    fields = linux.backend(io_accounting=True, release=release).fields()
    assert ("shared memory" in fields["ru_majflt"].meaning) == shared


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or sys.platform != "linux", reason="Linux's, not on PyPy"
)
@pytest.mark.parametrize("case", peak_errors.CASES)
def test_measured_error_is_within_the_bound(case: str) -> None:
    """Of a running process, and after its end. Prints both.

    Each CPU keeps nearly as many pages to itself as it may.
    """
    error = rusage.fields["ru_maxrss"].error
    if error is None or error > 200 * MIB:
        pytest.skip(reason="the error of this kernel is unknown, or too large to make it")
    done = rusage.run(
        [sys.executable, peak_errors.__file__, case], stdout=subprocess.PIPE, text=True, check=True
    )
    if "ru_maxrss" not in done.measured:
        pytest.skip(reason="the peak of a child is not measured here")
    exact, running = map(int, done.stdout.split())
    ended = done.rusage.ru_maxrss
    print(f"{case}: running {(running - exact) >> 10:+} KiB, ended {(ended - exact) >> 10:+} KiB")  # noqa: T201 (a tool)
    assert running == pytest.approx(exact, abs=error)
    assert ended == pytest.approx(exact, abs=error)


THREADS = """
import sys, threading
from peak_errors import PAGE, anonymous, resident, touch

number = int(sys.argv[1])
all_have_touched, can_end = threading.Barrier(number), threading.Event()

def work(is_first=False):
    memory = anonymous(64 * PAGE)
    touch(memory, 0, 64)
    all_have_touched.wait()
    if is_first:
        print(resident(), flush=True)
        sys.stdin.read()
        can_end.set()
    can_end.wait()

for _ in range(number - 1):
    threading.Thread(target=work).start()
work(is_first=True)
"""


@pytest.mark.skipif(not peaks.LINUX, reason="reads Linux's /proc")
@pytest.mark.parametrize("threads", [1, 64])
def test_peak_of_a_running_process(threads: int) -> None:
    """Each thread holds back as many page faults as it may before Linux 6.2. Prints the error."""
    error = rusage.fields["ru_maxrss"].error or threads * 64 * 16 * peak_errors.PAGE
    command = [sys.executable, "-c", THREADS, str(threads)]
    pipe, folder = subprocess.PIPE, os.path.dirname(peak_errors.__file__)
    environment = os.environ | {"PYTHONPATH": folder}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as running:
        assert running.stdout is not None
        exact = int(running.stdout.readline())
        with rusage.Process(running.pid) as process:
            peak = process.peak()
            assert process.getrusage().ru_maxrss == peak
        running.communicate()
    print(f"{threads} threads: {(peak - exact) >> 10:+} KiB")  # noqa: T201 (a tool)
    assert exact - error <= peak <= exact + error + peaks.ERROR


def test_copies_keep_the_error() -> None:
    """They are equal; a pickle has the error of the machine where it was made.

    It does not have the private function.
    """
    backend = Backend(name="Made up", measured={"RUSAGE_SELF": ALL}, peak_error=lambda: 77)
    field = backend.fields()["ru_maxrss"]
    assert field == Field(*field) == FIELDS["ru_maxrss"] == tuple(field)
    copies = [copy.copy(field), copy.deepcopy(field)]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps(field, protocol)
        assert b"_backends" not in pickled
        copies.append(pickle.loads(pickled))
    for one in copies:
        assert type(one) is Field
        assert one == field
        assert one.error == 77
