"""What the command's tests share: a report in a new folder, and a program that counts its runs."""

from __future__ import annotations

import contextlib
import csv
import ctypes
import functools
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import forked
import pytest
from forked import RUSAGE
from scenes import wait_until

import rusage
from rusage._cli import limits
from rusage._cli.figures import Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

if sys.platform == "win32":
    pytest.skip("the programs that run here need Unix", allow_module_level=True)

needs_tree = pytest.mark.skipif(not hasattr(rusage, "Tree"), reason="this system has no Tree")


@pytest.fixture(autouse=True)
def new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test of a module that imports this its own folder, so file names are short."""
    monkeypatch.chdir(tmp_path)


def plain(
    *words: str, before: list[str] = RUSAGE, **keywords: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command; its report goes to standard error.

    For an environment of its own, an interpreter is started.
    """
    forked.skip_without_shell(words)
    start: Any = subprocess.run if {"env", "preexec_fn"} & keywords.keys() else forked.run
    done: subprocess.CompletedProcess[str]
    done = start([*before, *words], capture_output=True, text=True, check=False, **keywords)
    return done


def run(*words: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    """Run the command with a file for the report; standard error has only what is not in it."""
    return plain("-o", "report", *words, **keywords)


def python(code: str) -> list[str]:
    """Return the words of a program in Python."""
    return [sys.executable, "-S", "-c", code]


@contextlib.contextmanager
def started(*words: str, **keywords: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a command whose program prints a line when it is ready."""
    start: Any = subprocess.Popen if "preexec_fn" in keywords else forked.popen
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with start([*words], text=True, **pipes, **keywords) as process:
        assert process.stdout.readline() == "ready\n"
        yield process


@contextlib.contextmanager
def started_in_folder() -> Iterator[None]:
    """Wait until a command with ``--export`` or ``--samples`` has tried to make a file here."""
    os.utime(".", (0, 0))
    yield
    wait_until(lambda: os.stat(".").st_mtime, "the start")


MISSING = "missing"
"""What ``check`` finds in a record where a member is not there."""


def alike(text: str, expected: str) -> bool:
    """Return whether a text is the expected one, in which ``...`` stands for part of a line."""
    pattern = ".*".join(map(re.escape, expected.split("...")))
    return re.fullmatch(pattern, text) is not None


def member(found: Any, path: str) -> Any:
    """Return what a path as ``limits.cputime.limit`` leads to; ``*`` stands for each of a list."""
    for number, name in enumerate(names := path.split(".")):
        if name == "*":
            return [member(each, ".".join(names[number + 1 :])) for each in found]
        found = found.get(name, MISSING) if isinstance(found, dict) else MISSING
    return found


def check(
    words: str | Sequence[str],
    status: int | set[int] = 0,
    errors: str | None = "",
    members: Mapping[str, Any] | None = None,
    shown: str = "",
    **keywords: Any,
) -> subprocess.CompletedProcess[str]:
    """Run the command, and check its status, its messages, its JSON, and words of its report.

    *words* is a list, or a line as for a shell. *errors* is all of standard error without its last
    end of line, or None; ``...`` stands for part of a line there and in *shown*. *members* has the
    values of paths: see ``member``.
    """
    words = shlex.split(words) if isinstance(words, str) else words
    is_json = "--json" in words
    is_exported = is_json or "--export" in words or not members
    done = run(*([] if is_exported else ["--export", "x.json"]), *words, **keywords)
    assert done.returncode in (status if isinstance(status, set) else {status}), done.stderr
    assert errors is None or alike(done.stderr.removesuffix("\n"), errors), done.stderr
    if members:
        found = record("report" if is_json else "x.json")
        assert {path: member(found, path) for path in members} == members
    assert not shown or alike(in_words(), f"...{shown}...")
    return done


def judged(
    name: str, runs: list[Any], limited: dict[str, float], relative: dict[str, Any] | None = None
) -> int:
    """Compare runs of a command with limits, print the messages, and return the exit status."""
    series = Series([name], runs)
    limits.judge_all(series, limited, relative or {})
    return limits.complain_of(series)


def tree_of(
    *samples: rusage.Sample,
    members: Sequence[rusage.Member] = (),
    bounds: tuple[int | None, int | None] = (None, None),
    pid: int = 0,
    member_peak: int = 0,
    missed: int = 0,
) -> dict[str, Any]:
    """Return the record of a tree that had these samples, the largest one with these members."""
    from rusage._cli import sampling  # some systems lack what it imports

    at_least, at_most = bounds
    recording = Mock(
        samples=[*samples],
        largest=max(samples, key=lambda sample: sample.rss),
        members=[*members],
        interval=0.01,
        missed=missed,
        tree=Mock(_largest=member_peak),
        pss_at_least=at_least,
        pss_at_most=at_most,
    )
    return sampling.tree_record(recording, pid)


def text() -> str:
    return Path("report").read_text(encoding="utf-8")


def in_words() -> str:
    """Return the report without its spacing."""
    return " ".join(text().split())


SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "rusage.schema.json").read_text(encoding="utf-8")
)


def strict(schema: Any) -> Any:
    """Return a schema that also rejects members that it does not describe."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        result.setdefault("additionalProperties", False)
    return result


@functools.cache
def validator() -> Any:
    """Return a function that raises ``ValueError`` if a record does not match the schema.

    Without fastjsonschema, it checks nothing.
    """
    try:
        import fastjsonschema
    except ModuleNotFoundError:
        return lambda record: record
    return fastjsonschema.compile(strict(SCHEMA))


def validated(text: str) -> Any:
    """Return a report in JSON, which has neither NaN nor Infinity and matches the schema."""
    return validator()(json.loads(text, parse_constant=pytest.fail))


def record(path: str = "report") -> Any:
    return validated(Path(path).read_text(encoding="utf-8"))


def table(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


# Of programs, with names that are empty, missing or repeated.
ENVIRONMENTS = [
    [
        *(b"=x=1", b"=", b"==", b"=C:=C:\\", b"A", b"", b"A=1"),
        *(b"A=2", b"A=", b"B==", b"\xff=\xfe\n", b"A=1"),
    ],
    [
        *(b"LC_CTYPE", b"LC_CTYPE=C", b"LC_CTYPE=", b"LC_CTYPE=C.UTF-8"),
        *(b"LC_ALL=", b"LC_ALL=C", b"LC_ALL", b"LANG=C"),
    ],
    [b"LC_CTYPE=C.UTF-8", b"A=1"],
    [b"A=1", b"LC_CTYPE=C"],
    [],
]


def execute(words: list[str], entries: list[bytes]) -> None:
    """Execute a program in an environment that no mapping holds: names may repeat or be missing."""
    arrays = (
        (ctypes.c_char_p * (len(texts) + 1))(*texts, None)
        for texts in ([*map(os.fsencode, words)], entries)
    )
    ctypes.CDLL(None).execve(os.fsencode(words[0]), *arrays)


# What a run of ``nth`` may do. Python's own handler would not run before the end of a sleep that
# begins just then.
SLEEPS = "signal.signal(signal.SIGINT, signal.SIG_DFL); print('ready', flush=True); time.sleep(60)"
CATCHES = (
    "signal.pthread_sigmask(signal.SIG_BLOCK, [{0}]); print('ready', flush=True); "
    "signal.sigwait([{0}])"
)


def nth(number: int, unusual: str) -> list[str]:
    """Return a program that does nothing but in one of its runs.

    The file ``count`` has a byte for each run.
    """
    count = (
        "import os, signal, sys, time; "
        "os.write(os.open('count', os.O_CREAT | os.O_WRONLY | os.O_APPEND), b'.')"
    )
    script = f"{count}; os.stat('count').st_size == {number} and exec(sys.argv[1])"
    return [*python(script), unusual]
