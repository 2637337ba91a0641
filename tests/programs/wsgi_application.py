"""An application for gunicorn: each response is the process ID of the worker, and what the system says of its usage."""

from __future__ import annotations

import json
import os
import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment


def application(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([os.getpid(), usage.ru_minflt]).encode()]
