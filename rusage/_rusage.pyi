"""The compiled module (``rusage_build.py`` is its source)."""

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar, overload

_T = TypeVar("_T")

class Record(Protocol):
    """A ``rusage_record``: the bytes of the fields, each in its uniform unit."""

class Call(Protocol):
    """A ``rusage_call *``."""

    who: int
    measured: int
    maxrss_bytes: int
    integral_bytes: int
    integral_hz: int
    record: Record

class Timeval(Protocol):
    """A ``struct timeval``."""

    tv_sec: int
    tv_usec: int

class Native(Protocol):
    """A ``struct rusage *``: the system's own."""

    ru_utime: Timeval
    ru_stime: Timeval
    ru_maxrss: int
    ru_ixrss: int
    ru_idrss: int
    ru_isrss: int
    ru_minflt: int
    ru_majflt: int
    ru_nswap: int
    ru_inblock: int
    ru_oublock: int
    ru_msgsnd: int
    ru_msgrcv: int
    ru_nsignals: int
    ru_nvcsw: int
    ru_nivcsw: int

class WindowsNative(Protocol):
    """A ``rusage_windows *``."""

    user_low: int
    user_high: int
    kernel_low: int
    kernel_high: int
    peak_working_set: int
    page_faults: int

class MacosNative(Protocol):
    """A ``rusage_macos *``."""

    numer: int
    denom: int
    user: int
    system: int
    faults: int
    pageins: int
    bytes_read: int
    bytes_written: int

class Int(Protocol):
    """An ``int *``."""

    def __getitem__(self, index: int, /) -> int: ...

class Block(Protocol):
    """A ``rusage_block *``."""

    reset: int
    resident: int
    peak: int

class Channel(Protocol):
    """A ``rusage_channel *``."""

    memory: int
    read_end: int
    write_end: int

class Process(Protocol):
    """A ``rusage_process *``."""

    pid: int
    is_open: int
    measured: int
    directory: int
    pidfd: int
    namespace: int
    forked: int
    start: int
    handle: int

class Tree(Protocol):
    """A ``rusage_tree *``."""

class Trees(Protocol):
    """A ``rusage_tree **``."""

    def __getitem__(self, index: int, /) -> Tree: ...

class Sample(Protocol):
    """A ``rusage_sample *``."""

    rss: int
    pss: int
    cputime: float
    processes: int
    unread: int
    figures: int

class Figures(Protocol):
    """A ``rusage_member_figures[]``."""

    def __len__(self) -> int: ...

class FFI:
    """cffi's own object."""

    NULL: Any

    @overload
    def new(self, cdecl: Literal["rusage_call *"]) -> Call: ...
    @overload
    def new(self, cdecl: Literal["struct rusage *"]) -> Native: ...
    @overload
    def new(self, cdecl: Literal["rusage_windows *"]) -> WindowsNative: ...
    @overload
    def new(self, cdecl: Literal["rusage_macos *"]) -> MacosNative: ...
    @overload
    def new(self, cdecl: Literal["rusage_process *"]) -> Process: ...
    @overload
    def new(self, cdecl: Literal["rusage_channel *"], values: tuple[int, int, int]) -> Channel: ...
    @overload
    def new(self, cdecl: Literal["int *"]) -> Int: ...
    @overload
    def new(self, cdecl: Literal["rusage_block *"]) -> Block: ...
    @overload
    def new(self, cdecl: Literal["rusage_tree **"]) -> Trees: ...
    @overload
    def new(self, cdecl: Literal["rusage_sample *"]) -> Sample: ...
    @overload
    def new(self, cdecl: Literal["rusage_member_figures[]"], count: int) -> Figures: ...
    def gc(self, cdata: _T, destructor: Callable[[_T], None] | None) -> _T: ...
    def addressof(self, cdata: Call, *fields: str) -> Any: ...
    def buffer(self, cdata: Any) -> memoryview: ...
    def string(self, cdata: Any) -> bytes: ...
    def sizeof(self, cdecl: str) -> int: ...
    def getwinerror(self, code: int) -> tuple[int, str]: ...

