"""The deliberate bugs of benchmarks/mutations.py. Add one whenever a formula is added.

A text to be changed is as short as it can be while it stands in its file once, so that other changes leave it alone.
"""

from typing import NamedTuple


class Bug(NamedTuple):
    """One mistake someone could make."""

    name: str
    file: str
    old: str
    new: str
    breaks: str  # what is wrong then
    tests: tuple[str, ...]  # those that should notice


LIKELIHOOD, LDVAE = "ldvae_core/model/likelihood.py", "ldvae_core/model/ldvae.py"
PRIORS, FAMILIES = "ldvae_core/model/priors.py", "ldvae_core/model/families.py"
TRAINING, ANALYSIS, RUNS = "ldvae_core/training", "ldvae_core/analysis", "ldvae_core/runs"

EXACT = ("tests/model/test_likelihood.py::test_a_likelihood_is_exact_in_double_precision",)
WHOLE = "tests/model/test_exactness.py"  # the whole ELBO
LOSS = (f"{WHOLE}::test_the_loss_weighs_the_factors_kl_only",)
DROPOUT = (f"{WHOLE}::test_dropout_leaves_the_posterior_where_it_is_on_average",)
GRADIENT = (f"{WHOLE}::test_the_gradient_of_the_whole_elbo_is_exact",)
OUTSIDER = (f"{WHOLE}::test_an_outsider_finds_the_same_reconstruction_error",)
CLOSED_FORM = ("tests/model/test_ldvae.py::test_batch_norm_in_closed_form_is_batch_norm",)
KL = (
    f"{WHOLE}::test_kl_of_a_model_agrees_with_monte_carlo",
    f"{WHOLE}::test_kl_in_closed_form_agrees_with_the_integral",
)
FUSED, ENGINES = ("tests/training/test_fused.py",), ("tests/training/test_engines.py",)
STANDARDISE, CONFIG = ("tests/training/test_standardise.py",), ("tests/model/test_config.py",)
GAIN, DISPERSION = ("tests/analysis/test_gain.py",), ("tests/model/test_dispersion.py",)
BASELINES = ("tests/model/test_baselines.py",)
BASELINE_RUNS = ("tests/runs/test_execute.py::test_a_baseline_learns_nothing_from_test_cells",)
BOUNDS, RULES = ("tests/training/test_bounds.py",), ("tests/training/test_rules.py",)
SETTLES = ("tests/training/test_loop.py::test_dropout_ends_before_the_run_does",)
SCHEDULE = ("tests/training/test_loop.py::test_the_kl_weight_rises_by_steps_and_reaches_one",)
CURVES = ("tests/training/test_loop.py::test_the_curves_are_complete_and_in_nats_per_cell",)
REPORTED = ("tests/test_command_line.py::test_a_stranger_recomputes_the_reported_error",)
INVARIANCE = "tests/training/test_invariance.py"
DENSE = (f"{INVARIANCE}::test_a_minibatch_is_the_dense_rows_of_its_cells",)
BITS = (f"{INVARIANCE}::test_the_same_seed_gives_the_same_bits_paused_or_not",)
FACTORS, IMPORTANCE = ("tests/analysis/test_factors.py",), ("tests/analysis/test_importance.py",)
REFINE, REFIT = ("tests/training/test_refine.py",), ("tests/training/test_refit.py",)
UNCERTAINTY, ROTATION = ("tests/analysis/test_uncertainty.py",), ("tests/analysis/test_rotation.py",)
MATCHING, METRICS = ("tests/analysis/test_matching.py",), ("tests/analysis/test_metrics.py",)

