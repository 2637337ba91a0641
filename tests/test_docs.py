"""The examples of the README and of docs/, run by ``tests/programs/examples.py``; the API page."""

import ast
import functools
import itertools
import json
import multiprocessing
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import api_page
import platform_tables
import pytest
from claims import EVIDENCE
from examples import SKIPPED, blocks, file_name
from system_words import TESTED

import rusage
from rusage._backends import BACKEND

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUNNER = Path(__file__).parent / "programs" / "examples.py"
RECIPES = [ROOT / "docs" / name for name in ("recipes.md", "services.md")]
PARTS = [
    part
    for page in RECIPES
    for part in re.split(r"(?m)^(?=## )", page.read_text(encoding="utf-8"))[1:]
]
TITLED = [(part.partition("\n")[0].removeprefix("## "), part) for part in PARTS]


def check(page: Path, folder: Path) -> None:
    command = [sys.executable, str(RUNNER), str(page)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode == SKIPPED:
        pytest.skip(reason=done.stdout.strip())
    assert done.returncode == 0, done.stderr


# tox -e docs runs all. In an emulator, page faults may take longer than the limit in pytest.md.
MARKS: dict[str, Any] = {
    "README.md": (),
    "pytest.md": [pytest.mark.not_emulated, pytest.mark.thorough],
}


@pytest.mark.system
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=MARKS.get(page.name, pytest.mark.thorough))
        for page in PAGES
        if page not in RECIPES
    ],
)
def test_examples(page: Path, tmp_path: Path) -> None:
    check(page, tmp_path)


@pytest.mark.system
@pytest.mark.thorough
@pytest.mark.parametrize("part", [pytest.param(part, id=title) for title, part in TITLED])
def test_recipes(part: str, tmp_path: Path) -> None:
    if sys.platform != "linux" and "PR_SET_CHILD_SUBREAPER" in part:
        pytest.skip(reason="calls prctl")
    page = tmp_path / "recipe.md"
    page.write_text(part, encoding="utf-8")
    check(page, tmp_path)


WITH_WORKERS = [
    pytest.param(block.text, id=f"{page.name}:{block.line}")
    for page in PAGES
    for block in blocks(page.read_text(encoding="utf-8"))
    if block.kind == "python"
    and not file_name(block)
    and ("ProcessPoolExecutor" in block.text or "multiprocessing" in block.text)
]


# A lock of this process would start multiprocessing's resource tracker, on CPython 3.14 and later:
# a child that stays.
STARTED_BY = """
import multiprocessing, runpy, sys
multiprocessing.set_start_method(sys.argv[1])
try:
    multiprocessing.Lock()
except OSError as error:
    hint = "on Linux, mount a tmpfs on /dev/shm"
    sys.exit(f"skip: no semaphore for multiprocessing ({error}): {hint}")
runpy.run_path(sys.argv[2], run_name="__main__")
"""


