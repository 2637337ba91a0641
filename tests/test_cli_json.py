"""``rusage --json``: every output against ``docs/rusage.schema.json``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked
import pytest
from conftest import needs_sh
from expected import SAMPLED
from forked import CHECKS, RUSAGE

import rusage

if sys.platform == "win32":
    pytest.skip("the programs that run here need Unix", allow_module_level=True)

pytestmark = pytest.mark.system
fastjsonschema: Any = pytest.importorskip("fastjsonschema", reason="no fastjsonschema: pip install --group command")

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "rusage.schema.json").read_text(encoding="utf-8"))


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


needs_tree = pytest.mark.skipif(not hasattr(rusage, "Tree"), reason="this system has no Tree")
validate = fastjsonschema.compile(strict(SCHEMA))


def refuse_constant(name: str) -> None:
    """Fail at NaN and Infinity, which are not JSON."""
    raise AssertionError(name)


def output(*words: str | bytes, before: list[str] = RUSAGE) -> dict[str, Any]:
    """Run the command with ``--json``, validate what it reports and return it."""
    done = forked.run([*before, "--json", *words], capture_output=True, check=False)
    lines = (done.stderr if words else done.stdout).decode("ascii").splitlines()
    text = "".join(line for line in lines if not line.startswith("rusage: "))
    record: dict[str, Any] = json.loads(text, parse_constant=refuse_constant)
    validate(record)
    return record


def utf8(word: str | bytes) -> str:
    """Return a word as in JSON: a strict parser rejects a lone surrogate."""
    return word if isinstance(word, str) else word.decode("utf-8", "backslashreplace")


@needs_sh
@pytest.mark.parametrize(
    "words",
    [
        ["true"],
        ["sh", "-c", "exit 3"],
        ["sh", "-c", "kill -9 $$"],
        ["true", b"\xff \xc3\xa9", "\u00e9", ""],
        ["--limit-maxrss", "1", "--limit-cputime", "60", "true"],
        pytest.param(["--limit-tree-rss", "1", "--kill", "sleep", "60"], marks=needs_tree),
    ],
    ids=repr,
)
@pytest.mark.parametrize("before", [RUSAGE, [*CHECKS, "no_peak"]], ids=["", "no peak"])
def test_programs_match_the_schema(words: list[str | bytes], before: list[str]) -> None:
    """Also where no peak is measured."""
    record = output(*words, before=before)
    assert record["command"] == [utf8(word) for word in words[-len(record["command"]) :]]
    assert (record["exit_status"] is None) is (record["signal"] is not None)
    assert before != RUSAGE or record["usage"].keys() - SAMPLED == rusage.run(["true"]).measured - SAMPLED
    assert record["units"].keys() == {"elapsed", *record["usage"], *(["tree_rss"] if "tree" in record else [])}


@needs_sh
@pytest.mark.parametrize(
    "words",
    [
        ["true"],
        ["--warmup", "2", "false"],
        ["--ignore-failure", "sh", "-c", "kill -9 $$"],
        ["sh", "-c", "exit 3"],
        ["--limit-maxrss", "1", "--limit-cputime", "60", "true"],
        pytest.param(["--tree", "--ignore-failure", "sh", "-c", "sleep 0.1; kill -9 $$"], marks=needs_tree),
    ],
    ids=repr,
)
@pytest.mark.parametrize("runs", ["1", "6"])
@pytest.mark.parametrize("before", [RUSAGE, [*CHECKS, "no_peak"]], ids=["", "no peak"])
def test_series_match_the_schema(words: list[str], runs: str, before: list[str]) -> None:
    """Also one that has ended early, or has no run that counts."""
    record = output("-n", runs, *words, before=before)
    assert len(record["runs"]) == (
        int(runs) if words[-1] in {"true", "kill -9 $$", "sleep 0.1; kill -9 $$"} else words[-1] == "exit 3"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["true", "sleep 0.001"],
        ["--warmup", "1", "true", "true", "sh -c 'exit 3'"],
        ["--warmup", "1", "--ignore-failure", "false", "sh -c 'kill -9 $$'"],
        ["--limit-maxrss", "1", "--limit-cputime", "60", "true"],
        pytest.param(["--limit-tree-rss", "1", "sleep 0.1", "sleep 0.1"], marks=needs_tree),
    ],
    ids=repr,
)
@pytest.mark.parametrize("runs", ["1", "6"])
@pytest.mark.parametrize("before", [RUSAGE, [*CHECKS, "no_peak"]], ids=["", "no peak"])
def test_comparisons_match_the_schema(words: list[str], runs: str, before: list[str]) -> None:
    """Also one that has ended early."""
    record = output("--compare", "-n", runs, *words, before=before)
    made = {len(each["runs"]) for each in record["commands"]}
    assert made == {int(runs) if "exit 3" not in words[-1] else 0}


@needs_tree
def test_recorded_process_matches_the_schema() -> None:
    """With its tree."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"]) as process:
        command = [*RUSAGE, "--json", "--pid", str(process.pid), "--interval", "0.01"]
        done = forked.run(command, capture_output=True, check=True)
    validate(json.loads(done.stdout, parse_constant=refuse_constant))


@needs_tree
@pytest.mark.parametrize("options", [[], ["--tree"]], ids=["", "tree"])
def test_running_process_matches_the_schema(options: list[str]) -> None:
    """Here this one."""
    done = forked.run([*RUSAGE, "--json", "--pid", str(os.getpid()), *options], capture_output=True, check=True)
    record = json.loads(done.stdout, parse_constant=refuse_constant)
    validate(record)
    assert record["units"].keys() == {"rss", *record["usage"]}
    assert ("tree" in record) is bool(options)


def test_own_usage_matches_the_schema() -> None:
    """All sixteen fields, whether they are measured or not."""
    assert list(output()) == ["version", *rusage.fields]


def test_schema_names_the_fields() -> None:
    """In their order."""
    definitions = SCHEMA["definitions"]
    assert definitions["name"]["enum"] == list(rusage.fields)
    assert definitions["process"]["required"] == ["version", *rusage.fields]
    assert list(definitions["process"]["properties"]) == ["version", *rusage.fields]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2),
        ("command", "true"),
        ("exit_status", -9),
        ("signal", 0),
        ("elapsed", "0.1"),
        ("usage ru_utime", -1),
        ("usage ru_other", 1),
        ("units ru_other", "bytes"),
        ("limits", {"ru_maxrss": 5}),
        ("other", 1),
    ],
)
def test_schema_rejects_other_records(path: str, value: Any) -> None:
    """The validation can fail."""
    changed = output("true")
    *outer, last = path.split()
    (changed[outer[0]] if outer else changed)[last] = value
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validate(changed)
