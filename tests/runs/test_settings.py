"""run.json: valid from birth, read back unchanged, and honest about versions."""

import pytest

from ldvae_core.data.choices import DataChoices
from ldvae_core.durable import read_json, write_json
from ldvae_core.errors import RunError, SettingsError
from ldvae_core.model.config import Covariate, ModelConfig, TrainingConfig
from ldvae_core.runs.settings import NewerFormatError, RunFile, RunSettings, rename_in
from tests.runs.conftest import settings_named


def test_settings_come_back_as_they_were_written(tmp_path):
    """What was chosen is what is trained, also after a restart."""
    choices = DataChoices(n_genes=500, keep_genes=("Hbb-y", "T"))
    model = ModelConfig(n_factors=7, covariates=(Covariate("donor"),))
    settings = RunSettings("Größe: 7", "demo", "cell_type", choices, model, TrainingConfig(seed=3, n_epochs=2))
    settings.write(tmp_path / "run", data_name="Embryo", fingerprint="ab")
    found = RunFile.read(tmp_path / "run")
    assert found.settings == settings
    assert (found.data_name, found.fingerprint, found.versions["python"][:2]) == ("Embryo", "ab", "3.")


def test_every_bad_setting_is_named_at_once():
    """A form is corrected in one go."""
    with pytest.raises(SettingsError, match=r"name of a run.*no data set.*number of factors.*in a minibatch"):
        RunSettings.from_dict(
            {"name": " ", "data_source": "", "model": {"n_factors": 0}, "training": {"minibatch_size": 1}}
        )


def test_settings_that_do_not_exist_are_refused():
    """A misspelt setting never passes silently."""
    with pytest.raises(SettingsError, match="Unknown settings: n_factor"):
        RunSettings.from_dict({"name": "a", "data_source": "demo", "model": {"n_factor": 3}})


def test_a_newer_format_is_refused_in_words(tmp_path):
    """A run of a later version says so instead of being misread."""
    settings_named().write(tmp_path / "run")
    write_json(tmp_path / "run" / "run.json", {**read_json(tmp_path / "run" / "run.json"), "format_version": 2})
    with pytest.raises(NewerFormatError, match=r"made by a newer version .*format 2.* Update the program"):
        RunSettings.read(tmp_path / "run")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format_version": 1}', "\x00", "[" * 100_000,
    '{"format_version": "1", "settings": {}}', '{"format_version": 1, "settings": {"name": 3}}'])  # fmt: skip
def test_a_damaged_run_file_is_refused_in_words(tmp_path, content):
    """Whatever run.json holds, the answer is a sentence."""
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError):
        RunSettings.read(tmp_path)


def test_renaming_changes_the_name_alone(tmp_path):
    """Everything else in run.json, known or not, stays as it was."""
    settings_named("old").write(tmp_path / "run")
    before = read_json(tmp_path / "run" / "run.json")
    write_json(tmp_path / "run" / "run.json", {**before, "note": "kept"})
    rename_in(tmp_path / "run", " new ")
    before["settings"]["name"] = "new"
    assert read_json(tmp_path / "run" / "run.json") == {**before, "note": "kept"}


def test_a_name_that_cannot_be_shown_is_refused(tmp_path):
    """Line breaks and empty names would break every list."""
    settings_named("old").write(tmp_path / "run")
    with pytest.raises(SettingsError, match="cannot be shown"):
        rename_in(tmp_path / "run", "a\nb")
