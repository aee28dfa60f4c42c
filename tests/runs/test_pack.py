"""What a stranger has made of a pack is refused in words, and never unfolded without bounds."""

import io
import json
import zipfile

import numpy as np
import pytest

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.strange import reference_of
from ldvae_core.errors import RunError
from ldvae_core.model.config import ModelConfig
from ldvae_core.runs import pack as packs
from ldvae_core.runs.network import Network
from ldvae_core.runs.pack import read_pack, write_pack
from ldvae_core.runs.programs import Programs


def programs_with(n_genes: int, n_factors: int, n_hidden: int = 128) -> Programs:
    """Programs of noise: numbers that pack no better than real ones do."""
    random = np.random.default_rng(0)

    def noise(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    config = ModelConfig(n_genes, n_factors=n_factors, n_hidden=n_hidden)
    weights = {
        "encoder.hidden.weight": noise(n_hidden, n_genes), "encoder.hidden.bias": noise(n_hidden),
        "encoder.outputs.weight": noise(2 * n_factors, n_hidden), "encoder.outputs.bias": noise(2 * n_factors),
        "decoder.loadings": noise(n_genes, n_factors), "decoder.intercept": noise(n_genes),
        "decoder.gain": noise(n_genes), "log_theta": noise(n_genes),
    }  # fmt: skip
    loadings = [noise(n_genes, n_factors) for _ in range(4)]
    factors = Factors(
        "readable", "normal", np.array([f"Gene{i}" for i in range(n_genes)]), np.zeros((0, n_factors), np.float32),
        *loadings, intercept=noise(n_genes), inverse_dispersion=np.exp(noise(n_genes)),
        explained_deviance=np.abs(noise(n_factors)).astype(float), active=np.ones(n_factors, bool),
        flipped=np.zeros(n_factors, bool), trained_as=np.arange(n_factors), rotation=np.eye(n_factors),
        names=("interferon",),
    )  # fmt: skip
    reference = reference_of(noise(3_000, n_factors), random.integers(0, 3, 3_000), None)
    ids = np.array([f"ENSG{i:011d}" for i in range(n_genes)])
    return Programs("A run", "blood", "1.0", factors, ids, np.exp(noise(n_genes)), ("a note", *[""] * (n_factors - 1)),
                    Network(config, (7.0, 0.2), weights), True, reference, {"choices": {}})  # fmt: skip


@pytest.fixture
def programs() -> Programs:
    """Three factors of 40 genes."""
    return programs_with(40, 3, 8)


@pytest.fixture
def pack(programs, tmp_path):
    """Their pack."""
    write_pack(programs, tmp_path / "some.programs")
    return tmp_path / "some.programs"


def test_a_pack_reads_again_as_it_was(programs, pack):
    """All that decides positions bit by bit; names and notes."""
    again = read_pack(pack)
    for name, value in programs.network.weights.items():
        assert np.array_equal(again.network.weights[name], value)
    for name in packs.OF_REFERENCE:
        assert np.array_equal(getattr(again.reference, name), getattr(programs.reference, name))
    assert np.array_equal(again.factors.loadings, programs.factors.loadings)
    assert (again.factors.label(0), again.notes[0], again.name) == ("Factor 1 · interferon", "a note", "A run")
    assert again.network.config == programs.network.config


def test_a_pack_of_5000_genes_takes_at_most_5_mb(tmp_path):
    """With 30 factors, numbers that do not pack well, and the encoder of the usual size."""
    assert write_pack(programs_with(5_000, 30), tmp_path / "large.programs")["bytes"] <= 5_000_000


def changed(pack, change) -> None:
    """Write the pack anew after change(members), under a digest that fits."""
    with zipfile.ZipFile(pack) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    about = json.loads(members.pop("about.json"))
    about["digest"] = packs._digest({key: value for key, value in about.items() if key != "digest"}, members)
    pack.write_bytes(packs._zipped({"about.json": json.dumps(about).encode(), **members}))


def npy(array: np.ndarray, **how) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), **how)
    return buffer.getvalue()


def _about(**values):
    def change(members):
        members["about.json"] = json.dumps(json.loads(members["about.json"]) | values).encode()

    return change


def _config(**values):
    def change(members):
        about = json.loads(members["about.json"])
        about["network"]["config"] |= values
        members["about.json"] = json.dumps(about).encode()

    return change


def _array(name, content):
    return lambda members: members.update({f"{name}.npy": content})


def _liar(members):
    """A header that declares a terabyte."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**38,)})
    members["mean.npy"] = header.getvalue() + bytes(8)


@pytest.mark.parametrize(
    "change",
    [
        _liar,
        _array("mean", npy(np.array([{}] * 40, dtype=object), allow_pickle=True)),
        _array("mean", npy(np.zeros(39, np.float32))),
        _array("gene_names", npy(np.array(["same"] * 40))),
        _array("gene_names", npy(np.zeros(40))),
        _array("rotation", npy(np.ones((3, 3)))),
        _array("reference/covariances", npy(np.zeros((7, 3, 3)))),
        _array("reference/means", npy(np.full((7, 3), np.nan))),
        _array("network/encoder.hidden.weight", npy(np.full((8, 40), np.inf, np.float32))),
        _about(axes="../../etc"),
        _about(prior="other"),
        _about(names=7),
        _about(params=json.loads("[" * 200 + "]" * 200)),
        _about(network={}),
        _about(types={"column": "", "names": []}),
        _config(n_hidden=4096),
        _config(n_genes=100_000),
        _config(n_factors=2),
        _config(method="pca"),
        _config(covariates=[{"name": "donor", "levels": ["a", "b"]}]),
        lambda members: members.pop("loadings.npy"),
        lambda members: members.update({f"{i}.npy": npy(np.zeros(1)) for i in range(300)}),
    ],
)
def test_a_pack_that_lies_is_refused(change, pack):
    """Whatever its digest says; nothing is unpickled, and no more is unfolded than there is."""
    changed(pack, change)
    with pytest.raises(RunError, match=r"cannot be read .*\. The file is damaged, or no program pack\."):
        read_pack(pack)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"PK\x05\x06" + b"\xff" * 18, b"some text" * 100])
def test_other_files_are_refused(content, pack):
    """Also those that only begin or end as one."""
    pack.write_bytes(content)
    with pytest.raises(RunError, match="cannot be read"):
        read_pack(pack)


def test_every_cut_is_refused(pack):
    """Wherever the copying of a pack has ended."""
    whole = pack.read_bytes()
    for end in range(0, len(whole), len(whole) // 50):
        pack.write_bytes(whole[:end])
        with pytest.raises(RunError, match="cannot be read"):
            read_pack(pack)


def test_a_bomb_is_not_unfolded(pack, monkeypatch):
    """What members declare is added up first."""
    monkeypatch.setattr(packs, "LARGEST_UNFOLDED", 1_000)
    with pytest.raises(RunError, match="unfolds to more than any pack"):
        read_pack(pack)
    monkeypatch.setattr(packs, "LARGEST_FILE", 10)
    with pytest.raises(RunError, match="larger than any program pack"):
        read_pack(pack)


def test_a_pack_of_a_later_version_says_so(pack):
    """It is not called damaged."""
    changed(pack, _about(format_version=2))
    with pytest.raises(RunError, match=r"has format 2; this program reads 1\. Update the program"):
        read_pack(pack)
