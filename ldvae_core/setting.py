"""A setting of a run, described once: its default, its option of the command line, what it may be.

The check of the values, the options of `train`, the bounds of the Train form all read these descriptions.
"""

import functools
from collections.abc import Collection
from dataclasses import field, fields
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from ldvae_core.errors import SettingsError

KEY = "setting"  # of a field's metadata
Value = TypeVar("Value")


class Setting(NamedTuple):
    """What is known of one field of the settings."""

    flag: str  # option of `train`; "" for what only the data knows
    about: str = ""  # help of that option
    title: str = ""  # in refusals: "number of factors"; by default the field's name
    low: float | None = None  # of a number
    high: float | None = None
    metavar: str | None = None
    table: Collection[str] | None = None  # of choices, where a table holds them; otherwise the field's Literal does


def setting(
    default: Value,
    flag: str = "",
    about: str = "",
    *,
    title: str = "",
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
    table: Collection[str] | None = None,
) -> Value:
    """A field of a frozen dataclass, with its description."""
    about_it = Setting(flag, about, title, low, high, metavar, table)
    return field(default=default, metadata={KEY: about_it})


@functools.cache
def described(cls: type) -> dict[str, Setting]:
    """The described fields of a dataclass, in their order."""
    return {each.name: each.metadata[KEY] for each in fields(cls) if KEY in each.metadata}


@functools.cache
def types_of(cls: type) -> dict[str, Any]:
    """What each field holds, without the None that may stand for "by a rule"."""
    hints = get_type_hints(cls)
    return {name: next((part for part in get_args(hint) if part is not type(None)), hint)
            if type(None) in get_args(hint) else hint for name, hint in hints.items()}  # fmt: skip


def defaults_of(cls: type) -> dict[str, Any]:
    """What every described field is unless it is chosen."""
    return {each.name: each.default for each in fields(cls) if each.name in described(cls)}


def choices_of(cls: type, name: str) -> tuple[str, ...]:
    """The values a field can have; () where these are no few words."""
    table, kind = described(cls)[name].table, types_of(cls)[name]
    if table is not None:
        return tuple(table)
    return get_args(kind) if get_origin(kind) is Literal else ()


def problems_of(values: object) -> list[str]:
    """What is wrong with each described field on its own, in words; None is allowed where it is the default."""
    cls: type = type(values)
    problems, defaults = [], defaults_of(cls)
    for name, about in described(cls).items():
        value, title = getattr(values, name), about.title or name.replace("_", " ")
        choices = choices_of(cls, name)
        if choices and value not in choices:
            problems.append(f"The {title} must be one of {', '.join(choices)}; it is {value!r}.")
        by_rule = value is None and defaults[name] is None
        if about.low is not None and not by_rule and not is_within(value, about.low, about.high):
            problems.append(f"The {title} must lie between {about.low:g} and {about.high:g}; it is {value}.")
    return problems


def is_within(value: object, low: float, high: float | None) -> bool:
    """Whether it is a number between the two, both included; True and False are none."""
    top = float("inf") if high is None else high
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= top


def known(cls: type, values: Any) -> dict[str, Any]:
    """The values, all of them names of fields of cls. Raises SettingsError on an unknown name."""
    if not isinstance(values, dict):
        raise SettingsError(f"The settings cannot be understood ({values!r}).")
    names = {each.name for each in fields(cls)}
    if unknown := sorted(set(values) - names):
        raise SettingsError(f"Unknown settings: {', '.join(unknown)}.", f"Known are: {', '.join(sorted(names))}.")
    return dict(values)
