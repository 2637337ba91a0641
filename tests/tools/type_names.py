"""``rusage/_typed_names.py``, written from the backends: the public names that some systems lack, for type checkers."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from expected import SYSTEMS, backend_on

from rusage._backends._platforms import PLATFORMS, backend_name

# The module of each name that a system lacks.
MODULES = {
    "RUSAGE_BOTH": "_backends._base",
    "RUSAGE_CHILDREN": "_backends._base",
    "RUSAGE_THREAD": "_backends._base",
    "from_native": "_getrusage",
    "peak": "_memory",
    "pss": "_memory",
    "Process": "_process",
    "record": "_record",
    "Member": "_tree",
    "Sample": "_tree",
    "Tree": "_tree",
    "wait3": "_getrusage",
    "wait4": "_getrusage",
}
HEAD = '''"""For type checkers only, which cannot evaluate the backend: the public names that some systems lack.

``python tests/tools/platform_tables.py`` writes this file from the backends. A condition names one platform at
a time: type checkers evaluate no tuple of them.
"""

import sys

__all__: list[str] = []
'''


def condition(name: str) -> str:
    """Return when a name exists: on which systems, or on which not, whichever are fewer.

    Type checkers evaluate no tuple of platforms, and pyright only whole names or prefixes, each in its own form.
    """
    lacking, having = [], []
    for prefix in PLATFORMS:
        is_whole = any(row.platform == prefix for row in SYSTEMS.values())
        if name in backend_on(backend_name(prefix), prefix, "99.0").absent:
            lacking.append(f'sys.platform != "{prefix}"' if is_whole else f'not sys.platform.startswith("{prefix}")')
        else:
            having.append(f'sys.platform == "{prefix}"' if is_whole else f'sys.platform.startswith("{prefix}")')
    terms, operator = (having, "or") if len(having) < len(lacking) else (lacking, "and")
    line = f" {operator} ".join(terms)
    return line if len(f"if {line}:") <= 120 else "(\n    " + f"\n    {operator} ".join(terms) + "\n)"


def module() -> str:
    """Return the text of the module."""
    names: dict[str, list[str]] = {}
    for name in MODULES:
        names.setdefault(condition(name), []).append(name)
    text = HEAD
    for when, those in names.items():
        text += f"\nif {when}:\n"
        for path in dict.fromkeys(map(MODULES.__getitem__, those)):
            imported = ", ".join(name for name in those if MODULES[name] == path)
            text += f"    from .{path} import {imported}\n"
        text += "\n    __all__ += [" + ", ".join(f'"{name}"' for name in sorted(those)) + "]\n"
    return text
