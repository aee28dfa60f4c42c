"""How many programs, and which come back: what `advise` says of counts whose programs are known.

    python -m benchmarks.certified [--repetitions 5] [--permuted 5] [--first-seed 0] [--to docs/certified.md]

Planted: sparse programs of falling strength (negative binomial counts, 3,000 cells, 800 genes, about 3,000 molecules a
cell). Permuted: the same counts with every gene's shuffled over the cells, so that nothing is left to find. Rows are
added to those that the page has, one a data set, and the summary above them is made anew.
"""

import argparse
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from threadpoolctl import threadpool_limits

from benchmarks.report import conditions, table
from ldvae_core.analysis.factors import load_factors
from ldvae_core.analysis.importance import gene_deviance
from ldvae_core.analysis.matching import match_factors
from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.data.split import split_cells
from ldvae_core.runs.execute import execute
from ldvae_core.runs.search import CERTIFICATES_FILE, NoStructureError, Search, read_certificates
from ldvae_core.runs.settings import RunSettings

N_CELLS, N_GENES, DEPTH = 3_000, 800, 3_000
SHARE_DRIVEN, EFFECT = 0.08, 0.8
COUNTED = 0.005  # explained deviance of a planted program, from which it has to be found
FALSE_BELOW = 0.8  # match with the best planted program
HEAD = "| data | seed | planted | of these >= 0.5% | found | certified | false | true of >= 0.5% | noise |"


class Setting(NamedTuple):
    """Planted programs: how many, and how much weaker the last one is than the first."""

    n_programs: int
    last: float
    geometric: bool  # strengths fall by a factor a program, else by a step

    @property
    def name(self) -> str:
        """In the table."""
        return f"{self.n_programs} programs, strengths 1 to {self.last:g}{', geometric' * self.geometric}"


SETTINGS = (
    Setting(10, 0.2, True),
    Setting(5, 0.45, False),
    Setting(15, 0.25, True),
    Setting(10, 0.45, False),
    Setting(20, 0.45, False),
)


class Simulated(NamedTuple):
    """Counts and their truth."""

    counts: CountMatrix
    loadings: np.ndarray  # (n_genes, n_programs)
    share: np.ndarray  # (n_genes,) of molecules
    explained: np.ndarray  # (n_programs,) explained deviance at the truth


def simulate(setting: Setting, seed: int) -> Simulated:
    """Draw the programs, then the counts."""
    rng, n_programs = np.random.default_rng(seed), setting.n_programs
    z = rng.standard_normal((N_CELLS, n_programs))
    driven = rng.random((N_GENES, n_programs)) < SHARE_DRIVEN
    size = EFFECT * rng.uniform(0.6, 1.4, driven.shape) * rng.choice([-1.0, 1.0], driven.shape)
    strengths = (np.geomspace if setting.geometric else np.linspace)(1, setting.last, n_programs)
    loadings = np.where(driven, size, 0.0) * strengths
    loadings -= loadings.mean(axis=0)
    intercept, theta = rng.normal(0, 1, N_GENES), np.exp(rng.uniform(0, np.log(10), N_GENES))
    library = np.maximum(np.round(DEPTH * np.exp(0.3 * rng.standard_normal(N_CELLS))), 20)
    fraction = np.exp(z @ loadings.T + intercept)
    fraction /= fraction.sum(axis=1, keepdims=True)
    mean = library[:, None] * fraction
    counts = rng.poisson(mean * rng.gamma(theta, 1 / theta, mean.shape))
    seen = counts.sum(axis=0) > 0
    matrix = counted(sparse.csr_matrix(counts[:, seen].astype(np.float32)), np.flatnonzero(seen))
    explained = gene_deviance(
        counts=matrix.counts, representation=z, loadings=loadings[seen], intercept=intercept[seen],
        inverse_dispersion=theta[seen], library_size=matrix.library_size, split=split_cells(N_CELLS, seed=0),
    ).sum(axis=0)  # fmt: skip
    return Simulated(matrix, loadings[seen], fraction[:, seen].mean(axis=0), explained)


def counted(counts: sparse.csr_matrix, genes: np.ndarray) -> CountMatrix:
    """Counts with names."""
    return make_count_matrix(
        counts,
        cell_ids=[f"cell_{cell}" for cell in range(counts.shape[0])],
        gene_names=np.array([f"G{gene}" for gene in genes]),
        annotations=pd.DataFrame(index=range(counts.shape[0])),
        counts_from="simulation",
    )


def permuted(matrix: CountMatrix, seed: int) -> CountMatrix:
    """Every gene's counts in another order of the cells."""
    rng, dense = np.random.default_rng(seed), matrix.counts.toarray()
    for gene in range(dense.shape[1]):
        dense[:, gene] = rng.permutation(dense[:, gene])
    return counted(sparse.csr_matrix(dense), np.arange(dense.shape[1]))


