"""Stored values as molecules: whole numbers are taken, numbers a hair from whole too, fractions only when asked for."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ldvae_core.data.faults import LARGEST_COUNT, find_faults

HAIR = 1e-3  # from a whole number: what sums and products of whole numbers in single precision leave


class NotMolecules(Exception):  # not an error of a person: the next place in the file is tried
    """A block holds values that are no counts."""

    def __init__(self, faults: Counter[str]) -> None:
        super().__init__(dict(faults))
        self.faults = faults


@dataclass
class Molecules:
    """Turns values into molecules, and keeps what was done. round_all: fractions become the nearest whole number."""

    round_all: bool = False
    n_near: int = field(default=0, init=False)  # values within HAIR of a whole number, but for it
    n_rounded: int = field(default=0, init=False)  # other fractions
    largest: int = field(default=0, init=False)

    def of(self, values: np.ndarray) -> np.ndarray:
        """The same as uint32, (n,). Raises NotMolecules with the faults of these values."""
        with np.errstate(invalid="ignore"):
            whole: np.ndarray = values.astype(np.uint32)
        if values.dtype.kind != "b" and not _equal(whole, values):
            whole = self._rounded(values)
        self.largest = max(self.largest, int(whole.max(initial=0)))
        return whole

    def _rounded(self, values: np.ndarray) -> np.ndarray:
        faults = find_faults(values)
        if set(faults) - {"fractional"}:
            raise NotMolecules(faults)
        nearest = np.rint(values.astype(np.float64))
        odd = nearest != values
        far = odd & ((np.abs(nearest - values) > HAIR) | (nearest == 0))
        if far.any() and not self.round_all:
            raise NotMolecules(faults)
        self.n_near += int((odd & ~far).sum())
        self.n_rounded += int(far.sum())
        return nearest.astype(np.uint32)


def _equal(whole: np.ndarray, values: np.ndarray) -> bool:
    """Whether nothing was lost; numbers beyond the largest count wrap around and are not equal."""
    if values.dtype.kind in "iu":
        return not len(values) or (int(values.min()) >= 0 and int(values.max()) <= LARGEST_COUNT)
    return bool((whole.astype(values.dtype) == values).all())  # exact: what is whole came from this very type
