"""Start programs that only some group or user may execute: ``python file_system_ids.py CHANGE FOLDER``, as root.

CHANGE: ``nothing``, or the file-system ID that differs from the effective one, ``fsgid`` or ``fsuid``.
"""

import os
import shutil
import subprocess
import sys
from typing import Any

import protection
from protection import ALL, libc, prctl

import rusage

OWNER, GROUP, EFFECTIVE_GROUP = 54321, 54322, 54323
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2  # capabilities that allow to execute any file


def outcome(module: Any, program: str) -> object:
    """Return how a program ends."""
    try:
        return module.run([program]).returncode
    except OSError as error:
        return type(error), error.errno, error.filename


def program(path: str, user: int, group: int, mode: int) -> str:
    """Make a program and return its path."""
    shutil.copy("/bin/true", path)
    os.chown(path, user, group)
    os.chmod(path, mode)
    return path


def main(change: str, folder: str) -> None:
    """Make the programs, lose the capabilities, change the ID, and compare with subprocess."""
    programs = [
        program(f"{folder}/group", OWNER, GROUP, 0o610),
        program(f"{folder}/effective-group", OWNER, EFFECTIVE_GROUP, 0o610),
        program(f"{folder}/user", OWNER, GROUP, 0o700),
        program(f"{folder}/root", 0, 0, 0o700),
    ]
    os.setgroups([])
    os.setresgid(EFFECTIVE_GROUP, EFFECTIVE_GROUP, EFFECTIVE_GROUP)
    for capability in DAC_OVERRIDE, DAC_READ_SEARCH:
        prctl(protection.PR_CAPBSET_DROP, capability)
    kept = ALL & ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    protection.change_sets(kept, kept)
    prctl(protection.PR_SET_DUMPABLE, 1)  # which the change of a group has reset
    assert "ru_maxrss" in rusage.run(["true"]).measured
    if change == "fsgid":
        libc.setfsgid(GROUP)
    elif change == "fsuid":
        prctl(protection.PR_SET_SECUREBITS, protection.NO_SETUID_FIXUP)
        libc.setfsuid(OWNER)
    prctl(protection.PR_SET_DUMPABLE, 1)
    expected = [outcome(subprocess, path) for path in programs]
    assert {"nothing": [1, 3], "fsgid": [0, 3], "fsuid": [2]}[change] == [
        number for number, result in enumerate(expected) if result == 0
    ], expected
    assert [outcome(rusage, path) for path in programs] == expected


if sys.platform == "linux":
    main(*sys.argv[1:])
