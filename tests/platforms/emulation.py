"""Makes this Linux process behave as one on macOS or Windows does, in what has gone wrong there.

Used by site/sitecustomize.py, so that every process that is started from an emulated one is emulated too. Standard
library only at the start. What libraries see stays as it is where they would look for other files of their own: the
name of the system, /proc and what a process's clock says are changed for this project's code alone.
"""

import builtins
import contextlib
import ctypes
import importlib.abc
import io
import os
import platform
import random
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
SITE = os.path.join(HERE, "site")
LIBRARY = os.path.dirname(os.__file__)
SYSTEMS = {"windows": "Windows", "macos": "Darwin"}
NOT_ON_MACS = ("sched_getaffinity", "sched_setaffinity")
NOT_ON_WINDOWS = (
    "nice", "getpriority", "setpriority", "PRIO_PROCESS", "getsid", "setsid", "killpg", "getpgid", "setpgid", "waitid",
    "P_PID", "WEXITED", "WNOWAIT", "mkfifo", "sysconf", "geteuid", *NOT_ON_MACS,
)  # fmt: skip
SIGNALS_NOT_ON_WINDOWS = ("SIGKILL", "SIGXCPU", "SIGALRM")
FLAGS = {"CREATE_NEW_PROCESS_GROUP": 0x200, "DETACHED_PROCESS": 0x8, "CREATE_NO_WINDOW": 0x08000000}
DESCRIPTORS_ON_MACS = 256
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
BOOT_OF_MAC = "7A1B0C44-EMULATED"
real_kill, real_open, real_listdir, real_stat = os.kill, io.open, os.listdir, os.stat


def become(name: str) -> None:
    """From here on, be "windows" or "macos"."""
    hide_proc()
    name_the_system(SYSTEMS[name])
    pass_on_to_children(name)
    if name == "windows":
        _die_with_the_launcher()
        sys.executable = os.path.join(SITE, "launcher")
        take_away_what_windows_lacks()
        write_cp1252_by_default()
        guard_open_files()
    else:
        for attribute in NOT_ON_MACS:
            _delete(os, attribute)
        limit_descriptors(DESCRIPTORS_ON_MACS)
        ignore_memory_limits()
        shift_clocks()
        sys.meta_path.insert(0, _OfferAppleGpu())


