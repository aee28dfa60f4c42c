"""Finding the number of programs: what can be chosen, and where the outcome lies in a run's folder."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from ldvae_core import durable
from ldvae_core.analysis.certificates import Certificates, number_reason
from ldvae_core.errors import LdvaeError, RunError, SettingsError
from ldvae_core.model.config import MOST_FACTORS, ModelConfig
from ldvae_core.model.priors import PRIORS
from ldvae_core.setting import known, problems_of, setting

ADVICE_FILE, CERTIFICATES_FILE = "advice.json", "certificates.json"


@dataclass(frozen=True)
class Search:
    """Whether the number of programs is found, and how. Raises SettingsError with every problem at once."""

    auto: bool = False  # `--factors auto`: n_factors is the number found, once it is
    most: int = setting(
        30, "--most", "Factors of the generous model from which --factors auto finds the number.",
        title="largest number of factors", low=2, high=MOST_FACTORS,
    )  # fmt: skip
    sample: str | None = setting(
        None, "--sample", "Programs of --factors auto have to come back in other levels of this annotation, such as "
        "donors.", metavar="COLUMN",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if problems := problems_of(self):
            raise SettingsError(problems)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; from_dict reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what to_dict wrote. Raises SettingsError on unknown names."""
        return cls(**known(cls, values))


def unsearchable(model: ModelConfig) -> list[str]:
    """Why the number of programs of such a model cannot be found, in words; [] where it can."""
    if model.method == "ldvae" and model.decoder == "linear" and PRIORS[model.prior].is_standard:
        return []
    return [
        "The number of programs is found for an LDVAE with a normal prior and a linear decoder; give a number here."
    ]


class NoStructureError(LdvaeError):
    """No program comes back in other cells."""

    def __init__(self, found: Certificates) -> None:
        super().__init__(number_reason(found), "A number of your own choice trains all the same.")
        self.found = found


def write_certificates(path: Path, found: Certificates) -> None:
    """Replace the file in one step. Raises OSError when the disk refuses."""
    durable.write_json(path, found.to_dict())


def read_certificates(path: Path) -> Certificates | None:
    """What write_certificates wrote; None where there is nothing that can be read."""
    try:
        return Certificates.from_dict(durable.read_json(path))
    except (RunError, OSError, RecursionError):
        return None