def advised(counts: CountMatrix, simulated: Simulated) -> tuple[list[object], str]:
    """Of one data set: found, certified, false, true ones of >= COUNTED; and the noise that was reached."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        RunSettings("simulated", "simulation", search=Search(auto=True)).write(folder)
        try:
            execute(folder, open_counts=lambda: counts)
        except NoStructureError as none:
            return [0, 0, 0, 0], f"{none.found.noise:.2f}"
        found, factors = read_certificates(folder / CERTIFICATES_FILE), load_factors(folder / "factors" / "readable")
        assert found is not None
        order = [int(name.removeprefix("G")) for name in factors.gene_names.tolist()]
        place_of = {int(name.removeprefix("G")): row for row, name in enumerate(simulated.counts.gene_names.tolist())}
        rows = [place_of[gene] for gene in order]
        certified = np.array([program.certified for program in found.programs])
        shown = factors.loadings_shrunken
        matching = match_factors(simulated.loadings[rows], shown, simulated.share[rows])
        true = np.zeros(len(certified), bool)
        true[matching.pairs[matching.match >= FALSE_BELOW, 1]] = True
        back = [a for (a, b), match in zip(matching.pairs, matching.match, strict=True)
                if match >= FALSE_BELOW and certified[b] and simulated.explained[a] >= COUNTED]  # fmt: skip
        numbers: list[object] = [len(certified), int(certified.sum()), int((certified & ~true).sum()), len(back)]
        return numbers, f"{found.noise:.2f}"


def row(kind: str, setting: Setting, seed: int) -> list[object]:
    """One line of the page."""
    simulated = simulate(setting, seed)
    if kind == "permuted":
        counts, planted, weighty = permuted(simulated.counts, seed), 0, 0
    else:
        counts, planted = simulated.counts, setting.n_programs
        weighty = int((simulated.explained >= COUNTED).sum())
    numbers, noise = advised(counts, simulated)
    return [f"{kind}: {setting.name}", seed, planted, weighty, *numbers, noise]


def summary(rows: list[list[str]]) -> str:
    """What the criteria ask for, over all rows of the page."""
    values = [[int(each) for each in row[2:8]] for row in rows if row[0].startswith("planted")]
    null = [int(row[5]) for row in rows if row[0].startswith("permuted")]
    lines = []
    if values:
        _planted, weighty, found, certified, false, true = np.array(values).T
        near = int((np.abs(found - weighty) <= 1).sum())
        lines += [
            f"- Number within 1 of the planted programs of at least 0.5%: {near} of {len(values)} (asked: 9 of 10).",
            f"- Certified and false (best planted match < 0.8): {false.sum()} of {certified.sum()} = "
            f"{false.sum() / max(certified.sum(), 1):.1%} (asked: at most 10%).",
            f"- Planted programs of at least 0.5% that are certified: {true.sum()} of {weighty.sum()} = "
            f"{true.sum() / max(weighty.sum(), 1):.1%} (asked: at least 80%).",
        ]
    if null:
        lines += [f"- Permuted within genes, none certified: {null.count(0)} of {len(null)} (asked: all of 20)."]
    return "\n".join(lines)


def write(path: Path, rows: list[list[str]]) -> None:
    """The page, all of it but what stands above the first heading of results."""
    head = path.read_text(encoding="utf-8").split("## Simulated\n")[0] if path.exists() else "# Certified programs\n\n"
    columns = [name.strip() for name in HEAD.strip("|").split("|")]
    body = f"{summary(rows)}\n\n{table(columns, list(rows))}\n\n{conditions('python -m benchmarks.certified')}\n"  # type: ignore[arg-type]
    path.write_text(f"{head}## Simulated\n\n{body}", encoding="utf-8")


def known_rows(path: Path) -> list[list[str]]:
    """The rows that the page has."""
    if not path.exists():
        return []
    lines = re.findall(r"^\| ((?:planted|permuted): .*) \|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [line.split(" | ") for line in lines]


def main() -> None:
    """Simulate, advise, and write the page after every data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--permuted", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--to", type=Path, default=Path("docs/certified.md"))
    asked = parser.parse_args()
    rows = known_rows(asked.to)
    most = {"planted": asked.repetitions, "permuted": asked.permuted}
    works = [(kind, number) for number in range(max(most.values())) for kind in most if number < most[kind]]
    with threadpool_limits(1):
        for kind, number in works:
            found = [str(each) for each in row(kind, SETTINGS[number % len(SETTINGS)], asked.first_seed + number)]
            rows = [each for each in rows if each[:2] != found[:2]] + [found]
            write(asked.to, rows)
            print(found, flush=True)


if __name__ == "__main__":
    main()
