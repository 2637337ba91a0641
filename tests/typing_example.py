"""How a caller sees the types; mypy and pyright read this, nothing runs it."""

import sys
from collections.abc import Mapping
from typing import assert_type  # checked with the newest Python's rules

import rusage
from rusage import RUsage, getrusage
from rusage._rusage import ffi, lib

usage = getrusage(rusage.RUSAGE_SELF)
assert_type(usage, RUsage)
assert_type(usage.ru_utime, float)
assert_type(usage.ru_maxrss, int)
assert_type(usage.cputime, float)
usage.cputime = 1.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # read-only
assert_type(usage[0], float)
assert_type(usage[2], int)
assert_type(usage - usage, RUsage)
assert_type(usage + usage, RUsage)
assert_type(sum([usage, usage], RUsage.zero), RUsage)
assert_type(usage + ("x",), tuple[float | str, ...])  # noqa: RUF005 (the point)
assert_type(rusage.maxrss(), int)
assert_type(rusage.rss(), int)
assert_type(rusage.cputime(rusage.RUSAGE_SELF), float)
assert_type(rusage.measured(), frozenset[str])
assert_type(rusage.fields["ru_maxrss"].unit, str)
assert_type(rusage.getpagesize(), int)

assert_type(rusage.Popen(["x"]), rusage.Popen[bytes])
assert_type(rusage.run(["x"], text=True), rusage.CompletedProcess[str])
assert_type(rusage.run(["x"]).rusage, RUsage)
try:
    rusage.run(["x"], timeout=1, check=True)
except (rusage.TimeoutExpired, rusage.CalledProcessError) as failed:
    assert_type(failed.rusage, RUsage)
    assert_type(failed.elapsed, float)
    assert_type(failed.measured, frozenset[str])


async def wait_for_child() -> None:
    assert_type(await rusage.asyncio.run(["x"]), rusage.CompletedProcess[bytes])


table: Mapping[str, rusage.Field] = rusage.fields
other: rusage.struct_rusage = usage

# Of the package itself: its calls of C.
handle = ffi.new("rusage_process *")
lib.rusage_get(handle)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
lib.rusage_rss(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

if sys.platform == "linux":
    with rusage.Process(1) as process:
        assert_type(process.getrusage(), RUsage)
        assert_type(process.cputime(), float)
        assert_type(process.peak(), int)
        assert_type(process.rss(), int)
        assert_type(process.pss(), int)
        assert_type(process.measured, frozenset[str])
    assert_type(rusage.peak(), int)
    assert_type(rusage.pss(), int)
    with rusage.Tree() as tree:
        assert_type(tree.sample().rss, int)
        assert_type(tree.sample(pss=True).pss, int | None)
        assert_type(tree.members(), list[rusage.Member])
    with rusage.record(on_sample=lambda sample: sample.rss) as recording:
        assert_type(recording.tree, rusage.Tree)
    assert_type(recording.largest, rusage.Sample)
    assert_type(recording.samples, list[rusage.Sample])

if sys.platform != "win32":
    assert_type(rusage.getrusage(rusage.RUSAGE_BOTH), RUsage)
    assert_type(rusage.wait4(-1, 0), tuple[int, int, RUsage])
    assert_type(rusage.wait3(0), tuple[int, int, RUsage])
    assert_type(rusage.from_native([0.0, 0.0, *range(14)]), RUsage)

try:
    getrusage(who=0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # positional only
    getrusage("0")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # an int
    usage - (0, 0)  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
except rusage.error:
    pass
