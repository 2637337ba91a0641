"""``rusage --json``, ``--markdown``, ``--csv`` and ``--export``.

``docs/rusage.schema.json`` describes the JSON.
"""

import json
import os
import platform
import shlex
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import forked
import pytest
from command import (
    SCHEMA,
    check,
    needs_tree,
    new_folder,  # noqa: F401 (a fixture)
    plain,
    python,
    record,
    run,
    table,
    text,
    validated,
)
from conftest import needs_sh
from expected import SAMPLED
from forked import CHECKS, RUSAGE

import rusage
from rusage._cli.comparison import compare
from rusage._cli.figures import Series, run_record
from rusage._cli.formats import markdown_of_runs
from rusage._cli.options import Options


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_markdown_marks_the_smallest_and_counts_failures() -> None:
    figures = (2.0, [0] * 6), (1.0, [3, *[0] * 5])
    runs = [[run_record(code, {}, elapsed, None) for code in codes] for elapsed, codes in figures]
    found = [Series([name], each) for name, each in zip("ab", runs, strict=True)]
    compare(found)
    head, _, *rows = cells(markdown_of_runs(found, Options({"compare": True}), None))
    assert head[:3] == ["command", "runs", "failures"]
    assert [row[:3] for row in rows] == [["`a`", "6", "0"], ["`b`", "6", "1"]]
    assert [row[3:5] for row in rows] == [["2 s", "1.00"], ["**1 s**", "0.500"]]


def test_markdown_of_a_single_run() -> None:
    """It is appended after an empty line, for a job's summary."""
    limits = "--limit-maxrss 1K --limit-cputime 60"
    check(f"-a {limits} --markdown sh -c 'sleep 0.01; exit 3'", 3, None)
    for runs in "", "-n 1":
        check(f"-a {runs} --markdown --export x.md true")
        assert Path("x.md").read_text().startswith("| command")  # to this file nothing is appended
    first, second, _ = text().strip().split("\n\n")
    head, _, row = cells(first)
    expected = {
        "command": "`sh -c 'sleep 0.01; exit 3'`",
        "runs": "1",
        "failures": "1",
        "CPU time, limit 60.000000 s": "1 of 1 passed",
        "peak memory, limit 1024 bytes (1.0 KiB)": "0 of 1 passed",
    }
    assert expected.items() <= dict(zip(head, row, strict=True)).items()
    assert "CPU time" in head
    assert cells(second)[-1][:2] == ["`true`", "1"]


def test_csv_has_every_run() -> None:
    words = ["-n", "3", "--export", "x.json", "--csv", "--compare", "true", "echo 'a, \"b\"'"]
    run("--append", *words)  # to a new file
    rows = table("report")
    made = [
        (command, each)
        for command, found in zip(words[-2:], record("x.json")["commands"], strict=True)
        for each in found["runs"]
    ]
    assert [row["run"] for row in rows] == [*"123"] * 2
    for row, (command, each) in zip(rows, made, strict=True):
        shown = [row[name] for name in ("command", "counted", "exit_status", "signal")]
        assert shown == [command, "1", "0", ""]
        assert float(row["elapsed (seconds)"]) == each["elapsed"]
        for name, field in rusage.fields.items():
            assert row[f"{name} ({field.unit})"] == str(each["usage"].get(name, ""))
    run("--append", "-n", "3", "--csv", "sh", "-c", "kill -9 $$")
    *others, row = table("report")
    assert (len(others), text().count("exit_status")) == (6, 1)  # one header
    assert (row["counted"], row["exit_status"], row["signal"]) == ("0", "", "9")


