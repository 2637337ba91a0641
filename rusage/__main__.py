"""``python -m rusage``."""

import sys

from ._cli import start

if __name__ == "__main__":
    sys.exit(start())
