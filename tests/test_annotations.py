"""Annotations, signatures and source of the public functions and classes, read at run time."""

import importlib.util
import inspect
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

import rusage
import rusage.asyncio

MODULES = [rusage, rusage.asyncio]
if importlib.util.find_spec("opentelemetry") is not None:
    MODULES.append(importlib.import_module("rusage.opentelemetry"))
if (
    importlib.util.find_spec("prometheus_client") is not None
    and importlib.util.find_spec("_ssl") is not None
):
    MODULES.append(importlib.import_module("rusage.prometheus"))  # prometheus_client imports ssl


def public(module: Any) -> Iterator[tuple[str, Any]]:
    for name in module.__all__:
        found = getattr(module, name)
        if not getattr(found, "__module__", "").startswith("rusage"):
            continue  # a number, or OSError
        yield name, found
        for key, value in vars(found).items() if inspect.isclass(found) else ():
            function = value.fget if isinstance(value, property) else value
            is_public = key in {"__init__", "__call__"} or not key.startswith("_")
            if is_public and inspect.isfunction(function):
                yield f"{name}.{key}", function


NAMES = [
    pytest.param(found, id=f"{module.__name__}.{name}")
    for module in MODULES
    for name, found in public(module)
]


@pytest.mark.parametrize("found", NAMES)
def test_hints_signature_and_source(found: Any) -> None:
    """A class names the package as its module, where its source is not."""
    hints, parameters = get_type_hints(found), inspect.signature(found).parameters
    if inspect.isfunction(found):
        assert {"return"} <= hints.keys() <= {"return", *parameters}
        assert f"def {found.__name__}" in inspect.getsource(found).replace("def _run", "def run")
