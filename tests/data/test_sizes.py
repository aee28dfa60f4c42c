"""The size that limits grow with: of what is read, not of what lies beside it."""

import pytest

from ldvae_core.data.sizes import size_of
from tests.links import make_link


@pytest.fixture
def outs(tmp_path):
    """What Cell Ranger leaves: two matrices, reads and a report."""

    def write(name, size):
        (tmp_path / "outs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "outs" / name).write_bytes(bytes(size))

    for name, size in {
        "possorted_genome_bam.bam": 900_000,
        "molecule_info.h5": 80_000,
        "filtered_feature_bc_matrix/matrix.mtx.gz": 3_000,
        "filtered_feature_bc_matrix/barcodes.tsv.gz": 200,
        "filtered_feature_bc_matrix/features.tsv.gz": 100,
        "raw_feature_bc_matrix/matrix.mtx.gz": 5_000,
    }.items():
        write(name, size)
    return tmp_path / "outs"


def test_reads_and_reports_beside_the_matrix_do_not_loosen_the_limits(outs):
    """One folder of a matrix is read, the largest at most."""
    assert size_of(outs) == 5_000
    assert size_of(outs / "filtered_feature_bc_matrix") == 3_300


def test_a_file_has_its_own_size_and_a_zarr_folder_all_of_it(outs):
    """Pieces of an array have names of all kinds."""
    assert size_of(outs / "molecule_info.h5") == 80_000
    assert size_of(outs.rename(outs.with_suffix(".zarr"))) == 988_300


def test_what_a_link_leads_to_does_not_count(outs, tmp_path):
    """It is refused later."""
    (tmp_path / "large.mtx").write_bytes(bytes(70_000))
    make_link(outs / "matrix.mtx", tmp_path / "large.mtx")
    assert size_of(outs) == 5_000
