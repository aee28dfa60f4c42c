"""Annotations as an .h5ad can hold them, and back to the type they had.

Text is stored as categories, as anndata does it, because that is small and can have missing values; dates, for which
the format has no type, as text in ISO 8601, those with a time zone in UTC. An attribute of the column says what it was.
Tools that do not know it see categories.
"""

import re
from collections.abc import Mapping
from datetime import timezone, tzinfo
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

TYPE = "ldvae_type"  # the attribute
TEXT = "text"
_DATES = re.compile(r"datetime64\[(s|ms|us|ns)(?:, (?!dateutil)([\w+:/-]{1,60}))?\]")


class Stored(NamedTuple):
    """A column in a type of .h5ad. was: what the attribute says, "" where it says nothing."""

    values: Any  # pd.Categorical, an array of text or numbers, or a nullable array
    was: str = ""


def storable(column: pd.Series) -> Stored:
    """Any column that a table of cells can have (see data.annotations) in a type that every reader of .h5ad knows."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories = pd.Index([storable_text(value) for value in dtype.categories], dtype=object)
        return Stored(pd.Categorical.from_codes(column.cat.codes, categories, ordered=bool(dtype.ordered)))
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return _stored_dates(pd.DatetimeIndex(column.array))
    if is_nullable(column):
        return Stored(column.array)
    if pd.api.types.is_numeric_dtype(dtype):
        return Stored(plain_numbers(column))
    codes, distinct = pd.factorize(column.astype(object), sort=False)
    texts = [storable_text(value) for value in distinct]
    if len(texts) == len(column) and len(set(texts)) == len(texts):
        return Stored(np.asarray(texts, dtype=object)[codes])
    names = sorted(set(texts))
    place = {text: position for position, text in enumerate(names)}
    by_code = np.array([*(place[text] for text in texts), -1])
    return Stored(pd.Categorical.from_codes(by_code[codes], pd.Index(names, dtype=object)), TEXT)


def restored(column: Any, attributes: Mapping[str, Any]) -> Any:
    """A column that was read, in the type that its attribute says it had; as it is where this says nothing usable."""
    was = attributes.get(TYPE, "")
    was = was.decode("utf-8", "replace") if isinstance(was, bytes) else str(was)
    if not isinstance(column, pd.Categorical):
        return column
    if was == TEXT:
        return np.array([*column.categories, None], dtype=object)[column.codes]
    if _DATES.fullmatch(was) is None:
        return column
    try:
        return pd.Series(_moments(column.categories, was)).reindex(column.codes).array  # code -1: no moment
    except (ValueError, TypeError, KeyError, OverflowError):  # no such zone, or no dates
        return column


def is_nullable(column: pd.Series) -> bool:
    """Whether these are whole numbers, or true and false, of which some can be missing."""
    return isinstance(column.array, pd.arrays.IntegerArray | pd.arrays.BooleanArray)


def plain_numbers(column: pd.Series) -> np.ndarray:
    """Numbers in a numpy type, missing ones as NaN."""
    if isinstance(column.dtype, np.dtype):
        return column.to_numpy()
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def storable_text(value: object) -> str:
    """Text without what HDF5 cannot hold: NUL, and halves of letters, become the replacement sign."""
    return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _moments(texts: pd.Index, was: str) -> pd.DatetimeIndex:
    found = _DATES.fullmatch(was)
    unit, zone = found.groups() if found else ("ns", None)
    moments = pd.DatetimeIndex(np.array([str(text).removesuffix("Z") for text in texts], dtype=f"datetime64[{unit}]"))
    return moments if zone is None else moments.tz_localize("UTC").tz_convert(zone)


def _stored_dates(moments: pd.DatetimeIndex) -> Stored:
    utc = moments if moments.tz is None else moments.tz_convert("UTC").tz_localize(None)
    codes, distinct = pd.factorize(utc.to_numpy(), sort=True)
    ending, zone = ("", "") if moments.tz is None else ("Z", f", {_zone(moments.tz)}")
    texts = [f"{text}{ending}" for text in np.datetime_as_string(distinct)]
    return Stored(pd.Categorical.from_codes(codes, pd.Index(texts, dtype=object)), f"datetime64[{moments.unit}{zone}]")


def _zone(zone: tzinfo) -> str:
    """A name that finds the time zone again; UTC, which leaves every moment what it is, where it has none."""
    fixed = zone.utcoffset(None)
    name = str(zone) if fixed is None else str(timezone(fixed))
    try:
        pd.DatetimeTZDtype("ns", name)
    except (TypeError, KeyError, ValueError):
        return "UTC"
    return name if _DATES.fullmatch(f"datetime64[ns, {name}]") else "UTC"
