"""The compiled module, from ``_rusage.cdef`` by ``tests/tools/compiled_types.py``.

A class with the name of a structure stands for a pointer to it. A function is missing at run time
on the systems for which it is not declared.
"""

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar, overload

_T = TypeVar("_T")

class Pointer(Generic[_T]):
    def __getitem__(self, index: int, /) -> _T: ...

class Buffer:
    def __buffer__(self, flags: int, /) -> memoryview: ...

class Record: ...

class Values:
    utime: int
    stime: int
    maxrss: int
    ixrss: int
    idrss: int
    isrss: int
    minflt: int
    majflt: int
    nswap: int
    inblock: int
    oublock: int
    msgsnd: int
    msgrcv: int
    nsignals: int
    nvcsw: int
    nivcsw: int

class Call:
    who: int
    measured: int
    maxrss_bytes: int
    integral_bytes: int
    integral_hz: int
    record: Record

class Process:
    pid: int
    is_open: int
    measured: int
    directory: int
    pidfd: int
    namespace: int
    forked: int
    start: int

class Tree: ...

class Sample:
    largest: int
    largest_pss: int
    rss: int
    pss: int
    cputime: float
    total: float
    processes: int
    unread: int
    zombies: int
    figures: int

class MemberFigures:
    pid: int
    rss: int
    has_waited: int
    is_running: int
    cputime: float
    name: Pointer[bytes]

class Block:
    number: int
    resident: int
    peak: int

class Channel:
    launcher: int
    memory: int
    read_end: int
    write_end: int
    has_ended: int
    status: int
    is_read: int
    has_run: int
    child: int
    has_failed: int
    mask: Pointer[bytes]
    next: Channel

class LauncherMemory:
    child: int
    launcher: int
    failed: int

class FFI:
    NULL: Any
    def addressof(self, cdata: object, /, *fields: str) -> object: ...
    def buffer(self, cdata: object) -> Buffer: ...
    def gc(self, cdata: _T, destructor: Callable[[_T], None] | None) -> _T: ...
    def getwinerror(self, code: int) -> tuple[int, str]: ...
    def sizeof(self, cdecl: str) -> int: ...
    def string(self, cdata: Pointer[bytes]) -> bytes: ...
    @overload
    def new(self, cdecl: Literal["rusage_call *"], init: Any = ...) -> Call: ...
    @overload
    def new(self, cdecl: Literal["rusage_call[]"], init: Any) -> Call: ...
    @overload
    def new(self, cdecl: Literal["rusage_values *"], init: Any = ...) -> Values: ...
    @overload
    def new(self, cdecl: Literal["rusage_values[]"], init: Any) -> Values: ...
    @overload
    def new(self, cdecl: Literal["int *"], init: Any = ...) -> Pointer[int]: ...
    @overload
    def new(self, cdecl: Literal["int[]"], init: Any) -> Pointer[int]: ...
    @overload
    def new(self, cdecl: Literal["rusage_process *"], init: Any = ...) -> Process: ...
    @overload
    def new(self, cdecl: Literal["rusage_process[]"], init: Any) -> Process: ...
    @overload
    def new(self, cdecl: Literal["rusage_tree **"], init: Any = ...) -> Pointer[Tree]: ...
    @overload
    def new(self, cdecl: Literal["rusage_tree *[]"], init: Any) -> Pointer[Tree]: ...
    @overload
    def new(self, cdecl: Literal["rusage_sample *"], init: Any = ...) -> Sample: ...
    @overload
    def new(self, cdecl: Literal["rusage_sample[]"], init: Any) -> Sample: ...
    @overload
    def new(self, cdecl: Literal["rusage_member_figures *"], init: Any = ...) -> MemberFigures: ...
    @overload
    def new(self, cdecl: Literal["rusage_member_figures[]"], init: Any) -> MemberFigures: ...
    @overload
    def new(self, cdecl: Literal["rusage_block *"], init: Any = ...) -> Block: ...
    @overload
    def new(self, cdecl: Literal["rusage_block[]"], init: Any) -> Block: ...
    @overload
    def new(self, cdecl: Literal["rusage_channel *"], init: Any = ...) -> Channel: ...
    @overload
    def new(self, cdecl: Literal["rusage_channel[]"], init: Any) -> Channel: ...
    @overload
    def new(self, cdecl: Literal["char **"], init: Any = ...) -> Pointer[bytes]: ...
    @overload
    def new(self, cdecl: Literal["char *[]"], init: Any) -> Pointer[bytes]: ...
    @overload
    def new(self, cdecl: Literal["char *"], init: Any = ...) -> bytes: ...
    @overload
    def new(self, cdecl: Literal["char[]"], init: Any) -> bytes: ...

