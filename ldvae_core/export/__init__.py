"""Take it with you: a run, new cells on its programs or a data set, as an .h5ad that every tool opens."""

from ldvae_core.export.dataset import write_dataset
from ldvae_core.export.projection import write_projection
from ldvae_core.export.run import results_of, write_h5ad

__all__ = ["results_of", "write_dataset", "write_h5ad", "write_projection"]
