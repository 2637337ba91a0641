"""The record of the last runs of the suite, ``tests/tools/runs.py``."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import runs

LAST_LINES = {
    "= 2 passed in 0.01s =": {"passed": 2, "failed": 0, "skipped": 0, "xfailed": 0},
    "624 passed, 83 skipped in 1020.76s (0:17:00)": {"passed": 624, "failed": 0, "skipped": 83, "xfailed": 0},
    "== 1 failed, 3 passed, 2 skipped, 5 xfailed, 4 warnings, 2 errors in 9.00s ==": {
        "passed": 3,
        "failed": 3,
        "skipped": 2,
        "xfailed": 5,
    },
    "no tests ran in 0.01s": {},
    "it took 3 passed": {},
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use another file, without a run."""
    path = tmp_path / "runs.json"
    path.write_text("{}")
    monkeypatch.setattr(runs, "FILE", path)
    return path


@pytest.mark.parametrize(("line", "expected"), LAST_LINES.items())
def test_counts_of_known_lines(line: str, expected: dict[str, int]) -> None:
    """An error counts as a failure. The last summary counts."""
    assert runs.counts([line]) == expected
    before = ["9 passed in 1.00s"]
    assert runs.counts([*before, line, "exit status 0"]) == (expected or runs.counts(before))


def test_counts_of_a_real_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The oracle is what the tests are written to do; the output is passed on."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\ndef test_passes(): pass\ndef test_fails(): assert 0\ndef test_error(no_fixture): pass\n"
        "def test_skipped(): pytest.skip('no reason')\n@pytest.mark.xfail\ndef test_known(): assert 0\n"
    )
    pytest_command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:rusage", "-p", "no:cacheprovider", str(tmp_path)]
    run = runs.watch(pytest_command)
    assert run.status == 1
    assert runs.counts(run.lines) == {"passed": 1, "failed": 2, "skipped": 1, "xfailed": 1}
    assert capfd.readouterr().out.splitlines() == run.lines


def test_counts_of_a_run_that_was_stopped(tmp_path: Path) -> None:
    """Its tests were not all run."""
    (tmp_path / "test_it.py").write_text(
        "import os, pytest\ndef test_passes(): pass\ndef test_ends():\n    how = os.environ['HOW']\n"
        "    if how == 'fails': assert 0\n    if how == 'exits': pytest.exit('now')\n    raise KeyboardInterrupt\n"
        "def test_too(): pass\n"
    )
    pytest_command = [sys.executable, "-m", "pytest", "-ra", "-x", "-p", "no:rusage", "-p", "no:cacheprovider"]
    for how in "fails", "exits", "is interrupted":
        run = runs.watch([*pytest_command, str(tmp_path)], env={**os.environ, "HOW": how})
        assert any(runs.SUMMARY.search(line) for line in run.lines)
        assert runs.counts(run.lines) == {}, how


