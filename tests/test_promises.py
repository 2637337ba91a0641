"""What ``promises.txt`` says of the pages, the tests and the package is so.

``tests/tools/broken_promises.py`` tries the patches.
"""

import ast
import functools
import re
from pathlib import Path
from typing import Any

from promises import PROMISES

ROOT = Path(__file__).parent.parent
PATCHES = [patch for promise in PROMISES for patch in promise.patches]


def folded(text: str) -> str:
    """Return a text with each white space as one space, and no addresses of other sites."""
    return re.sub(r"\]\(https:[^)]*\)", "]", " ".join(text.split()))


@functools.cache
def read(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


@functools.cache
def parsed(file: str) -> ast.Module:
    return ast.parse(read(file))


@functools.cache
def functions_of(file: str) -> set[str]:
    """Return the functions of a file, which is not imported: systems may lack what it needs."""
    return {node.name for node in ast.walk(parsed(file)) if isinstance(node, ast.FunctionDef)}


@functools.cache
def text_of(place: str) -> str:
    file, _, name = place.partition("::")
    if not name:
        return folded(read(file))
    node: Any = parsed(file)
    for part in name.split("."):
        node = next(inner for inner in ast.walk(node) if getattr(inner, "name", None) == part)
    return folded(ast.get_docstring(node) or "")


def test_sentences_stand_once() -> None:
    sentences = [each for promise in PROMISES for each in promise.sentences]
    assert [(place, text) for place, text in sentences if text_of(place).count(text) != 1] == []


def test_tests_of_each_patch_exist() -> None:
    tests = [test.split("::") for patch in PATCHES for test in patch.tests]
    assert [(file, name) for file, name in tests if name not in functions_of(f"tests/{file}")] == []


def test_patches_can_be_applied() -> None:
    assert [each for each in PATCHES if read(each.file).count(each.old) != 1] == []


def test_each_promise_can_be_broken() -> None:
    assert [each for each in PROMISES if not (each.sentences and each.patches)] == []
