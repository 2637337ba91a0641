"""``Process`` and ``Tree`` where processes change: each system's C against made-up kernels."""

from __future__ import annotations

import errno
import itertools
from typing import TYPE_CHECKING, NamedTuple

import pytest
from made_up import BY_BOOT, READ, RSS_UNITS
from made_up import programs as programs  # noqa: PLC0414 (a fixture)
from made_up import run as run  # noqa: PLC0414 (as above)
from made_up import system as system  # noqa: PLC0414 (as above)

if TYPE_CHECKING:
    from made_up import Run

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("kernels")]  # compiled once


class Process(NamedTuple):
    """A process of a made-up kernel, as a step; all times in microseconds."""

    pid: int
    parent: int
    start: int
    rss: int = 100
    time: int = 500_000
    waited: int = 0
    zombie: int = 0
    denied: int = 0
    vforked: int = 0

    def __str__(self) -> str:
        return " ".join(["process", *map(str, self)])


INIT, ROOT = Process(1, 0, 1), Process(10, 1, 1000)
CHILD, GRANDCHILD = Process(20, 10, 2000, rss=30), Process(30, 20, 3000, rss=7)
STRANGER = Process(40, 1, 2500)
FAMILY = f"set now 5000 {INIT} {STRANGER} {GRANDCHILD} {CHILD} {ROOT} "
LATER = 1_000_000  # a start after the opening


def test_members_and_sums(system: str, run: Run) -> None:
    """A parent may come after its children in the list; members come after their parents."""
    opened, sample, members = run(f"{FAMILY} tree 10 sample members")
    unit = RSS_UNITS[system]
    assert opened == [0]
    assert sample == [0, 3, 0, 137 * unit, 0]
    assert members == [10, 100 * unit, 0, 20, 30 * unit, 0, 30, 7 * unit, 0]


# Parentheses, a line end, an escape, half a character; longer than any place for a name.
NAME = b"a (b) c\n\x1b[31m \xe4\xb8" + b"x" * 60
ROOM = {"freebsd": 19, "netbsd": 23, "openbsd": 23, "dragonfly": 16, "macos": 16, "windows": 63}


def test_name(system: str, run: Run) -> None:
    """It is the kernel's, byte for byte, as long as that; on Windows the file's, in UTF-8."""
    *_, name = run(f"name {NAME[:63].hex()} {FAMILY} tree 10 sample first_name")
    expected = NAME[:63]
    if system == "windows":
        expected = expected.decode("latin-1").encode()
    assert bytes(map(int, name)) == expected[: ROOM[system]]
    *_, name = run(f"name {NAME[:63].hex()} {FAMILY} tree 10 name 78 sample first_name")
    assert bytes(map(int, name)) == (expected[:63] if system == "windows" else b"x")


# --- Membership and CPU time ---

# By each process of the family before the opening, in microseconds: half of it is system time.
USED = 1_000_001
YOUNG = Process(50, 20, LATER, time=250_000)  # has used 750_001
ENDED = f"tree 10 {YOUNG._replace(parent=10)} sample gone 50 sample"
ADOPTED = f"{YOUNG._replace(time=700_000)} {STRANGER._replace(parent=20)}"
ZOMBIE = CHILD._replace(zombie=1)
ORPHAN = Process(30, 1, 3000, time=700_000)


def waits(process: Process, microseconds: int) -> Process:
    """Return a process that has waited for so much CPU time."""
    return process._replace(waited=microseconds)


