"""The examples of the README and of the pages in docs/, which ``tests/programs/examples.py`` runs, and the API page."""

from __future__ import annotations

import ast
import code
import multiprocessing
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rusage
from rusage._backends import BACKEND

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUNNER = Path(__file__).parent / "programs" / "examples.py"
SKIPPED = 77


def run(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the examples of a page in a new interpreter."""
    return subprocess.run(
        [sys.executable, str(RUNNER), str(page)], cwd=folder, capture_output=True, text=True, check=False
    )


def run_small(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the examples of a small page in a forked child, if this system has fork."""
    if not hasattr(os, "fork"):
        return run(page, folder)
    import forked

    return forked.run([*forked.EXAMPLES, str(page)], cwd=folder, capture_output=True, text=True, check=False)


# Run by tox -e docs, as all others. CPU times decide about the order of the rows in the tables of pytest.md, and in an
# emulator page faults take longer.
SLOW = {
    "pytest.md": [pytest.mark.not_emulated, pytest.mark.thorough],
    "command.md": [pytest.mark.thorough],
    "trees.md": [pytest.mark.thorough],
    "Fail a CI job over 300 MiB": [pytest.mark.thorough],
    "Find the test that leaks": [pytest.mark.thorough],
    "Limit the memory of a test": [pytest.mark.thorough],
    "Limit the CPU time of a child": [pytest.mark.thorough],
    "Watch a process and print rates": [pytest.mark.thorough],
}


RECIPES = [ROOT / "docs" / name for name in ("recipes.md", "services.md")]
PARTS = [part for page in RECIPES for part in re.split(r"(?m)^(?=## )", page.read_text(encoding="utf-8"))[1:]]
TITLED = [(part.partition("\n")[0].removeprefix("## "), part) for part in PARTS]


def check(page: Path, folder: Path) -> None:
    """Run the examples of a page; skip if something is missing."""
    done = run(page, folder)
    if done.returncode == SKIPPED:
        pytest.skip(reason=done.stdout.strip())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.name, marks=SLOW.get(page.name, ())) for page in PAGES if page not in RECIPES],
)
def test_examples(page: Path, tmp_path: Path) -> None:
    """Each runs, and prints what the page shows, figures aside."""
    check(page, tmp_path)


@pytest.mark.parametrize("part", [pytest.param(part, id=title, marks=SLOW.get(title, ())) for title, part in TITLED])
def test_recipes(part: str, tmp_path: Path) -> None:
    """Each is complete, as the page promises: it runs alone."""
    if sys.implementation.name == "pypy" and part.startswith("## Find the test that leaks"):
        pytest.skip(reason="PyPy frees memory later: other tests retain some too")
    if sys.platform != "linux" and "PR_SET_CHILD_SUBREAPER" in part:
        pytest.skip(reason="calls prctl")
    page = tmp_path / "recipe.md"
    page.write_text(part, encoding="utf-8")
    check(page, tmp_path)


class Prompt(code.InteractiveConsole):
    """An interactive prompt that runs nothing."""

    def runcode(self, code: CodeType) -> None:
        """Do not run the code."""

    def showsyntaxerror(self, filename: str | None = None, **_: object) -> None:
        """Fail."""
        raise AssertionError(filename) from sys.exc_info()[1]


def test_prompt_takes_readme() -> None:
    """Its examples can be pasted line by line: an empty line ends each block."""
    prompt = Prompt()
    for block in runpy.run_path(str(RUNNER))["blocks"]((ROOT / "README.md").read_text(encoding="utf-8")):
        if block.kind == "python":
            for line in block.text.splitlines():
                prompt.push(line)
            assert not prompt.push("")  # the prompt waits for no other line


def scripts_with_workers() -> list[object]:
    """Return each example that starts worker processes, with the imports of the examples above it on the page."""
    found: list[object] = []
    blocks = runpy.run_path(str(RUNNER))["blocks"]
    for page in PAGES:
        imports = ""
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.kind == "python":
                if "ProcessPoolExecutor" in block.text or "multiprocessing" in block.text:
                    found.append(pytest.param(imports + block.text, id=f"{page.name}:{block.line}"))
                imports += "".join(re.findall(r"(?m)^(?:import|from) .*\n", block.text))
    return found


# A lock of this process would start multiprocessing's resource tracker, on CPython 3.14 and later: a child that stays.
STARTED_BY = """
import multiprocessing, runpy, sys
multiprocessing.set_start_method(sys.argv[1])
try:
    multiprocessing.Lock()
except OSError as error:
    sys.exit(f"skip: no semaphore for multiprocessing ({error}): on Linux, mount a tmpfs on /dev/shm")
runpy.run_path(sys.argv[2], run_name="__main__")
"""


