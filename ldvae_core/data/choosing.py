"""Which of the matrices of a file are looked at, and in what order."""

from ldvae_core.data.names import listing
from ldvae_core.data.naming import EXPRESSIONS
from ldvae_core.data.opened import Candidate, Opened
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.errors import CountsError


def chosen_candidates(opened: Opened, options: ReadingOptions) -> tuple[tuple[Candidate, ...], list[str]]:
    """(candidates in the order they are tried, notices). Where a file holds several samples, one must be chosen;

    among modalities the RNA is taken. Raises CountsError, listing what can be chosen, when none or no known one was.
    """
    if not opened.candidates:
        raise CountsError("The file holds no matrix of numbers.", "Load a file that holds counts of cells and genes.")
    groups = list(dict.fromkeys(candidate.group for candidate in opened.candidates))
    if options.choose is not None:
        wanted = options.choose.rstrip("._-") or options.choose
        chosen = tuple(one for one in opened.candidates if {wanted, options.choose} & _names(one))
        if not chosen:
            raise _cannot_choose(f"There is no '{options.choose}' to choose in this file.", opened)
        return chosen, list(opened.notices)
    if len(groups) == 1:
        return opened.candidates, list(opened.notices)
    rna = [group for group in groups if group.lower() in EXPRESSIONS]
    if len(rna) != 1:
        raise _cannot_choose(f"There are {len(groups):,} data sets in it: {listing(groups, 20)}.", opened)
    others = listing(group for group in groups if group != rna[0])
    chosen = tuple(candidate for candidate in opened.candidates if candidate.group == rna[0])
    return chosen, [*opened.notices, f"'{rna[0]}' was read; also in this file: {others}."]


def choices(opened: Opened) -> tuple[str, ...]:
    """What `choose` takes in this file: groups where there are several, else its matrices."""
    groups = tuple(dict.fromkeys(candidate.group for candidate in opened.candidates))
    return groups if len(groups) > 1 else tuple(dict.fromkeys(candidate.where for candidate in opened.candidates))


def _names(candidate: Candidate) -> set[str]:
    """All that a candidate may be called: its group, its place, a layer's bare name."""
    bare = candidate.where.removeprefix("layers['").removesuffix("']")
    within = {candidate.where, bare}
    if not candidate.group:
        return within
    return {candidate.group, *(f"{candidate.group}/{name}" for name in within)}


def _cannot_choose(problem: str, opened: Opened) -> CountsError:
    known = choices(opened)
    remedy = f"Choose one of them (`--choose NAME`): {listing(known, 20)}."
    return CountsError(problem, remedy, offers={"choose": known})
