"""The command ``rusage``: run a program and report its resource usage, as GNU ``time`` does."""

from ._main import main

__all__ = ["main"]