@pytest.mark.parametrize("script", scripts_with_workers())
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_start_methods(script: str, method: str, tmp_path: Path, python: Callable[..., str]) -> None:
    """An example with worker processes is a script whose workers can import it, as these methods do."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(reason=f"there is no start method {method!r}")
    if "prometheus_client" in script:
        pytest.importorskip("prometheus_client", reason="prometheus_client is not installed")
    if not hasattr(rusage, "Tree"):
        pytest.skip(reason="the system has no Tree")
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    python("-c", STARTED_BY, method, str(path))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_width_of_blocks(page: Path) -> None:
    """A browser shows 88 columns beside the navigation."""
    blocks = runpy.run_path(str(RUNNER))["blocks"](page.read_text(encoding="utf-8"))
    shown = [block for block in blocks if block.kind == "{code-block} python" or not block.kind.startswith("{")]
    lines = [line for block in shown for line in block.text.splitlines() if not line.startswith(":")]
    assert [line for line in lines if len(line) > 88] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_whole(page: Path) -> None:
    """Rows after an empty line are no table: the page would show their bars."""
    for table in re.findall(r"(?m)(?:^\|.*\n)+", page.read_text(encoding="utf-8")):
        assert re.match(r".*\n[|:\- ]+\n", table), table


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "_static").glob("*.svg")), ids=lambda path: path.name)
def test_pictures_follow_the_theme(picture: Path) -> None:
    """They have no background, and colours for a dark page too."""
    text = picture.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    assert "#ffffff" not in text


TEXTS = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / ".github").glob("*.md"))]


def prose(page: Path) -> str:
    """Return a Markdown text without its blocks of code."""
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them: letters, digits, ``_`` and ``-``."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_relative_links(page: Path) -> None:
    """Each leads to a file of the source tree, and to a heading of it; so do pictures."""
    links = re.findall(r"\]\((?!\w+:)([^#)]*)(?:#([^)]*))?\)", prose(page))
    for name, anchor in links:
        target = page.parent / name if name else page
        assert target.is_file(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"
    assert links or page != ROOT / "README.md"


def test_description_is_the_same() -> None:
    """The README, the site and help() begin with the description in pyproject.toml."""
    metadata = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    description = re.search(r'^description = "(.+)"$', metadata, re.MULTILINE)
    assert description is not None
    assert str(rusage.__doc__).splitlines()[0] == description[1]
    for page in (ROOT / "README.md", ROOT / "docs" / "index.md"):
        assert page.read_text(encoding="utf-8").startswith(f"# rusage\n\n{description[1]}\n"), page


LINUX = pytest.mark.skipif(
    not runpy.run_path(str(RUNNER))["COMPARED"],
    reason="the output of examples is compared on Linux 6.2 and later with /sys only",
)


@pytest.mark.system
@pytest.mark.parametrize(
    "text",
    [
        '```python\nprint("1.5 MiB")\n```\n\n```output\n2,000.0 MiB\n```\n',
        "```python\nx = 1\n```\n\ntext\n\n```python\nassert x == 1\n```\n",
        "```python\nimport os\nos.system('echo sh')\nprint('python')\n```\n```output\nsh\npython\n```\n",
        "```console\n$ echo 12 a\n34 a\n$ true\n```\n",
        "```console\n$ printf '%s\\n' 'a   bb  c' '9    9  9'\na     bb  c\n10  1000  1\n```\n",
        "```console\n$ echo 0.123456 s of CPU time\n0.12345 s of CPU time\n```\n",
        "```console\n$ echo '4096 bytes, 4 KiB, 8193 faults'\n8192 bytes, 8 KiB, 5 faults\n```\n",
        "```console\n$ echo a 1000 b | fold -s -w 6\na 1 b\n```\n",
        "```{code-block} python\n:caption: x.py\n1\n```\n```python\nassert open('x.py').read() == '1\\n'\n```\n",
        "```console\n$ rusage -o x true; echo 'wall (ms) 1.5'; echo 'user time 2 us'\nwall (s) 3\nuser time 1 s\n```\n",
        "```console\n$ rusage -o x true; echo 'in 3 processes after 20.4 ms,'\nin 3 processes after 1.2 s,\n```\n",
        "```text\nanything\n```\n",
        "```{toctree}\nanything\n```\n",
    ],
)
def test_good_examples(text: str, tmp_path: Path) -> None:
    """Figures may differ, and the width of columns, the units in reports of the command, and where fold(1) breaks."""
    page = tmp_path / "page.md"
    page.write_text(text)
    done = run_small(page, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.system
@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(
            '```python\nprint("1 KiB")\n```\n\n```output\n1 MiB\n```\n', "line 2: the page shows", marks=LINUX
        ),
        pytest.param("```console\n$ echo 1 ms\n1 s\n```\n", "line 2: the page shows", marks=LINUX),
        pytest.param("```console\n$ echo no\nyes\n```\n", "line 2: the page shows", marks=LINUX),
        pytest.param("```console\n$ echo 1.50\n1.5\n```\n", "line 2: the page shows", marks=LINUX),
        pytest.param("```console\n$ echo 0.123456\n0.123\n```\n", "line 2: the page shows", marks=LINUX),
        pytest.param("```console\n$ echo 'a  1'\na 1\n```\n", "line 2: the page shows", marks=LINUX),
        pytest.param("```console\n$ echo 4096 bytes\n5000 bytes\n```\n", "line 2: the page shows", marks=LINUX),
        pytest.param("```console\n$ echo 40 KiB\n41 KiB\n```\n", "line 2: the page shows", marks=LINUX),
        pytest.param(
            "```console\n$ printf '%s\\n' 'a   b' 'xx  y'\na  b\nxx  y\n```\n", "line 2: the page shows", marks=LINUX
        ),
        pytest.param("```console\n$ printf 'a\\n\\nb\\n'\na\nb\n```\n", "line 2: the page shows", marks=LINUX),
        pytest.param("```console\n$ exit 3\n```\n", "line 2: exit status 3", marks=LINUX),
        ("text\n\n```python\n1 / 0\n```\n", 'page.md", line 4'),
        ("```python\nrusage.nothing\n```\n", "NameError"),
        ("```python\nimport rusage\nrusage.nothing\n```\n", "AttributeError"),
        ("```python\nimport no_such_module\n```\n", "ModuleNotFoundError"),
        ("```pycon\n>>> 1\n2\n```\n", "unknown whether a block of 'pycon' is run"),
        ("```{code-block} python\n1\n```\n", "line 2: a file without a name"),
        ("```{code-block} python\n:caption: x.py\n1 +\n```\n", 'page.md", line 3'),
        ("- item\n\n  ```python\n  1 / 0\n  ```\n", "line 3: an indented block is not run"),
        ("```python\n1\n", "line 1: the block does not end"),
        ("```output\n1\n```\n", "line 2: output without an example"),
        ("```python\n1\n```\ntext\n```output\n1\n```\n", "line 6: output without an example"),
    ],
)
def test_bad_examples(text: str, error: str, tmp_path: Path) -> None:
    """Each is found, with the line of the page."""
    page = tmp_path / "page.md"
    page.write_text(text)
    done = run_small(page, tmp_path)
    assert done.returncode == 1
    assert error in done.stderr


needs_unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither resource nor sh")


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("import sys\nsys.modules['psutil'] = None\nimport psutil", "psutil"),
        pytest.param("import resource\nresource.RLIMIT_NONE", "RLIMIT_NONE", marks=needs_unix),
        pytest.param(
            "import os, subprocess\nos.environ['PATH'] = '/nonexistent'\nsubprocess.run(['sh'])",
            "'sh'",
            marks=needs_unix,
        ),
    ],
)
def test_missing_requirements(code: str, missing: str, tmp_path: Path) -> None:
    """What a system or an installation lacks is a reason to skip, not a failure; the reason names it."""
    page = tmp_path / "page.md"
    page.write_text(f"```python\n{code}\n```\n")
    done = run_small(page, tmp_path)
    assert done.returncode == SKIPPED
    assert missing in done.stdout


def public_names() -> set[str]:
    """Return the names of the package and of its public modules, those that this system lacks included."""
    names = {f"rusage.{name}" for name in [*rusage.__all__, *BACKEND.absent]}
    for file in Path(rusage.__file__).parent.glob("[a-z]*.py"):
        # Not imported: some need other packages.
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names |= {f"rusage.{file.stem}.{name}" for name in ast.literal_eval(node.value)}
    return names


def test_api_page_has_all_names() -> None:
    """Each public name has an entry, and each entry is one."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    entries = re.findall(r"^\.\. (?:auto|py:)\w+:: (rusage[.\w]+)", text, re.MULTILINE)
    assert sorted(entries) == sorted(public_names())
    assert "rusage.asyncio.run" in entries


def test_performance_page_names_benchmarks() -> None:
    """Each section names the program that has printed it."""
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    programs = re.findall(r"^`(benchmarks/.*)`: .*CPU", text, re.MULTILINE)
    assert len(programs) == len(re.findall("^## ", text, re.MULTILINE)) > 0
    assert [name for name in programs if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("status", [0, 1, 2])
def test_performance_page_has_values_above_bounds(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark that fails with another status leaves the page as it was."""
    namespace = runpy.run_path(str(ROOT / "benchmarks" / "performance.py"))
    main = namespace["main"]
    page, benchmark = tmp_path / "performance.md", tmp_path / "trees.py"
    page.write_text("before", encoding="utf-8")
    benchmark.write_text(f"print('| a table |')\nraise SystemExit({status})\n", encoding="utf-8")
    monkeypatch.setitem(main.__globals__, "PAGE", page)
    monkeypatch.setitem(main.__globals__, "benchmarks", lambda: {"trees": benchmark})
    monkeypatch.setattr(sys, "argv", ["performance.py"])
    if status == 1:
        with pytest.raises(subprocess.CalledProcessError):
            main()
    else:
        main()
    assert ("| a table |" in page.read_text(encoding="utf-8")) is (status != 1)
