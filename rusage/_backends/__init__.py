"""Select the backend of this system."""

import sys

from ._base import Backend
from ._platforms import backend_name

# Not importlib.import_module(): importing importlib takes longer than everything here.
BACKEND: Backend = __import__(backend_name(sys.platform), globals(), fromlist=["BACKEND"], level=1).BACKEND

__all__ = ["BACKEND"]
