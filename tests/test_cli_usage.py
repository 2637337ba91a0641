"""The options of ``rusage`` and their errors, ``--help``, and ``python -m rusage`` alone."""

import json
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import version

import pytest
from command import needs_tree, plain
from conftest import CPYTHON
from expected import BACKENDS, newest

import rusage
from rusage._backends import BACKEND
from rusage._cli import info
from rusage._cli import options as table

DIGITS = "9" * 5000
SHOWN = repr("9" * 47 + "...")
# A program would get them as arguments: the figures would be another command's.
OPERATORS = {
    "echo x | md5sum": "|",
    "sleep 1; true": "1;",
    "true&& true": "true&&",
    "true >/dev/null": ">/dev/null",
    "true 2>&1": "2>&1",
    "cat <<end": "<<end",
    "true &": "&",
    "echo 'a' \"|\" b\n|cat": "|cat",
}
NO_SIZE = (
    "--limit-maxrss: not a size: {!r} "
    "(expected a number of bytes, or one with K, M, G or T, such as 500M)"
)
PERCENT = "a limit relative to --against is like +10%: {!r}"
WRONG: list[tuple[str | list[str], str]] = [
    ("--nonsense true", "option --nonsense not recognized"),
    ("--hlep", "option --hlep not recognized"),
    ("--limit 300M true", "option --limit not a unique prefix"),
    ("-json true", "option -j not recognized"),
    ("-s go test -json", "option -s not recognized"),
    ("-y true", "option -y not recognized"),
    ("--json=x true", "option --json must not have an argument"),
    ("-o", "option -o requires argument"),
    ("-o file", "--output needs a command"),
    ("--tree", "--tree needs a command or --pid"),
    ("--append true", "--append needs --output"),
    ("--limit-maxrss 5MB true", NO_SIZE.format("5MB")),
    *(
        (f"--limit-cputime {text} true", f"--limit-cputime: not a number of seconds: {text!r}")
        for text in ("nan", "1s", "1_0", "1e400")
    ),
    ("-n 0 true", "--runs: must be at least 1: '0'"),
    *(
        (f"-n {text} true", f"--runs: not a number of runs: {text!r}")
        for text in ("-1", f"{2**63}", "\u0661")
    ),
    (f"-n {DIGITS} true", f"--runs: not a number of runs: {SHOWN}"),
    ("-n 5 --warmup x true", "--warmup: not a number of runs: 'x'"),
    ("--warmup 1 true", "--warmup needs --runs or --compare"),
    ("--compare", "--compare needs a command"),
    ("--compare true 'true", '--compare: No closing quotation: "\'true"'),
    ("--compare true --no", "--compare: options precede the commands: '--no'"),
    ("-n 2 --json --csv true", "--json excludes --csv"),
    ("--json -p true", "--json excludes --portability"),
    ("--tree -v true", "--tree excludes --verbose"),
    ("--samples x.csv -n 2 true", "--runs excludes --samples"),
    (
        "--interval 1 true",
        ("--interval needs --tree, --samples, --plot, --limit-tree-rss, --limit-tree-pss or --pid"),
    ),
    ("--tree --interval 1e-320 true", "--interval: must be at least 0.0001: '1e-320'"),
    ("--pid 1 --kill", "--kill needs a command"),
    ("--pid 1 true", "--pid excludes a command"),
    ("--pid 0", "--pid: must be at least 1: '0'"),
    ("--pid 99999999999", "--pid: not a process ID: '99999999999'"),
    ("--export - true", "--export: the name of a file must end with .json, .csv or .md: '-'"),
    ("--plot x.gif true", "--plot: the name of a file must end with .png, .svg or .pdf: 'x.gif'"),
    *(
        (words, f"{words[0]}: {word!r} needs a shell, as in sh -c '...', or quotes: {line!r}")
        for line, word in OPERATORS.items()
        for words in (["--compare", "true", line], ["--prepare", line, "true"])
    ),
    ("--limit-maxrss +10% true", "--limit-maxrss: a percentage needs --against"),
    ("--against x --limit-maxrss -10% true", f"--limit-maxrss: {PERCENT.format('-10%')}"),
    ("--against x --limit-cputime 10% true", f"--limit-cputime: {PERCENT.format('10%')}"),
    ("--against x --limit-cputime +10 true", f"--limit-cputime: {PERCENT.format('+10')}"),
    ("--against x --limit-cputime +1e400% true", "--limit-cputime: not a percentage: '1e400'"),
    ("--against x --compare true true", "--against excludes --compare"),
    ("--against x -p true", "--against excludes --portability"),
]


