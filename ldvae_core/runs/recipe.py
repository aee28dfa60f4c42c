"""A run's settings as options of the command line, and back: so any run can be trained again with one line.

The options are those that the fields of the settings describe (options.py); nothing is listed here again.
"""

from collections.abc import Mapping
from typing import Any

from ldvae_core.data.choices import DataChoices
from ldvae_core.data.guide import Guide
from ldvae_core.model.config import Covariate, most_factors
from ldvae_core.runs.options import PARTS, no, options_of, parameter_of
from ldvae_core.runs.search import Search
from ldvae_core.runs.settings import RunSettings
from ldvae_core.setting import defaults_of

GUIDE_FILE = "guide.gmt"
AUTO = "auto"  # as the number of factors: it is found


def settings_of(options: Mapping[str, Any], *, name: str, data_source: str, guide: Guide | None = None) -> RunSettings:
    """Settings of a run from the options of `train`, by the names click gives them; left-out ones are the defaults.

    guide: what the file of the option --guide holds. "factors" may be "auto". Raises SettingsError with every problem
    at once.
    """
    chosen: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for part, field, option in options_of():
        if parameter_of(option.flag) in options:
            chosen[part][field] = options[parameter_of(option.flag)]
    if more := options.get("covariate"):
        by_data = [{"name": column, "kind": "either"} for column in more]
        chosen["model"]["covariates"] = [*chosen["model"].get("covariates", ()), *by_data]
    if chosen["model"].get("n_factors") == AUTO:
        chosen["search"]["auto"] = True
        most, n_genes = chosen["search"].get("most") or Search().most, chosen["choices"].get("n_genes")
        chosen["model"]["n_factors"] = min(most, most_factors(n_genes or DataChoices().n_genes))
    named = {"name": name, "data_source": data_source, "label_column": options.get("label")}
    return RunSettings.from_dict({**named, **chosen, "guide": guide.to_dict() if guide else {}})


def train_command(settings: RunSettings, out: str) -> list[str]:
    """The words of `python -m ldvae_core train ...` that train this run again, with all that is not the default."""
    words = ["python", "-m", "ldvae_core", "train", settings.data_source, "--out", out]
    for part, field, option in options_of():
        if field == "n_factors" and settings.search.auto:
            words += [option.flag, AUTO]
            continue
        value, default = getattr(getattr(settings, part), field), defaults_of(PARTS[part])[field]
        if isinstance(value, tuple):
            words += [word for item in value for word in _words(option.flag, item)]
        elif isinstance(default, bool):
            words += [] if value == default else [option.flag if value else no(option.flag)]
        elif value != default:
            words += [option.flag, str(value)]
    if settings.guide:
        words += ["--guide", GUIDE_FILE]  # of the run's folder
    return [*words, "--label", settings.label_column] if settings.label_column else words


def _words(flag: str, item: object) -> tuple[str, str]:
    """A covariate is given as levels, or as what the data has."""
    if not isinstance(item, Covariate):
        return flag, str(item)
    return (flag if item.kind == "levels" else "--covariate"), item.name
