"""Start programs by paths that depend on the process: ``python start_links.py CHECK FOLDER [ERROR]``.

ERROR is what openat2(2) fails with, as in a sandbox, or on Linux before 5.6.
"""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from typing import Any

import checks
import protection

import rusage

OPENAT2 = 437
USER = 54321
CODE = ["-c", "print(1)"]


def outcome(module: Any, call: dict[str, Any]) -> object:
    """Return how a start ends."""
    try:
        done = module.run(capture_output=True, **call)
    except OSError as error:
        return type(error), error.errno, error.filename
    return done.returncode, done.stdout


def compare(call: dict[str, Any], *, runs: bool = True, returncode: int = 0) -> None:
    """Compare a start with the same start by subprocess."""
    expected = outcome(subprocess, call)
    assert runs is (isinstance(expected, tuple) and expected[0] == returncode), (call, expected)
    found = outcome(rusage, call)
    assert found == expected, (call, found, expected)


def links(folder: str) -> None:
    """Start this interpreter, or a file that is open here, by links of /proc."""
    os.chdir(folder)
    os.symlink("/proc/self/exe", "link")
    os.symlink("link", "second")
    os.symlink("/proc/self", "process")
    os.symlink("loop", "loop")
    os.mkdir("folder")
    shutil.copy("/bin/true", "true")
    fd = os.open("true", os.O_RDONLY)  # close-on-exec
    free = os.dup(fd)
    os.close(free)
    executables = ["/proc/self/exe", "/proc/thread-self/exe", f"/proc/{os.getpid()}/exe", "./link", "process/exe"]
    executables += [f"{folder}/second", "/proc/self/cwd/second", "/proc/self/root/proc/self/exe", "folder/../link"]
    words = [sys.executable, *CODE]
    calls: list[dict[str, Any]] = [{"args": [path, *CODE]} for path in executables]
    calls += [{"args": words, "executable": path} for path in ("/proc/self/exe", os.fsencode(f"{folder}/link"))]
    calls += [{"args": words, "executable": "exe", "env": {"PATH": path}} for path in ("/proc/self", "/none:process")]
    paths = [folder, "", "/proc/self/cwd"]
    calls += [{"args": words, "executable": "second", "env": {"PATH": path}} for path in paths]
    calls += [{"args": words, "executable": "./link", "cwd": folder}]
    calls += [{"args": words, "executable": "../link", "cwd": "folder"}]
    calls += [{"args": words, "executable": "./exe", "cwd": cwd} for cwd in ("/proc/self", b"process")]
    calls += [{"args": [f"{folder}/true"], "cwd": "/proc/self"}]
    calls += [{"args": [f"{path}/{fd}"], "close_fds": False} for path in ("/proc/self/fd", "/dev/fd", "process/fd")]
    calls += [{"args": [f"./{fd}"], "close_fds": False, "cwd": "/dev/fd"}]
    for call in calls:
        compare(call, runs=True)
    bad = ["loop", "link/x", f"/proc/self/fd/{free + 20}", "/proc/self", "/proc/self/status", "", "x" * 5000]
    bad += [f"/dev/fd/{number}" for number in range(free, free + 6)]  # descriptors of a start
    for path in bad:
        compare({"args": [path], "executable": path, "close_fds": False}, runs=False)
    compare({"args": ["./true"], "cwd": "missing"}, runs=False)
    compare({"args": ["sh", "-c", 'test "$(pwd -P)" = "/proc/$$"'], "cwd": "/proc/self"}, runs=True)
    os.symlink("true", "ordinary")
    for path in f"{folder}/ordinary", "./ordinary", "folder/../true":
        assert "ru_maxrss" in rusage.run([path]).measured
        assert "ru_maxrss" in rusage.run([path], cwd=folder).measured
    done = subprocess.run([sys.executable, "-m", "rusage", "-q", "./link", *CODE], capture_output=True, check=False)
    assert done.stdout == b"1\n", done
    assert len(os.listdir("/proc/self/fd")) == free + 1  # and the list itself


