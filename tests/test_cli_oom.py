"""What the command says of kills for lack of memory: made-up cgroups, and real ones."""

import os
import shlex
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import forked
import pytest
from command import MISSING, check, in_words, new_folder, python, record  # noqa: F401 (a fixture)
from conftest import linux
from forked import RUSAGE
from scenes import wait_until

from rusage._cli import oom

pytestmark = linux
LACK = "a process of this cgroup was killed for lack of memory"

UNIFIED, HYBRID = "0::{}\n", "4:cpu,memory:{}\n1:name=systemd:/other\n0::/other\n"
V2, V1 = "memory.events", "memory.oom_control"


# /proc/self/cgroup, the path in it, the root of the mount, its kind, the file, and its folder.
PLACES = [
    (UNIFIED, "/", "/", "cgroup2", V2, "."),
    (UNIFIED, "/a:b/c d", "/", "cgroup2", V2, "a:b/c d"),
    (UNIFIED, "/box/a", "/box", "cgroup2", V2, "a"),
    (UNIFIED, "/box", "/box", "cgroup2", V2, "."),
    (UNIFIED, "/boxes", "/box", "cgroup2", V2, None),
    (UNIFIED, "/../a", "/", "cgroup2", V2, None),
    (UNIFIED, "/a", "/..", "cgroup2", V2, None),
    (UNIFIED, "/a", "/", "cgroup", V1, None),
    (HYBRID, "/a", "/", "cgroup", V1, "a"),
    (HYBRID, "/a", "/", "cgroup2", V2, None),
    ("1:name=systemd:{}\n", "/a", "/", "cgroup2", V2, None),
    ("", "", "/", "cgroup2", V2, None),
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_file_of_the_cgroup(place: Any, tmp_path: Path) -> None:
    cgroup, mine, root, kind, file, found = place
    point = tmp_path / "a b\\c\n"
    for folder in point, point / "a", Path(f"{point}es"), tmp_path / "a", point / (found or "."):
        folder.mkdir(exist_ok=True, parents=True)
        (folder / file).write_text("low 0\noom 2\noom_kill 7\noom_group_kill 0\n")
    escaped = str(point).replace("\\", "\\134").replace(" ", "\\040").replace("\n", "\\012")
    (tmp_path / "cgroup").write_text(cgroup.format(mine))
    (tmp_path / "mountinfo").write_text(
        "22 28 0:21 / /proc rw shared:5 - proc proc rw\n"
        f"30 1 0:3 {root} /no/such/place rw - {kind} none rw\n"
        f"31 1 0:3 {root} {escaped} rw,nosuid shared:9 master:1 - {kind} none rw,memory\n"
    )
    counter = oom.counter(str(tmp_path))
    assert Path(counter) == (Path() if found is None else point / found / file)
    assert oom.kills(counter) == (None if found is None else 7)


@pytest.mark.parametrize("text", [None, "oom_kill_disable 0\nunder_oom 0\n", "oom_kill x\n"])
def test_without_a_count(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "file").write_text(text)
    assert oom.kills(str(tmp_path / "file")) is None
    assert oom.counter(str(tmp_path)) == ""


@forked.needs_fork
def test_failure_while_the_count_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    count = Path("count").absolute()
    monkeypatch.setattr(oom, "counter", lambda: str(count))
    count.write_text("oom_kill 1\n")
    for script, status, killed, said in (
        ("echo oom_kill 2 >count; exit 1", 1, True, f"exit status 1; {LACK}"),
        ("echo oom_kill 3 >count; kill -9 $$", 137, True, f"killed by signal 9 (SIGKILL); {LACK}"),
        ("exit 1", 1, False, "exit status 1"),
        ("echo oom_kill 4 >count", 0, MISSING, "exit status 0"),
        ("rm count; exit 1", 1, MISSING, "exit status 1"),
    ):
        check(["sh", "-c", script], status, members={"oom_killed": killed})
        assert in_words().endswith(said)
    count.write_text("oom_kill 1\n")
    check(
        "-n 2 --ignore-failure sh -c 'echo oom_kill 2 >count; exit 3'",
        members={"runs.*.oom_killed": [True, False]},
        shown=f"failures 2: run 1 (exit status 3), run 2 (exit status 3); {LACK}",
    )


# --- Real kills ---


def is_empty(group: Path) -> bool:
    return not (group / "cgroup.procs").read_text()


@pytest.mark.not_emulated
def test_kill_in_a_cgroup_with_a_limit(tmp_path: Path) -> None:
    own = Path(oom.counter())
    limits = {V1: "memory.limit_in_bytes", V2: "memory.max"}
    if own == Path():
        pytest.skip(reason="this cgroup counts no kills")
    groups = [own.parent / f"rusage-test-{os.getpid()}-{name}" for name in "ab"]
    try:
        for group in groups:
            group.mkdir()
            (group / limits[own.name]).write_text(f"{150 << 20}")
    except OSError as error:
        for group in groups:
            if group.is_dir():
                group.rmdir()
        pytest.skip(reason=f"no permission to make a cgroup with a limit: {error.strerror}")
    eat = shlex.join(python("block = b'x' * (200 << 20)"))
    in_b = f"(echo 0 >{groups[1]}/cgroup.procs; {eat}); exit 5"
    try:
        for script, killed in (f"exec {eat}", True), (f"{eat}; exit 4", True), (in_b, False):
            words = [*RUSAGE, "-o", str(tmp_path / "x"), "--json", "sh", "-c", script]
            inside = f'echo 0 >{groups[0]}/cgroup.procs && exec "$@"'
            done = subprocess.run(["sh", "-c", inside, "sh", *words], check=False)  # noqa: S607
            assert done.returncode in {137, 4, 5}
            assert record(str(tmp_path / "x"))["oom_killed"] == killed
    finally:
        for group in groups:
            wait_until(partial(is_empty, group), "empty")
            group.rmdir()
