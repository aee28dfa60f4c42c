"""Whatever reads, exports and reads again as it was."""

from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ldvae_core.analysis.factors import Factors
from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.data.folder import load_counts, save_counts
from ldvae_core.data.prepare import DataChoices
from ldvae_core.data.reading_options import NOTHING_SAID
from ldvae_core.data.reading_process import fill_folder
from ldvae_core.data.split import split_cells
from ldvae_core.export import write_h5ad
from ldvae_core.model.config import Covariate, ModelConfig
from ldvae_core.runs.opened import HISTORY_COLUMNS, OpenRun
from ldvae_core.runs.settings import RunSettings

N_CELLS, N_GENES, N_FACTORS = 50, 20, 2
ODD_NAMES = (
    "_index", "index", "/x", "a/b", "a", "A", ".", "..", "./x", "a//b/", "__categories", "obs", "ldvae_split",
    "ldvae_split-1", "ldvae_cluster", "{slash}", "a{slash}b", "{kept}_index", "{brace}", " lead", "trail ", "😀",
    "x" * 200, "β-actin", "layers['counts']", "\\", "%2F", "names",
)  # fmt: skip
ODD_MAPS = ("X_umap", "spatial", "X_pca", "a/b", "{slash}", "..", "😀", "X_umap_of_file")
ODD_CELLS = ("a/b", "/x", " lead", ".", "..", "Cell", "cell", "_index", "1", "01", "1.0", "😀", "nan", "x" * 200)
HUGE = (1, 65_535, 65_536, 2**24 + 1, 2**31 - 1, 2**31, 4_000_000_000, 2**32 - 1)


def names(odd: tuple[str, ...], least: int, most: int) -> st.SearchStrategy[list[str]]:
    shown = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
    return st.lists(st.sampled_from(odd) | shown, min_size=least, max_size=most, unique=True)


def some(values: st.SearchStrategy) -> st.SearchStrategy[list]:
    """Of every cell, one of a few values."""
    few = st.lists(values, min_size=1, max_size=6)
    return few.flatmap(lambda found: st.lists(st.sampled_from(found), min_size=N_CELLS, max_size=N_CELLS))


def categories() -> st.SearchStrategy[pd.Categorical]:
    """Also without any value, without any category, with categories that no cell has, and ordered ones."""
    levels = st.lists(st.text(max_size=5), max_size=5, unique=True)

    def of(found: list[str]) -> st.SearchStrategy[pd.Categorical]:
        codes = st.lists(st.integers(-1, len(found) - 1), min_size=N_CELLS, max_size=N_CELLS)
        dtypes = st.booleans().map(lambda ordered: pd.CategoricalDtype(found, ordered=ordered))
        return st.builds(lambda codes, dtype: pd.Categorical.from_codes(codes, dtype=dtype), codes, dtypes)

    return levels.flatmap(of)


def dates() -> st.SearchStrategy[pd.Series]:
    zones = st.sampled_from([None, "UTC", "Europe/Berlin", "UTC+05:30"])
    units = st.sampled_from(["s", "ms", "us", "ns"])
    moments = some(st.datetimes(pd.Timestamp("1700-01-01"), pd.Timestamp("2200-01-01")) | st.none())

    def of(moments: list, zone: str | None, unit: str) -> pd.Series:
        utc = pd.Series(pd.array(np.array(moments, dtype="datetime64[us]").astype(f"datetime64[{unit}]")))
        return utc if zone is None else utc.dt.tz_localize("UTC").dt.tz_convert(zone)

    return st.builds(of, moments, zones, units)


def numbers() -> st.SearchStrategy:
    whole = st.integers(-(2**63), 2**63 - 1)
    return st.one_of(
        some(st.booleans()).map(lambda found: np.array(found, bool)),
        some(st.booleans() | st.none()).map(lambda found: pd.array(found, dtype="boolean")),
        some(whole).map(lambda found: np.array(found, np.int64)),
        some(whole | st.none()).map(lambda found: pd.array(found, dtype="Int64")),
        some(st.integers(0, 255) | st.none()).map(lambda found: pd.array(found, dtype="UInt8")),
        some(st.floats()).map(lambda found: np.array(found, np.float64)),
        some(st.floats(width=32)).map(lambda found: np.array(found, np.float32)),
        some(st.floats() | st.none()).map(lambda found: pd.array(found, dtype="Float64")),
    )


TEXTS = some(st.text(max_size=8) | st.none()).map(lambda found: pd.Series(found, dtype=object))
EACH_ANOTHER = st.just(pd.Series([f"cell {i}" for i in range(N_CELLS)], dtype=object))


