"""How much a shortlist of factor pairs loses: `python -m benchmarks.separation [RUN ...]`, run folders beside the demo.

For many choices of 2 to 4 cell types the best pair of factors is sought among all pairs with all cells, by the
shortlist that stands in where there are too many cells and pairs, and by the one of before, a dozen pairs ranked by the
distance of class means. The regret is what the best pair of all has more, in points of balanced accuracy. The factors
are those of a run, and 20 and 40 principal components of the same cells. Writes its section of docs/benchmarks.md.
"""

import argparse
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from sklearn.decomposition import TruncatedSVD

from benchmarks.report import conditions, table, write_section
from ldvae_core.analysis import separation
from ldvae_core.analysis.discriminant import N_FOLDS
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.separation import FEWEST_CELLS, TypeCells, best_pair, type_cells
from ldvae_core.runs.store import OpenRun, open_demo_run, open_run_folder

CHOICES = 12  # of types, for each number of them
OLD_SHORTLIST = 12
AFFORDED = 1  # cells times pairs in this comparison, so that the shortlist is always made


def components(opened: OpenRun, n: int) -> Factors:
    """The run's factors replaced by principal components of log-normalised counts, all of them active."""
    counts = opened.counts
    scaled = counts.counts.multiply(1e4 / counts.library_size[:, None]).tocsr()
    scaled.data = np.log1p(scaled.data)
    z = TruncatedSVD(n, random_state=0).fit_transform(scaled).astype(np.float32)
    blank = np.zeros((opened.counts.n_genes, n), np.float32)
    names = ("loadings", "loadings_se", "loadings_shrunken", "loadings_shrunken_sd")
    return replace(
        opened.factors[opened.axes], representation=z, active=np.ones(n, bool), explained_deviance=np.zeros(n),
        flipped=np.zeros(n, bool), names=(), **dict.fromkeys(names, blank),
    )  # fmt: skip


def regrets(factors: Factors, known: TypeCells, opened: OpenRun) -> list[tuple[float, float]]:
    """Points lost by today's shortlist and by that of before, for every choice of types."""
    labels, rng, found = opened.labels(), np.random.default_rng(0), []
    able = [name for number, name in enumerate(known.names) if known.grouped.n_cells(number) >= FEWEST_CELLS]
    for n_types in (2, 3, 4):
        choices = list(combinations(able, n_types))
        for place in rng.permutation(len(choices))[:CHOICES]:
            types = choices[place]
            separation.ALL_CELLS = 10**12
            whole = best_pair(factors, labels, types, known=known)
            separation.ALL_CELLS = AFFORDED
            some = best_pair(factors, labels, types, known=known)
            before = whole.table.nlargest(OLD_SHORTLIST, "distance")["balanced_accuracy"].max()
            lost = (whole.balanced_accuracy - some.balanced_accuracy, whole.balanced_accuracy - before)
            found.append((100 * lost[0], 100 * lost[1]))
    return found


def main() -> None:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", type=Path)
    rows = []
    for opened in (open_demo_run(), *(open_run_folder(folder) for folder in parser.parse_args().runs)):
        fitted = opened.factors[opened.axes]
        for what, factors in (
            (f"{fitted.n_factors} factors", fitted), ("20 components", components(opened, 20)),
            ("40 components", components(opened, 40)),
        ):  # fmt: skip
            lost = np.array(regrets(factors, type_cells(factors, opened.labels()), opened))
            n_pairs = int(factors.active.sum() * (factors.active.sum() - 1) // 2)
            row = [opened.name, what, f"{n_pairs}", f"{len(lost)}"]
            for column in (1, 0):
                row += [f"{lost[:, column].max():.2f}", f"{lost[:, column].mean():.2f}"]
            row.append(f"{(lost[:, 1] > 1).mean():.0%}")
            rows.append(row)
            print(*row, sep=" | ", flush=True)
    head = ["data", "factors", "pairs", "choices of types", "a dozen by distance: most lost", "mean",
            "today's shortlist: most lost", "mean", "dozen loses over 1 point"]  # fmt: skip
    words = (
        f"{conditions('python -m benchmarks.separation RUN ...')}\n\nPoints of balanced accuracy ({N_FOLDS}-fold) that "
        "the pair found by a shortlist has less than the best of all pairs. Up to 15 million cells times pairs all "
        "pairs are judged by all cells and nothing is lost (190 pairs of 20 factors: 78,000 cells of the chosen "
        "types); here the shortlist is made all the same: every pair by at most "
        f"{separation.FEWEST_SEEN} cells of each type, the best {separation.N_CHECKED} by all.\n\n{table(head, rows)}"
    )
    write_section("Best pair of factors", words)


if __name__ == "__main__":
    main()