# Steps, and the members and their CPU time in the last sample: what older processes had used before
# the opening does not count, of a younger one all does. What has ended keeps its last reading,
# unless a member has waited for it.
SCENES = {
    "younger": (f"tree 10 sample {YOUNG} sample", 4, 0.750001),
    "ended": (ENDED, 3, 0.750001),
    "ended and waited for": (f"{ENDED} {waits(ROOT, 900_000)} sample", 3, 0.9),
    "ended, and another one waited for": (f"{ENDED} {waits(ROOT, 700_000)} sample", 3, 0.750001),
    "older and waited for": (
        (
            f"gone 30 {waits(CHILD, 3_000_000)} tree 10 sample "
            f"gone 20 {waits(ROOT, USED + 3_400_000)} sample"
        ),
        1,
        0.4,
    ),
    # It is in the time of its parent, and then of the root.
    "older grandchild": (
        (
            f"tree 10 sample gone 30 {waits(CHILD, USED)} sample sample "
            f"gone 20 {waits(ROOT, 2 * USED)} sample"
        ),
        1,
        0,
    ),
    "orphan and no root": (f"tree 10 gone 20 {ORPHAN} sample gone 10 sample", 1, 0.2),
    "all have ended": (f"tree 10 gone 20 {ORPHAN} sample gone 10 gone 30 sample", 0, 0.2),
    # The time of its children, which were never read, and then of the root.
    "orphan that has waited": (
        (
            f"tree 10 gone 20 {Process(30, 1, 3000, waited=900_000)} sample "
            f"gone 30 {ROOT._replace(time=700_000)} sample"
        ),
        1,
        1.1,
    ),
    "adopted, growing": (
        f"tree 10 {ADOPTED} sample {STRANGER._replace(parent=20, time=600_000)} sample",
        5,
        1.300001,
    ),
    # Its parent has ended too, so that any ancestor may have waited for it; it counts once.
    "subreaper": (
        f"tree 10 {YOUNG} sample gone 50 gone 20 {waits(ROOT, 750_001)} sample sample",
        2,
        0.750001,
    ),
    "child of a zombie": (
        f"tree 10 {YOUNG} sample gone 50 {ZOMBIE} {waits(ROOT, 750_001)} sample sample",
        2,
        0.750001,
    ),
    "together with its parent": (
        f"tree 10 {YOUNG} sample gone 50 gone 20 sample {ROOT._replace(time=700_000)} sample",
        2,
        0.950001,
    ),
    "older, child of a zombie": (
        f"tree 10 sample gone 30 {ZOMBIE} {waits(ROOT, USED)} sample sample",
        1,
        0,
    ),
    # What each had used is taken off once, whichever ancestor has waited for it.
    "older, one by one": (
        (
            f"{Process(50, 30, 3500)} tree 10 sample gone 50 {GRANDCHILD._replace(zombie=1)} "
            f"sample gone 30 {waits(CHILD, 2 * USED)} sample "
            f"gone 20 {waits(ROOT, 3 * USED + 900_000)} sample"
        ),
        1,
        0.9,
    ),
    # Process 1 has waited: later growth counts all the same.
    "accounts that begin again": (
        (
            f"tree 10 {waits(ROOT, 1_000_000)} sample gone 30 gone 20 sample sample "
            f"{waits(ROOT, 3_000_000)} sample"
        ),
        1,
        3,
    ),
    # Nobody has waited for 30. Of the others, two are in the time of the root one reading later.
    "end before accounts begin again": (
        (
            f"tree 10 {YOUNG._replace(pid=51, parent=50)} {YOUNG._replace(parent=10)} sample "
            f"gone 30 gone 20 {waits(ROOT, USED)} sample "
            f"gone 51 gone 50 sample {waits(ROOT, USED + 1_500_002)} sample"
        ),
        1,
        1.500002,
    ),
    "hidden parent": (f"{Process(50, 49, 2000)} tree 10 {waits(ROOT, 5_000_000)} sample", 3, 5),
    # One reading finds all generations, though their children are listed first.
    "generations": (
        f"tree 10 {YOUNG._replace(pid=52, parent=51)} {YOUNG._replace(pid=51)} sample",
        5,
        1.500002,
    ),
    # It is never seen.
    "child of an ended parent": (f"tree 10 gone 20 {Process(50, 1, LATER)} sample", 2, 0),
    # Another process that has got it becomes a member only as a child of one.
    "reused by a child": (
        f"tree 10 gone 30 {CHILD._replace(start=LATER)} sample sample",
        2,
        1.000001,
    ),
    # The clock may have been set back between the starts: the kernel's parent ID decides.
    "earlier start": (
        f"gone 30 {CHILD._replace(start=500)} tree 10 sample {Process(21, 20, 7)} sample",
        3,
        0,
    ),
}