@pytest.mark.thorough
@pytest.mark.parametrize("script", WITH_WORKERS)
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_start_methods(
    script: str, method: str, tmp_path: Path, python: Callable[..., str]
) -> None:
    """An example with worker processes is a script, which the workers of these methods import."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(reason=f"there is no start method {method!r}")
    if "prometheus_client" in script:
        pytest.importorskip("prometheus_client")
    if not hasattr(rusage, "Tree"):
        pytest.skip(reason="the system has no Tree")
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    python("-c", STARTED_BY, method, str(path))


@pytest.mark.parametrize("path", platform_tables.TABLES, ids=lambda path: path.name)
def test_tables_are_up_to_date(path: Path) -> None:
    """``python tests/tools/platform_tables.py`` writes them."""
    assert path.read_text(encoding="utf-8") == platform_tables.written(path)


@pytest.mark.parametrize("system", [name for name, tier in TESTED.items() if tier[0] == 2])
def test_run_on_a_system_of_tier_2(system: str) -> None:
    """The table of runs has a day on which all passed, about the last one with new evidence."""
    page = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    days = [
        datetime.strptime(day, "%d %B %Y")  # noqa: DTZ007 (a day)
        for name, what, day, _, failed, _ in rows
        if name.startswith(system) and what.startswith("the suite") and failed == "0"
    ]
    evidence = [json.loads(path.read_text()) for path in EVIDENCE.glob(f"{system}-*.json")]
    asked = max(each["date"] for each in evidence if each["interpreter"].startswith("CPython"))
    assert datetime.fromisoformat(asked) - max(days) <= timedelta(days=7)


@pytest.mark.parametrize("missing", ["rusage", "rusage resource"])
def test_optional_dependency(missing: str, python: Callable[..., str]) -> None:
    page = blocks((ROOT / "docs" / "from-resource.md").read_text(encoding="utf-8"))
    [pattern] = [block.text for block in page if "except ImportError" in block.text]
    hidden = f"import sys; sys.modules.update(dict.fromkeys({missing.split()}))\n"
    peak, of_child = python("-c", hidden + pattern).split()
    has_peak = (
        missing == "rusage" and BACKEND.name != "Windows" and "ru_maxrss" in rusage.measured()
    )
    assert int(peak) > 2**20 if has_peak else peak == "None"
    assert of_child == "None"


TEXTS = [
    *PAGES,
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / ".github").glob("*.md")),
]


@functools.cache
def parsed(page: Path) -> list[Any]:
    reason = "no markdown-it-py: tox -e docs has it"
    renderer = pytest.importorskip("markdown_it", reason=reason).MarkdownIt("commonmark")
    renderer.enable(["table", "strikethrough"])
    found = renderer.parse(page.read_text(encoding="utf-8"))
    return [each for block in found for each in [block, *(block.children or ())]]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    found: dict[str, int] = {}
    for before, heading in itertools.pairwise(parsed(page)):
        if before.type == "heading_open":
            text = "".join(each.content for each in heading.children)
            anchor = re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")
            count = found[anchor] = found.get(anchor, -1) + 1
            if count:
                found[f"{anchor}-{count}"] = 0
    return set(found)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_on_github(page: Path) -> None:
    for each in parsed(page):
        if each.type == "text":
            assert not re.search(r"\{|:::|:caption:|\$.*\$|\]\(|\]\[", each.content)
        elif each.type == "fence":
            assert re.fullmatch(r"\w*", each.info)
            assert not each.content.startswith(":")
        assert each.type != "html_inline"
        link = each.attrGet("href") or each.attrGet("src") or "https:"
        if not re.match(r"(https|mailto):", link):
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            assert target.is_file(), link
            assert not anchor or anchor in anchors(target), link


def test_anchors(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# `rusage.run`\n## A_b, c!\n## A_b, c!\n```sh\n# no\n```\n", encoding="utf-8")
    assert anchors(page) == {"rusagerun", "a_b-c", "a_b-c-1"}


def test_places_of_the_search() -> None:
    script = (ROOT / "docs" / "_static" / "search.js").read_text(encoding="utf-8")
    places = re.findall(r'": "([\w-]+)#([\w-]+)",', script)
    assert len(places) > 15
    lacking = [
        place for place in places if place[1] not in anchors(ROOT / "docs" / f"{place[0]}.md")
    ]
    assert lacking == []


def test_description_is_the_same() -> None:
    metadata = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    description = re.search(r'^description = "(.+)"$', metadata, re.MULTILINE)
    assert description is not None
    assert str(rusage.__doc__).splitlines()[0] == description[1]
    for page in (ROOT / "README.md", ROOT / "docs" / "README.md"):
        assert page.read_text(encoding="utf-8").startswith(f"# rusage\n\n{description[1]}\n"), page


def public_names() -> set[str]:
    """Return the names of the package and its public modules, also those this system lacks."""
    names = {f"rusage.{name}" for name in [*rusage.__all__, *BACKEND.absent]}
    for file in Path(rusage.__file__).parent.glob("[a-z]*.py"):
        # Not imported: some need other packages.
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names |= {f"rusage.{file.stem}.{name}" for name in ast.literal_eval(node.value)}
    return names


def test_api_page_has_all_names() -> None:
    text = api_page.PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^### (.+)", text, re.MULTILINE)
    assert sorted(headings) == sorted(public_names())
    assert "rusage.asyncio.run" in headings


@pytest.mark.skipif(not hasattr(rusage, "Sample"), reason="its fields are read from the class")
def test_api_page_is_up_to_date() -> None:
    """``python tests/tools/api_page.py`` writes it."""
    assert api_page.PAGE.read_text(encoding="utf-8") == api_page.written()
