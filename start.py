"""Start the dashboard: `python start.py`, or a double click on start.bat (Windows) or start.command (macOS).

The first time it makes the folder .venv and installs everything there; later it starts at once. Standard library only,
and nothing in it that Python 3.7 would not understand, so that an old one can say which is needed.
"""

import os
import platform
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser

HERE = os.path.dirname(os.path.abspath(__file__))
OLDEST, NEWEST = (3, 11), (3, 14)
LONGEST_FOLDER = 70  # characters: Windows allows 260 to a path, and the packages take the rest
PORT = os.environ.get("PORT", "8501")
REQUIREMENTS = os.path.join(HERE, "requirements.txt")
GET_PYTHON = "Get Python 3.12 from https://www.python.org/downloads/ and start again"


def refusal(version: tuple, system: str, machine: str, folder: str) -> str:
    """Why this Python, this machine or this folder cannot work, and what to do about it; "" when they can.

    version: of Python, (major, minor, ...). system, machine: as the module platform names them.
    """
    number = ".".join(str(part) for part in version[:2])
    launch = "py -3.12 start.py" if system == "Windows" else "python3.12 start.py"
    if version[:2] < OLDEST:
        own = " (macOS's own is too old)" if system == "Darwin" else ""
        return f"Python 3.11 or newer is needed; this is {number}{own}. {GET_PYTHON} with: {launch}"
    if version[:2] > NEWEST:
        return f"Python {number} is too new: some packages are not made for it yet. {GET_PYTHON} with: {launch}"
    if system == "Darwin" and machine == "x86_64":
        return (
            "This is a Mac with an Intel processor, or a Python made for one: PyTorch is not made for it any more. "
            f"On a Mac with an Apple processor: {GET_PYTHON}. Else use another computer."
        )
    if system == "Windows" and machine.upper() not in ("AMD64", "X86_64"):
        return f"PyTorch is not made for Windows on {machine} processors. Use another computer, or Linux in WSL."
    if system == "Windows" and len(folder) > LONGEST_FOLDER:
        return (
            f"The folder {folder} has a name of {len(folder)} characters; Windows allows too few to a path for that. "
            "Move it to a short one, such as C:\\gpe."
        )
    return ""


def python_of(folder: str) -> str:
    """The Python in the folder .venv."""
    parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(folder, ".venv", *parts)


def install(folder: str) -> None:
    """Make .venv and install what requirements.txt lists, unless that was done since it last changed."""
    python, done = python_of(folder), os.path.join(folder, ".venv", "installed")
    if not os.path.exists(python):
        say("Making the folder .venv")
        subprocess.check_call([sys.executable, "-m", "venv", os.path.join(folder, ".venv")])
    if os.path.exists(done) and os.path.getmtime(done) >= os.path.getmtime(REQUIREMENTS):
        return
    say("Installing packages: the first time this takes some minutes and 1 to 4 GB")
    subprocess.check_call(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS]
    )
    with open(done, "w"):
        pass


def answers(address: str) -> bool:
    """Whether this program's dashboard is there."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
            return b'"status"' in answer.read(200)
    except OSError:
        return False


def open_browser(address: str) -> None:
    """Show the dashboard as soon as it answers."""
    until = time.time() + 120
    while time.time() < until:
        if answers(address):
            webbrowser.open(address)
            return
        time.sleep(0.3)


def say(words: str) -> None:
    """One line, at once."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main() -> int:
    """Refuse in words, or install and run the dashboard until Ctrl-C; returns the exit status.

    --no-browser: opens none. --check: refuses or not, and does nothing else.
    """
    why = refusal(sys.version_info, platform.system(), platform.machine(), HERE)
    if why:
        say(why)
        return 2
    if "--check" in sys.argv:
        return 0
    address, browser = f"http://localhost:{PORT}", "--no-browser" not in sys.argv
    if answers(address):
        say(f"The dashboard is running already, at {address}")
        if browser:
            webbrowser.open(address)
        return 0
    try:
        install(HERE)
    except (subprocess.CalledProcessError, OSError) as fault:
        say(f"The packages could not be installed ({fault}). Look at what stands above: the network, the disk.")
        return 1
    say(f"The dashboard is at {address}; this window belongs to it. Ctrl-C ends it, not the trainings.")
    if browser:
        threading.Thread(target=open_browser, args=(address,), daemon=True).start()
    app = os.path.join(HERE, "app.py")
    command = [python_of(HERE), "-m", "streamlit", "run", app, "--server.port", PORT, "--server.headless", "true"]
    try:
        return subprocess.call(command, cwd=HERE)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