@pytest.mark.parametrize(("steps", "processes", "time"), SCENES.values(), ids=SCENES)
def test_members_and_their_time(run: Run, steps: str, processes: int, time: float) -> None:
    opened, *samples = run(FAMILY + steps)
    assert opened == [0]
    assert samples[-1][:3] == [0, processes, 0]
    times = [sample[4] for sample in samples]
    assert times[-1] == pytest.approx(time, abs=1e-5)
    assert times == sorted(times)


def test_zombie_that_has_waited(system: str, run: Run) -> None:
    """The times of its children count once, on systems that tell the times of a zombie."""
    *_, sample = run(f"{FAMILY} tree 10 {CHILD._replace(waited=900_000, zombie=1)} sample")
    expected = 0.9 if system in {"freebsd", "dragonfly", "macos"} else 0
    assert sample[4] == pytest.approx(expected, abs=1e-5)


def test_waited_for_time_that_is_cut(run: Run) -> None:
    """Waiting for a process adds what its times had lost at the opening: 2 microseconds each."""
    child, root = CHILD._replace(waited=USED + 4), ROOT._replace(waited=2 * USED + 6)
    *_, first, last, later = run(
        f"{FAMILY} tree 10 gone 30 {child} sample gone 20 {root} sample "
        f"{root._replace(waited=root.waited + 1)} sample"
    )
    assert [first[4], last[4], later[4]] == pytest.approx([0, 0, 1e-6], abs=1e-9)
    root = ROOT._replace(waited=USED + 4)
    *_, last = run(f"{FAMILY} tree 10 sample gone 30 {ZOMBIE} {root} sample sample")
    assert last[4] < 1e-9


def test_waited_for_time_that_was_not_read(run: Run) -> None:
    """It stays in the time of the root.

    Nobody knows who waits for a child whose parent has ended too.
    """
    waited = 2 * USED
    steps = (
        f"{FAMILY} tree 10 gone 30 {waits(CHILD, USED)} sample "
        f"gone 20 {waits(ROOT, waited)} sample "
    )
    for _ in range(30):
        waited += 2 * USED + 1
        family = f"{Process(50, 10, LATER)} {Process(51, 50, LATER)}"
        steps += f"{family} sample gone 51 gone 50 {waits(ROOT, waited)} sample "
    assert run(steps)[-1][4] == pytest.approx((waited - 2 * USED) / 1e6, abs=1e-5)


def test_hidden_root(system: str, run: Run) -> None:
    """It is this process: only its descendants count, since their starts, and orphans.

    What it has waited for counts once, though a child had used more since the last reading.
    """
    steps = f"{FAMILY} tree -10 sample members"
    adopted = f"gone 20 {waits(ROOT, USED)} {GRANDCHILD._replace(parent=10)} sample"
    _, first, members, second, last = run(
        f"{steps} {adopted} gone 30 {waits(ROOT, 2 * USED + 500_000)} sample signal 0"
    )[:5]
    assert first[:4] == [0, 2, 0, 37 * RSS_UNITS[system]]
    assert members[::3] == [20, 30]
    expected = [2 * USED, 2 * USED, 2 * USED + 500_000]
    assert [one[4] * 1e6 for one in (first, second, last)] == pytest.approx(expected, abs=5)
    assert last[1] == 0


def test_parent_behind_its_child(run: Run) -> None:
    """As after setns(2): the new parent is no ancestor.

    What it waits for counts once; members come after parents.
    """
    parent, orphan = Process(21, 10, LATER, time=0), Process(30, 21, 3000, rss=7)
    *_, sample, members, _, last = run(
        f"{FAMILY} tree 10 {parent} sample {orphan} {YOUNG._replace(pid=31, parent=30)} sample "
        f"members gone 31 {orphan._replace(waited=750_001)} sample "
        f"gone 30 {parent._replace(waited=USED + 750_001)} sample"
    )
    assert members[::3] == [10, 20, 21, 30, 31]
    assert [sample[4], last[4]] == pytest.approx([1.250002, 1.250002], abs=1e-5)


# --- What happens while a tree is opened or read ---

LOOKS = range(1, 30)  # more than there are in an opening and a reading


