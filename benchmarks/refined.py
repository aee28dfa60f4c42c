"""What refining is worth on held-out cells, beside exact positions and a GLM-PCA: `python -m benchmarks.refined`.

One training a data set with every default; the test error of its cells where the encoder puts them, refined, after the
refit, and at the best of several starts under the same decoder; then that of a plain negative binomial GLM-PCA
(benchmarks/glmpca.py) of as many factors. Differences are paired over test cells.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.data import STUDIES, Prepared, open_study
from benchmarks.glmpca import errors, fit_glmpca, place
from benchmarks.ours import make_trainer
from benchmarks.report import conditions, table, write_section
from ldvae_core.data.split import TEST, TRAIN
from ldvae_core.model.ldvae import LDVAE
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refine import Decoder, block_of, means_at, objective, refine
from ldvae_core.training.refining import refined_model
from ldvae_core.training.score import reconstruction_errors, represent

STARTS, STEPS = 5, 60  # 0, and random ones of the prior's size and twice it
RIDGES = (1.0,)  # of the GLM-PCA's loadings


def best_of_starts(model: LDVAE, source: MinibatchSource, cells: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The highest of the tops that several starts, and the known positions, lead to: (n_chosen, n_factors)."""
    decoder, batch = Decoder.of(model), source.minibatch(cells)
    block = block_of(decoder, batch, batch.library_size.log())
    best, highest = known.copy(), np.full(len(cells), -np.inf)
    for start in range(STARTS + 1):
        random = np.random.default_rng(start)
        begin = (0.0, 1.0, 1.0, 2.0, 2.0, 0.0)[start] * random.standard_normal(known.shape)
        v = known if start == STARTS else begin
        found = refine(model, source, cells, start=v, most_steps=STEPS)
        assert found is not None
        at = torch.from_numpy(found.values)
        height = objective(block, means_at(decoder, block, at), at).numpy()
        best = np.where((height > highest)[:, None], found.values, best)
        highest = np.maximum(height, highest)
    return best


def measure(data: Prepared, n_factors: int) -> tuple[list[object], str]:
    """A row of the table, and what the fits say of themselves."""
    test, train = np.flatnonzero(data.split == TEST), np.flatnonzero(data.split == TRAIN)
    trainer = make_trainer(data, n_factors=n_factors)
    began = time.process_time()
    trainer.train()
    trained = time.process_time() - began
    began = time.process_time()
    outcome = refined_model(
        trainer.model, trainer.source, data.counts, train=train, validation=trainer.validation_cells,
        cells_trained=trainer.state.epochs_done * len(trainer.train_cells),
    )  # fmt: skip
    refining = time.process_time() - began

    def error(model: LDVAE, positions: np.ndarray) -> np.ndarray:
        whole = np.zeros((len(data.split), n_factors), np.float32)
        whole[test] = positions
        return reconstruction_errors(model, trainer.source, test, whole)

    alone, after = (refine(model, trainer.source, test) for model in (trainer.model, outcome.model))
    assert alone is not None
    assert after is not None
    with torch.no_grad():
        exact = best_of_starts(outcome.model, trainer.source, test, after.values)
    ours = error(outcome.model, after.values)
    fits = [fit_glmpca(data.counts[train], n_factors, ridge=ridge) for ridge in RIDGES]
    theirs = [errors(fit, data.counts[test], place(fit, data.counts[test])) for fit in fits]
    best = min(range(len(fits)), key=lambda number: theirs[number].mean())
    gap = ours - theirs[best]
    row = [
        f"{represented:.2f}"
        for represented in (
            error(trainer.model, represent(trainer.model, trainer.source).mean[test]).mean(),
            error(trainer.model, alone.values).mean(),
            ours.mean(),
            error(outcome.model, exact).mean(),
            theirs[best].mean(),
        )
    ]
    row += [f"{gap.mean():+.2f} ± {gap.std() / math.sqrt(len(gap)):.2f}", f"{trained:.1f}", f"{refining:.1f}"]
    words = (
        f"GLM-PCA: ridge {RIDGES[best]}, {fits[best].rounds} rounds, the last gained {fits[best].last_gain:.4f} nats"
    )
    return list(row), f"{words}; ours: {outcome.figures()}"


def main() -> None:
    """Measure every study, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--studies", nargs="*", default=list(STUDIES))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rows, notes = [], []
    with threadpool_limits(1):
        for name in asked.studies:
            data = open_study(asked.data, STUDIES[name])
            row, words = measure(data, STUDIES[name].n_factors)
            rows.append([name, "{:,} x {:,}".format(*data.counts.shape), STUDIES[name].n_factors, *row])
            notes.append(f"- {name}: {words}")
            print(rows[-1], notes[-1], flush=True)
    columns = ["data", "cells x genes", "factors", "encoder", "refined", "refitted", "best of starts", "GLM-PCA"]
    columns += ["refitted - GLM-PCA", "training, s", "refining, s"]
    text = (
        "Test error, nats a cell; one training with every default. Encoder, refined: the decoder as trained; refitted, "
        "best of starts: after the EM rounds. The difference is paired over test cells, ± its standard error. "
        "Processor seconds of one thread.\n\n" + table(columns, rows) + "\n\n" + "\n".join(notes) + "\n\n"
    )
    write_section("Refined positions", text + conditions("python -m benchmarks.refined --data FOLDER"))


if __name__ == "__main__":
    main()