OF_THE_MODEL = [
    Bug("kl-sign", LDVAE, "self.reconstruction_error + kl_weight", "self.reconstruction_error - kl_weight",
        "sign of the KL in the loss", LOSS),
    Bug("kl-variance", PRIORS, "log_variance.exp()) / prior_variance", "(0.5 * log_variance).exp()) / prior_variance",
        "standard deviation for variance in the KL", KL),
    Bug("kl-entropy", PRIORS, "squares - 1.0 - log_variance", "squares - 1.0 + log_variance",
        "sign of the posterior's entropy in the KL", KL),
    Bug("kl-library-prior", LDVAE, "normal_kl(mean, log_variance, *self.log_library_prior)",
        "normal_kl(mean, log_variance)", "library size judged by N(0, 1)", KL),
    Bug("lgamma", LIKELIHOOD, "torch.lgamma(theta) - torch.lgamma(counts + 1)", "torch.lgamma(theta)",
        "missing lgamma term", EXACT),
    Bug("theta-inverted", LIKELIHOOD, "log_theta.exp(), log_mean - log_theta",
        "(-log_theta).exp(), log_mean + log_theta", "dispersion for inverse dispersion", EXACT),
    Bug("theta-weight", LIKELIHOOD, "- theta * softplus(log_ratio)", "- softplus(log_ratio)",
        "theta missing before the logarithm", EXACT),
    Bug("poisson-constant", LIKELIHOOD, "log_mean.exp() - torch.lgamma(counts + 1)", "log_mean.exp()",
        "Poisson without log x!", EXACT),
    Bug("zero-logit-sign", LIKELIHOOD, "kept = log_nb - softplus(zero_logit)", "kept = log_nb - softplus(-zero_logit)",
        "share of kept counts for that of lost ones", EXACT),
    Bug("zero-only", LIKELIHOOD, "torch.where(counts == 0, at_zero, kept)", "at_zero + 0 * kept",
        "every count as likely as a zero", EXACT),
    Bug("library", LDVAE, "return batch.library_size.log(), ", "return batch.library_size.log1p(), ",
        "wrong library size", OUTSIDER),
    Bug("library-per-gene", LDVAE, "logits.log_softmax(dim=-1) + log_library[:, None]",
        "logits.log_softmax(dim=-1) + log_library.mean()", "one library size for all cells", OUTSIDER),
    Bug("softmax-axis", LDVAE, "log_mean = logits.log_softmax(dim=-1)",
        "log_mean = logits.log_softmax(dim=0)", "softmax over cells", OUTSIDER),
    Bug("not-on-simplex", PRIORS, "values.softmax(dim=-1)", "values.sigmoid()",
        "logistic-normal usages do not sum to 1", OUTSIDER),
    Bug("batch-norm-mode", LDVAE, "self.folded(z if self.training else None)", "self.folded(z)",
        "minibatch moments when scoring", OUTSIDER),
    Bug("fold-slope-only", LDVAE, "self.intercept - scale * (self.loadings @ mean)", "self.intercept",
        "batch norm folded into the loadings only", OUTSIDER),
    Bug("covariance-divisor", LDVAE, "centred.T @ centred / z.shape[0]", "centred.T @ centred / (z.shape[0] - 1)",
        "closed-form batch norm with n - 1", CLOSED_FORM),
    Bug("covariates-not-centred", LDVAE, "part - part.mean(dim=1, keepdim=True) for part", "part for part",
        "covariates' effects trade constants with the intercept", OUTSIDER),
    Bug("log1p", LDVAE, "inputs = torch.log1p(batch.counts)", "inputs = batch.counts",
        "encoder sees raw counts", OUTSIDER),
    Bug("draw-without-half", LDVAE, "return mean + noise * (0.5 * log_variance).exp()",
        "return mean + noise * log_variance.exp()", "variance for standard deviation in the draw", OUTSIDER),
    Bug("dropout-scale", LDVAE, "dropout_bound(self.dropout)) / (1 - self.dropout)", "dropout_bound(self.dropout))",
        "kept units not scaled up", DROPOUT),
    Bug("dropout-bound", LDVAE, "round(dropout * 2**16) - 2**15", "round(dropout * 2**16)",
        "more than half of the units silenced", DROPOUT),
    Bug("dropout-stays", f"{TRAINING}/schedule.py", "step < (1 - SETTLING) * n_steps", "step < n_steps",
        "dropout to the very end", SETTLES),
    Bug("short-rate", "ldvae_core/model/config.py", "FIRST_PASS_UPDATES / n_updates", "n_updates / FIRST_PASS_UPDATES",
        "long runs take the longer steps", CONFIG),
    Bug("gradient-cut", LDVAE, "-self.log_likelihood(z, batch, log_library, in_pieces=in_pieces)",
        "-self.log_likelihood(z.detach(), batch, log_library, in_pieces=in_pieces)", "no gradient through z", GRADIENT),
]  # fmt: skip

