"""The compiled module, whose types ``_rusage.cdef`` declares: cffi checks them at run time."""

from typing import Any, TypeAlias

Call: TypeAlias = Any
Channel: TypeAlias = Any
Int: TypeAlias = Any
Process: TypeAlias = Any
Tree: TypeAlias = Any

ffi: Any
lib: Any