@pytest.mark.parametrize(
    ("first", "happens"),
    [
        ("", "gone 20"),
        ("", "reaped 20"),
        ("", "gone 30 later 0 gone 20"),
        ("", "reaped 30 later 0 reaped 20"),
        # Another process that gets a child's number is no member.
        ("gone 30", str(CHILD._replace(start=LATER, parent=1, time=9_000_000))),
    ],
    ids=["gone", "reaped", "both gone", "both reaped", "reused"],
)
def test_child_that_ends_meanwhile(run: Run, first: str, happens: str) -> None:
    """It is in no sum with what it had used before, whether its parent has waited for it or not."""
    for looks in LOOKS:
        opened, *samples = run(
            f"{FAMILY} {first} later {looks} {happens} tree 10 sample sample sample"
        )
        assert opened == [0]
        assert [sample[0] for sample in samples] == [0] * 3
        assert [sample[4] for sample in samples] == pytest.approx([0] * 3, abs=1e-5), looks
        assert samples[-1][1] <= 2


def test_parent_and_child_that_are_replaced_meanwhile(run: Run) -> None:
    others = f"{CHILD._replace(start=LATER, parent=1)} later 0 {GRANDCHILD._replace(start=LATER)}"
    for looks in LOOKS:
        assert run(f"{FAMILY} later {looks} {others} tree 10 {'sample ' * 4}")[-1][1] == 1, looks


@pytest.mark.parametrize("system", ["freebsd", "openbsd"], indirect=True)
def test_older_child_that_appears_and_ends_meanwhile(run: Run) -> None:
    """It may never be read: what the root has waited for during the opening does not count."""
    for looks in LOOKS:
        for more in range(1, 6):
            child = f"{Process(50, 10, 2000)} later {more} reaped 50"
            steps = f"set now 5000 later {looks} {child} tree 10 calm sample"
            *_, sample = run(f"{INIT} {ROOT} {steps}")
            assert sample[4] == 0, looks


def test_opening_that_is_never_complete(run: Run) -> None:
    """Older processes end all the time.

    What members wait for counts from the first complete reading.
    """
    waited, more = ROOT._replace(waited=100_000_000), ROOT._replace(waited=102_000_000)
    steps = f"{FAMILY} {Process(100, 10, 2000)} set churn 99 tree 10 set churn 0"
    *_, first, last = run(f"{steps} {waited} sample {more} sample")
    assert first[:2] == [0, 4]
    assert first[4] == 0
    assert last[4] == pytest.approx(2, abs=1e-5)
    # Of those that have ended, the root's time may get what they had used before.
    assert run(f"{steps} sample {ROOT._replace(waited=5 * USED)} sample")[-1][4] == 0


def test_child_that_starts_meanwhile(run: Run) -> None:
    """A later sample has it, and all or nothing of what it has used.

    It is nothing if it started during the opening.
    """
    counted = set()
    for looks in LOOKS:
        opened, *_, sample = run(f"{FAMILY} later {looks} {YOUNG} tree 10 sample sample sample")
        assert opened == [0]
        assert sample[:2] == [0, 4], looks
        counted.add(round(sample[4], 5))
    assert counted == {0, 0.75}


@pytest.mark.parametrize("system", ["netbsd"], indirect=True)
def test_start_at_the_last_tick(run: Run) -> None:
    in_tick, before = (YOUNG._replace(start=start) for start in (4000, 3999))
    assert run(f"{FAMILY} tree 10 {in_tick} sample")[-1][4] == pytest.approx(0.750001)
    assert run(f"{FAMILY} tree 10 {before} sample")[-1][4] == 0
    # Of an opening that is not complete, it may have started before.
    churn = f"{Process(100, 10, 2000)} set churn 99 tree 10 set churn 0"
    assert run(f"{FAMILY} {churn} {in_tick} sample")[-1][4] == 0


CHAIN = {50: 10, 51: 50, 52: 51}  # young processes and their parents


def ends_of(order: tuple[int, ...], looks: int, pause: int) -> str:
    """Return the steps by which processes end, and their children get the root as their parent."""
    parents, waited, steps = dict(CHAIN), dict.fromkeys([10, *CHAIN], 0), ""
    for number, pid in enumerate(order):
        steps += f"later {pause if number else looks} reaped {pid} "
        parent = parents.pop(pid)
        waited[parent] += YOUNG.time + 500_001 + waited[pid]
        for child in [child for child in parents if parents[child] == pid]:
            parents[child] = 10
            steps += f"later 0 {YOUNG._replace(pid=child, parent=10, waited=waited[child])} "
    return steps


