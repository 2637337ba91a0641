"""Start a program in a thread whose root directory or mount namespace has changed since ``import rusage``.

``python changed_root.py (chroot|namespace|bind) FOLDER TRAP PROGRAM [old]``, as root on Linux. TRAP stands where the
launcher was, in the new root directory or namespace. ``old``: without statx(2), as before Linux 4.11.
"""

import ctypes
import errno
import os
import shutil
import sys
import threading

import checks

import rusage
import rusage._launcher.start as launcher

CLONE_FS, CLONE_NEWNS = 0x200, 0x20000
MS_BIND, MS_REC_PRIVATE = 1 << 12, 1 << 14 | 1 << 18
STATX = 332  # on x86_64

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """Call a C function that returns 0; end the program, and not only the thread, if that is refused."""
    if getattr(libc, name)(*arguments) != 0:
        reason = os.strerror(ctypes.get_errno())
        sys.stderr.write(
            f"skip: {name}(2) is refused ({reason}): run it as root, not in a sandbox, where / is a mount point\n"
        )
        sys.stderr.flush()
        os._exit(1)


def bind(source: str, target: str) -> None:
    """Mount a file or directory at another place, in a mount namespace that was made for it."""
    call("mount", source.encode(), target.encode(), None, MS_BIND, None)


def change(way: str, folder: str, trap: str, program: str) -> str:
    """Change the root directory of this thread, and return the path of the program in it."""
    tree = f"{folder}/tree"
    os.makedirs(tree)
    if way == "chroot":
        call("unshare", CLONE_FS)
        os.makedirs(tree + os.path.dirname(launcher.PATH))
        shutil.copy(trap, tree + launcher.PATH)
        shutil.copy(program, f"{tree}/program")
        os.chroot(tree)
        return "/program"
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_REC_PRIVATE, None)
    if way == "namespace":
        bind(trap, launcher.PATH)
    else:  # the same directory at another place has the same device and inode
        bind("/", tree)
        for source, target in (trap, launcher.PATH), (program, program):
            # The folder may be on another file system, which is not in the bind mount.
            os.makedirs(os.path.dirname(tree + target), exist_ok=True)
            if not os.path.exists(tree + target):
                shutil.copy(source, tree + target)
            else:
                bind(source, tree + target)
        os.chroot(tree)
    return program


def start(*arguments: str) -> None:
    """Start the program, which must run without the launcher; both leave a directory in the current one."""
    program = change(*arguments)
    # The current directory is outside the new root directory.
    done = rusage.run([program])
    print(done.returncode, sorted(os.listdir(".")), "ru_maxrss" in done.measured)


def main(*arguments: str) -> None:
    """Make the change in a thread; the others have the old root directory."""
    rusage.run(["true"])  # imports what it needs
    folder = f"{arguments[1]}/current"
    os.makedirs(folder)
    os.chdir(folder)
    thread = threading.Thread(target=start, args=arguments)
    thread.start()
    thread.join()
    os.chdir("/")
    checks.check()


if sys.argv[5:] == ["old"]:
    checks.refuse(STATX, errno.ENOSYS)
    os.execv(sys.executable, [sys.executable, *sys.argv[:5]])  # noqa: S606 (the filter stays)
main(*sys.argv[1:5])
