"""What a backend says of its kernel, as facts of ``tests/tools/facts.py``: what may be seen."""

import json
import re
from pathlib import Path

from system_words import BY_MODULE, documentation

from rusage._backends import BACKEND, _base, linux
from rusage._backends._base import BLOCKS, INTEGRALS, Backend
from rusage._backends._platforms import backend_name

EVIDENCE = Path(__file__).parent.parent.parent / "docs" / "evidence"
SYSTEMS = [
    "Linux",
    "Darwin",
    "FreeBSD",
    "OpenBSD",
    "NetBSD",
    "DragonFly",
    "SunOS",
    "Windows",
]  # in uname(2)

OWN, SIZE, PEAK = "its own", "the parent's size", "the parent's peak"
FORKED = {
    _base.PEAK_OWN: OWN,
    _base.PEAK_AT_LEAST_PARENTS: PEAK,
    _base.PEAK_AT_LEAST_PARENTS_INEXACT: SIZE,
    _base.PEAK_SAMPLED: f"{OWN} | {SIZE} | sometimes the parent's",
    _base.PEAK_TOUCHED: OWN,
    _base.PEAK_TOUCHED_SAMPLED: OWN,
}
"""Whose peak a forked child reports, by the rule."""
POINTS = {
    **{f"{name}: with CPU time": "grows" for name in sorted(INTEGRALS)},
    **{f"{name}: unit": "" for name in sorted(BLOCKS)},
    "ru_minflt: touched pages": "each page",
    "ru_majflt: mapped file": "counted",
    "ru_msgsnd: messages": "sockets",
    "ru_msgrcv: messages": "sockets",
    "ru_nsignals: signals": "handled",
    "ru_nvcsw: sleeps": "counted",
    "ru_nivcsw: competition": "counted",
}
"""What is seen of a field that is measured."""
NOTED = {
    "since": "0",
    "not count it": "0",
    "size at the time": "present size",
    "ticks of a clock": "grows",
}
"""What is seen of a field that is not measured, by its note."""
WINE = {
    "ru_minflt: touched pages": "0",  # GetProcessMemoryInfo() has no count of page faults there
}
"""What is seen under Wine, which is no Windows, where that differs."""
CLOCKS = {
    "ticks|sampled": "sampled",
    "transition|precisely": "precise",
    "all of it is user": "all user time",
}


def matching(values: dict[str, str], text: str) -> str:
    return " | ".join(value for pattern, value in values.items() if re.search(pattern, text))


def claims(backend: Backend, module: str = "resource") -> dict[str, str]:
    """Return what a backend says of the values of ``resource``, or of the values of ``rusage``."""
    is_raw, notes = module == "resource", backend.notes
    own, thread = backend.measured["RUSAGE_SELF"], backend.measured.get("RUSAGE_THREAD", _base.NONE)
    words = documentation(backend)
    said = {"times: resolution": "microseconds" if words.resolution == "microseconds" else "ticks"}
    if "advance at ticks" in words.clock:  # on some architectures
        said["times: resolution"] = "microseconds | ticks"
    said["times: split"] = matching(CLOCKS, words.clock)
    for name, value in POINTS.items():
        field = name.partition(":")[0]
        if field in own:
            pipes = " and pipes" if "pipes" in notes.get(field, "") else ""
            said[name] = (value or backend.fields()[field].unit) + pipes
        elif is_raw and field in notes:
            said[name] = matching(NOTED, notes[field])
        else:
            said[name] = "0"
    if backend.name == "Linux":
        shared = "shared memory" in notes.get("ru_majflt", "")
        said["ru_majflt: shared memory"] = "major" if shared else "minor"
    said.update(of_memory(backend, is_raw=is_raw))
    said.update(of_waits(backend, is_raw=is_raw))
    if "ru_minflt" in thread:
        said["RUSAGE_THREAD: ru_minflt"] = "the thread's"
    if "ru_maxrss" in thread:
        is_whole = "whole process's" in notes["ru_maxrss"]
        peak = "the process's peak" if is_whole else "since the thread began"
        said["RUSAGE_THREAD: ru_maxrss"] = peak
        said["RUSAGE_THREAD: integrals"] = "grow" if thread >= INTEGRALS else "0"
    return said


