"""What must not matter: how counts are stored, the order of cells, the order of genes, a pause."""

import copy
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from scipy import sparse

from ldvae_core.analysis.factors import build_factors
from ldvae_core.analysis.metrics import reconstruction_error
from ldvae_core.data.split import split_cells
from ldvae_core.model.ldvae import Minibatch
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.reports import Reports
from ldvae_core.training.score import reconstruction_errors, represent

CPU = torch.device("cpu")
BY_GENE = ("decoder.loadings", "decoder.intercept", "decoder.covariate_loadings", "decoder.gain", "log_theta")


@pytest.mark.parametrize("largest", [9, 40_000, 70_000], ids=["small", "above 15 bits", "above 16 bits"])
def test_a_minibatch_is_the_dense_rows_of_its_cells(largest):
    """In any order, again and again, empty cells and unsorted columns included, whatever the integers' width."""
    rng = np.random.default_rng(0)
    dense = rng.integers(0, largest + 1, (30, 17)) * (rng.random((30, 17)) < 0.3)
    dense[4], dense[5, 3] = 0, largest
    counts = sparse.csr_matrix(dense)
    for row in range(30):
        turned = slice(counts.indptr[row], counts.indptr[row + 1])
        counts.indices[turned], counts.data[turned] = counts.indices[turned][::-1], counts.data[turned][::-1]
    source = MinibatchSource(counts, dense.sum(axis=1) + 1, np.arange(60.0).reshape(30, 2), CPU)
    for cells in ([5, 4, 29, 0], list(range(30)), [4]):
        batch = source.minibatch(torch.tensor(cells))
        assert np.array_equal(batch.counts.numpy(), dense[cells])
        assert np.array_equal(batch.library_size.numpy(), dense[cells].sum(axis=1) + 1)
        assert np.array_equal(batch.covariates.numpy(), np.arange(60.0).reshape(30, 2)[cells])


@pytest.mark.parametrize("likelihood", ["nb", "poisson", "zinb"])
def test_sparse_counts_have_the_elbo_of_dense_ones(few_cells, trainer_for, likelihood):
    """The model sees no difference between the minibatch handed out and the same rows made dense by scipy."""
    trainer, counts = trainer_for(few_cells, model={"likelihood": likelihood}), few_cells.counts
    model, cells = trainer.model.eval(), torch.arange(50, 150)
    dense = torch.from_numpy(counts.counts[50:150].toarray().astype(np.float32))
    by_hand = Minibatch(dense, torch.from_numpy(counts.library_size[50:150]).float(), torch.empty(100, 0))
    with torch.no_grad():
        ours, theirs = (model.elbo(batch, numbers()) for batch in (trainer.source.minibatch(cells), by_hand))
    assert torch.equal(ours.reconstruction_error, theirs.reconstruction_error)
    assert torch.equal(ours.kl_factors, theirs.kl_factors)


def numbers() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def genes_reordered(planted, order: np.ndarray):
    counts = planted.counts
    names = counts.gene_names[order]
    return replace(planted, counts=replace(counts, counts=sparse.csr_matrix(counts.counts[:, order]), gene_names=names))


def cells_reordered(planted, order: np.ndarray):
    counts = planted.counts
    return replace(
        planted,
        counts=replace(
            counts,
            counts=sparse.csr_matrix(counts.counts[order]),
            cell_ids=counts.cell_ids[order],
            annotations=counts.annotations.iloc[order],
        ),
    )


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "plain path"])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch norm"])
def test_the_order_of_genes_does_not_matter_to_training(few_cells, trainer_for, fast, batch_norm):
    """The same start, its genes reordered, is trained to the same ELBO and to the same weights, reordered."""
    settings = {"model": {"batch_norm": batch_norm}, "fast": fast, "n_epochs": 4}
    order = np.random.default_rng(0).permutation(few_cells.counts.n_genes)
    trainer, other = trainer_for(few_cells, **settings), trainer_for(genes_reordered(few_cells, order), **settings)
    weights = copy.deepcopy(trainer.model.state_dict())
    weights |= {name: weights[name][order] for name in BY_GENE}
    weights["encoder.hidden.weight"] = weights["encoder.hidden.weight"][:, order]
    other.model.load_state_dict(weights)
    for each in (trainer, other):
        each.train()
    elbos = [[point.validation_elbo for point in each.state.history] for each in (trainer, other)]
    assert elbos[1] == pytest.approx(elbos[0], rel=1e-4)
    assert torch.allclose(other.model.decoder.loadings, trainer.model.decoder.loadings[order], atol=1e-2)


class SameCells:
    """Shuffles as another trainer does, and names its cells by their rows here."""

    def __init__(self, other, row_of: np.ndarray) -> None:
        self.cells, self.row_of, self.generator = other.train_cells, row_of, np.random.default_rng([0, 2])
        self.bit_generator = self.generator.bit_generator

    def permutation(self, cells: np.ndarray) -> np.ndarray:
        assert set(cells) == set(self.row_of[self.cells])
        return self.row_of[self.generator.permutation(self.cells)]


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "plain path"])
def test_the_order_of_cells_does_not_matter_to_training(few_cells, trainer_for, monkeypatch, fast):
    """Cells in other rows, the split with them, visited in the same sequence: the same curves and the same weights."""
    order, trainers = np.random.default_rng(0).permutation(few_cells.counts.n_cells), []
    split, row_of = split_cells(few_cells.counts.n_cells, seed=0), np.argsort(order)
    for planted, shares in ((few_cells, split), (cells_reordered(few_cells, order), split[order])):
        monkeypatch.setattr("tests.training.conftest.split_cells", lambda n, seed, shares=shares: shares)
        trainers.append(trainer_for(planted, fast=fast, n_epochs=4))
    trainers[0].shuffle = SameCells(trainers[0], np.arange(len(order)))
    trainers[1].shuffle = SameCells(trainers[0], row_of)
    trainers[1].validation_cells = row_of[trainers[0].validation_cells]
    for trainer in trainers:
        trainer.train()
    one, other = ([(point.train_elbo, point.validation_elbo) for point in each.state.history] for each in trainers)
    np.testing.assert_allclose(other, one, rtol=1e-5)
    assert torch.allclose(trainers[1].model.decoder.loadings, trainers[0].model.decoder.loadings, atol=1e-4)