OF_TRAINING = [
    Bug("kl-schedule", f"{TRAINING}/schedule.py", "(step + 1) / rising", "(step + 1) / n_steps",
        "KL weight reaches 1 at the very end", SCHEDULE),
    Bug("kl-by-epoch", f"{TRAINING}/loop.py", "kl_weight(step, n_steps,", "kl_weight(state.epochs_done, n_steps,",
        "KL warm-up counted in epochs", RULES),
    Bug("elbo-weighted", f"{TRAINING}/loop.py", "elbo = -(error + kl)", "elbo = -(error + weight * kl)",
        "reported ELBO at the warm-up's KL weight", CURVES),
    Bug("norms-not-refreshed", f"{TRAINING}/loop.py", "        self._finish()\n        return answer",
        "        return answer", "running statistics lag", RULES),
    Bug("validation-leak", f"{TRAINING}/loop.py", "np.flatnonzero(split == VALIDATION)",
        "np.flatnonzero(split == TRAIN)", "stopping judged on training cells", RULES),
    Bug("train-leak", f"{TRAINING}/loop.py", "self.train_cells = np.flatnonzero(split == TRAIN)",
        "self.train_cells = np.flatnonzero(split >= TRAIN)", "training sees held-out cells", RULES),
    Bug("test-leak", f"{RUNS}/execute.py", "np.flatnonzero(split == TEST)", "np.flatnonzero(split != TEST)",
        "test figures on training cells", REPORTED),
    Bug("start-theta", f"{TRAINING}/initial_values.py", "theta.clip(LOWEST_THETA, HIGHEST_THETA)",
        "(1 / theta).clip(LOWEST_THETA, HIGHEST_THETA)", "inverse dispersion starts inverted", RULES),
    Bug("sixteen-bits", f"{TRAINING}/minibatches.py", "counts.data.max() < 2**15", "counts.data.max() < 2**16",
        "counts above 32,767 turn negative", DENSE),
    Bug("sparse-rows", f"{TRAINING}/minibatches.py", "self.starts[cells + 1] - first",
        "self.starts[cells + 1] - first - 1", "the last count of every cell is lost", DENSE),
    Bug("resume-noise", f"{TRAINING}/loop.py", 'self.noise.set_state(snapshot["noise"])', "pass",
        "a resumed run draws other numbers", BITS),
    Bug("fused-theta-gradient", f"{TRAINING}/fused.py", "-(weight @ residual) - theta", "-(weight @ residual) + theta",
        "gradient of theta in the fast path", FUSED),
    Bug("fused-row-sum", f"{TRAINING}/fused.py", "residual.sum(dim=1) / library_size", "residual.sum(dim=1)",
        "softmax back-propagation in the fast path", FUSED),
    Bug("rising-slope", f"{TRAINING}/fused.py", "@ (theta * (digamma", "@ (1.0 * (digamma",
        "slope of the rising factorials' table", FUSED),
    Bug("rising-mean", f"{TRAINING}/fused.py", "error - rising_factorials(log_theta)",
        "error + rising_factorials(log_theta)", "sign of the rising factorials", FUSED),
    Bug("iwll-without-q", f"{TRAINING}/score.py", "sum(dim=1) - log_q", "sum(dim=1)",
        "IWLL without log q", BOUNDS),
    Bug("iwll-prior", f"{TRAINING}/score.py", "(value - prior_mean).square() / prior_variance",
        "(value - prior_mean).square()", "prior's variance missing in the weights", BOUNDS),
    Bug("iwll-normalisation", f"{TRAINING}/score.py", "weights.logsumexp(dim=0) - math.log(draws)",
        "weights.logsumexp(dim=0)", "a sum for the mean of the weights", BOUNDS),
    Bug("usage-of-the-mean", f"{TRAINING}/score.py", "draws.mean(dim=0), draws.var(dim=0)",
        "centre.softmax(dim=-1), draws.var(dim=0)", "softmax of the mean for the mean of the softmax", RULES),
    Bug("prior-without-cells", f"{TRAINING}/engine.py", "1.0 / (n_train * config.weight_prior_sd**2)",
        "1.0 / config.weight_prior_sd**2", "a prior as strong as the cells' likelihood", ENGINES),
    Bug("prior-of-the-intercept", f"{TRAINING}/engine.py", '"encoder.outputs.weight")',
        '"encoder.outputs.weight", "decoder.intercept")', "rare genes pulled to log fraction 0", ENGINES),
    Bug("prior-under-batch-norm", f"{TRAINING}/engine.py", "if not normed else", "if True else",
        "a prior on loadings whose size means nothing", ENGINES),
    Bug("prior-by-autograd", f"{TRAINING}/engine.py", '"weight_decay": decay}', '"weight_decay": config.weight_decay}',
        "no prior in the slower path", ENGINES),
    Bug("adam-moments-swapped", f"{TRAINING}/engine.py", '"exp_avg": "mean", "exp_avg_sq": "square"',
        '"exp_avg": "square", "exp_avg_sq": "mean"', "a resumed run mixes up Adam's moments", ENGINES),
    Bug("norms-lag", f"{TRAINING}/standardise.py", "norm.momentum = None", "pass",
        "running statistics of the last minibatches", RULES),
    Bug("norms-with-dropout", f"{TRAINING}/standardise.py", "encoder.dropout = 0.0", "pass",
        "statistics of z under dropout", STANDARDISE),
    Bug("shift-lost", f"{TRAINING}/standardise.py", "decoder.intercept.double() + decoder.loadings.double() @ centre",
        "decoder.intercept.double()", "z moved without the intercept", STANDARDISE),
    Bug("root-inverted", f"{TRAINING}/standardise.py", "decoder.loadings.double() @ root",
        "decoder.loadings.double() @ inverse", "loadings shrink where they should grow", STANDARDISE),
    Bug("means-only", f"{TRAINING}/standardise.py", " + variance.mean(dim=0).diag()", "",
        "the posterior's own variance left out of z's", STANDARDISE),
    Bug("not-widened", f"{TRAINING}/standardise.py", "outputs.bias[n_factors:].double() + widening",
        "outputs.bias[n_factors:].double()", "posterior variances in the old units", STANDARDISE),
    Bug("norm-in-old-units", f"{TRAINING}/standardise.py", "inverse @ decoder.z_covariance.double() @ inverse",
        "decoder.z_covariance.double()", "batch norm's covariance in the old units", STANDARDISE),
    Bug("gpu-minibatch", "ldvae_core/model/config.py", "cells / (2 * size) >=", "cells / size >=",
        "half the updates of a first pass", CONFIG),
    Bug("rate-of-the-minibatch", "ldvae_core/model/config.py", "math.sqrt(minibatch_size / REFERENCE_MINIBATCH)",
        "(minibatch_size / REFERENCE_MINIBATCH)", "learning rate grows with the minibatch, not its root", CONFIG),
    Bug("counts-of-others", f"{TRAINING}/minibatches.py", "np.add.reduceat(self._lengths[cells]",
        "np.add.reduceat(self._lengths", "how many counts a minibatch has, by its place", DENSE),
]  # fmt: skip

