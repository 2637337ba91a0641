"""What the tests of servers share."""

from __future__ import annotations

import contextlib
import socket
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 120  # seconds; usually it takes less than one
# A proxy of the environment is not for loopback.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str) -> str:
    """Return what is at a URL."""
    with _opener.open(url, timeout=TIMEOUT) as response:
        text: str = response.read().decode()
    return text


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Yield the number of a port on which a server can listen. On Linux no program gets it that asks for any port."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            reserved.bind(("127.0.0.1", 0))
        except OSError as error:
            pytest.skip(reason=f"there is no loopback address: {error}")
        port: int = reserved.getsockname()[1]
        if sys.platform != "linux":  # the server could not have it too
            reserved.close()
        yield port
