"""Take it with you: a run, or new cells on its programs, as one .h5ad that scanpy and every other tool opens."""

from ldvae_core.export.projection import write_projection
from ldvae_core.export.run import results_of, write_h5ad

__all__ = ["results_of", "write_h5ad", "write_projection"]
