"""The hook directory of PyInstaller, imported through the entry point ``pyinstaller40`` only."""

import os


def get_hook_dirs() -> list[str]:
    """Return the directory of ``hook-rusage.py``."""
    return [os.path.dirname(__file__)]
