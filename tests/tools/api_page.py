"""Write ``docs/api.md`` from the source code: ``python tests/tools/api_page.py``.

Signatures and docstrings are read from the syntax tree, since no system has all names, and some
modules need other packages. Only the fields of named tuples are read from their classes.
"""

import ast
import itertools
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

from system_words import SYSTEMS

import rusage

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "api.md"
WIDTH = 120
SIGNATURE_WIDTH = 88

STRING_OR_PATH = "str | bytes | os.PathLike"
RLIMITS = "rlimits: Mapping[int, tuple[int, int]] | None = None"
RUN = (
    f"args: {STRING_OR_PATH} | Sequence[{STRING_OR_PATH}], *, input: str | bytes | None = None, "
    f"capture_output: bool = False, timeout: float | None = None, check: bool = False, {RLIMITS}, "
    "**options"
)
POPEN = f"""args: {STRING_OR_PATH} | Sequence[{STRING_OR_PATH}], bufsize: int = -1, executable=None,
stdin=None, stdout=None, stderr=None, preexec_fn=None, close_fds: bool = True, shell: bool = False,
cwd=None, env: Mapping | None = None, universal_newlines: bool | None = None, startupinfo=None,
creationflags: int = 0, restore_signals: bool = True, start_new_session: bool = False,
pass_fds: Sequence[int] = (), *, user: int | str | None = None, group: int | str | None = None,
extra_groups: Sequence[int | str] | None = None, encoding: str | None = None,
errors: str | None = None, text: bool | None = None, umask: int = -1, pipesize: int = -1,
process_group: int | None = None, {RLIMITS}"""


class Entry(NamedTuple):
    """A public name."""

    name: str
    source: str
    """The file of the package and the name there; or the name's type."""
    text: str = ""
    """The description of a name without a docstring."""
    parameters: str = ""
    """Those of subprocess, where the source passes all on; "-": the class is not called."""


CONTENTS: list[str | Entry] = [
    "## Resource usage",
    Entry("getrusage", "_getrusage.py"),
    Entry("maxrss", "_getrusage.py"),
    Entry("cputime", "_getrusage.py"),
    Entry("peak", "_memory.py"),
    Entry("rss", "_memory.py"),
    Entry("pss", "_memory.py"),
    Entry("measured", "_getrusage.py"),
    Entry(
        "fields",
        "Mapping[str, Field]",
        """A read-only mapping from the sixteen field names to their descriptions on this system.

        >>> rusage.fields["ru_maxrss"].unit
        'bytes'""",
    ),
    Entry("getpagesize", "_getrusage.py"),
    "## Whose usage",
    Entry(
        "RUSAGE_SELF",
        "int",
        """The calling process: all of its threads, including those that have ended.

        >>> rusage.cputime(rusage.RUSAGE_SELF)
        0.030524""",
    ),
    Entry(
        "RUSAGE_CHILDREN",
        "int",
        """All children of the calling process that have ended and have been waited for, and their
        own such children. The peak is the peak of the largest of them, not a sum, and never
        decreases.

        >>> rusage.cputime(rusage.RUSAGE_CHILDREN)
        0.000683""",
    ),
    Entry(
        "RUSAGE_THREAD",
        "int",
        """The calling thread. On some systems only the two times are measured; on Linux they
        advance every few milliseconds only, at ticks of the kernel.

        >>> rusage.cputime(rusage.RUSAGE_THREAD)
        0.028713""",
    ),
    Entry(
        "RUSAGE_BOTH",
        "int",
        """The calling process and its children: counters and times are added, the peak is the
        larger one.

        >>> rusage.cputime(rusage.RUSAGE_BOTH)
        0.031207""",
    ),
    "## The result",
    Entry("RUsage", "_fields.py", parameters="-"),
    Entry(
        "struct_rusage",
        "type[RUsage]",
        """Another name of ``rusage.RUsage``, as in the ``resource`` module.

        >>> rusage.struct_rusage is rusage.RUsage
        True""",
    ),
    Entry("Field", "_fields.py", parameters="-"),
    Entry(
        "error",
        "type[OSError]",
        """Another name of ``OSError``, as in the ``resource`` module.

        >>> rusage.error is OSError
        True""",
    ),
    "## A block of code",
    Entry("measure", "_measure.py"),
    "## Children",
    Entry("run", "_children/popen.py", parameters=RUN),
    Entry("CompletedProcess", "_children/popen.py", parameters="-"),
    Entry("CalledProcessError", "_children/popen.py", parameters="-"),
    Entry("TimeoutExpired", "_children/popen.py", parameters="-"),
    Entry("Popen", "_children/popen.py", parameters=POPEN),
    Entry("wait3", "_getrusage.py"),
    Entry("wait4", "_getrusage.py"),
    Entry("asyncio.run", "asyncio.py", parameters=RUN),
    "## Another process",
    Entry("Process", "_process.py"),
    "## A process and its descendants",
    Entry("Tree", "_tree.py"),
    Entry("Sample", "_tree.py", parameters="-"),
    Entry("Member", "_tree.py", parameters="-"),
    Entry("record", "_record.py"),
    "## Prometheus",
    Entry("prometheus.UsageCollector", "prometheus.py"),
    Entry("prometheus.WorkersCollector", "prometheus.py"),
    "## OpenTelemetry",
    Entry("opentelemetry.instrument", "opentelemetry.py"),
    Entry("opentelemetry.uninstrument", "opentelemetry.py"),
    "## Conversion",
    Entry("from_native", "_getrusage.py"),
]