def test_the_scores_of_reordered_cells_are_the_scores_reordered(few_cells, trainer_for):
    """Representation and reconstruction error belong to the cell, not to its row."""
    order = np.random.default_rng(0).permutation(few_cells.counts.n_cells)
    trainer = trainer_for(few_cells, n_epochs=2)
    trainer.train()
    z, errors, cells = [], [], np.arange(len(order))
    for source in (trainer.source, trainer_for(cells_reordered(few_cells, order)).source):
        z.append(represent(trainer.model, source).mean)
        errors.append(reconstruction_errors(trainer.model, source, cells, z[-1]))
    np.testing.assert_allclose(z[1], z[0][order], atol=1e-5)
    np.testing.assert_allclose(errors[1], errors[0][order], rtol=1e-6)


def shown(planted, cells: np.ndarray, genes: np.ndarray, axes: str):
    """The planted truth as Factors, of cells and genes in this order."""
    counts = planted.counts
    return build_factors(
        representation=planted.representation[cells], posterior_variance=np.full(planted.representation.shape, 0.1),
        loadings=planted.loadings[genes], intercept=planted.intercept[genes],
        inverse_dispersion=planted.inverse_dispersion[genes], counts=sparse.csr_matrix(counts.counts[cells][:, genes]),
        library_size=counts.library_size[cells], split=split_cells(counts.n_cells, seed=0)[cells], prior="normal",
        axes=axes, gene_names=counts.gene_names[genes],
    )  # fmt: skip


@pytest.mark.parametrize("axes", ["readable", "as_trained"])
def test_factors_of_reordered_cells_and_genes_are_the_factors_reordered(planted, axes):
    """Axes, signs, order, standard errors, shrinkage, explained deviance: none of them looks at a row's number."""
    rng = np.random.default_rng(0)
    cells, genes = (rng.permutation(n) for n in (planted.counts.n_cells, planted.counts.n_genes))
    plain = shown(planted, np.arange(len(cells)), np.arange(len(genes)), axes)
    other = shown(planted, cells, genes, axes)
    np.testing.assert_allclose(other.representation, plain.representation[cells], atol=1e-4)
    for name in ("loadings", "loadings_se", "loadings_shrunken", "loadings_shrunken_sd", "intercept"):
        np.testing.assert_allclose(getattr(other, name), getattr(plain, name)[genes], atol=1e-4, err_msg=name)
    np.testing.assert_allclose(other.explained_deviance, plain.explained_deviance, atol=1e-6)
    assert other.active.tolist() == plain.active.tolist()


def test_the_reported_error_belongs_to_the_cell(planted):
    """Cells reordered give it reordered; genes reordered leave it."""
    rng, counts = np.random.default_rng(0), planted.counts
    cells, genes = (rng.permutation(n) for n in (counts.n_cells, counts.n_genes))
    by_gene = (planted.loadings, planted.intercept, planted.inverse_dispersion)
    plain = reconstruction_error(counts.counts, planted.representation, *by_gene)
    turned = sparse.csr_matrix(counts.counts[cells][:, genes])
    other = reconstruction_error(turned, planted.representation[cells], *(values[genes] for values in by_gene))
    np.testing.assert_allclose(other, plain[cells], rtol=1e-10)


def left_behind(trainer) -> tuple[list, list[np.ndarray]]:
    """History without its seconds; weights and representation."""
    history = [{k: v for k, v in asdict(point).items() if k != "seconds"} for point in trainer.state.history]
    weights = [value.numpy() for value in trainer.model.state_dict().values()]
    return history, [*weights, *represent(trainer.model, trainer.source)]


@pytest.mark.parametrize(
    "model", [{}, {"prior": "logistic_normal", "batch_norm": True}, {"library": "latent"}], ids=str
)
def test_the_same_seed_gives_the_same_bits_paused_or_not(few_cells, trainer_for, monkeypatch, model):
    """History, weights and representation of three runs: two unbroken, one paused in the middle of an epoch."""
    monkeypatch.setattr("ldvae_core.training.loop.SECONDS_BETWEEN_TICKS", -1.0)
    runs = [trainer_for(few_cells, model=model, n_epochs=6, minibatch_size=32) for _ in range(4)]
    answers = iter(["go"] * 20 + ["pause"])
    assert runs[0].train(Reports(on_tick=lambda progress, model: next(answers))) == "pause"
    runs[1].restore(runs[0].snapshot())
    assert 0 < runs[1].state.epochs_done < 6
    for trainer in runs[1:]:
        trainer.train()
    (history, arrays), *others = map(left_behind, runs[1:])
    for other_history, other_arrays in others:
        assert other_history == history
        assert all(np.array_equal(a, b) for a, b in zip(arrays, other_arrays, strict=True))
