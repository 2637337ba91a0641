"""``Tree``: numbers that are used again, other users, namespaces, and times before the opening."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import pytest
from test_process_scenes import unshare as unshare  # noqa: PLC0414 (a fixture)

from rusage._backends import BACKEND

if TYPE_CHECKING:
    from collections.abc import Callable

    Unshare = Callable[..., list[str]]

pytestmark = pytest.mark.system

if "Tree" in BACKEND.absent or sys.platform != "linux":
    pytest.skip("tests Linux", allow_module_level=True)

# As it is, and as where /proc has no lists of children; a filter on x86_64 hides them.
lists = pytest.mark.parametrize("lists", [[], *([["listed"]] if platform.machine() == "x86_64" else [])], ids=str)


@lists
@pytest.mark.parametrize("members", ["0", "20"])
def test_reused_number(program: Callable[..., str], unshare: Unshare, members: str, lists: list[str]) -> None:
    """Another process that has got a member's number is no member and gets no signal."""
    program("tree_scenes.py", "reused_number", members, *lists, before=unshare("--pid", "--fork", "--mount-proc"))


@pytest.mark.parametrize("way", [[], *([["without pidfd"]] if platform.machine() == "x86_64" else [])], ids=str)
def test_same_start(program: Callable[..., str], unshare: Unshare, way: list[str]) -> None:
    """The start is in ticks: another process that has it too, and the member's number, gets no signal."""
    program("tree_scenes.py", "same_start", *way, before=unshare("--pid", "--fork", "--mount-proc"))


@lists
def test_reused_number_of_a_parent(program: Callable[..., str], unshare: Unshare, lists: list[str]) -> None:
    """The children of the other process are no members."""
    program("tree_scenes.py", "reused_number_of_a_parent", *lists, before=unshare("--pid", "--fork", "--mount-proc"))


@pytest.mark.parametrize("scene", ["adopted", "many_children"])
def test_children_of_a_member(program: Callable[..., str], scene: str) -> None:
    """A member that does nothing adopts a process; a long list."""
    program("tree_scenes.py", scene)


@lists
@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="pthread_exit by ctypes")
def test_member_without_its_first_thread(program: Callable[..., str], lists: list[str]) -> None:
    """/proc shows a zombie, but the process lives."""
    program("tree_scenes.py", "without_first_thread", *lists)


@lists
def test_other_user(program: Callable[..., str], unshare: Unshare, lists: list[str]) -> None:
    """Members of other users are read, except for ``pss``; a signal to them is refused."""
    program("tree_scenes.py", "other_user", *lists, before=unshare("--pid", "--fork", "--mount-proc"))


@lists
@pytest.mark.parametrize("hidepid", ["1", "2"])
def test_hidden_members(program: Callable[..., str], unshare: Unshare, hidepid: str, lists: list[str]) -> None:
    """They count as unread."""
    program("tree_scenes.py", "hidden", hidepid, *lists, before=unshare("--pid", "--fork", "--mount"))


@lists
def test_members_in_a_namespace(program: Callable[..., str], unshare: Unshare, lists: list[str]) -> None:
    """They have the numbers of this namespace."""
    program("tree_scenes.py", "members_in_a_namespace", *lists, before=unshare())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is for x86_64")
@pytest.mark.parametrize("number", [434, 424])
def test_signals_without_pidfd(program: Callable[..., str], number: int) -> None:
    """Old kernels know neither pidfd_open(2) nor pidfd_send_signal(2), or only the first."""
    program("tree_scenes.py", "without_pidfd", str(number))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is for x86_64")
def test_shared_memory_without_kcmp(program: Callable[..., str]) -> None:
    """It counts in each process then."""
    program("tree_scenes.py", "without_kcmp")