BSDS = "FreeBSD, OpenBSD, NetBSD, DragonFly BSD"

HEAD = """\
# API

Functions that CPython's [`resource`](https://docs.python.org/3/library/resource.html) and
[`subprocess`](https://docs.python.org/3/library/subprocess.html) modules provide too have the same
names. A name that a system cannot provide does not exist there, and the `AttributeError` says why:
see "Availability", and [Platforms](platforms.md). `rusage.__version__` is the version of the
package.

- **Threads and signals.** Functions, `run` and `Popen` may be called by several threads at once,
  also without the GIL, and by a signal handler that interrupts the same call. If a handler uses
  `run` or `Popen`, import them before it can run: `from rusage import run`. Each call of C releases
  the GIL, and each object says what threads may do with it.
- **Types.** The package has type hints (`py.typed`). For names that only some systems have, mypy
  and pyright accept tests of `sys.platform`: `!= "win32"` for `RUSAGE_CHILDREN`, `RUSAGE_BOTH`,
  `wait3`, `wait4` and `from_native`, and `== "linux"` for `pss`. Both believe that all other names,
  such as `peak` and `RUSAGE_THREAD`, exist on every system: test these by
  `hasattr(rusage, "peak")`.

The examples need `import rusage`, and the other modules that they name. This page is written from
the docstrings, by `python tests/tools/api_page.py`.
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Attribute = tuple[str, ast.expr, str]  # name, type and description


def markdown(docstring: str) -> str:
    parts = []
    first, _, rest = docstring.partition("\n")
    for part in f"{first}\n{textwrap.dedent(rest)}".strip().split("\n\n"):
        if part.startswith(">>> "):
            parts.append(f"```pycon\n{part}\n```")
            continue
        text = " ".join(part.split()).replace("``", "`")
        text = re.sub(
            r"`docs/(\w+)\.md`", lambda found: f"[{found[1].capitalize()}]({found[1]}.md)", text
        )
        parts.append(
            textwrap.fill(
                text,
                WIDTH,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    return "\n\n".join(parts)


def signature(name: str, parameters: str, result: str = "") -> str:
    line = f"{name}({parameters}){result}"
    if len(line) > SIGNATURE_WIDTH:
        each = re.sub(r", (?=(?:\*|\w+[:=,]|/))", ",\n    ", parameters)
        line = f"{name}(\n    {each},\n){result}"
    return f"```text\n{line}\n```"


def shown_parameters(node: Function) -> str:
    text = re.sub(r"^self(, (/, )?)?", "", ast.unparse(node.args))
    return re.sub(r"(: [^,=]+)=", r"\1 = ", text)


def of_function(name: str, node: Function, parameters: str = "") -> str:
    if not parameters:
        parameters = shown_parameters(node)
    is_async = isinstance(node, ast.AsyncFunctionDef)
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    shown = signature(f"await {name}" if is_async else name, parameters, result)
    return f"{shown}\n\n{markdown(ast.get_docstring(node) or '')}"


def statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return statements, with those that only some systems or type checkers have."""
    found = []
    for each in body:
        found += statements(each.body) if isinstance(each, ast.If) else [each]
    return found