@pytest.mark.parametrize(
    ("order", "pauses"),
    [
        ((52, 51), [1]),
        ((50, 52), [0]),
        *(
            pytest.param(order, [0, 1, 2, 4], marks=pytest.mark.thorough)
            for count in (1, 2, 3)
            for order in itertools.permutations(CHAIN, count)
        ),
    ],
)
def test_children_that_are_waited_for_meanwhile(
    run: Run, order: tuple[int, ...], pauses: list[int]
) -> None:
    """Between any two looks of a reading: the time of each counts once at most."""
    young = " ".join(str(YOUNG._replace(pid=pid, parent=CHAIN[pid])) for pid in CHAIN)
    used = len(CHAIN) * 0.750001
    for looks in range(1, 16):
        for pause in pauses:
            steps = ends_of(order, looks, pause)
            *_, first, second, last = run(
                f"{FAMILY} tree 10 {young} sample {steps} sample sample sample"
            )
            times = [first[4], second[4], last[4]]
            assert times == sorted(times)
            assert times[-1] == pytest.approx(used, abs=1e-5), (looks, pause)


def test_root_that_ends_meanwhile(run: Run) -> None:
    errors = {run(f"{INIT} {ROOT} later {looks} gone 10 tree 10")[0][0] for looks in LOOKS}
    assert errors == {0, errno.ESRCH}


# --- A process and its tree ---


@pytest.mark.parametrize("start", [998, 1002, LATER])
def test_reused_number(run: Run, start: int) -> None:
    another = f"{ROOT._replace(start=start)} {Process(50, 10, LATER)}"
    _, _, got, rss, sample, again = run(
        f"{FAMILY} gone 20 gone 30 open 10 tree 10 {another} get rss sample sample"
    )
    assert got[0] == errno.ESRCH
    assert rss == [-errno.ESRCH]
    assert sample[1] == again[1] == 0


def test_zombies(system: str, run: Run) -> None:
    """They have ended, whether or not the kernel still has their figures.

    A root that is one opens as an empty tree.
    """
    ended = CHILD._replace(zombie=1, rss=999)
    _, _, got, rss, sample, members = run(
        f"{FAMILY} open 20 tree 10 {ended} get rss sample members"
    )
    assert (got[0], rss) == (errno.ESRCH, [-errno.ESRCH])
    assert sample[1] == 2
    assert members[::3] == [10, 30]
    failed, opened, sample = run(f"{INIT} {ROOT._replace(zombie=1)} open 10 tree 10 sample")
    assert failed[0] == errno.ESRCH
    assert (opened, sample) == ([0], [0, 0, 0, 0, 0])
    if system == "macos":
        assert [line[0] for line in run("open 77 set ended 1 get")] == [0, errno.ESRCH]


def test_no_such_process(run: Run) -> None:
    assert [line[0] for line in run(f"{FAMILY} open 77 tree 77")] == [errno.ESRCH] * 2
    assert run("open 5")[0][0] == errno.ESRCH


def test_errors_of_the_kernel(system: str, run: Run) -> None:
    fail, nothing = f"set failure {errno.ENFILE}", [0.0] * 16
    assert run(f"{FAMILY} {fail} open 10 tree 10") == [[errno.ENFILE, *nothing], [errno.ENFILE]]
    _, _, *failed, sample = run(
        f"{FAMILY} open 10 tree 10 {fail} get rss sample set failure 0 sample"
    )
    assert failed == [[errno.ENFILE, *nothing], [-errno.ENFILE], [errno.ENFILE, 0, 0, 0, 0]]
    assert sample[:3] == [0, 3, 0]
    missing = errno.EINVAL if system == "macos" else errno.ESRCH
    assert run("set reply 0 open 77") == [[missing, *nothing]]
    assert run("open 77 set reply 4 get")[1] == [errno.EINVAL, *nothing]


