"""``rusage --json`` against ``docs/rusage.schema.json``, as all that other tests of the command read."""

from __future__ import annotations

import json
import shlex
from typing import Any

import forked
import pytest
from command import SCHEMA, needs_tree, validated
from conftest import needs_sh
from expected import SAMPLED
from forked import CHECKS, RUSAGE

import rusage

pytestmark = pytest.mark.system


def output(*words: str | bytes, before: list[str] = RUSAGE) -> dict[str, Any]:
    """Run the command with ``--json``, validate what it reports and return it."""
    done = forked.run([*before, "--json", *words], capture_output=True, check=False)
    lines = (done.stderr if words else done.stdout).decode("ascii").splitlines()
    text = "".join(line for line in lines if not line.startswith("rusage: "))
    record: dict[str, Any] = validated(text)
    return record


RUNS = [
    "-n 1 --warmup 2 false",
    "-n 6 --limit-maxrss 1 --limit-cputime 60 true",
    "-n 6 --warmup 1 --ignore-failure --compare false \"sh -c 'kill -9 $$'\"",
    "-n 6 --limit-maxrss 1 --limit-cputime 60 --compare true",
    *(
        pytest.param(words, marks=needs_tree)
        for words in (
            "--limit-tree-rss 1 --kill sleep 60",
            "-n 1 --tree --ignore-failure sh -c 'sleep 0.1; kill -9 $$'",
            "-n 2 --limit-tree-rss 1 --compare 'sleep 0.1' 'sleep 0.1'",
        )
    ),
]


@needs_sh
@pytest.mark.parametrize("words", RUNS)
@pytest.mark.parametrize("before", [RUSAGE, [*CHECKS, "no_peak"]], ids=["", "no peak"])
def test_runs_match_the_schema(words: str, before: list[str]) -> None:
    """Also where no peak is measured, a series that has ended early, and one without a run that counts."""
    assert output(*shlex.split(words), before=before)["units"]["elapsed"] == "seconds"


@needs_sh
@pytest.mark.parametrize(
    "words",
    [["sh", "-c", "exit 3"], ["sh", "-c", "kill -9 $$"], ["true", b"\xff \xc3\xa9", "\u00e9", ""]],
    ids=repr,
)
def test_record_of_a_program(words: list[str | bytes]) -> None:
    """Its words in UTF-8, the status or the signal, the measured fields their units and errors."""
    record = output(*words)
    assert record["command"] == [
        word if isinstance(word, str) else word.decode("utf-8", "backslashreplace") for word in words
    ]
    assert (record["exit_status"] is None) is (record["signal"] is not None)
    assert record["usage"].keys() - SAMPLED == rusage.run(["true"]).measured - SAMPLED
    assert record["units"].keys() == {"elapsed", *record["usage"]}
    error = rusage.fields["ru_maxrss"].error
    assert record["errors"] == ({"ru_maxrss": error} if error is not None and "ru_maxrss" in record["units"] else {})


def test_schema_names_the_fields() -> None:
    """In their order, as the own usage has them, whether they are measured or not."""
    definitions = SCHEMA["definitions"]
    assert definitions["name"]["enum"] == list(rusage.fields)
    process = definitions["process"]
    assert process["required"] == list(process["properties"]) == list(output()) == ["version", *rusage.fields]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2),
        ("exit_status", -9),
        ("usage ru_utime", -1),
        ("usage ru_other", 1),
        ("units ru_other", "bytes"),
        ("limits", {"ru_maxrss": 5}),
        ("other", 1),
    ],
)
def test_schema_rejects_other_records(path: str, value: Any) -> None:
    """The validation can fail."""
    pytest.importorskip("fastjsonschema", reason="no fastjsonschema: pip install --group command")
    changed = output("true")
    *outer, last = path.split()
    (changed[outer[0]] if outer else changed)[last] = value
    with pytest.raises(ValueError, match="valid exactly by one"):
        validated(json.dumps(changed))