def test_when_the_program_was_started() -> None:
    words = ["--append", "--export", "x.json", "--export", "x.md", "--csv", "-n", "2"]
    before = time.time()
    check([*words, "sleep", "0.05"], env={**os.environ, "TZ": "XXX-5"})
    check(["--append", "--csv", "true"])
    after = time.time()
    rows = [row["started (UTC)"] for row in table("report")]
    times = [datetime.strptime(row, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() for row in rows]
    assert sorted([before - 0.001, *times, after]) == [before - 0.001, *times, after]
    assert times[1] - times[0] >= 0.049
    assert [made["started"] for made in record("x.json")["runs"]] == rows[:2]
    assert f"| {rows[0]} |" in Path("x.md").read_text()
    assert text().splitlines()[0].endswith(",started (UTC)")


@pytest.mark.parametrize("head", ["command,run,counted\nx,1,1\n", "\n", "\n\nx", "x"], ids=repr)
def test_append_to_another_head(head: str) -> None:
    Path("report").write_text(head)
    why = "rusage: report: its first line is not the head of this report"
    check("--append --csv touch started", 125, why)
    assert not Path("started").exists()
    assert text() == head


def test_append_to_no_rows() -> None:
    """An empty file gets the head; one whose line has no end gets that too."""
    Path("report").write_text("")
    check("--append --csv --export x.csv true")
    assert len(table("report")) == 1
    assert text() == Path("x.csv").read_text(encoding="utf-8")
    Path("report").write_text(text().splitlines()[0])
    for _ in range(2):
        check("--append --csv true")
    assert [row["command"] for row in table("report")] == ["true"] * 2


@pytest.mark.parametrize(
    ("options", "start"), [(["--json"], "\n{"), ([], "\ncommand "), (["-f", "e"], "e")], ids=str
)
def test_append_behind_part_of_a_line(options: list[str], start: str) -> None:
    """GNU time's report does not begin a line: a script may print its start."""
    Path("report").write_text("part ")
    check(["--append", *options, "true"])
    assert text().startswith(f"part {start}")


@pytest.mark.parametrize("option", [[], ["-a"], ["--csv"], ["--markdown"]], ids=str)
def test_bytes_of_the_command(option: list[str]) -> None:
    words = ["-o", "report", *option, "-n", "2", "--compare"]
    forked.run([*RUSAGE, *words, b"true '\x1b]0;title\x07 \xc2\x9b31m' \xff \xc3\xa9"], check=True)
    shown = Path("report").read_text(encoding="utf-8")
    assert r"\x1b]0;title\x07 \x9b31m' \xff " + "\u00e9" in shown.replace("\n", " ")
    done = forked.run(
        [*RUSAGE, *words, b"/no/such/\x1b\xc2\x9b\xff"], stderr=subprocess.PIPE, check=False
    )
    assert done.stderr == b"rusage: /no/such/\\x1b\\x9b\\xff: No such file or directory\n"
    done = forked.run([*RUSAGE, b"--\x1b"], stderr=subprocess.PIPE, check=False)
    assert done.stderr.startswith(b"rusage: option --\\x1b not recognized\n")


@pytest.mark.parametrize("closed", [(1, 2), (2, 3), (1, 3), (0, 3)], ids=str)
def test_closed_standard_streams(closed: tuple[int, int]) -> None:
    Path("x.json").write_text("x" * 10_000)
    words = ["sh", "-c", "echo output; echo errors >&2; exit 0"]
    plain("--export", "x.json", *words, preexec_fn=lambda: os.closerange(*closed))
    assert record("x.json")["command"] == words


@pytest.mark.parametrize(
    ("option", "path"),
    [("-o", "-"), ("-o", "/dev/stdout"), ("-o", "x.json"), ("--export", "x.json")],
    ids=str,
)
@pytest.mark.parametrize("runs", [[], ["-n", "2"]], ids=["once", "series"])
def test_report_in_the_output_of_the_program(option: str, path: str, runs: list[str]) -> None:
    if path.startswith("/dev/") and not Path(path).exists():
        pytest.skip("this system has no /dev/stdout")
    with Path("x.json").open("w", encoding="utf-8") as file:
        print("before", file=file, flush=True)
        words = [*RUSAGE, option, path, *runs, "--json", "sh", "-c", "echo hello"]
        stderr = forked.run(
            words, stdout=file, stderr=subprocess.PIPE, text=True, check=True
        ).stderr
    assert stderr == "" or option == "--export"
    *output, report = Path("x.json").read_text().splitlines()
    assert output == ["before", *["hello"] * (2 if runs else 1)]
    assert json.loads(report)["version"] == 2


MOVES = ["mv x.csv y", "mv x.csv y; echo own > x.csv", "mv x.csv y; ln -s /dev/null x.csv"]


@pytest.mark.parametrize("change", [*MOVES, "ln x.csv y; rm x.csv"])
@pytest.mark.parametrize(
    "words",
    [
        ["-o", "x.csv"],
        ["-ao", "x.csv"],
        ["--export", "x.csv"],
        ["-n", "1", "--export", "x.csv"],
        pytest.param(["--samples", "x.csv"], marks=needs_tree),
    ],
    ids=str,
)
def test_file_that_the_program_moves(change: str, words: list[str]) -> None:
    for status in 0, 3:
        Path("x.csv").unlink(missing_ok=True)
        Path("x.csv").write_text("before\n")
        done = plain(*words, "sh", "-c", f"rm -f y; {change}; sleep 0.1; exit {status}")
        assert (done.returncode, "rusage: x.csv" in done.stderr) == (status, False)
        moved = Path("y").read_text()
        if words[0].endswith("o"):
            assert moved.startswith("before\n" if "a" in words[0] else "wall time")
            assert "exit status" in moved
            assert "own" not in change or Path("x.csv").read_text() == "own\n"
        else:
            assert moved == "before\n"
            assert Path("x.csv").read_text().startswith(("command,run", "elapsed (seconds)"))


def test_file_that_the_program_writes_to() -> None:
    check("--json sh -c 'echo own > report'")
    own, report = text().splitlines()
    assert (own, report[:1]) == ("own", "{")


def test_fifo_that_the_program_removes() -> None:
    os.mkfifo("x.csv")
    reader = os.open("x.csv", os.O_RDONLY | os.O_NONBLOCK)
    assert plain("--export", "x.csv", *python("import os; os.remove('x.csv')")).returncode == 0
    assert os.read(reader, 100).startswith(b"command,run,")
    os.close(reader)


# --- JSON ---


def output(*words: str | bytes, before: list[str] = RUSAGE) -> Any:
    """Run the command with ``--json``, validate what it reports and return it."""
    done = forked.run([*before, "--json", *words], capture_output=True, check=False)
    lines = (done.stderr if words else done.stdout).decode("ascii").splitlines()
    return validated("".join(line for line in lines if not line.startswith("rusage: ")))


@pytest.mark.parametrize(
    "words",
    [
        "-n 1 --warmup 2 false",
        pytest.param(
            "-n 6 --warmup 1 --ignore-failure --compare false \"sh -c 'kill -9 $$'\"",
            marks=needs_sh,
        ),
        "-n 6 --limit-maxrss 1 --limit-cputime 60 --compare true",
        pytest.param("-n 1 --limit-tree-rss 1 --compare 'sleep 0.1' false", marks=needs_tree),
    ],
)
@pytest.mark.parametrize("before", [RUSAGE, [*CHECKS, "no_peak"]], ids=["", "no peak"])
def test_runs_match_the_schema(words: str, before: list[str]) -> None:
    assert output(*shlex.split(words), before=before)["units"]["elapsed"] == "seconds"


@pytest.mark.parametrize(
    "words",
    [["sh", "-c", "exit 3"], ["sh", "-c", "kill -9 $$"], ["true", b"\xff \xc3\xa9", "\u00e9", ""]],
    ids=repr,
)
def test_record_of_a_program(words: list[str | bytes]) -> None:
    record = output(*words)
    shown = [os.fsencode(word).decode("utf-8", "backslashreplace") for word in words]
    assert record["command"] == shown
    assert (record["exit_status"] is None) is (record["signal"] is not None)
    assert record["usage"].keys() - SAMPLED == rusage.run(["true"]).measured - SAMPLED
    assert record["system"].split()[:2] == [platform.system(), platform.release()]
    assert record["units"].keys() - {"cputime"} == {"elapsed", *record["usage"]}
    error = rusage.fields["ru_maxrss"].error
    assert record["errors"] == (
        {"ru_maxrss": error} if error is not None and "ru_maxrss" in record["units"] else {}
    )


def test_schema_names_the_fields() -> None:
    definitions = SCHEMA["definitions"]
    assert definitions["name"]["enum"] == list(rusage.fields)
    process = definitions["process"]
    names = ["version", *rusage.fields]
    assert process["required"] == list(process["properties"]) == list(output()) == names


def test_schema_rejects_other_records() -> None:
    pytest.importorskip("fastjsonschema", reason="no fastjsonschema: pip install --group command")
    record = output("true")
    for change in (
        {"version": 1},
        {"exit_status": -9},
        {"other": 1},
        {"limits": {"ru_maxrss": 5}},
        {"units": record["units"] | {"ru_other": "bytes"}},
        {"usage": {"ru_utime": -1}},
        {"usage": {"ru_other": 1}},
    ):
        with pytest.raises(ValueError, match="valid exactly by one"):
            validated(json.dumps(record | change))
