"""Execute a program with an environment that no mapping holds: ``raw_environment.py ENTRIES PROGRAM [ARGUMENT ...]``.

ENTRIES are hexadecimal and separated by commas. They need not have a "=", and names may repeat.
"""

import ctypes
import os
import sys


def array(texts: list[bytes]) -> "ctypes.Array[ctypes.c_char_p]":
    """Return the strings as execve(2) takes them."""
    return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)


entries = [bytes.fromhex(entry[1:]) for entry in sys.argv[1].split(",")[:-1]]
command = [os.fsencode(word) for word in sys.argv[2:]]
ctypes.CDLL(None, use_errno=True).execve(command[0], array(command), array(entries))
sys.exit(os.strerror(ctypes.get_errno()))
