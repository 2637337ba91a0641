"""The C as ``rusage_build.py`` writes it: under sanitizers, and for each platform that can be named."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent

PROGRAM = r"""
#define _GNU_SOURCE
%s
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static void fill(struct rusage *native, long value)
{
    long *counters = &native->ru_maxrss;
    int i;

    native->ru_utime.tv_sec = native->ru_stime.tv_sec = value;
    native->ru_utime.tv_usec = native->ru_stime.tv_usec = 999999;
    for (i = 0; i < 14; i++)
        counters[i] = value;
}

int main(void)
{
    static const long values[] = {0, 1, 1023, INT_MAX, (long)UINT_MAX, LONG_MAX / 1024, LONG_MAX, -1};
    static const int64_t units[] = {0, 1, 1024, 65536};
    static const int64_t rates[] = {0, 1, 100, 127, 1000000};
    struct rusage a, b;
    rusage_windows windows;
    unsigned i, j, k;
    int status;
    rusage_call *call = calloc(1, sizeof *call);

    call->measured = 0xffff;
    for (i = 0; i < sizeof values / sizeof *values; i++)
        for (j = 0; j < sizeof units / sizeof *units; j++)
            for (k = 0; k < sizeof rates / sizeof *rates; k++) {
                call->maxrss_bytes = call->integral_bytes = units[j];
                call->integral_hz = rates[k];
                fill(&a, values[i]);
                rusage_convert(&a, call);
                if (call->record.utime < 0 || call->record.stime < 0)
                    return 8;
                if (call->record.maxrss < 0 || call->record.ixrss < 0 || call->record.nivcsw < 0)
                    return 1;
                fill(&b, values[sizeof values / sizeof *values - 2]);
                rusage_convert_both(&a, &b, call);
                if (call->record.utime < 0 || call->record.stime < 0)
                    return 9;
                if (call->record.ixrss < 0 || call->record.nivcsw < 0)
                    return 2;
                memset(&windows, (int)values[i], sizeof windows);
                rusage_convert_windows(&windows, call);
                if (call->record.maxrss < 0 || call->record.minflt < 0)
                    return 3;
            }
    call->who = RUSAGE_BOTH_HERE;
    if (rusage_get(call) != 0 || rusage_maxrss(call) < 0 || rusage_cputime(call) < 0)
        return 4;
    call->who = 99;
    if (rusage_get(call) != EINVAL || rusage_maxrss(call) != -EINVAL || rusage_cputime(call) != -EINVAL)
        return 5;
    if (rusage_wait4(-1, &status, 0, call) != -ECHILD)
        return 6;
    if (rusage_pagesize() <= 0 || rusage_statclock_hz() < 0)
        return 7;
    free(call);
    puts("clean");
    return 0;
}
"""


def build_script() -> ModuleType:
    """Return the build script as a module, made anew."""
    spec = importlib.util.spec_from_file_location("rusage_build", ROOT / "rusage_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """Return the build script as a module."""
    return build_script()


def test_conversion_is_clean_under_sanitizers(build: ModuleType, tmp_path: Path) -> None:
    """AddressSanitizer and UndefinedBehaviorSanitizer find nothing in the C, with the most extreme values."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform == "win32":
        pytest.skip(reason="no Unix C compiler here")
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM % "".join(build.PLATFORMS[build.this_platform()].source))
    flags = ["-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
    flags.append("-Wno-unused-function")  # not all of the C is about usage
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    if subprocess.run([compiler, *flags, probe, "-o", tmp_path / "probe"], capture_output=True, check=False).returncode:
        pytest.skip(reason="this compiler has no sanitizers")
    subprocess.run([compiler, *flags, source, "-o", program], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "clean\n", "")


def test_the_c_of_every_platform_can_be_written_anywhere(build: ModuleType, tmp_path: Path) -> None:
    """``python rusage_build.py --platform NAME OUT.c`` writes each platform's C, and only its own calls."""
    own = {
        "linux": "RUSAGE_THREAD == 1",
        "macos": "thread_info(",
        "freebsd": "KERN_CLOCKRATE",
        "openbsd": "KERN_CLOCKRATE",
        "netbsd": "getrusage(who",
        "dragonfly": "getrusage(who",
        "illumos": "RUSAGE_LWP",
        "windows": "GetProcessTimes(",
        "unknown": "getrusage(who",
    }
    assert own.keys() == build.PLATFORMS.keys()
    for name, words in own.items():
        out = tmp_path / f"{name}.c"
        subprocess.run(
            [sys.executable, ROOT / "rusage_build.py", "--platform", name, out], check=True, capture_output=True
        )
        text = out.read_text()
        assert words in text, name
        assert ("thread_info(" in text) == (name == "macos")
        assert ("GetProcessTimes(" in text) == (name == "windows")
        assert ("wait4(" in text) == (name not in {"windows", "unknown"})
        # A constant of libc that is not the statistics clock's rate.
        assert "_SC_CLK_TCK" not in text


def test_this_platform_is_found_by_its_name(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """``freebsd15`` is ``freebsd``; Android is Linux, iOS is macOS, what has no backend is ``unknown``."""
    for name, platform in {
        "linux": "linux",
        "android": "linux",
        "darwin": "macos",
        "ios": "macos",
        "freebsd15": "freebsd",
        "openbsd7": "openbsd",
        "netbsd10": "netbsd",
        "dragonfly6": "dragonfly",
        "sunos5": "illumos",
        "win32": "windows",
        "cygwin": "unknown",
        "aix": "unknown",
    }.items():
        monkeypatch.setattr(sys, "platform", name)
        assert build.this_platform() == platform


@pytest.mark.parametrize("interpreter", ["ordinary", "free-threaded", "debug"])
def test_stable_abi_only_where_there_is_one(interpreter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheel and extension claim the stable ABI on ordinary interpreters, and not on free-threaded and debug ones."""
    from setuptools import Distribution, Extension

    flag = "1" if interpreter == "free-threaded" else None
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: flag if name == "Py_GIL_DISABLED" else None)
    monkeypatch.delattr(sys, "gettotalrefcount", raising=False)
    if interpreter == "debug":
        monkeypatch.setattr(sys, "gettotalrefcount", lambda: 0, raising=False)
    build = build_script()
    monkeypatch.undo()

    compiled: list[Extension] = []
    monkeypatch.setattr("setuptools.command.build_ext.build_ext.build_extension", lambda _, ext: compiled.append(ext))
    monkeypatch.setattr(build.ffibuilder, "emit_c_code", lambda _: None)
    command = build.build_ext(Distribution())
    command.build_temp = "."
    command.build_extension(Extension("rusage._rusage", []))
    wheel = build.bdist_wheel(Distribution())
    monkeypatch.setattr("setuptools.command.bdist_wheel.bdist_wheel.finalize_options", lambda _: None)
    wheel.finalize_options()

    stable = interpreter == "ordinary"
    assert compiled[0].py_limited_api is stable
    assert (("_CFFI_NO_LIMITED_API", None) in compiled[0].define_macros) is not stable
    assert wheel.py_limited_api == ("cp310" if stable else False)