def environment(name: str) -> dict[str, str]:
    """What a process needs in its environment to start as that platform."""
    path = os.pathsep.join([SITE, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
    python = os.environ.get("EMULATED_PYTHON", sys.executable)
    encoding = {"PYTHONIOENCODING": "cp1252"} if name == "windows" else {}
    return {"EMULATED_PLATFORM": name, "EMULATED_PYTHON": python, "PYTHONPATH": path, **encoding}


def _asked_by_us() -> bool:
    """Whether the call comes from this project's code, straight or through the standard library."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        foreign = "site-packages" in file
        if file != __file__ and not file.startswith("<") and (foreign or not file.startswith(LIBRARY)):
            return file.startswith(PROJECT) and not foreign
        frame = frame.f_back
    return False


def hide_proc() -> None:
    """No folder /proc, as everywhere but on Linux."""

    def without_proc(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            if isinstance(path, str | Path) and str(path).startswith("/proc") and _asked_by_us():
                raise FileNotFoundError(2, "No such file or directory", str(path))
            return function(path, *args, **options)

        return call

    for name in ("stat", "open", "listdir", "scandir"):
        setattr(os, name, without_proc(getattr(os, name)))
    builtins.open = io.open = without_proc(io.open)  # type: ignore[assignment]


def name_the_system(system: str) -> None:
    """platform.system() as there; on a Mac the machine's name follows the network."""
    real_system, real_node = platform.system, platform.node
    platform.system = lambda: system if _asked_by_us() else real_system()
    if system == "Darwin":
        platform.node = lambda: f"mac-{random.SystemRandom().randrange(10**6)}.wifi" if _asked_by_us() else real_node()


def pass_on_to_children(name: str) -> None:
    """What this process starts is emulated too; on Windows in a session of its own only if the flags there say so."""
    kept, real = environment(name), subprocess.Popen.__init__
    if name == "windows":
        for flag, value in FLAGS.items():
            setattr(subprocess, flag, value)

    def start(self: Any, args: Any, *more: Any, **options: Any) -> None:
        if options.get("env") is not None:
            below = [path for path in options["env"].get("PYTHONPATH", "").split(os.pathsep) if path not in ("", SITE)]
            path = os.pathsep.join([SITE, *below])
            options["env"] = {**kept, **options["env"], "PYTHONPATH": path}
        if name == "windows":
            if options.get("preexec_fn") is not None:
                raise ValueError("preexec_fn is not supported on Windows platforms")
            apart = FLAGS["CREATE_NEW_PROCESS_GROUP"] | FLAGS["DETACHED_PROCESS"]
            options["start_new_session"] = bool(options.pop("creationflags", 0) & apart)
        real(self, _known_programs(args), *more, **options)

    subprocess.Popen.__init__ = start  # type: ignore[method-assign]
    os.environ.update(kept)


def _known_programs(args: Any) -> Any:
    """Two programs of macOS that this one calls."""
    if not isinstance(args, Sequence) or isinstance(args, str | bytes) or not args:
        return args
    if args[0] == "/usr/sbin/sysctl":
        return ["/bin/echo", BOOT_OF_MAC]
    if args[0] == "/usr/bin/caffeinate":
        return ["/bin/sh", "-c", f"while kill -0 {args[-1]} 2>/dev/null; do sleep 0.1; done"]
    return args


def take_away_what_windows_lacks() -> None:
    """Functions, signals, the module resource, advice on pages; a folder cannot be opened; kill has no softer form."""
    import mmap
    import shutil

    with contextlib.suppress(ImportError):  # psutil and subprocess have other ways there, and need these here
        import psutil

        psutil.signal = types.SimpleNamespace(**vars(signal))
    subprocess.signal = types.SimpleNamespace(**vars(signal))  # type: ignore[attr-defined]
    sys.modules["resource"] = None  # type: ignore[assignment]
    for name in NOT_ON_WINDOWS:
        _delete(os, name)
    for name in SIGNALS_NOT_ON_WINDOWS:
        _delete(signal, name)
    _delete(mmap, "MADV_DONTNEED")
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    os.kill = lambda pid, number: real_kill(pid, 9)
    opened = os.open

    def open_file(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if not flags & getattr(os, "O_TMPFILE", 0) & ~os.O_DIRECTORY and os.path.isdir(path):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *args, **options)

    os.open = open_file


def write_cp1252_by_default() -> None:
    """A text file that is opened without saying its encoding is in cp1252."""
    opened = io.open

    def open_file(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, *args: Any, **kw: Any) -> Any:
        if "b" not in mode and encoding in (None, "locale"):
            encoding = "cp1252"
        return opened(file, mode, buffering, encoding, *args, **kw)

    builtins.open = io.open = open_file  # type: ignore[assignment]


def guard_open_files() -> None:
    """Nothing is renamed, replaced or removed while an emulated process has it, or a file below it, open or mapped."""

    def guarded(function: Callable[..., None], *, two: bool) -> Callable[..., None]:
        def call(path: Any, *args: Any, **options: Any) -> None:
            paths = [path, args[0]] if two and args else [path]
            for each in paths:
                if not isinstance(each, int) and not options.get("dir_fd") and in_use(os.fspath(each)):
                    raise PermissionError(13, "[WinError 32] The process cannot access the file", os.fspath(each))
            if two and os.path.isdir(os.fspath(paths[1])):
                raise PermissionError(13, "[WinError 5] Access is denied", os.fspath(paths[1]))
            function(path, *args, **options)

        return call

    for name in ("replace", "rename"):
        setattr(os, name, guarded(getattr(os, name), two=True))
    for name in ("unlink", "remove"):
        setattr(os, name, guarded(getattr(os, name), two=False))


def in_use(path: str | bytes) -> bool:
    """Whether an emulated process has the file, or one in that folder, open or mapped."""
    if sys._getframe(2).f_code.co_filename.endswith("tempfile.py"):
        return False  # on Windows the system removes these
    place = os.path.realpath(os.fsdecode(path))
    return any(file == place or file.startswith(place + "/") for pid in _emulated() for file in _files_of(pid))


def _files_of(pid: str) -> set[str]:
    found: set[str] = set()
    try:
        for descriptor in real_listdir(f"/proc/{pid}/fd"):
            try:
                found.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
            except OSError:
                continue
        with real_open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as maps:
            found.update(line[line.index("/") :].rstrip("\n") for line in maps if "/" in line)
    except OSError:
        pass
    return found


_KNOWN: dict[str, bool] = {}


def _emulated() -> list[str]:
    """Ids of the processes that are emulated, this one among them."""
    found = []
    for pid in filter(str.isdigit, real_listdir("/proc")):
        try:
            key = f"{pid} {real_stat(f'/proc/{pid}').st_ctime_ns}"
            if key not in _KNOWN:
                with real_open(f"/proc/{pid}/environ", "rb") as file:
                    _KNOWN[key] = b"EMULATED_PLATFORM=windows" in file.read()
        except OSError:
            continue
        if _KNOWN[key]:
            found.append(pid)
    return found


def limit_descriptors(number: int) -> None:
    """As many open files as Terminal allows a program."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def ignore_memory_limits() -> None:
    """RLIMIT_AS is taken and not heeded."""
    import resource

    real = resource.setrlimit
    resource.setrlimit = lambda which, limits: None if which == resource.RLIMIT_AS else real(which, limits)


def shift_clocks() -> None:
    """A process's start reads some seconds earlier or later each time, as after sleep."""
    import psutil

    real = psutil.Process.create_time

    def shifted(process: Any) -> float:
        return real(process) + (random.SystemRandom().uniform(-5, 5) if _asked_by_us() else 0.0)

    psutil.Process.create_time = shifted


def _die_with_the_launcher() -> None:
    """As the job object of Windows' launcher sees to it."""
    try:
        with real_open(f"/proc/{os.getppid()}/cmdline", "rb") as file:
            launched = os.path.join(SITE, "launcher").encode() in file.read()
    except OSError:
        return
    if launched:
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, 9)


def _delete(module: Any, name: str) -> None:
    if hasattr(module, name):
        delattr(module, name)


class _OfferAppleGpu(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """torch says that an Apple GPU is there, as on every current MacBook."""

    name = "torch.backends.mps"

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path, target) if name == self.name else None
        if found is not None and found.loader is not None:
            self._real, found.loader = found.loader, self
        return found

    def create_module(self, spec: ModuleSpec) -> Any:
        return None

    def exec_module(self, module: Any) -> None:
        self._real.exec_module(module)
        module.is_available = lambda: True