OF_COMPARISONS = [
    Bug("theta-slope", "ldvae_core/model/dispersion.py", " + share.sum(axis=0)", "",
        "a term of the slope in theta missing", DISPERSION),
    Bug("newton-sign", "ldvae_core/model/dispersion.py", "log_theta - slope /", "log_theta + slope /",
        "Newton's steps go downhill", DISPERSION),
    Bug("newton-curvature", "ldvae_core/model/dispersion.py", "theta * first + theta**2 * second",
        "theta**2 * second", "curvature in theta for that in log theta", DISPERSION),
    Bug("theta-bound", "ldvae_core/model/dispersion.py", "= np.log(MIN_THETA), np.log(MAX_THETA)",
        "= np.log(MIN_THETA), -np.log(MIN_THETA)", "a Poisson gene's inverse dispersion stops too early", DISPERSION),
    Bug("levels-not-centred", LDVAE, "centred_levels(self.dispersion_levels, self.level_counts).T",
        "self.dispersion_levels.T", "levels trade constants with the gene's inverse dispersion", DISPERSION),
    Bug("baseline-leak", f"{RUNS}/baseline.py", "learned = x[train]", "learned = x",
        "baselines fitted to held-out cells", BASELINE_RUNS),
    Bug("pca-centre", "ldvae_core/model/baselines.py", " - self.centre @ axes", "", "positions not centred", BASELINES),
    Bug("pca-log", "ldvae_core/model/baselines.py", "np.expm1(self.centre", "np.exp(self.centre",
        "one molecule too many in every gene", BASELINES),
    Bug("nmf-refits", "ldvae_core/model/baselines.py", "self.model.transform(", "self.model.fit_transform(",
        "held-out cells are fitted, not placed", BASELINES),
    Bug("nmf-usages", "ldvae_core/model/baselines.py", ".astype(np.float64)) * totals", ".astype(np.float64))",
        "usages are no shares of molecules", BASELINES),
    Bug("mean-of-shares", "ldvae_core/data/counts.py", "counts.indices[entries], weights=counts.data[entries],",
        "counts.indices[entries],", "cells with a gene counted, not molecules", BASELINES),
    Bug("gain-unpaired", f"{ANALYSIS}/gain.py", "gain, gain_se = mean_and_error(bound - null.log_likelihood(counts))",
        "gain, gain_se = (bound - null.log_likelihood(counts)).mean(), mean_and_error(bound)[1]",
        "the error of a gain counts what all cells share", GAIN),
    Bug("gain-without-chance", f"{ANALYSIS}/gain.py", " and beyond > SURE * beyond_se", "",
        "knowing the total passes for structure", GAIN),
    Bug("chance-worse", f"{ANALYSIS}/gain.py", "return max(ways", "return min(ways", "the worse way of chance", GAIN),
    Bug("chance-total", f"{ANALYSIS}/gain.py", "(fraction**2 / theta).sum()", "(fraction / theta).sum()",
        "variance of a cell's total", GAIN),
    Bug("null-library", f"{ANALYSIS}/gain.py", "variance + np.log(2 * np.pi * variance)) - log_size",
        "variance + np.log(2 * np.pi * variance))", "density of the log for that of the library size", GAIN),
]  # fmt: skip

