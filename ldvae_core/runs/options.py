"""The options of `train`, as the fields of the settings describe them (setting.py)."""

from collections.abc import Iterator
from typing import Any

from ldvae_core.data.choices import DataChoices
from ldvae_core.data.guide import Guide
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.search import Search
from ldvae_core.setting import Setting, described

# of RunSettings: its fields that are dataclasses, with from_dict and to_dict
PARTS: dict[str, Any] = {
    "reading": ReadingOptions,
    "choices": DataChoices,
    "model": ModelConfig,
    "training": TrainingConfig,
    "guide": Guide,  # its option, a file, is read by commands/training.py
    "search": Search,
}


def options_of() -> Iterator[tuple[str, str, Setting]]:
    """Part of RunSettings, field, and what is known of its option, in the order in which they are shown."""
    for part, cls in PARTS.items():
        for field, option in described(cls).items():
            yield part, field, option


def no(flag: str) -> str:
    """--batch-norm -> --no-batch-norm."""
    return f"--no-{flag.removeprefix('--')}"


def parameter_of(flag: str) -> str:
    """--hidden-units -> hidden_units."""
    return flag.removeprefix("--").replace("-", "_")
