"""The embedded data set: complete, honest about its origin, and quick to open."""

import time

import numpy as np

from ldvae_core.commands.build_demo import MARKERS
from ldvae_core.data.demo import DEMO_COUNTS, load_demo


def test_the_demo_opens_in_half_a_second():
    """A fresh clone shows it without waiting."""
    start = time.perf_counter()
    demo = load_demo()
    assert time.perf_counter() - start < 0.5
    assert (demo.n_cells, demo.n_genes) == (7850, 2000)


def test_the_demo_holds_the_markers_of_its_cell_types():
    """The genes by which a biologist knows erythroid, extraembryonic endoderm and epiblast cells."""
    assert set(MARKERS) <= set(load_demo().gene_names.tolist())


def test_the_demo_is_raw_counts_with_no_empty_cell():
    """Whole numbers >= 1 are stored, sorted; every cell and gene has some."""
    demo = load_demo()
    assert demo.counts.dtype == np.uint16
    assert demo.counts.data.min() >= 1
    assert (
        np.diff(demo.counts.indices)[np.diff(np.repeat(np.arange(demo.n_cells), np.diff(demo.counts.indptr))) == 0] > 0
    ).all()
    assert demo.library_size.min() > 0
    assert np.bincount(demo.counts.indices, minlength=demo.n_genes).min() > 0


def test_the_demo_says_that_its_labels_are_derived():
    """20 cell types, not from the original authors; licence and origin stand beside them."""
    demo = load_demo()
    assert demo.annotations["cell_type"].nunique() == 20
    assert demo.about["derived_labels"] == "cell_type"
    assert "not by the original authors" in demo.about["caveats"]
    assert demo.about["licence"].startswith("MIT")


def test_the_demo_is_small_enough_to_ship():
    """At most 7.5 MB in the repository."""
    assert DEMO_COUNTS.stat().st_size < 7_500_000
