"""Annotations of cells read as variables of a design: one value a sample, as levels or as a number.

Numbers are levels where they only name things: two values, the numbers of donors or batches, or whole numbers counted
from 0 or 1 that samples share. Any other number has one slope. Which it was is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ldvae_core.data.annotations import names_sample, only_name_things, reference_level
from ldvae_core.data.names import listing
from ldvae_core.errors import SettingsError


@dataclass(frozen=True, eq=False)
class Variable:
    """What samples differ in."""

    name: str
    levels: tuple[str, ...]  # () for a number; of a condition, the first is what the others are compared with
    values: np.ndarray  # (n_samples,) float64: the place of the level, or the number; NaN where not known
    said: str = ""  # how numbers were read

    @property
    def is_number(self) -> bool:
        """Whether one slope stands for it."""
        return not self.levels

    def text(self, sample: int) -> str:
        """Its value in a sample."""
        value = self.values[sample]
        return "not known" if np.isnan(value) else _written(float(value)) if self.is_number else self.levels[int(value)]


def read_variable(column: pd.Series, samples: np.ndarray, names: Sequence[str], *, is_condition: bool) -> Variable:
    """One value of an annotation for every sample; cells without a value say nothing.

    column: (n_cells,); samples: (n_cells,) positions in `names`, -1 where not known.
    Raises SettingsError where cells of one sample have different values, or all samples have the same.
    """
    name = str(column.name)
    codes, known = _coded(column)
    cells = (samples >= 0) & (codes >= 0)
    pairs = np.unique(samples[cells].astype(np.int64) * max(len(known), 1) + codes[cells])
    sample, code = np.divmod(pairs, max(len(known), 1))
    if (twice := np.flatnonzero(np.diff(sample) == 0)).size:
        raise SettingsError(*_differs_within(name, names, known, sample, code, int(twice[0]), is_condition))
    if len(np.unique(code)) < 2:
        found = f"it is {known[int(code[0])]} in all of them" if len(code) else "no sample has a value"
        raise SettingsError(f"{name} does not differ between samples: {found}.", "Choose what differs between samples.")
    position = np.full(len(names), -1)
    position[sample] = code
    numbers = None if pd.api.types.is_bool_dtype(column.dtype) else _numbers(column, known)
    if numbers is not None and (said := _not_levels(name, numbers[code])):
        return Variable(name, (), np.where(position >= 0, numbers[position], np.nan), said)
    used = np.unique(code).tolist()
    texts = [_written(known[place]) for place in used]
    said = f"{name} holds the numbers {listing(texts)}, taken as levels." if numbers is not None else ""
    if is_condition and (reference := reference_level(texts)) is not None:
        used.insert(0, used.pop(texts.index(reference)))
        texts.insert(0, texts.pop(texts.index(reference)))
    place = np.full(len(known) + 1, np.nan)
    place[used] = np.arange(len(used))
    return Variable(name, tuple(texts), place[position], said)


def _coded(column: pd.Series) -> tuple[np.ndarray, list[object]]:
    """Every cell's value as a position in the values, which stand in the column's own order; -1 for none."""
    if pd.api.types.is_float_dtype(column.dtype):
        column = column.where(np.isfinite(column.astype(float)))
    values = column if isinstance(column.dtype, pd.CategoricalDtype) else column.astype("category")
    known = values.cat.categories
    if known.dtype in (np.float16, np.float32):  # 0.1, not 0.10000000149
        return values.cat.codes.to_numpy(np.int64), [float(str(value)) for value in known.to_numpy()]
    return values.cat.codes.to_numpy(np.int64), known.tolist()


def _numbers(column: pd.Series, known: list[object]) -> np.ndarray | None:
    """The values, where they are numbers."""
    return np.asarray(known, np.float64) if pd.api.types.is_numeric_dtype(column.dtype) else None


def _not_levels(name: str, values: np.ndarray) -> str:
    """How a number is read that is more than a name; "" for one that is not. values: of every sample that has one."""
    different = np.unique(values)
    shared = len(different) < len(values)  # else each sample would be a level of its own
    if only_name_things(name, different) and (shared or names_sample(name) or len(different) == 2):
        return ""
    return f"{name} is taken as a number, from {_written(float(different[0]))} to {_written(float(different[-1]))}."


def _written(value: object) -> str:
    """Different numbers stay different; whole ones are written whole, as dates are."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _differs_within(
    name: str, names: Sequence[str], known: list[object], sample: np.ndarray, code: np.ndarray, at: int, condition: bool
) -> tuple[str, str]:
    """What is wrong with a sample that has several values, and what to do."""
    several = np.unique(sample[:-1][np.diff(sample) == 0])
    whose = names[int(sample[at])]
    values = listing([_written(known[place]) for place in code[sample == sample[at]].tolist()], 3)
    more = f", and so it is in {len(several) - 1:,} more" if len(several) > 1 else ""
    problem = f"{name} differs within the sample {whose!r}: its cells have {values}{more}."
    if not condition:
        return problem, "A covariate has one value a sample: a donor, a batch, an age."
    return problem, (
        f"Where each donor gave cells under several values of {name}, a sample is the two together: name both "
        "columns as sample, and the donor as a covariate."
    )
