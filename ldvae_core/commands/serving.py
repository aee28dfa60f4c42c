"""`serve`: the dashboard, from a checkout or an installed package, for the person at this machine."""

import ipaddress
import re
import subprocess
import sys
from pathlib import Path

from ldvae_core.errors import SettingsError
from ldvae_core.workspace.folders import APP

BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


def serve_dashboard(*, address: str, port: int, base_path: str) -> int:
    """Run the page server until it is ended; returns its exit status.

    Raises SettingsError: an address that others could reach, a port or a base path that cannot be.
    """
    return subprocess.call(server_command(APP, address=address, port=port, base_path=base_path))


def server_command(app: Path, *, address: str, port: int, base_path: str) -> list[str]:
    """The words that start Streamlit on `app`, whose folder holds its configuration. Raises as serve_dashboard."""
    if not _is_loopback(address):
        raise SettingsError(
            f"{address} can be reached from other machines, and this program asks nobody who they are.",
            "Leave --address out; who may log in to this machine can reach it by ssh -L 8501:localhost:8501.",
        )
    if not 1 <= port <= 65_535:
        raise SettingsError(f"{port} is no port.", "It can be 1 to 65,535.")
    if not BASE_PATH.fullmatch(base_path):
        raise SettingsError(f"{base_path!r} is no path.", "Letters, digits, '-' and '_' between '/', such as /genes.")
    words = [sys.executable, "-m", "streamlit", "run", str(app), "--server.address", address]
    words += ["--server.port", str(port)]
    return [*words, "--server.baseUrlPath", base_path.strip("/")] if base_path.strip("/") else words


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