def is_property(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        ast.unparse(decorator) == "property" for decorator in node.decorator_list
    )


def fields(node: ast.ClassDef, tree: ast.Module) -> list[Attribute]:
    found: list[Attribute] = []
    for base in statements(tree.body):
        if isinstance(base, ast.ClassDef) and base.name == f"_{node.name}":
            for each in base.body:
                if isinstance(each, ast.AnnAssign):
                    name = ast.unparse(each.target)
                    text = getattr(getattr(rusage, node.name), name).__doc__
                    found.append((name, each.annotation, text))
    return found


def attributes(body: list[ast.stmt]) -> list[Attribute]:
    """Return name, type and description of the attributes and properties of a class."""
    found = [
        (ast.unparse(each.target), each.annotation, ast.literal_eval(after.value))
        for each, after in itertools.pairwise(body)
        if isinstance(each, ast.AnnAssign) and isinstance(after, ast.Expr)
    ]
    return found + [
        (each.name, each.returns, ast.get_docstring(each) or "")
        for each in body
        if isinstance(each, ast.FunctionDef) and each.returns and is_property(each)
    ]


def of_class(name: str, node: ast.ClassDef, tree: ast.Module, parameters: str) -> str:
    bases = [base for base in map(ast.unparse, node.bases) if base.startswith("_")]
    shared = [each for each in tree.body if isinstance(each, ast.ClassDef) and each.name in bases]
    body = statements([*itertools.chain(*(each.body for each in shared)), *node.body])
    functions = {each.name: each for each in body if isinstance(each, Function)}
    parts = []
    if parameters != "-":
        called = parameters or shown_parameters(functions["__init__"])
        parts.append(signature(name, called))
    parts.append(markdown(ast.get_docstring(node) or ""))
    lines = []
    for attribute, kind, text in fields(node, tree) + attributes(body):
        item = f"``{attribute}: {ast.unparse(kind)}``: {' '.join(text.split())}"
        lines.append(textwrap.indent(markdown(item), "  ").replace("  ", "- ", 1))
    if lines:
        parts.append("\n".join(["Attributes:", "", *lines]))
    for method, function in functions.items():
        if not method.startswith("_") and not is_property(function):
            parts.append(f"#### {name}.{method}\n\n{of_function(f'{name}.{method}', function)}")
    return "\n\n".join(parts)


def availability(entry: Entry) -> str:
    """Return on which systems a name exists, as Python's reference does, or nothing if on all."""
    lacking = {each.name for each in SYSTEMS if entry.name in each.absent}
    if not lacking:
        return ""
    present = ", ".join(each.name for each in SYSTEMS if each.name not in lacking)
    known = "Unix" if lacking == {"Windows"} else present.replace(BSDS, "the BSDs")
    return f"\n\nAvailability: {known}."


def described(entry: Entry) -> str:
    name = f"rusage.{entry.name}"
    if entry.text:
        return f"```text\n{name}: {entry.source}\n```\n\n{markdown(entry.text)}"
    tree = ast.parse((ROOT / "rusage" / entry.source).read_text(encoding="utf-8"))
    last = entry.name.rpartition(".")[2]
    for node in tree.body:
        if isinstance(node, Function) and node.name in {last, f"_{last}"}:
            return of_function(name, node, " ".join(entry.parameters.split()))
        if isinstance(node, ast.ClassDef) and node.name == last:
            return of_class(name, node, tree, " ".join(entry.parameters.split()))
    raise ValueError(f"{entry.source} has no {last}")


def written() -> str:
    overview: list[str] = []
    parts = []
    for each in CONTENTS:
        if isinstance(each, str):
            overview.append(f"- {each.removeprefix('## ')}: ")
            parts.append(f"{each}\n")
        else:
            anchor = f"rusage{each.name}".replace(".", "").lower()
            comma = "" if overview[-1].endswith(": ") else ", "
            overview[-1] += f"{comma}[`{each.name}`](#{anchor})"
            parts.append(f"### rusage.{each.name}\n\n{described(each)}{availability(each)}\n")
    return "\n".join([HEAD, *overview, "", *parts])


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