@pytest.mark.parametrize("system", BY_BOOT, indirect=True)
def test_clock_that_is_set(system: str, run: Run) -> None:
    """It moves the start of every process; they are still the same ones."""
    for words in "set boot 900000000000000", "set step 3600000000", "set step -1":
        assert run(f"open 77 {words} get")[1] == [0, *READ[system]], words
        assert run(f"{FAMILY} tree 10 {words} sample")[-1][:3] == [0, 3, 0], words
    *_, sample = run(f"{FAMILY} set jump 3600000000 tree 10 {YOUNG} sample")
    assert sample[4] == pytest.approx(0.750001)


@pytest.mark.parametrize("system", ["netbsd"], indirect=True)
def test_record_that_is_not_complete(run: Run) -> None:
    """NetBSD leaves out the times of a process in exec, or during its posix_spawn.

    It lives, and keeps its figures.
    """
    unit = RSS_UNITS["netbsd"]
    *_, sample = run(f"{FAMILY} tree 10 sample set busy 2 sample")
    assert sample == [0, 3, 0, 137 * unit, 0]
    *_, line = run(f"{FAMILY} tree 10 sample set busy 9 signal 15")
    assert line == [10, 15, 20, 15, 30, 15, 0]
    assert run(f"{FAMILY} set busy 5 open 10")[0][0] == 0
    assert run(f"{FAMILY} open 10 set busy 5 rss")[1] == [100 * unit]
    # Its parent is known: the member moves behind it.
    adopted = f"{Process(21, 10, LATER)} sample {GRANDCHILD._replace(parent=21)}"
    for looks in LOOKS:
        *_, members = run(f"{FAMILY} tree 10 {adopted} later {looks} set busy 1 sample members")
        assert members[::3] == [10, 20, 21, 30], looks


@pytest.mark.parametrize("system", ["freebsd", "netbsd", "dragonfly"], indirect=True)
def test_child_before_exec(system: str, run: Run) -> None:
    """After vfork(2) it uses its parent's memory, which counts once if that is a living member."""
    child, unit = CHILD._replace(vforked=1, rss=100), RSS_UNITS[system]
    *_, sample, members, after = run(
        f"{FAMILY} {child} tree 10 sample members {child._replace(vforked=0, rss=9)} sample"
    )
    assert sample[:4] == [0, 3, 0, 107 * unit]
    assert members[1::3] == [100 * unit, 0, 7 * unit]
    assert after[:4] == [0, 3, 0, 116 * unit]
    assert run(f"{FAMILY} {child} tree 20 sample")[-1][:4] == [0, 2, 0, 107 * unit]


@pytest.mark.parametrize("system", ["openbsd"], indirect=True)
def test_child_before_exec_on_openbsd(run: Run) -> None:
    """vfork(2) copies the memory there, as fork(2) does."""
    sample = run(f"{FAMILY} {CHILD._replace(vforked=1, rss=100)} tree 10 sample")[-1]
    assert sample[:4] == [0, 3, 0, 207 * RSS_UNITS["openbsd"]]


@pytest.mark.parametrize("system", ["macos"], indirect=True)
def test_members_that_may_not_be_read(run: Run) -> None:
    """They and their children are members, and in no sum. Only macOS reports them."""
    denied = f"{FAMILY} {CHILD._replace(denied=1)}"
    _, sample, members, again = run(f"{denied} tree 10 sample members gone 20 sample")
    assert sample == [0, 3, 1, 107, 0]
    assert members[::3] == [10, 30]
    assert again[1:3] == [2, 0]
    assert run(f"{FAMILY} {ROOT._replace(denied=1)} tree 10") == [[errno.EPERM]]
    # What it had used before the opening is not known, so that its parent's growth does not count.
    *_, first, last = run(
        f"{denied} tree 10 gone 20 {ROOT._replace(waited=5_000_000)} sample "
        f"{ROOT._replace(waited=7_000_000)} sample"
    )
    assert [first[4], last[4]] == pytest.approx([0, 2], abs=1e-5)


@pytest.mark.parametrize(
    "system", ["freebsd", "netbsd", "openbsd", "dragonfly", "macos"], indirect=True
)
def test_list_that_grows(run: Run) -> None:
    *_, failed, sample = run(f"{FAMILY} tree 10 set crowded 10 sample set crowded 9 sample")
    assert failed[0] == errno.ENOMEM
    assert sample[:2] == [0, 3]


