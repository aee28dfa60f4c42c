"""What a built package needs, taken from requirements.txt, so that it is said in one place."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Requirements(MetadataHookInterface):
    """Adds the dependencies to the package's metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        lines = (Path(self.root) / "requirements.txt").read_text(encoding="utf-8").splitlines()
        metadata["dependencies"] = [line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip()]
