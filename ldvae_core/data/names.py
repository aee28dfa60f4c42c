"""Names of cells and genes: plain text, none empty, none twice."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

LONGEST_NAME = 200  # characters; real names have fewer than 60


def tidy_names(names: Iterable[object], *, kind: str) -> tuple[np.ndarray, list[str], list[str]]:
    """Make names usable: (names as a str array, problems that forbid their use, notices of what was changed).

    kind: "cell" or "gene", for the sentences. Repeated names become name, name-1, name-2, ... as in anndata; empty ones
    become "unnamed". Refused: names longer than LONGEST_NAME, and names with control characters.
    """
    texts = [name if isinstance(name, str) else str(name) for name in names]
    problems = _refused(texts, kind)
    if problems:
        return np.asarray([], dtype=str), problems, []
    notices = []
    empty = sum(not text.strip() for text in texts)
    if empty:
        texts = [text if text.strip() else "unnamed" for text in texts]
        notices.append(f"{empty:,} of {len(texts):,} {kind} names were empty: called 'unnamed'.")
    counted = Counter(texts)
    if len(counted) < len(texts):
        repeated = [text for text, times in counted.items() if times > 1]
        notices.append(
            f"{len(repeated):,} of {len(counted):,} {kind} names repeat ({listing(repeated)}): "
            "made unique by adding -1, -2, ..."
        )
        texts = _unique(texts, taken=set(counted))
    return np.asarray(texts, dtype=str) if texts else np.asarray([], dtype="<U1"), [], notices


def listing(names: Iterable[object], most: int = 5) -> str:
    """The first few names as a phrase: "Actb, Gapdh, ... and 12 more"; long ones are cut."""
    texts = [str(name) for name in names]
    shown = [text if len(text) <= 40 else f"{text[:37]}..." for text in texts[:most]]
    shown = [text.encode("unicode_escape").decode() if not text.isprintable() else text for text in shown]
    rest = len(texts) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest > 0 else "")


def _refused(texts: list[str], kind: str) -> list[str]:
    long = [text for text in texts if len(text) > LONGEST_NAME]
    odd = [text for text in texts if not text.isprintable() and len(text) <= LONGEST_NAME]
    problems = []
    if long:
        longest = max(map(len, long))
        problems.append(
            f"{len(long):,} {kind} names are longer than {LONGEST_NAME} characters (the longest has {longest:,}): "
            f"{listing(long, 3)}."
        )
    if odd:
        problems.append(f"{len(odd):,} {kind} names hold control or unreadable characters: {listing(odd, 3)}.")
    return problems


def _unique(texts: list[str], taken: set[str]) -> list[str]:
    """Later copies of a name get -1, -2, ..., passing over names that the file uses already."""
    seen: set[str] = set()
    next_number: Counter[str] = Counter()
    result = []
    for text in texts:
        name = text
        while name in seen:
            next_number[text] += 1
            candidate = f"{text}-{next_number[text]}"
            name = candidate if candidate not in taken and candidate not in seen else name
        seen.add(name)
        result.append(name)
    return result