def test_command_that_hangs_is_killed(capfd: pytest.CaptureFixture[str]) -> None:
    """The output until then is kept; the reason is printed."""
    run = runs.watch([sys.executable, "-c", "import time; print('started', flush=True); time.sleep(600)"], timeout=5)
    assert run.status != 0
    assert run.lines in (["started"], [])  # a loaded machine may not have started it
    assert capfd.readouterr().out.splitlines() == [*run.lines, "killed after 5 seconds"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGINT to one process")
def test_interrupted_program_leaves_no_command(tmp_path: Path) -> None:
    """Also if the signal reaches the program alone."""
    child = (
        "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); print(flush=True); time.sleep(60)"
    )
    code = f"import runs; runs.ROOT = {str(tmp_path)!r}; runs.watch([{sys.executable!r}, '-c', {child!r}])"
    environment = {**os.environ, "PYTHONPATH": str(Path(runs.__file__).parent)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.send_signal(signal.SIGINT)
        assert program.wait() != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_record_replaces_the_last_run(file: Path) -> None:
    """Of the same system; the table has a row for each."""
    runs.record("Linux x", "the suite", ["1 failed, 2 passed in 1.00s"], "0123456789")
    runs.record("FreeBSD y", "the suite, in an emulator", ["5 passed, 7 skipped in 1.00s"], "0123456789")
    runs.record("Linux x", "the suite", ["3 passed in 1.00s"], "0123456789")
    assert list(json.loads(file.read_text())) == ["FreeBSD y", "Linux x"]
    freebsd, linux = runs.rows()
    assert freebsd[:2] == ["FreeBSD y", "the suite, in an emulator"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", freebsd[2])
    assert freebsd[3:] == ["0123456789", "5", "0", "7", "0"]
    assert linux[3:] == ["0123456789", "3", "0", "0", "0"]
    assert len(linux) == len(runs.HEAD)


def test_run_without_a_summary(file: Path) -> None:
    """It is not recorded."""
    with pytest.raises(SystemExit, match="no summary"):
        runs.record("Linux x", "the suite", ["Killed"], "0123456789")
    assert json.loads(file.read_text()) == {}


def test_largest_run_of_a_system(file: Path) -> None:
    """The one that most tests passed; it says how many failed."""
    assert json.loads(file.read_text()) == {}
    assert runs.largest_run("Linux") is None
    runs.record("Linux 1", "some files", ["3 passed in 1.00s"], "0123456789")
    runs.record("Linux 2", "the suite", ["9 passed, 1 failed in 1.00s"], "0123456789")
    runs.record("FreeBSD", "all", ["99 passed in 1.00s"], "0123456789")
    assert runs.largest_run("Linux") == "the suite (1 of 10 tests failed)"
    assert runs.largest_run("FreeBSD") == "all"
    runs.record("Linux 3", "the suite, in an emulator; one file again", ["10 passed in 1.00s"], "0123456789")
    assert runs.largest_run("Linux") == "the suite, in an emulator"


def test_option_for_the_whole_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of chosen tests must not become the suite's record; the commit is the one at the start."""
    monkeypatch.setattr(runs, "commit", lambda: "0123456789")
    arguments = ["--record"]
    assert runs.take_option(arguments) == "0123456789"
    assert arguments == []
    assert runs.take_option(["-k", "x"]) is None
    with pytest.raises(SystemExit, match="whole suite"):
        runs.take_option(["-k", "x", "--record"])


@pytest.mark.skipif(not shutil.which("git"), reason="there is no git")
def test_commit_of_a_changed_tree(tmp_path: Path) -> None:
    """Changes of the documentation are not changes of what was tested."""
    git = [shutil.which("git") or "", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x"]
    (tmp_path / "docs").mkdir()
    for name in "code", "docs/page":
        (tmp_path / name).write_text("old")
    for command in ["init", "-q"], ["add", "."], ["commit", "-qm", "x"]:
        subprocess.run([*git, *command], check=True)
    assert re.fullmatch(r"[0-9a-f]{10}", runs.commit(tmp_path))
    (tmp_path / "docs/page").write_text("new")
    assert re.fullmatch(r"[0-9a-f]{10}", runs.commit(tmp_path))
    (tmp_path / "code").write_text("new")
    assert re.fullmatch(r"[0-9a-f]{10} and changes", runs.commit(tmp_path))
    (tmp_path / "code").write_text("old")
    assert re.fullmatch(r"[0-9a-f]{10}", runs.commit(tmp_path))
    (tmp_path / "new").touch()
    assert re.fullmatch(r"[0-9a-f]{10} and changes", runs.commit(tmp_path))


def test_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is deleted; an option is no folder."""
    monkeypatch.setattr(sys, "argv", ["program", str(tmp_path / "new"), "x"])
    assert runs.new_folder("usage") == tmp_path / "new"
    (tmp_path / "new").mkdir()
    with pytest.raises(SystemExit, match="exists already"):
        runs.new_folder("usage")
    for arguments in [], ["--help"], ["--quick"]:
        monkeypatch.setattr(sys, "argv", ["program", *arguments])
        with pytest.raises(SystemExit, match=r"^usage$"):
            runs.new_folder("usage")
