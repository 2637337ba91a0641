"""The files of the command's reports: each has the report that it had, or the whole new one."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import signal
import stat
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import forked
import pytest
from command import needs_tree, new_folder, plain, record, table  # noqa: F401 (a fixture)
from conftest import NOBODY, alone, forks, namespaces
from forked import RUSAGE

from rusage._cli import files, main

if TYPE_CHECKING:
    from collections.abc import Callable

holds_folders = pytest.mark.skipif(
    not files.HOLDS_FOLDERS, reason="this system makes no file in an open folder"
)

# --- One file, two reports ---

SPELLINGS = ["base.json", "./base.json", "{here}/base.json", "../{name}/base.json", "link.json"]
REPORTS = [("--against", "--export"), ("--against", "-o"), ("--export", "-o")]


@pytest.mark.parametrize(
    ("first", "second"),
    [*((0, other) for other in range(6)), *((other, 0) for other in range(1, 6)), (3, 4)],
)
def test_two_reports_in_one_file(first: int, second: int) -> None:
    here = Path.cwd()
    names = [each.format(here=here, name=here.name) for each in [*SPELLINGS, "hard.json"]]
    assert plain("--export", "base.json", "true").returncode == 0
    Path("link.json").symlink_to("base.json")
    os.link("base.json", "hard.json")
    before = Path("base.json").read_bytes()
    one, other = names[first], names[second]
    for option, second_option in REPORTS:
        done = plain(option, one, second_option, other, "touch", "ran")
        assert done.returncode == 2
        assert "rusage: two reports cannot be in the same file: '" in done.stderr
        assert Path("base.json").read_bytes() == before
    Path("base.json").unlink()
    Path("hard.json").unlink()
    if 5 not in (first, second):
        for option, made in ("--export", []), ("-o", ["base.json"]):
            assert plain("--export", one, option, other, "touch", "ran").returncode == 2
            assert sorted(os.listdir()) == [*made, "link.json"]


def test_device_of_two_reports() -> None:
    Path("null.json").symlink_to(os.devnull)
    assert plain("-o", os.devnull, "--export", "null.json", "true").returncode == 0


@needs_tree
@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="this system has no /dev/stdout")
def test_samples_to_standard_output() -> None:
    options = ["--samples", "-", "-o", "/dev/stdout", "--csv"]
    with Path("out").open("w") as file:
        forked.run([*RUSAGE, *options, "true"], stdout=file, check=True)
    heads = [line.split(" ")[0] for line in Path("out").read_text().splitlines()]
    assert heads[0] == "command,run,counted,exit_status,signal,elapsed"
    assert "elapsed" in heads
    assert os.listdir() == ["out"]


# --- A full disk, and death ---


def mounting(words: str, folder: str = "sh") -> list[str]:
    """Return the words before a program that mount something, or skip the test."""
    return namespaces("--mount", "sh", "-c", f'mount {words} && exec "$@"', folder)


def test_full_disk(program: Callable[..., str], tmp_path: Path) -> None:
    before = mounting(f'-t tmpfs -o size={4 * mmap.PAGESIZE} none "$0"', str(tmp_path))
    assert int(program("replaced_files.py", "full", str(tmp_path), before=before)) > 100


@forks
def test_killed_while_the_report_is_written(program: Callable[..., str]) -> None:
    assert int(program("replaced_files.py", "killed")) > 20


@pytest.mark.parametrize("way", ["replace", "append"])
def test_file_that_may_not_grow(way: str) -> None:
    resource = pytest.importorskip("resource", reason="this system has no limit for files")
    old = f"{'o' * 99}\n"
    Path("x.csv").write_text(old)
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
    Path("d").mkdir()
    file = Path("d/x.json")
    file.write_text(content)
    if hasattr(os, "chown") and os.geteuid() == 0:
        with contextlib.suppress(OSError):  # of a user that this namespace does not have
            os.chown(file, 4711, 4712)
    file.chmod(0o666)
    Path("other.json").symlink_to("d/x.json")
    Path("link.json").symlink_to("other.json")
    if way == "hard link":
        os.link(file, "y")
    before = file.stat()
    if way == "folder":
        Path("d").chmod(0o555)
        if os.access("d", os.W_OK):
            pytest.skip(reason="root may write in each folder: run it without CAP_DAC_OVERRIDE")
    assert plain("--export", "link.json", "true").returncode == 0
    assert record("d/x.json")["command"] == ["true"]
    assert Path("link.json").is_symlink()
    after = file.stat()
    assert stat.S_IMODE(after.st_mode) == 0o666
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert (after.st_ino != before.st_ino) == (way != "folder")
    assert os.listdir("d") == ["x.json"]
    assert way != "hard link" or Path("y").read_text() == content


def acl(*entries: tuple[int, int]) -> bytes:
    """Return an ACL as Linux stores it, of tags and permissions; a named user is 1000."""
    ids = {0x02: 1000}
    packed = [struct.pack("<HHI", tag, mode, ids.get(tag, 2**32 - 1)) for tag, mode in entries]
    return struct.pack("<I", 2) + b"".join(packed)


READERS = acl((0x01, 6), (0x02, 6), (0x04, 0), (0x10, 6), (0x20, 0))
"""The owner and user 1000, and not the group."""


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="this system has no extended attributes")
@pytest.mark.parametrize("owner", ["file", "folder"])
def test_readers_of_a_replaced_file(owner: str) -> None:
    Path("x.json").write_text("old")
    Path("x.json").chmod(0o640)
    try:
        if owner == "file":
            os.setxattr("x.json", "system.posix_acl_access", READERS)
            os.setxattr("x.json", "user.note", b"kept")
        else:
            os.setxattr(".", "system.posix_acl_default", READERS)
    except OSError:
        pytest.skip("this file system has no ACLs")

    def rights() -> tuple[int, list[tuple[str, bytes]]]:
        names = sorted(os.listxattr("x.json"))
        return os.stat("x.json").st_mode, [(name, os.getxattr("x.json", name)) for name in names]

    before = rights()
    assert plain("--export", "x.json", "true").returncode == 0
    assert rights() == before


def test_file_that_is_mounted(tmp_path: Path) -> None:
    Path("x.json").write_text("old" * 10_000)
    command = [*mounting("--bind x.json x.json"), *RUSAGE, "--export", "x.json", "true"]
    assert subprocess.run(command, stderr=subprocess.PIPE, check=False).returncode == 0
    assert record("x.json")["command"] == ["true"]
    assert os.listdir(tmp_path) == ["x.json"]


def test_report_after_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    for before, after in {"old": "old", "old, other's": "old, other'snew"}.items():
        Path("x").write_text(before)
        descriptor = os.open("x", os.O_WRONLY | os.O_APPEND)
        with monkeypatch.context() as patched:
            patched.setattr(os, "dup", Mock(side_effect=OSError(errno.EIO, "shows late")))
            with pytest.raises(OSError, match="shows late"):
                files._write(descriptor, b"new", len("old"))  # noqa: SLF001 (no NFS here)
        os.close(descriptor)
        assert Path("x").read_text() == after


@pytest.mark.parametrize(
    ("call", "prefix", "when"),
    [
        pytest.param("open", os.curdir, "before", marks=holds_folders),
        ("open", ".rusage-", "before"),
        ("open", ".rusage-", "after"),
        ("replace", ".rusage-", "after"),
    ],
)
@pytest.mark.parametrize(
    "name", ["ENOSPC", "EDQUOT", "EIO", "EMFILE", "EACCES", "EPERM", "EROFS", "EBUSY"]
)
def test_error_of_the_new_file(
    name: str, call: str, prefix: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the program runs, or after it."""
    Path("x").write_text("old")
    function = getattr(os, call)

    def refusing(path: str, *rest: Any, **keywords: Any) -> Any:
        if path.startswith(prefix):
            raise OSError(getattr(errno, name), "refused")
        return function(path, *rest, **keywords)

    keeps, is_written = name in {"ENOSPC", "EDQUOT", "EIO", "EMFILE"}, False
    with contextlib.ExitStack() as closing:
        if when == "before":
            monkeypatch.setattr(os, call, refusing)
            if keeps:
                closing.enter_context(pytest.raises(OSError, match="refused"))
        export = files.Export("x", "", closing)
        monkeypatch.setattr(os, call, refusing)
        is_written = export.replace(lambda _: "new")
    assert (is_written, Path("x").read_text()) == (not keeps, "old" if keeps else "new\n")
    assert os.listdir() == ["x"]