def search(folder: str) -> None:
    """Search a program in folders where the first that is found cannot be executed, or leads elsewhere."""
    os.chdir(folder)
    texts = {"plain": "exit 5\n", "lost": "#!/no/such/interpreter\n", "good": "#!/bin/sh\nexit 3\n"}
    for name, text in texts.items():
        os.mkdir(name)
        with open(f"{name}/program", "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
            file.write(text)
    shutil.copytree("good", "unexecutable")
    os.chmod("unexecutable/program", 0o644)
    os.makedirs("directory/program")
    os.mkdir("linked")
    os.symlink("/proc/self/exe", "linked/program")
    fd = os.open("plain", os.O_RDONLY | os.O_DIRECTORY)  # close-on-exec
    bad = ["none", "plain", "lost", "unexecutable", "directory"]
    for first in bad:
        for folders in (f"{first}:{folder}/good", f"{first}:good", f"none:{first}:good:plain"):
            compare({"args": ["program"], "env": {"PATH": folders}}, returncode=3)
            assert "ru_maxrss" in rusage.run(["program"], env={"PATH": folders}).measured
        compare({"args": ["program"], "env": {"PATH": f"{first}:none"}}, runs=False)
        compare({"args": ["program"], "env": {"PATH": f"{first}:{first}:none"}}, runs=False)
        compare({"args": ["program", *CODE], "env": {"PATH": f"{first}:linked"}}, runs=True)
    compare({"args": ["program"], "env": {"PATH": f"/proc/self/fd/{fd}:good"}, "close_fds": False}, returncode=3)
    for folders in "plain/program:none", "none:plain/program":  # ENOENT, ENOTDIR
        compare({"args": ["absent"], "env": {"PATH": folders}}, runs=False)
    for first in bad if os.geteuid() == 0 else []:
        assert in_new_namespace(rusage, f"{first}:good") == in_new_namespace(subprocess, f"{first}:good") == 3


def in_new_namespace(module: Any, path: str) -> int:
    """Return the exit status of the one start that a new PID namespace allows, in a process of its own; 99: none."""
    process = os.fork()
    if process == 0:
        status = 99
        try:
            ctypes.CDLL(None).unshare(0x20000000)  # CLONE_NEWPID
            status = module.run(["program"], env={"PATH": path}).returncode
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def hidden(folder: str) -> None:
    """Start a link that only the program's user may follow, and files that may be executed but not read."""
    os.chmod(folder, 0o711)  # noqa: S103 (another user looks for the program)
    unreadable = shutil.copy("/bin/true", f"{folder}/unreadable")
    os.chmod(unreadable, 0o110)  # noqa: S103 (what is tested)
    os.mkdir(f"{folder}/private")
    os.symlink("/proc/self/exe", f"{folder}/private/link")
    os.chown(f"{folder}/private", USER, USER)
    os.chmod(f"{folder}/private", 0o700)
    for capability in 1, 2:  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        protection.prctl(protection.PR_CAPBSET_DROP, capability)
    kept = protection.ALL & ~(1 << 1 | 1 << 2)
    protection.change_sets(kept, kept)
    os.chown(unreadable, USER, os.getgid())
    assert "ru_maxrss" in rusage.run([unreadable], check=True).measured
    compare({"args": [f"{folder}/private/link", *CODE]}, runs=False)
    ids = {"user": USER, "group": USER, "extra_groups": []}
    call = {"args": [f"{folder}/private/link", *CODE], **ids}
    expected = outcome(subprocess, call)
    assert outcome(rusage, call) == expected


if sys.platform == "linux":
    check, error = sys.argv[1], sys.argv[3]
    rusage.run(["true"])
    if error:
        checks.refuse(OPENAT2, getattr(errno, error))
    {"links": links, "search": search, "hidden": hidden}[check](sys.argv[2])