class Lib:
    RUSAGE_SOURCES: int
    RUSAGE_NO_PROCESS: int
    RUSAGE_TREE_IN_USE: int
    RUSAGE_TREE_CLOSED: int
    RUSAGE_TREE_INTERRUPTED: int
    LAUNCHER_VERSION: int
    LAUNCHER_FAILED: int
    LAUNCHER_REFUSED: int
    LAUNCHER_MAX_LIMITS: int
    LAUNCHER_MAX_KEPT: int
    LAUNCHER_MAX_INT: int
    LAUNCHER_SET_SESSION: int
    LAUNCHER_SET_PROCESS_GROUP: int
    LAUNCHER_CLOSE_OTHERS: int
    LAUNCHER_SET_UMASK: int
    LAUNCHER_SET_DIRECTORY: int
    LAUNCHER_ALL_FLAGS: int
    rusage_root_changed: Callable[[], int]
    rusage_after_fork: Callable[[], None]
    rusage_forks: Callable[[], int]
    rusage_get: Callable[[Call], int]
    rusage_maxrss: Callable[[Call], int]
    rusage_cputime: Callable[[Call], float]
    rusage_convert_values: Callable[[Values, int, Call], None]
    rusage_convert_both: Callable[[Values, Values, int, Call], None]
    rusage_wait4: Callable[[int, Pointer[int], int, Call], int]
    rusage_rss: Callable[[], int]
    rusage_process_open: Callable[[Process, int, Call], int]
    rusage_process_get: Callable[[Process, Call], int]
    rusage_process_rss: Callable[[Process, Call], int]
    rusage_process_close: Callable[[Process], None]
    rusage_tree_open: Callable[[Pointer[Tree], int], int]
    rusage_tree_free: Callable[[Pointer[Tree]], None]
    rusage_tree_close: Callable[[Tree], int]
    rusage_tree_sample: Callable[[Tree, int, Sample, MemberFigures, int], int]
    rusage_tree_signal: Callable[[Tree, int, int], int]
    rusage_become_reaper: Callable[[], int]
    rusage_peak: Callable[[], int]
    rusage_known_peak: Callable[[], int]
    rusage_block_begin: Callable[[Block], int]
    rusage_block_update: Callable[[Block], int]
    rusage_process_maxrss: Callable[[Process, Call], int]
    rusage_process_cputime: Callable[[Process, Call], float]
    rusage_pss: Callable[[], int]
    rusage_process_pss: Callable[[Process], int]
    rusage_is_ignored: Callable[[int], int]
    rusage_channels_init: Callable[[], int]
    rusage_channels_close: Callable[[], None]
    rusage_channel_open: Callable[[Channel, Pointer[int], int], int]
    rusage_channel_is_open: Callable[[Channel], int]
    rusage_launch: Callable[[Channel, Pointer[bytes], Pointer[bytes], Pointer[int], int, int], int]
    rusage_channel_wait: Callable[[Channel], int]
    rusage_channel_abort: Callable[[Channel], None]
    rusage_channel_close: Callable[[Channel], None]
    rusage_is_child: Callable[[int], int]
    rusage_why_direct: Callable[[], Pointer[bytes]]
    rusage_statclock_hz: Callable[[], int]
    rusage_of_process: Callable[[int, Call], int]
    rusage_get_process: Callable[[int, Call], int]

ffi: FFI
lib: Lib