def test_link_in_place_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be replaced is written to, and no other file."""
    Path("x").write_text("old")
    Path("other").write_text("another's")
    with contextlib.ExitStack() as closing:
        export = files.Export("x", "", closing)
        os.rename("x", "moved")
        os.symlink("other", "x")
        monkeypatch.setattr(os, "replace", Mock(side_effect=OSError(errno.EBUSY, "refused")))
        assert not export.replace(lambda _: "new")
    assert (Path("other").read_text(), Path("moved").read_text()) == ("another's", "old")
    assert sorted(os.listdir()) == ["moved", "other", "x"]


@holds_folders
@pytest.mark.parametrize("old", [None, "old"])
def test_link_in_place_of_the_folder(old: str | None) -> None:
    for folder in "d", "other":
        Path(folder).mkdir()
        if old is not None:
            Path(folder, "x.json").write_text(old)
    swap = ["sh", "-c", "mv d moved; ln -s other d"]
    assert plain("--export", "d/x.json", *swap).returncode == 0
    assert record("moved/x.json")["command"] == swap
    assert os.listdir("moved") == ["x.json"]
    left = {path.name: path.read_text() for path in Path("other").iterdir()}
    assert left == ({} if old is None else {"x.json": old})


@forks
@alone
def test_folder_that_cannot_be_listed() -> None:
    Path().chmod(0o755)
    Path("d").mkdir(0o300)
    if os.geteuid() == 0:
        os.chown("d", NOBODY, NOBODY)
        os.setuid(NOBODY)
    for text in "first", "second":
        with contextlib.ExitStack() as closing:
            files.Export("d/x", "", closing).replace({"": text}.__getitem__)
        assert Path("d/x").read_text() == f"{text}\n"


AFTER = {
    "first file": (os, "open"),  # which shows whether a file can be made
    "opening": (main, "_import_reports"),
    "writing": (files, "_write"),
}


@forked.needs_fork
@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGPROF"])
def test_signal_leaves_no_file(
    name: str, old: str | None, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old is not None:
        Path("x.json").write_text(old)
    resource = pytest.importorskip("resource", reason="this system has no limit for files")
    number, (place, attribute) = signal.Signals[name], AFTER[after]
    function = getattr(place, attribute)

    def signaling(*args: Any, **keywords: Any) -> Any:
        done = function(*args, **keywords)
        if attribute != "open" or args[0].startswith(".rusage-"):
            setattr(place, attribute, function)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if after != "writing":  # as the command begins
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        return done

    monkeypatch.setattr(place, attribute, signaling)
    done = plain("--export", "x.json", "true")
    if after == "writing":
        assert done.returncode == (-number if name == "SIGPROF" else 0)
        assert record("x.json")["command"] == ["true"]
        assert os.listdir() == ["x.json"]
    else:
        assert done.returncode == -number
        left = {path.name: path.read_text() for path in Path().iterdir()}
        assert left == ({} if old is None else {"x.json": old})


# --- Without a report ---


@pytest.mark.parametrize(
    "line",
    [
        "-o x.csv /no/such/program",
        "--export x.csv /no/such/program",
        "--export x.csv -n 2 /no/such/program",
        pytest.param("--samples x.csv /no/such/program", marks=needs_tree),
        pytest.param("--plot x.png true", marks=needs_tree),
        "--export x.csv -o /no/such/folder/y true",
        "-o x.csv --export /no/such/folder/y.csv true",
    ],
)
def test_file_without_a_report(line: str) -> None:
    """None is made, but for ``-o``, as by GNU time, which also empties its file if all are open."""
    Path("matplotlib.py").touch()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])}
    option, path, *rest = line.split()
    Path("link.csv").symlink_to("target.csv")
    links = {} if option == "--plot" else {"link.csv": "target.csv"}
    for name, target in {path: path, **links}.items():
        done = plain(option, name, *rest, env=environment)
        assert done.returncode in {125, 127}, done.stderr
        assert os.path.exists(target) == (option == "-o")
        assert option != "-o" or Path(target).read_bytes() == b""
    Path(path).write_text("before")
    plain(option, path, *rest, env=environment)
    is_emptied = option == "-o" and "--export" not in rest
    assert Path(path).read_text() == ("" if is_emptied else "before")
    assert not [name for name in os.listdir() if name.startswith(".rusage-")]


# --- Several runs at once ---


def test_exports_at_once() -> None:
    for old in False, True:
        assert Path("x.json").exists() == old
        command = [*RUSAGE, "--export", "x.json", "sleep", "0.3"]
        started = [forked.popen(command, stderr=subprocess.PIPE) for _ in range(20)]
        errors = [each.communicate()[1] for each in started]
        assert all(b"wall time" in each and b"rusage: " not in each for each in errors)
        assert [each.returncode for each in started] == [0] * 20
        assert record("x.json")["command"] == ["sleep", "0.3"]
        assert os.listdir() == ["x.json"]


@pytest.mark.parametrize("options", [["--csv"], []], ids=["csv", "text"])
def test_runs_append_at_once(options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOCK_S", 600)  # a busy machine may keep a run from going on
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
        fcntl.flock(file, fcntl.LOCK_SH)  # the run's is exclusive
        began = time.monotonic()
        assert plain("--csv", "-ao", "x.csv", "true").returncode == 0
        assert time.monotonic() - began > 0.9
    assert len(table("x.csv")) == 1


def test_dangling_link_through_a_missing_folder() -> None:
    """The system follows each part of a link: nothing is made elsewhere, nor run."""
    os.symlink("missing/../x.json", "link.json")
    done = plain("--export", "link.json", "sh", "-c", ">ran")
    assert (done.returncode, os.listdir()) == (125, ["link.json"])


# --- Encodings and open files ---


@pytest.mark.parametrize("encoding", ["ascii", "latin1", "cp1252", "utf-16"])
@pytest.mark.parametrize(
    "options",
    [["-f", "%x %C"], ["-v"], [], ["--csv"], ["-o", "-", "-n", "2", "--markdown"]],
    ids=str,
)
def test_encoding_that_lacks_characters(encoding: str, options: list[str]) -> None:
    """GNU time's report has the bytes of the command."""
    command: list[str | bytes] = [*RUSAGE, *options, "true", "\u2192", b"\xff"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    if options[:1] in (["-f"], ["-v"]):
        assert b"true \xe2\x86\x92 \xff" in done.stderr
    elif options:
        shown = (done.stdout + done.stderr).decode(encoding)
        assert ("\u2192" if encoding == "utf-16" else r"\u2192") in shown
        assert r"\xff" in shown


@pytest.mark.parametrize("line", ["-o x true", "--export x.csv true", "--pid 1"])
def test_too_few_open_files(line: str) -> None:
    resource = pytest.importorskip("resource", reason="this system has no limit for open files")
    for count in range(4, 7):
        limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (count, count))
        done = plain(*line.split(), preexec_fn=limit)
        if "Fatal Python error" in done.stderr:  # CPython 3.11 cannot start with four
            continue
        assert "standard output" not in done.stderr
        assert "Traceback" not in done.stderr
        assert done.returncode == 0 or "rusage: " in done.stderr