@st.composite
def matrices(draw) -> CountMatrix:
    """As a reader hands them on: any names, types and counts."""
    columns = draw(names(ODD_NAMES, 1, 6))
    table = pd.DataFrame({name: draw(TEXTS | EACH_ANOTHER | numbers() | categories() | dates()) for name in columns},
                         index=range(N_CELLS))  # fmt: skip
    cells, genes = (draw(names(ODD_CELLS, 0, 10)) for _ in "cg")
    counts = np.random.default_rng(0).poisson(1.0, (N_CELLS, N_GENES)).astype(np.int64)
    counts[:, 0] = 1 + np.arange(N_CELLS)
    counts[:8, 1] = draw(st.permutations(HUGE)) if draw(st.booleans()) else 1
    made = make_count_matrix(
        sparse.csr_matrix(counts),
        cell_ids=[*cells, *(f"c{i}" for i in range(N_CELLS - len(cells)))],
        gene_names=[*genes, *(f"Abc{i}" for i in range(N_GENES - len(genes)))],
        gene_ids=[f"ENSMUSG{i:011d}" for i in range(N_GENES)] if draw(st.booleans()) else None,
        annotations=table,
    )
    maps = {name: draw(places()) for name in draw(names(ODD_MAPS, 0, 3))}
    return replace(made, maps=maps)


def places() -> st.SearchStrategy[np.ndarray]:
    """Of most cells; one has none."""

    def of(seed: int) -> np.ndarray:
        found = np.random.default_rng(seed).normal(size=(N_CELLS, 2)).astype(np.float32)
        found[3] = np.nan
        return found

    return st.integers(0, 9).map(of)


def run_of(counts: CountMatrix) -> OpenRun:
    """A run that holds these counts; two factors of noise."""
    rng = np.random.default_rng(1)
    loadings = rng.normal(size=(N_GENES, N_FACTORS)).astype(np.float32)
    factors = Factors(
        axes="readable", prior="normal", gene_names=counts.gene_names,
        representation=rng.normal(size=(N_CELLS, N_FACTORS)).astype(np.float32), loadings=loadings,
        loadings_se=loadings, loadings_shrunken=loadings, loadings_shrunken_sd=loadings,
        intercept=loadings[:, 0], inverse_dispersion=np.ones(N_GENES, np.float32),
        explained_deviance=np.array([0.2, 0.1]), active=np.ones(2, bool), flipped=np.zeros(2, bool),
        trained_as=np.arange(2), rotation=np.eye(2),
    )  # fmt: skip
    model = ModelConfig(n_genes=N_GENES, n_factors=N_FACTORS, covariates=(Covariate("a/b", ("x", "y")),))
    return OpenRun(
        run_id="run", counts=counts, factors={"readable": factors}, split=split_cells(N_CELLS, seed=0),
        history=pd.DataFrame(np.ones((3, len(HISTORY_COLUMNS))), columns=HISTORY_COLUMNS), metrics={"epochs": 3},
        settings=RunSettings(name="Run", data_source="demo", choices=DataChoices(n_genes=N_GENES), model=model),
        data_name="data", covariate_loadings=None,
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(counts=matrices())
def test_whatever_is_exported_reads_again_as_it_was(counts, tmp_path_factory):
    """Counts, names, ids, maps, every annotation with type, order and missing values; anndata reads the file, too."""
    folder = tmp_path_factory.mktemp("run")
    save_counts(counts, folder / "counts")
    kept = load_counts(folder / "counts")
    write_h5ad(run_of(kept), folder / "run.h5ad")
    (folder / "again").mkdir()
    fill_folder(folder / "run.h5ad", folder / "again", NOTHING_SAID)
    again = load_counts(folder / "again")
    pd.testing.assert_frame_equal(again.annotations[kept.annotations.columns], kept.annotations)
    assert again.cell_ids.tolist() == counts.cell_ids.tolist()
    assert again.gene_names.tolist() == counts.gene_names.tolist()
    assert (again.gene_ids is None) == (counts.gene_ids is None)
    assert counts.gene_ids is None or again.gene_ids.tolist() == counts.gene_ids.tolist()
    assert again.fingerprint == counts.fingerprint
    assert again.maps.keys() == counts.maps.keys()
    assert all(np.array_equal(again.maps[name], counts.maps[name], equal_nan=True) for name in counts.maps)
    by_others = anndata.read_h5ad(folder / "run.h5ad")
    for matrix in (by_others.X, by_others.layers["counts"]):
        assert (matrix.astype(np.int64) != counts.counts.astype(np.int64)).nnz == 0
    assert by_others.obs["ldvae_split"].cat.categories.tolist() == ["train", "validation", "test"]