AFTER_TRAINING = [
    Bug("varimax-direction", f"{ANALYSIS}/factors.py", "    weights = weights @ rotation\n",
        "    weights = weights @ rotation.T\n", "Z turned by R, W by its inverse", FACTORS),
    Bug("not-varimax", f"{ANALYSIS}/rotation.py", "squares - squares.mean(axis=0)", "squares",
        "another criterion than varimax", ROTATION),
    Bug("axes-of-one-cell", f"{ANALYSIS}/rotation.py", "weight**2 * spread / n", "weight**2 * spread",
        "axes as unsure as one cell's", ROTATION),
    Bug("axes-of-genes", f"{ANALYSIS}/rotation.py", "weight**2 * spread / n", "weight * spread / n",
        "weight of the genes' spread not squared", ROTATION),
    Bug("axes-of-chance", f"{ANALYSIS}/rotation.py", "np.minimum(variance, RANDOM_ANGLE)", "variance",
        "an axis of which nothing is known turns without end", ROTATION),
    Bug("axes-known", f"{ANALYSIS}/factors.py", "errors**2 + weights**2 @ shared", "errors**2",
        "errors as if the axes were given", ROTATION),
    Bug("axes-known-when-shrunken", f"{ANALYSIS}/factors.py", "shrunken.sd**2 + shrunken.mean**2 @ shared",
        "shrunken.sd**2", "intervals as if the axes were given", ROTATION),
    Bug("sign", f"{ANALYSIS}/factors.py", "column_moments(z)[2] < 0", "column_moments(z)[2] > 0",
        "the heavier tail is negative", FACTORS),
    Bug("usage-flipped", f"{ANALYSIS}/factors.py", " if may_flip else np.zeros(z.shape[1], bool)", "",
        "logistic-normal factors are flipped", FACTORS),
    Bug("not-centred", f"{ANALYSIS}/factors.py", "weights = weights - weights.mean(axis=0)", "weights = weights + 0.0",
        "loadings not centred over genes", FACTORS),
    Bug("null-model", f"{ANALYSIS}/importance.py", "null_bias = _log_mean_fraction(counts, split)",
        "null_bias = np.zeros(counts.shape[1])", "deviance against equal fractions", IMPORTANCE),
    Bug("deviance-share", f"{ANALYSIS}/importance.py", "return 2 * losses", "return losses",
        "half the explained deviance", IMPORTANCE),
    Bug("importance-leak", f"{ANALYSIS}/importance.py", "for share in (2, 1):", "for share in (0, 1):",
        "explained deviance on training cells", IMPORTANCE),
    Bug("information", FAMILIES, "mean / (1 + mean /", "mean * (1 + mean /",
        "information grows with overdispersion", UNCERTAINTY),
    Bug("error-squared", f"{ANALYSIS}/uncertainty.py", "np.sqrt(np.maximum(variance, 0.0))",
        "np.maximum(variance, 0.0)", "variances for standard errors", UNCERTAINTY),
    Bug("shrinkage", f"{ANALYSIS}/uncertainty.py", "keep = prior_variance / total", "keep = 1 - prior_variance / total",
        "what is noise is kept", UNCERTAINTY),
    Bug("position-known", f"{ANALYSIS}/uncertainty.py", "weight /= 1 + weight *", "weight /= 1 + 0 * weight *",
        "positions taken as known", UNCERTAINTY),
    Bug("moments-halved", f"{ANALYSIS}/uncertainty.py", "/ (4 * n_cells)", "/ (2 * n_cells)",
        "twice the variance of the unit of an axis", UNCERTAINTY),
    Bug("newton-without-softmax", f"{TRAINING}/refine.py", "curvature + residual.sum(dim=1, keepdim=True) * fraction,",
        "curvature,", "the softmax left out of the Hessian", REFINE),
    Bug("refine-falls", f"{TRAINING}/refine.py", "good = higher >= height[active[left]]",
        "good = higher > -math.inf", "steps that lower the objective", REFINE),
    Bug("refit-units", f"{TRAINING}/refit.py", "(loadings - loadings.mean(dim=0)) @ root",
        "loadings - loadings.mean(dim=0)", "loadings in other units than the positions", REFIT),
    Bug("shrunken-spread", f"{ANALYSIS}/uncertainty.py", "keep * noise[:, None] ** 2", "keep * noise[:, None]",
        "posterior spread of a loading", UNCERTAINTY),
    Bug("signed-matching", f"{ANALYSIS}/matching.py", "linear_sum_assignment(-np.abs(cosine))",
        "linear_sum_assignment(-cosine)", "a flipped factor finds no partner", MATCHING),
    Bug("reported-constants", FAMILIES, "gammaln(x + theta) - gammaln(theta) - gammaln(x + 1)",
        "gammaln(x + theta) - gammaln(theta)", "reported error without log x!", METRICS),
    Bug("reported-theta", FAMILIES, "        terms *= _given(theta)", "        terms *= 1",
        "reported error without theta before the logarithm", METRICS),
]  # fmt: skip

BUGS = [*OF_THE_MODEL, *OF_TRAINING, *OF_COMPARISONS, *AFTER_TRAINING]