@pytest.mark.parametrize(("options", "text"), WRONG, ids=lambda text: str(text)[:40])
def test_wrong_usage_is_status_2(options: str | list[str], text: str) -> None:
    done = plain(*(options.split() if isinstance(options, str) else options))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"rusage: {text}\nTry 'rusage --help' for the options.\n"


def test_help_and_version(python: Callable[..., str]) -> None:
    lines = python("-m", "rusage", "-h").splitlines()
    assert lines[0].startswith("usage: rusage ")
    assert lines[lines.index("Examples:") + 1 :] == [f"  {example}" for example in table.EXAMPLES]
    groups = [group for title, group in table.OPTIONS.items() if title != table.GNU_TIME]
    names = [
        line.split("--")[1].split()[0] for line in lines if line.startswith(("  -", "      --"))
    ]
    assert names == [option.name for group in groups for option in group]
    assert f"{table.GNU_TIME}: -f FORMAT, -p, -v and -q" in lines
    assert python("-m", "rusage", "-V") == f"rusage {version('rusage')}\n"


@pytest.mark.parametrize("name", BACKENDS)
def test_meanings_are_short(name: str) -> None:
    backend = newest(name)
    widest = (
        "104857600 byte-seconds" if "ru_idrss" in backend.measured["RUSAGE_SELF"] else "100.0 MiB"
    )
    columns = 80 - len(f"ru_nsignals  {widest}  ")
    for field in backend.fields().values():
        shown = "; ".join(field.meaning.split("; ")[: info.CLAUSES])
        assert len(textwrap.wrap(shown, columns)) <= 3


def test_own_usage(python: Callable[..., str]) -> None:
    """What the command is for, then each field: name, value or "-" if not measured, meaning."""
    hint, text = python("-m", "rusage").rstrip("\n").split("\n\n", 1)
    assert hint.startswith("'rusage COMMAND ...' measures a command")
    parts = re.split(r"\n(?! )", text)
    assert [part.split()[0] for part in parts] == list(rusage.fields)
    record = json.loads(python("-m", "rusage", "--json"))
    for part, (name, field) in zip(parts, rusage.fields.items(), strict=True):
        is_measured = name in rusage.measured()
        assert (part.split()[1] == "-") == (not is_measured)
        assert len(part.splitlines()) <= 3
        shown = " ".join(part.split())
        assert any(
            shown.endswith(f" {field.meaning[:end]}")
            for end in [
                len(field.meaning),
                *(each.start() for each in re.finditer(";", field.meaning)),
            ]
        )
        assert isinstance(record[name].pop("value"), (int, float))
        about = {"unit": field.unit, "meaning": field.meaning, "error": field.error}
        assert record[name] == {**about, "measured": is_measured}


@needs_tree
@pytest.mark.parametrize("words", [["--tree", "--pss"], ["--limit-tree-pss", "1G"]], ids=str)
def test_options_that_the_system_lacks(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(BACKEND.absent, "pss", "it counts otherwise")
    with pytest.raises(SystemExit, match="2"):
        table.parse([*words, "true"])
    assert f"rusage: {BACKEND.name} has no pss: it counts otherwise\n" in capsys.readouterr().err


def test_ctrl_c_before_the_program_starts() -> None:
    script = (
        "import importlib.metadata, os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'rusage._cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder)\n"
        "(point,) = importlib.metadata.entry_points(group='console_scripts', name='rusage')\n"
        "point.load()()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


LATE = """
import os, sys
from rusage._cli import start
class Late:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=int(sys.argv.pop())):
        kill(pid, number)
sys.late = Late()
sys.exit(start())
"""


@pytest.mark.skipif(not CPYTHON, reason="PyPy deletes no objects at its end")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_signal_after_the_report(number: int) -> None:
    """CPython resets the handlers before it deletes what modules have."""
    words = [sys.executable, "-c", LATE, "false", str(number)]
    done = subprocess.run(words, capture_output=True, check=False)
    assert (done.returncode, b"exit status" in done.stderr) == (1, True)
