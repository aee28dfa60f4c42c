"""Results that follow from a run, kept for all visitors as long as nothing they depend on has changed."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.runs.opened import OpenRun

Given = ParamSpec("Given")
Result = TypeVar("Result")
Memo = tuple[Any, ...]  # nested values that Streamlit can hash


class PerRun(Generic[Given, Result]):
    """A function of an opened run whose results are kept."""

    def __init__(
        self, function: Callable[Given, Result], *, max_entries: int, spinner: str, all_annotations: bool
    ) -> None:
        @st.cache_resource(
            max_entries=max_entries, show_spinner=spinner or False, hash_funcs={_Call: attrgetter("memo")}
        )
        @functools.wraps(function)  # Streamlit tells the functions apart by their names and source
        def kept(call: _Call) -> Result:
            return function(*call.given, **call.named)

        functools.update_wrapper(self, function)
        self._kept, self._signature, self._all = kept, inspect.signature(function), all_annotations

    def __call__(self, *given: Given.args, **named: Given.kwargs) -> Result:
        """What the function returns for these arguments, worked out at most once."""
        bound = self._signature.bind(*given, **named)
        bound.apply_defaults()
        return self._kept(call=_Call(_memo(bound.arguments, all_annotations=self._all), given, named))

    def clear(self) -> None:
        """Forget all results."""
        self._kept.clear()


def per_run(
    *, max_entries: int, spinner: str = "", all_annotations: bool = False
) -> Callable[[Callable[Given, Result]], PerRun[Given, Result]]:
    """Keep what a function of an opened run returns, shared by all visitors: read-only.

    It is worked out anew when a run is opened anew, when axes among the arguments are turned round or their genes
    ordered anew, and when the cells of an annotation that people added change, if an argument names it; a factor's new
    name changes nothing. Arguments of other types that have a text `memo` are known by it. max_entries: kept at a time.
    spinner: said meanwhile. all_annotations: it reads annotations that its arguments do not name.
    """
    return functools.partial(PerRun, max_entries=max_entries, spinner=spinner, all_annotations=all_annotations)


def _memo(arguments: Mapping[str, Any], *, all_annotations: bool = False) -> Memo:
    """What the result depends on, as plain values. Raises TypeError when no argument is an opened run."""
    runs = [part for part in _parts(arguments) if isinstance(part, OpenRun)]
    if not runs:
        raise TypeError("A result that is kept per run needs the run as an argument.")
    texts = {part for part in _parts(arguments) if isinstance(part, str)}
    added = [sorted((name, version) for name, version in run.added.items() if all_annotations or name in texts)
             for run in runs]  # fmt: skip
    return tuple((name, _plain(value)) for name, value in arguments.items()), added


class _Call(NamedTuple):
    memo: Memo
    given: tuple[Any, ...]
    named: dict[str, Any]


def _plain(value: Any) -> Any:
    """Values that Streamlit can hash, in place of arrays that it should not read."""
    if isinstance(value, OpenRun):
        return value.stamp
    if isinstance(value, Factors):
        return value.axes, value.flipped.tolist(), value.gene_order
    if isinstance(text := getattr(value, "memo", None), str):
        return text
    return [_plain(part) for part in parts] if (parts := _inside(value)) is not None else value


def _parts(value: Any) -> Iterator[Any]:
    """The value, and all that it is made of."""
    yield value
    if not isinstance(value, OpenRun | Factors) and not isinstance(getattr(value, "memo", None), str):
        for part in _inside(value) or ():
            yield from _parts(part)


def _inside(value: Any) -> list[Any] | None:
    if isinstance(value, Mapping):
        return [part for pair in value.items() for part in pair]
    if isinstance(value, list | tuple):
        return list(value)
    return [getattr(value, field.name) for field in fields(value)] if is_dataclass(value) else None