def test_room_for_figures(run: Run) -> None:
    *_, sample, members = run(f"{FAMILY} tree 10 set room 2 sample members")
    assert sample[1] == 3
    assert members[::3] == [10, 20]


def test_reading_that_fails_half_way(run: Run) -> None:
    """The later ones are as if it had not been: a child's time is not counted in its parent too.

    Of two that have ended, the first was entered into the sums when the second fails.
    """
    young = YOUNG._replace(parent=10)
    ended = f"gone 50 gone 51 {waits(ROOT, 1_600_000)}"
    family = f"{FAMILY} tree 10 {young} {young._replace(pid=51)} sample {ended}"
    expected = run(f"{family} sample members")
    failed = 0
    for looks in range(1, 14):
        # 31 is ERROR_GEN_FAILURE of Windows too
        half = f"later {looks} set failure 31 sample calm set failure 0"
        *_, reading, sample, members = run(f"{family} {half} sample members")
        failed += reading[0] == 31
        assert [sample, members] == expected[-2:], looks
    assert failed > 2


@pytest.mark.parametrize("system", ["macos"], indirect=True)
def test_parent_of_an_unread_member(run: Run) -> None:
    """It has ended: another member has waited for the unread one, whose time counts once."""
    denied = GRANDCHILD._replace(time=700_000, denied=1)
    *_, last, later = run(
        f"{FAMILY} tree 10 {GRANDCHILD._replace(time=700_000)} sample "
        f"{denied} gone 20 {waits(ROOT, USED)} sample "
        f"gone 30 {waits(ROOT, USED + 1_200_001)} sample {ROOT._replace(waited=9_000_000)} sample"
    )
    assert last[4] == pytest.approx(0.2, abs=1e-5)
    assert later[4] == pytest.approx(9 - USED * 2 / 1e6, abs=1e-5)


def test_no_memory(run: Run) -> None:
    family = " ".join(str(Process(pid, 10, LATER)) for pid in range(100, 190))
    for allocations in range(12):
        failing = f"{FAMILY} tree 10 {family} set allocations {allocations} sample sample"
        opened, *_, last = run(f"{failing} set allocations 1000 sample")
        assert opened == [0]
        assert last[:2] == [0, 93]


def test_signals(run: Run) -> None:
    *_, line = run(f"{FAMILY} tree 10 sample signal 15 close_tree")
    assert line == [10, 15, 20, 15, 30, 15, 0]
    *_, line = run(f"{FAMILY} tree 10 sample {CHILD._replace(start=LATER)} gone 30 signal 15")
    assert line == [10, 15, 0]
    for looks in range(1, 20):  # that a member cannot be read is said, wherever it begins
        *_, line = run(
            f"{FAMILY} tree 10 sample later {looks} set failure 7 signal 15 set failure 0"
        )
        assert line[-1] == (7 if len(line) < 7 else 0), looks


@pytest.mark.parametrize("system", ["freebsd", "dragonfly"], indirect=True)
def test_second_reaper(system: str, run: Run) -> None:
    again = {"freebsd": errno.EBUSY, "dragonfly": errno.EALREADY}[system]
    steps = f"become_reaper set reaper {again} become_reaper set reaper 1 become_reaper"
    assert run(steps) == [[0], [0], [1]]


# --- Windows: parents do not wait, parent IDs dangle, and open handles keep ended processes ---

on_windows = pytest.mark.parametrize("system", ["windows"], indirect=True)
NO_SUCH_PROCESS = 1 << 29