def of_this_system() -> dict[str, str]:
    from facts import kernel

    return claims(BACKEND) | (WINE if kernel()[0] == "Wine" else {})


def of_waits(backend: Backend, *, is_raw: bool) -> dict[str, str]:
    said = {}
    own, children = (
        backend.measured.get(name, _base.NONE) for name in ("RUSAGE_SELF", "RUSAGE_CHILDREN")
    )
    if own - INTEGRALS <= children & backend.waited:
        said["wait4: last reading"] = said["RUSAGE_CHILDREN: wait4"] = "equal"
    elif is_raw and "twice" in backend.notes.get("ru_minflt", ""):
        said["wait4: last reading"] = "doubled"
    if "wait4" not in backend.absent:
        is_early = is_raw and backend.name == "FreeBSD"
        said["wait4: short children"] = "complete" + " | sometimes incomplete" * is_early
    return said


def of_memory(backend: Backend, *, is_raw: bool) -> dict[str, str]:
    rule = backend.child_peak
    if "ru_maxrss" not in backend.measured["RUSAGE_SELF"]:
        return {"ru_maxrss: unit": "0"}
    mapped = "not counted" if "mmap" in backend.notes.get("ru_idrss", "") else "counted"
    has_integrals = backend.measured["RUSAGE_SELF"] >= INTEGRALS
    return {
        **({"ru_idrss: mapped memory": mapped} if has_integrals else {}),
        "ru_maxrss: unit": "KiB" if is_raw and backend.maxrss_bytes == _base.KIB else "bytes",
        "ru_maxrss: update": "sampled" if rule in _base.SAMPLED_RULES else "at once",
        "ru_maxrss: exec": "reset" if rule == _base.PEAK_OWN else "kept",
        "ru_maxrss: child after exec": FORKED[rule],
        **({} if rule == _base.PEAK_OWN else {"ru_maxrss: forked child": FORKED[rule]}),
        "RUSAGE_CHILDREN: added": "when waited for",
        "RUSAGE_CHILDREN: ru_maxrss": "largest",
    }


def backend_of(system: str, release: str) -> Backend:
    from expected import backend_on

    platform = system.lower() if system in SYSTEMS[:-1] else "win32"
    if system == "Linux" and release:
        return linux.backend(io_accounting=True, release=release)
    module = backend_name(platform)
    return backend_on(module, platform, release) if release else BY_MODULE[module]


def outcomes(path: Path, backend: Backend) -> dict[str, str]:
    """Return how each fact in a file of evidence compares with what a backend says."""
    import facts

    found, said = json.loads(path.read_text(encoding="utf-8"))["facts"], claims(backend)
    if path.stem.startswith("Wine"):
        said |= WINE
    if path.stem.startswith("Linux"):
        is_precise = path.stem.endswith("s390x")  # the statement is about all machines
        said["times: resolution"] = "ticks" if is_precise else "microseconds"
    return {name: facts.outcome(facts.Fact(name, **fact), said) for name, fact in found.items()}


def points(path: Path, backend: Backend, field: str) -> list[str]:
    """Return on which points a file of evidence confirms what is said of a field.

    A measured field must have been seen to grow: one that is stuck at 0 would also confirm that
    faults of shared memory are minor ones. How the times are split must be as in their note.
    """
    found = json.loads(path.read_text(encoding="utf-8"))["facts"]
    unsaid = {"0", "minor"} if field in backend.measured["RUSAGE_SELF"] else set[str]()
    start = "times" if field in _base.TIMES else field
    if start == "times":
        unsaid |= {*CLOCKS.values()} - {matching(CLOCKS, backend.notes.get(field, ""))}
    kinds = {f"RUSAGE_CHILDREN: {field}": "children", f"RUSAGE_THREAD: {field}": "thread"}
    confirmed = [
        name
        for name, how in outcomes(path, backend).items()
        if how == "confirmed" and found[name]["value"] not in unsaid
    ]
    return [
        kinds.get(name, name.partition(": ")[2])
        for name in confirmed
        if name.startswith(f"{start}:") or name in kinds
    ]
