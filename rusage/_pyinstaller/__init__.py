"""The hook directory of PyInstaller, found through the entry point ``pyinstaller40``; not imported otherwise."""

import os


def get_hook_dirs() -> list[str]:
    """Return the directory of ``hook-rusage.py``."""
    return [os.path.dirname(__file__)]