class Lib:
    """The functions and constants.

    An ``int`` that a function returns is 0 or an errno, any other number is the result or a negative errno.
    """

    LAUNCHER_ALL_FLAGS: int
    LAUNCHER_CLOSE_OTHERS: int
    LAUNCHER_FAILED: int
    LAUNCHER_MAX_INT: int
    LAUNCHER_MAX_LIMITS: int
    LAUNCHER_NOT_UNDERSTOOD: int
    LAUNCHER_REFUSED: int
    LAUNCHER_SET_PROCESS_GROUP: int
    LAUNCHER_SET_SESSION: int
    LAUNCHER_VERSION: int
    RUSAGE_NO_PROCESS: int
    SIGBUS: int
    SIGILL: int
    SIGKILL: int
    SIGSEGV: int
    SIGSYS: int
    SIGTRAP: int
    SIGXFSZ: int

    def rusage_convert(self, native: Native, call: Call, /) -> None: ...
    def rusage_convert_both(self, native: Native, children: Native, call: Call, /) -> None: ...
    def rusage_convert_windows(self, native: WindowsNative, call: Call, /) -> None: ...
    def rusage_convert_macos(self, native: MacosNative, call: Call, /) -> None: ...
    def rusage_get(self, call: Call, /) -> int: ...
    def rusage_get_process(self, handle: int, call: Call, /) -> int: ...
    def rusage_of_process(self, pid: int, call: Call, /) -> int: ...
    def rusage_process_open(self, process: Process, pid: int, call: Call, /) -> int: ...
    def rusage_process_get(self, process: Process, call: Call, /) -> int: ...
    def rusage_process_maxrss(self, process: Process, call: Call, /) -> int: ...
    def rusage_process_cputime(self, process: Process, call: Call, /) -> float: ...
    def rusage_process_close(self, process: Process, /) -> None: ...
    def rusage_process_pss(self, process: Process, /) -> int: ...
    def rusage_tree_open(self, opened: Trees, pid: int, /) -> int: ...
    def rusage_tree_sample(self, tree: Tree, wants_pss: int, sample: Sample, figures: Figures, room: int, /) -> int: ...
    def rusage_tree_signal(self, tree: Tree, number: int, /) -> int: ...
    def rusage_tree_close(self, opened: Trees, /) -> None: ...
    def rusage_process_rss(self, process: Process, call: Call, /) -> int: ...
    def rusage_rss(self) -> int: ...
    def rusage_pss(self) -> int: ...
    def rusage_own_peak(self) -> int: ...
    def rusage_reset_peak(self, block: Block, /) -> int: ...
    def rusage_update_peak(self, block: Block, /) -> int: ...
    def rusage_forget_peaks(self) -> None: ...
    def rusage_maxrss(self, call: Call, /) -> int: ...
    def rusage_cputime(self, call: Call, /) -> float: ...
    def rusage_wait4(self, pid: int, status: Int, options: int, call: Call, /) -> int: ...
    def rusage_is_ignored(self, signal: int, /) -> int: ...
    def rusage_why_direct(self) -> bytes: ...
    def rusage_find_program(self, directory: bytes, folders: bytes, name: bytes, /) -> int: ...
    def rusage_is_in_proc(self, path: bytes, /) -> int: ...
    def rusage_root_changed(self) -> int: ...
    def rusage_has_close_range(self) -> int: ...
    def rusage_channel_open(self, channel: Channel, /) -> int: ...
    def rusage_channel_close_write_end(self, channel: Channel, /) -> None: ...
    def rusage_channel_close(self, channel: Channel, /) -> None: ...
    def rusage_channel_seal(self, channel: Channel, /) -> int: ...
    def rusage_is_child(self, pid: int, /) -> int: ...
    def rusage_statclock_hz(self) -> int: ...
    def rusage_pagesize(self) -> int: ...

ffi: FFI
lib: Lib
