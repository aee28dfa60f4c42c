"""The stand-in does what is said of it: without that, tests that pass under it would say nothing."""

from pathlib import Path

import pytest

LOOKS = Path(__file__).with_name("looks.py")
SEE = """
import sys
with open(sys.argv[1], encoding="utf-8") as file:
    exec(compile(file.read(), sys.argv[1], "exec"), {"__file__": sys.argv[1]})
"""


def test_windows_lacks_what_it_lacks(emulated):
    """No /proc, niceness, sessions, resource limits, advice on pages; text is in cp1252."""
    assert emulated("windows", SEE, LOOKS).splitlines() == [
        "Windows", "no /proc", "no nice", "no getsid", "no sched_getaffinity", "no sysconf", "no resource",
        "no SIGKILL", "no MADV_DONTNEED", "cp1252", "launched",
    ]  # fmt: skip


def test_a_mac_has_few_descriptors_and_no_proc(emulated):
    """256, as Terminal allows; RLIMIT_AS is not heeded; the machine's name changes with the network."""
    code = (
        SEE
        + """
import resource
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
resource.setrlimit(resource.RLIMIT_AS, (1, 1)); print(len(bytearray(10_000_000)))
"""
    )
    assert emulated("macos", code, LOOKS).splitlines() == [
        "Darwin", "no /proc", "nice", "getsid", "no sched_getaffinity", "sysconf", "resource",
        "SIGKILL", "MADV_DONTNEED", "utf-8", "itself", "256", "10000000",
    ]  # fmt: skip


def test_a_macs_apple_gpu_is_found(emulated):
    """What torch says on every current MacBook."""
    assert emulated("macos", "import torch; print(torch.backends.mps.is_available())") == "True"


@pytest.mark.parametrize("what", ["replace(a, b)", "rename(b, a)", "unlink(b)", "replace(folder, other)"])
def test_windows_refuses_to_touch_open_and_mapped_files(emulated, tmp_path, what):
    """Renaming, replacing, removing; also of the folder above; also when another process has the file."""
    code = f"""
import mmap, os, subprocess, sys
os.chdir(sys.argv[1])
folder, other, a, b = "folder", "other", "folder/a", "folder/b"
os.makedirs(folder, exist_ok=True)
for name in (a, b):
    with open(name, "w") as file:
        file.write("x")
def tried():
    try:
        os.{what}
        return "done"
    except PermissionError:
        return "refused"
with open(b) as file:
    print(tried())
with open(b, "rb") as file:
    held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
print(tried()); held.close()
child = subprocess.Popen([sys.executable, "-c", "f = open('folder/b'); print('open', flush=True); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(tried())
child.communicate(b"\\n")
print(tried())
"""
    assert emulated("windows", code, tmp_path).split() == ["refused", "refused", "refused", "done"]


def test_a_windows_launcher_is_not_the_process_itself(emulated):
    """The number that starting gives is the launcher's; ending the launcher ends both."""
    code = """
import psutil, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import os; print(os.getpid(), flush=True); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
real = int(child.stdout.readline())
print(real != child.pid)
process = psutil.Process(real)
child.kill(); child.wait()
psutil.wait_procs([process], timeout=10)
print(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
"""
    assert emulated("windows", code).split() == ["True", "False"]
