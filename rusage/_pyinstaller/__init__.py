"""For PyInstaller, which imports this by the entry point ``pyinstaller40``: where its hook is."""

import os


def get_hook_dirs() -> list[str]:
    """Return the directory of ``hook-rusage.py``."""
    return [os.path.dirname(__file__)]
