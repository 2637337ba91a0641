"""The files of the command's reports: each has the report that it had, or the whole new one."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import shutil
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import forked
import pytest
from command import needs_tree, new_folder, plain, record, table  # noqa: F401 (a fixture)
from conftest import forks, needs_sh
from forked import RUSAGE

from rusage._cli import files

if TYPE_CHECKING:
    from collections.abc import Callable

# --- One file, two reports ---

SPELLINGS = ["base.json", "./base.json", "{here}/base.json", "../{name}/base.json", "link.json"]
REPORTS = [("--against", "--export"), ("--against", "-o"), ("--export", "-o")]


@pytest.mark.parametrize(
    ("first", "second"),
    [*((0, other) for other in range(6)), *((other, 0) for other in range(1, 6)), (3, 4)],
)
def test_two_reports_in_one_file(first: int, second: int) -> None:
    """By whatever names: neither is written, and the baseline stays. A new file does not stay."""
    here = Path.cwd()
    names = [each.format(here=here, name=here.name) for each in [*SPELLINGS, "hard.json"]]
    assert plain("--export", "base.json", "true").returncode == 0
    Path("link.json").symlink_to("base.json")
    os.link("base.json", "hard.json")
    before = Path("base.json").read_bytes()
    one, other = names[first], names[second]
    for options in REPORTS:
        done = plain(options[0], one, options[1], other, "touch", "ran")
        assert done.returncode == 2
        assert "rusage: two reports cannot be in the same file: '" in done.stderr
        assert Path("base.json").read_bytes() == before
    Path("base.json").unlink()
    Path("hard.json").unlink()
    if 5 not in (first, second):
        assert plain("--export", one, "-o", other, "touch", "ran").returncode == 2
    assert sorted(os.listdir()) == ["link.json"]


def test_device_of_two_reports() -> None:
    """It may be named again."""
    Path("null.json").symlink_to(os.devnull)
    assert plain("-o", os.devnull, "--export", "null.json", "true").returncode == 0


# --- A full disk, and death ---


def test_full_disk(program: Callable[..., str], tmp_path: Path) -> None:
    """At each end of a page, replaced by another file, in place, and with a report appended."""
    mount = ["unshare", "--mount", "sh", "-c"]
    size = 4 * mmap.PAGESIZE
    mount += [f'mount -t tmpfs -o size={size} none "$0" && exec "$@"', str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run([*mount, "true"], check=False).returncode:
        pytest.skip(reason="no permission to mount: run it as root on Linux")
    assert int(program("replaced_files.py", "full", str(tmp_path), before=mount)) > 100


@forks
def test_killed_while_the_report_is_written(program: Callable[..., str]) -> None:
    """Before each call that may change a file."""
    assert int(program("replaced_files.py", "killed")) > 20


@pytest.mark.parametrize("way", ["rename", "hard link", "append"])
def test_file_that_may_not_grow(way: str) -> None:
    """RLIMIT_FSIZE ends the report at a byte: the old one stays, without a temporary file."""
    resource = pytest.importorskip("resource", reason="this system has no limit for files")
    old = "o" * 100
    Path("x.csv").write_text(old)
    if way == "hard link":
        os.link("x.csv", "y")
    for size in 0, 50, 100, 101, 120:
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        option = ["-ao", "x.csv"] if way == "append" else ["--export", "x.csv"]
        names = sorted(os.listdir())
        done = plain(*option, "true", preexec_fn=limit)
        assert done.returncode == 125
        assert done.stderr.endswith(f"rusage: x.csv: {os.strerror(errno.EFBIG)}\n")
        assert Path("x.csv").read_text() == old
        assert sorted(os.listdir()) == names


@pytest.mark.parametrize("content", ["", "o", "o" * 100_000], ids=len)
@pytest.mark.parametrize("way", ["rename", "hard link", "folder"])
def test_replaced_file_keeps_what_it_is(content: str, way: str) -> None:
    """Its mode, its names, and the link to it; in a folder without permission too."""
    Path("d").mkdir()
    file = Path("d/x.json")
    file.write_text(content)
    if hasattr(os, "chown") and os.geteuid() == 0:
        with contextlib.suppress(OSError):  # of a user that this namespace does not have
            os.chown(file, 4711, 4712)
    file.chmod(0o666)
    Path("link.json").symlink_to("d/x.json")
    if way == "hard link":
        os.link(file, "y")
    before = file.stat()
    if way == "folder":
        if os.geteuid() == 0:
            pytest.skip(reason="root may write in each folder: run it as another user")
        Path("d").chmod(0o555)
    assert plain("--export", "link.json", "true").returncode == 0
    assert record("d/x.json")["command"] == ["true"]
    assert Path("link.json").is_symlink()
    after = file.stat()
    assert stat.S_IMODE(after.st_mode) == 0o666
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert (after.st_ino != before.st_ino) == (way == "rename" and bool(content))
    assert os.listdir("d") == ["x.json"]
    assert way != "hard link" or record("y")["command"] == ["true"]


def test_report_after_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    """If an error shows after the writing, it goes, but nothing that another run has written."""
    for before, after in {"old": "old", "old, other's": "old, other'snew"}.items():
        Path("x").write_text(before)
        descriptor = os.open("x", os.O_WRONLY | os.O_APPEND)
        with monkeypatch.context() as patched:
            patched.setattr(os, "dup", Mock(side_effect=OSError(errno.EIO, "shows late")))
            with pytest.raises(OSError, match="shows late"):
                files._write(descriptor, b"new", len("old"))  # noqa: SLF001 (no NFS here)
        os.close(descriptor)
        assert Path("x").read_text() == after


@pytest.mark.skipif(sys.platform == "win32", reason="Windows replaces no open file")
@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EACCES", "EROFS"])
def test_error_of_the_new_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the old file would have too leaves that alone; after others it is overwritten."""
    Path("x").write_text("old")
    refused = Mock(side_effect=OSError(getattr(errno, name), "refused"))
    monkeypatch.setattr(files, "_rename_over", refused)
    with contextlib.ExitStack() as closing:
        is_written = files.ReportFile("x", closing).replace(lambda _: "new")
    keeps = name not in {"EACCES", "EROFS"}
    assert (is_written, Path("x").read_text()) == (not keeps, "old" if keeps else "new\n")


