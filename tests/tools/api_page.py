"""Write the sections of ``docs/api.md`` from the docstrings: ``python tests/tools/api_page.py``.

The page has the order, the sections of names without a docstring, whose type follows the name, and
the signatures of functions that pass all on to subprocess. Signatures and docstrings are read from
the syntax tree, since no system has all names, and some modules need other packages. Only the
fields of named tuples are read from their classes.
"""

import ast
import itertools
import re
import textwrap
from pathlib import Path

from commands import marked, replaced
from system_words import SYSTEMS

import rusage

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE, PAGE = ROOT / "rusage", ROOT / "docs" / "api.md"
# Where names of the package itself are defined.
FILES = [*sorted(PACKAGE.glob("_*.py")), PACKAGE / "_children" / "popen.py"]
WIDTH = 120
SIGNATURE_WIDTH = 88

BSDS = "FreeBSD, OpenBSD, NetBSD, DragonFly BSD"

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


def of_function(name: str, node: Function, old: str) -> str:
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    called = f"await {name}" if isinstance(node, ast.AsyncFunctionDef) else name
    return f"{called_as(called, node, old, result)}\n\n{markdown(ast.get_docstring(node) or '')}"


def called_as(name: str, node: Function, old: str, result: str = "") -> str:
    """Return the signature, or the old one of a function that passes all on to subprocess."""
    if node.args.vararg:
        return old.partition("\n\n")[0]
    return signature(name, shown_parameters(node), result)


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


def of_class(name: str, node: ast.ClassDef, tree: ast.Module, old: str) -> str:
    bases = [base for base in map(ast.unparse, node.bases) if base.startswith("_")]
    shared = [each for each in tree.body if isinstance(each, ast.ClassDef) and each.name in bases]
    body = statements([*itertools.chain(*(each.body for each in shared)), *node.body])
    functions = {each.name: each for each in body if isinstance(each, Function)}
    parts = []
    if "__init__" in functions:
        parts.append(called_as(name, functions["__init__"], old))
    parts.append(markdown(ast.get_docstring(node) or ""))
    lines = []
    for attribute, kind, text in fields(node, tree) + attributes(body):
        item = f"``{attribute}: {ast.unparse(kind)}``: {' '.join(text.split())}"
        lines.append(textwrap.indent(markdown(item), "  ").replace("  ", "- ", 1))
    if lines:
        parts.append("\n".join(["Attributes:", "", *lines]))
    for method, function in functions.items():
        if not method.startswith("_") and not is_property(function):
            parts.append(f"#### {name}.{method}\n\n{of_function(f'{name}.{method}', function, '')}")
    return "\n\n".join(parts)


def availability(name: str) -> str:
    """Return on which systems a name exists, as Python's reference does, or nothing if on all."""
    lacking = {each.name for each in SYSTEMS if name in each.absent}
    if not lacking:
        return ""
    present = ", ".join(each.name for each in SYSTEMS if each.name not in lacking)
    known = "Unix" if lacking == {"Windows"} else present.replace(BSDS, "the BSDs")
    return f"\n\nAvailability: {known}."


def described(name: str, old: str) -> str:
    """Return the text of a section, which has an old one."""
    if old.startswith(f"```text\nrusage.{name}: "):
        return old
    module, _, last = name.rpartition(".")
    for file in [PACKAGE / f"{module}.py"] if module else FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, Function) and node.name in {last, f"_{last}"}:
                return of_function(f"rusage.{name}", node, old)
            if isinstance(node, ast.ClassDef) and node.name == last:
                return of_class(f"rusage.{name}", node, tree, old)
    raise ValueError(f"no function or class {name}")


def written() -> str:
    _, *sections = re.split(r"(?m)^(?=###? )", PAGE.read_text(encoding="utf-8"))
    overview: list[str] = []
    parts = []
    for section in sections:
        heading, _, old = section.partition("\n")
        mark, _, title = heading.partition(" ")
        if mark == "##":
            overview.append(f"- {title}: ")
            parts.append(f"{heading}\n\n")
            continue
        name = title.removeprefix("rusage.")
        anchor = title.replace(".", "").lower()
        comma = "" if overview[-1].endswith(": ") else ", "
        overview[-1] += f"{comma}[`{name}`](#{anchor})"
        old = old.partition("\n\nAvailability: ")[0].strip()
        parts.append(f"{heading}\n\n{described(name, old)}{availability(name)}\n\n")
    head, *_ = re.split(r"(?m)^(?=## )", replaced(PAGE, marked("overview", "\n".join(overview))))
    return head + "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
