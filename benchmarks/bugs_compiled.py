"""The deliberate bugs of benchmarks/mutations.py in the compiled step: a gradient worked out by hand, in loops."""

from benchmarks.bugs import ENGINES, RULES, TRAINING, Bug

KERNELS, ENGINE = f"{TRAINING}/kernels.py", f"{TRAINING}/cpu_engine.py"
BY_HAND = tuple(
    f"{ENGINES[0]}::{name}"
    for name in ("test_the_error_of_the_loops_is_scipys", "test_the_compiled_gradient_is_autograds",
                 "test_log_variances_stay_within_their_limits")
)  # fmt: skip

OF_THE_COMPILED_STEP = [
    Bug("compiled-theta-gradient", KERNELS, "(sums[g] + FLOAT(in_logarithms))", "(sums[g] - FLOAT(in_logarithms))",
        "gradient of theta in the compiled path", BY_HAND),
    Bug("compiled-theta-factor", KERNELS, "FLOAT(in_logarithms)", "FLOAT(log_sums[g])",
        "factor theta missing in d log theta", BY_HAND),
    Bug("compiled-share", KERNELS, "share * row[g] - r", "-r", "softmax's share of the gradient dropped", BY_HAND),
    Bug("compiled-product-kept", KERNELS, "    _fold_logarithms(product, log_sums)\n    for g",
        "    for g", "the last cells' product of (1 + t) is lost", BY_HAND),
    Bug("compiled-product-too-long", KERNELS, "int(690.0 /", "int(6900.0 /", "the product of (1 + t) overflows",
        BY_HAND),
    Bug("compiled-small-product", KERNELS, " < 1e-200:", " < 0.0:",
        "the product over a cell's counts underflows", BY_HAND),
    Bug("compiled-many-counts", KERNELS, "r = (x - m) * w", "r = x - m * w",
        "residual of a cell with many counts", BY_HAND),
    Bug("compiled-large-counts", KERNELS, "if x <= 3:", "if x <= 4:", "a count of 4 taken for less", BY_HAND),
    Bug("compiled-library", KERNELS, "library_size[cell]", "library_size[n]",
        "library size of the place in the minibatch, not of the cell", BY_HAND),
    Bug("compiled-first-layer", KERNELS, "y0, w0 = log1p[values[j]], weight[genes[j]]\n",
        "y0, w0 = log1p[values[j]], weight[j]\n", "the last counts of a cell read other genes' weights", BY_HAND),
    Bug("compiled-relu", KERNELS, "d[h] * kept if out[h] > 0 else FLOAT(0)", "d[h] * kept",
        "gradient through silenced units", BY_HAND),
    Bug("compiled-dropout", KERNELS, "out[h] * kept if chance", "out[h] if chance", "kept units not scaled up",
        BY_HAND),
    Bug("compiled-norm-term", KERNELS, " - x[h] * (d_gain[h] / n)", "", "batch norm's gradient through the variance",
        BY_HAND),
    Bug("compiled-running-variance", KERNELS, "variance[h] * unbiased", "variance[h]",
        "running variance divided by n", BY_HAND),
    Bug("compiled-limit", KERNELS, "min(max(posterior[n, n_factors + k], -limit), limit)",
        "posterior[n, n_factors + k]", "log-variance without limits", BY_HAND),
    Bug("compiled-limit-gradient", KERNELS, "slope if inside else 0.0", "slope", "gradient beyond the limits", BY_HAND),
    Bug("compiled-simplex", KERNELS, "(d_z[n, k] - shared)", "d_z[n, k]", "gradient through usages", BY_HAND),
    Bug("compiled-kl-weight", KERNELS, "weight = kl_weight / n_cells", "weight = 1.0 / n_cells",
        "gradient of the KL at weight 1", BY_HAND),
    Bug("compiled-table-slope", KERNELS, "u * 3 * cube)) / step", "u * cube)) / step",
        "slope of the rising factorials' table", BY_HAND),
    Bug("compiled-weight-decay", KERNELS, "gradient[i] + decay", "gradient[i] - decay",
        "weights grow instead of decaying", RULES),
    Bug("adam-start", KERNELS, "rate / (1.0 - 0.9**step)", "rate", "Adam's mean not corrected for its start", ENGINES),
    Bug("compiled-norm-gradient", ENGINE, "2.0 * d_variance * spread", "d_variance * spread",
        "gradient through closed-form batch norm", BY_HAND),
    Bug("compiled-moments", ENGINE, ".add_(through_moments)", "", "gradient through batch norm's moments of z",
        BY_HAND),
    Bug("compiled-covariance", ENGINE, "* (2.0 / n)", "* (1.0 / n)", "half the gradient through the covariance",
        BY_HAND),
    Bug("compiled-theta-bound", ENGINE, ".masked_fill_(log_theta != self.model.log_theta, 0.0)", "",
        "theta's gradient at its bound", ENGINES),
    Bug("compiled-validation-tables", ENGINE, "= _tables(rising), _tables(rising_validation)",
        "= _tables(rising), _tables(rising)", "validation error with the training cells' factorials", ENGINES),
    Bug("compiled-covariates", ENGINE, "part - part.mean(dim=0) for part", "part for part",
        "covariates' gradient not centred", BY_HAND),
]  # fmt: skip