# --- Without a report ---


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "x.csv", "/no/such/program"],
        ["--export", "x.csv", "/no/such/program"],
        ["--export", "x.csv", "-n", "2", "/no/such/program"],
        pytest.param(["--samples", "x.csv", "/no/such/program"], marks=needs_tree),
        pytest.param(["--plot", "x.png", "true"], marks=needs_tree),
        ["--export", "x.csv", "-o", "/no/such/folder/y", "true"],
        ["-o", "x.csv", "--export", "/no/such/folder/y.csv", "true"],
    ],
    ids=" ".join,
)
def test_file_without_a_report(words: list[str]) -> None:
    """A new one goes; one that was there before keeps its content, unless ``-o`` is open alone."""
    Path("matplotlib.py").touch()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])}
    Path("link.csv").symlink_to("target.csv")
    for name in words[1], "link.csv":
        options = [words[0], name, *words[2:]] if words[0] != "--plot" else words
        done = plain(*options, env=environment)
        assert done.returncode in {125, 127}, done.stderr
        assert not Path(words[1]).exists()
        assert not Path("target.csv").exists()
    Path(words[1]).write_text("before")
    plain(*words, env=environment)
    is_emptied = words[0] == "-o" and "--export" not in words
    assert Path(words[1]).read_text() == ("" if is_emptied else "before")


@needs_sh
def test_file_of_the_program() -> None:
    """It is not removed, though it has the name of the new file, and is empty too."""
    for option in "-o", "--export":
        assert plain(option, "x.csv", "sh", "-c", "rm x.csv; : >x.csv").returncode == 125
        assert Path("x.csv").read_text() == ""
        Path("x.csv").unlink()


# --- Several runs append ---


@pytest.mark.parametrize("options", [["--csv"], []], ids=["csv", "text"])
def test_runs_append_at_once(options: list[str]) -> None:
    """As by ``make -j``: one head, and each report whole."""
    for _ in range(3):
        Path("x.csv").unlink(missing_ok=True)
        command = [*RUSAGE, *options, "-ao", "x.csv", "sleep", "0.2"]
        started = [forked.popen(command) for _ in range(8)]
        assert [each.wait() for each in started] == [0] * 8
        if options:
            assert [row["command"] for row in table("x.csv")] == ["sleep 0.2"] * 8
        else:
            labels = [line[:16].rstrip() for line in Path("x.csv").read_text().splitlines()]
            starts = [place for place, label in enumerate(labels) if label == "command"]
            ends = [*starts[1:], len(labels)]
            reports = [labels[start:end] for start, end in zip(starts, ends, strict=True)]
            measured = {*reports[0]}.intersection(*reports)  # others may be unmeasured
            lines = [[label for label in report if label in measured] for report in reports]
            assert lines == lines[:1] * 8
            assert (lines[0][:2], lines[0][-1]) == (["command", "wall time"], "exit status")


def test_lock_of_the_caller() -> None:
    """Its run writes all the same, after a moment."""
    fcntl = pytest.importorskip("fcntl", reason="this system has no locks")
    with Path("x.csv").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        began = time.monotonic()
        assert plain("--csv", "-ao", "x.csv", "true").returncode == 0
        assert time.monotonic() - began > 0.9
    assert len(table("x.csv")) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege")
def test_dangling_link_through_a_missing_folder() -> None:
    """The system follows each part of a link: nothing is made elsewhere, nor run."""
    os.symlink("missing/../x.json", "link.json")
    done = plain("--export", "link.json", "sh", "-c", ">ran")
    assert (done.returncode, os.path.exists("ran")) == (125, False)
    assert not os.path.lexists("x.json")