ANOTHER = f"{CHILD._replace(start=LATER, parent=1)} {Process(50, 20, LATER + 1)}"
DENIED = CHILD._replace(denied=1)
ENDED_CHILD = CHILD._replace(zombie=1, time=700_000)
ENDED_ROOT = ROOT._replace(zombie=1, time=900_000)
# Steps; the members, the sum of their sizes and their CPU time in the last sample.
WINDOWS_SCENES = {
    "all": ("tree 10 sample", [10, 20, 30], 137, 0),
    # Orphans, which keep the IDs of their parents, stay members; what a member has used until its
    # end counts.
    "ended child": (f"tree 10 sample {ENDED_CHILD} sample", [10, 30], 107, 0.2),
    "ended child without a handle": (
        f"tree 10 sample {ENDED_CHILD} sample gone 20 sample",
        [10, 30],
        107,
        0.2,
    ),
    "ended root": (f"gone 20 gone 30 tree 10 {ENDED_ROOT} sample", [], 0, 0.4),
    # The parent of an older process has ended, and the member has its number; no reading is
    # repeated for it.
    "parent ID that dangles": (
        f"{Process(50, 20, 1500)} tree 10 later 30 gone 30 sample",
        [10, 20, 30],
        137,
        0,
    ),
    # The child of another process that has got a member's number is no member.
    "reused number of a parent": (f"tree 10 {ANOTHER} sample sample", [10, 30], 107, 0),
    # How old they are is unknown, so that they are no members, nor are those that get a member's
    # number later.
    "denied": (f"{DENIED} tree 10 sample", [10], 100, 0),
    "denied later": (f"tree 10 {DENIED} sample", [10, 30], 107, 0),
    # While a process starts or ends: it is no member yet, or keeps its figures; if it has ended,
    # its time is known.
    "memory again": (
        f"tree 10 set failure 5 {YOUNG} sample set failure 0 sample",
        [10, 20, 30, 50],
        237,
        0.750001,
    ),
    "no memory, ended": (
        f"tree 10 set failure 5 {YOUNG} sample {ENDED_CHILD} sample",
        [10, 30],
        107,
        0.2,
    ),
}


@on_windows
@pytest.mark.parametrize(
    ("steps", "members", "size", "time"), WINDOWS_SCENES.values(), ids=WINDOWS_SCENES
)
def test_members_and_their_time_on_windows(
    run: Run, steps: str, members: list[int], size: int, time: float
) -> None:
    opened, *_, sample, last = run(f"{FAMILY} {steps} members")
    assert opened == [0]
    assert sample == [0, len(members), 0, size, pytest.approx(time)]
    assert last[::3] == members


@on_windows
def test_what_cannot_be_opened_on_windows(run: Run) -> None:
    """There is no such process, though a handle keeps it, or 22 is another number of 20.

    Or it may not be read.
    """
    assert run(f"{INIT} {ENDED_ROOT} tree 10 tree 77") == [[NO_SUCH_PROCESS], [NO_SUCH_PROCESS]]
    assert run(f"{FAMILY} open 22")[0][0] == NO_SUCH_PROCESS
    assert run(f"{FAMILY} {DENIED} open 20")[0][0] == 5
    assert run(f"{FAMILY} open 20 {DENIED} get")[1][0] == NO_SUCH_PROCESS
    assert run(f"{FAMILY} {ROOT._replace(denied=1)} tree 10") == [[5]]
    assert run(f"{FAMILY} set failure 31 tree 10") == [[31]]


@on_windows
def test_number_that_is_reused_meanwhile_on_windows(run: Run) -> None:
    child, stranger = Process(50, 20, LATER), Process(50, 1, LATER + 1)
    for looks in LOOKS:
        *_, sample = run(
            f"{FAMILY} tree 10 {child} later {looks} {stranger} sample sample sample sample"
        )
        assert sample[1] == 3, looks


@on_windows
def test_signals_on_windows(run: Run) -> None:
    """Each member is terminated, and no other process that gets the number of one meanwhile."""
    *_, line, sample = run(f"{FAMILY} tree 10 sample signal 15 sample")
    assert line == [10, 15, 20, 15, 30, 15, 0]
    assert sample[1] == 0
    for looks in range(1, 20):
        for other in CHILD._replace(start=LATER, parent=1), CHILD._replace(zombie=1):
            _, _, line, _, _, opened = run(
                f"{FAMILY} tree 10 sample later {looks} {other} signal 15 sample sample open 20"
            )
            assert line in ([10, 15, 20, 15, 30, 15, 0], [10, 15, 30, 15, 0]), looks
            assert opened[0] == (NO_SUCH_PROCESS if other.zombie else 0), looks
