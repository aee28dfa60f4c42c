"""The loops of the fast path on processors, compiled by numba: plain arithmetic on arrays, no model, no state.

The mathematics stands at the head of cpu_engine.py, which strings these loops together. Everything is in single
precision but sums over cells. Two habits make them fast. Few counts stay sparse: the encoder's first layer touches only
genes with molecules, four at a time, and no logarithm is taken per entry, because a sum of logarithms is the logarithm
of a product. And loops over all genes hold nothing that keeps the compiler from working on eight numbers at once:
exp() and log() are polynomials, and where many counts are not zero they are read in place, from dense rows.

All loops stand in this one file because numba keeps compiled code by the file a function stands in: a helper changed in
another file would go unnoticed.

Code compiled in this process and code loaded from numba's cache give the same bits, because helpers are always inlined
(inline, _helper). A helper with a name of its own is kept twice, alone and once more optimised inside its caller;
the process that compiles runs the first, and every later process the second, whose sums have another order.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

FLOAT, INT = np.float32, np.int32
REORDER = {"contract", "arcp", "nsz", "afn", "reassoc"}  # sums may be taken eight at a time; NaN and infinity stay
MANY = 0.25  # share of entries with counts, above which walking through all genes at once is faster
CELLS_A_SUM = 128  # sums in single precision are taken over so many cells at most
LOWEST_EXPONENT = -87.0  # exp() of less is no normal number


def _compiled(**options: Any) -> Callable[[Callable], Callable]:
    """Division by zero gives infinity, as in numpy: the check for it would keep a loop from being vectorised.

    Where neither this folder nor the user's cache can be written to, every process compiles anew, to the same bits.
    """

    def compiled(function: Callable) -> Callable:
        try:
            return njit(error_model="numpy", cache=True, nogil=True, **options)(function)
        except RuntimeError:  # numba's word for a cache without a place
            return njit(error_model="numpy", nogil=True, **options)(function)

    return compiled


def _helper(**options: Any) -> Callable[[Callable], Callable]:
    """A loop that others call: see the head of this file."""
    return _compiled(forceinline=True, **options)


@_compiled(fastmath={"contract", "nsz"}, inline="always")
def _exp(x: float) -> float:
    """exp(x) for x <= 0 to 2 units in the last place: 2**n times a polynomial in the remainder (Cephes' scheme)."""
    n = np.floor(x * FLOAT(1.44269504) + FLOAT(0.5))
    r = x - n * FLOAT(0.693359375) + n * FLOAT(2.12194440e-4)
    p = FLOAT(1.9875691500e-4)
    p = p * r + FLOAT(1.3981999507e-3)
    p = p * r + FLOAT(8.3334519073e-3)
    p = p * r + FLOAT(4.1665795894e-2)
    p = p * r + FLOAT(1.6666665459e-1)
    p = p * r + FLOAT(5.0000001201e-1)
    power = INT((INT(n) + INT(127)) << INT(23)).view(FLOAT)
    return (p * r * r + r + FLOAT(1)) * power


@_compiled(fastmath={"contract", "nsz"}, inline="always")
def _log1p(x: float) -> float:
    """log(1 + x) for x >= 0 to 3 units in the last place: exponent, and a polynomial of the rest (Cephes' scheme).

    Below the square root of 2 the rest is x itself, of which nothing is lost in 1 + x.
    """
    bits = INT(FLOAT(FLOAT(1) + x).view(INT) + INT(0x3F800000 - 0x3F3504F3))
    power = INT((bits >> INT(23)) - INT(127))
    n = FLOAT(power)
    rest = INT((bits & INT(0x007FFFFF)) + INT(0x3F3504F3)).view(FLOAT) - FLOAT(1)
    r = x if power == 0 else rest
    square = r * r
    p = FLOAT(7.0376836292e-2)
    p = p * r + FLOAT(-1.1514610310e-1)
    p = p * r + FLOAT(1.1676998740e-1)
    p = p * r + FLOAT(-1.2420140846e-1)
    p = p * r + FLOAT(1.4249322787e-1)
    p = p * r + FLOAT(-1.6668057665e-1)
    p = p * r + FLOAT(2.0000714765e-1)
    p = p * r + FLOAT(-2.4999993993e-1)
    p = p * r + FLOAT(3.3333331174e-1)
    y = r * square * p + n * FLOAT(-2.12194440e-4) - FLOAT(0.5) * square
    return r + y + n * FLOAT(0.693359375)


@_helper(fastmath={"nnan", "nsz"})
def _top(row: np.ndarray) -> float:
    """The largest number of a row, kept in four places: no comparison waits for the one before it."""
    a = b = c = d = row[0]
    quarter = row.shape[0] // 4
    for g in range(quarter):
        a, b = max(a, row[g]), max(b, row[quarter + g])
        c, d = max(c, row[2 * quarter + g]), max(d, row[3 * quarter + g])
    for g in range(4 * quarter, row.shape[0]):
        a = max(a, row[g])
    return max(max(a, b), max(c, d))


@_helper(fastmath=REORDER)
def _exponentiate(row: np.ndarray, top: float) -> float:
    """row <- exp(row - top); returns the sum."""
    total = FLOAT(0)
    for g in range(row.shape[0]):
        e = _exp(max(row[g] - top, FLOAT(LOWEST_EXPONENT)))
        row[g] = e
        total += e
    return total


@_helper(fastmath=REORDER)
def _residuals_without_counts(
    row: np.ndarray, scale: float, inverse_theta: np.ndarray, residual: np.ndarray, product: np.ndarray
) -> float:
    """row <- m; residual <- -m / (1 + t); product <- product * (1 + t), t = m / theta; returns the residuals' sum."""
    total = FLOAT(0)
    for g in range(row.shape[0]):
        m = row[g] * scale
        r = -m / (FLOAT(1) + m * inverse_theta[g])
        row[g] = m
        residual[g] = r
        total += r
    for g in range(row.shape[0]):
        product[g] *= 1.0 + np.float64(row[g] * inverse_theta[g])
    return total


@_helper(fastmath=REORDER)
def _product_with_counts(row: np.ndarray, top: float, log_theta: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Sums over genes of x (logit - top - log theta), and of x."""
    total, molecules = FLOAT(0), FLOAT(0)
    for g in range(row.shape[0]):
        x = FLOAT(counts[g])
        total += x * (row[g] - top - log_theta[g])
        molecules += x
    return total, molecules


@_helper(fastmath=REORDER)
def _residuals_of_counts(
    row: np.ndarray,
    scale: float,
    inverse_theta: np.ndarray,
    counts: np.ndarray,
    residual: np.ndarray,
    log_sums: np.ndarray,
) -> tuple[float, float]:
    """row <- m; residual <- (x - m) / (1 + t); log_sums <- log_sums + log(1 + t), t = m / theta.

    Returns the sums of the residuals and of x log(1 + t).
    """
    total, logs = FLOAT(0), FLOAT(0)
    for g in range(row.shape[0]):
        m, x = row[g] * scale, FLOAT(counts[g])
        t = m * inverse_theta[g]
        log = _log1p(t)
        r = (x - m) / (FLOAT(1) + t)
        row[g] = m
        residual[g] = r
        total += r
        logs += x * log
        log_sums[g] += log
    return total, logs


@_helper(fastmath=REORDER)
def _add_counts(
    row: np.ndarray,
    inverse_theta: np.ndarray,
    genes: np.ndarray,
    values: np.ndarray,
    residual: np.ndarray,
) -> tuple[float, float]:
    """residual <- residual + x / (1 + t) where a cell has counts; the sums of x / (1 + t) and of x log(1 / (1 + t)).

    The logarithms are one: that of the product of (1 + t)**-x, taken before it leaves the range.
    """
    total, logs, product = FLOAT(0), 0.0, 1.0
    for j in range(genes.shape[0]):
        g, x = genes[j], FLOAT(values[j])
        w = FLOAT(1) / (FLOAT(1) + row[g] * inverse_theta[g])
        residual[g] += x * w
        total += x * w
        if x <= 3:
            product *= w
            if x >= 2:
                product *= w
            if x == 3:
                product *= w
            if product < 1e-200:
                logs += math.log(product)
                product = 1.0
        else:
            logs += x * math.log(w)
    return total, logs + math.log(product)


@_helper(fastmath=REORDER)
def _logit_gradient(
    row: np.ndarray, residual: np.ndarray, share: float, weight: float, sums: np.ndarray, gradient_sums: np.ndarray
) -> None:
    """row <- weight * (share * m - residual), the gradient of minus the log-likelihood; sums take up both."""
    for g in range(row.shape[0]):
        r = residual[g]
        d = weight * (share * row[g] - r)
        row[g] = d
        sums[g] += r
        gradient_sums[g] += d


@_helper(fastmath=REORDER)
def _fold_logarithms(product: np.ndarray, log_sums: np.ndarray) -> None:
    for g in range(product.shape[0]):
        log_sums[g] += math.log(product[g])
        product[g] = 1.0


@_helper(fastmath=REORDER)
def _fold_sums(short: np.ndarray, long: np.ndarray) -> None:
    for g in range(short.shape[0]):
        long[g] += short[g]
        short[g] = FLOAT(0)


@_helper(fastmath=REORDER)
def _theta_gradient(theta: np.ndarray, log_sums: np.ndarray, sums: np.ndarray, weight: float, out: np.ndarray) -> float:
    """out <- weight * (sums of residuals + theta * sums of log(1 + t)); returns the sum of the latter over genes."""
    value = 0.0
    for g in range(theta.shape[0]):
        in_logarithms = theta[g] * log_sums[g]
        value += in_logarithms
        out[g] = weight * (sums[g] + FLOAT(in_logarithms))
    return value


@_compiled(fastmath=REORDER)
def reconstruct(
    starts: np.ndarray,
    genes: np.ndarray,
    values: np.ndarray,
    cells: np.ndarray,
    library_size: np.ndarray,
    largest_library: float,
    logits: np.ndarray,
    log_theta: np.ndarray,
    d_intercept: np.ndarray,
    d_log_theta: np.ndarray,
) -> float:
    """Sum over cells of -log p(x | z) without R, and the gradient of its mean over cells; counts stay sparse.

    starts, genes, values: counts of all cells in compressed rows; cells (n,): those of this minibatch; library_size:
    of all cells, and its maximum; logits (n, genes): replaced by their gradient; d_intercept (genes,), d_log_theta
    (genes,): written.
    """
    n_cells, n_genes = logits.shape
    theta = np.exp(log_theta)
    inverse_theta = FLOAT(1) / theta
    residual, sums = np.empty(n_genes, FLOAT), np.zeros(n_genes, FLOAT)
    product, log_sums = np.ones(n_genes), np.zeros(n_genes)
    d_intercept[:] = FLOAT(0)
    weight = FLOAT(1.0 / n_cells)
    widest = 1.0 + largest_library * np.float64(inverse_theta.max())
    cells_a_product = max(1, int(690.0 / math.log(widest)))  # as many factors as surely stay below 1e308
    value = 0.0
    for n in range(n_cells):
        row, cell = logits[n], cells[n]
        first, last = starts[cell], starts[cell + 1]
        top, size = _top(row), library_size[cell]
        of_logits, molecules = 0.0, FLOAT(0)
        for j in range(first, last):
            g, x = genes[j], FLOAT(values[j])
            of_logits += x * (row[g] - top - log_theta[g])
            molecules += x
        scale = size / _exponentiate(row, top)
        total = _residuals_without_counts(row, scale, inverse_theta, residual, product)
        more, logs = _add_counts(row, inverse_theta, genes[first:last], values[first:last], residual)
        value -= of_logits + molecules * math.log(scale) + logs
        _logit_gradient(row, residual, (total + more) / size, weight, sums, d_intercept)
        if (n + 1) % cells_a_product == 0:
            _fold_logarithms(product, log_sums)
    _fold_logarithms(product, log_sums)
    return value + _theta_gradient(theta, log_sums, sums, weight, d_log_theta)


@_compiled(fastmath=REORDER)
def reconstruct_many(
    counts: np.ndarray,
    rows: np.ndarray,
    cells: np.ndarray,
    library_size: np.ndarray,
    logits: np.ndarray,
    log_theta: np.ndarray,
    d_intercept: np.ndarray,
    d_log_theta: np.ndarray,
) -> float:
    """The same for cells with many counts: row rows[n] of counts (any, genes) holds those of cell cells[n]."""
    n_cells, n_genes = logits.shape
    theta = np.exp(log_theta)
    inverse_theta = FLOAT(1) / theta
    residual, sums = np.empty(n_genes, FLOAT), np.zeros(n_genes, FLOAT)
    some_logs, log_sums = np.zeros(n_genes, FLOAT), np.zeros(n_genes)
    d_intercept[:] = FLOAT(0)
    weight = FLOAT(1.0 / n_cells)
    value = 0.0
    for n in range(n_cells):
        row, x, size = logits[n], counts[rows[n]], library_size[cells[n]]
        top = _top(row)
        of_logits, molecules = _product_with_counts(row, top, log_theta, x)
        scale = size / _exponentiate(row, top)
        total, logs = _residuals_of_counts(row, scale, inverse_theta, x, residual, some_logs)
        value -= of_logits + molecules * math.log(scale) - logs
        _logit_gradient(row, residual, total / size, weight, sums, d_intercept)
        if (n + 1) % CELLS_A_SUM == 0:
            _fold_sums(some_logs, log_sums)
    _fold_sums(some_logs, log_sums)
    return value + _theta_gradient(theta, log_sums, sums, weight, d_log_theta)


@_compiled()
def make_dense(starts: np.ndarray, genes: np.ndarray, values: np.ndarray, cells: np.ndarray, out: np.ndarray) -> None:
    """out (n, genes) <- the counts of these cells."""
    for n in range(out.shape[0]):
        row = out[n]
        row[:] = 0
        for j in range(starts[cells[n]], starts[cells[n] + 1]):
            row[genes[j]] = values[j]


@_compiled(fastmath=REORDER)
def fill_inputs(counts: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """out (n, genes) <- log1p of these rows of counts: with many counts a dense product is the faster one."""
    for n in range(out.shape[0]):
        row, x = out[n], counts[rows[n]]
        for g in range(row.shape[0]):
            row[g] = _log1p(FLOAT(x[g]))


@_compiled(fastmath=REORDER)
def hidden_sums(
    starts: np.ndarray,
    genes: np.ndarray,
    values: np.ndarray,
    cells: np.ndarray,
    log1p: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
) -> None:
    """out[n] <- bias + sum over the genes of cell n of log1p(x) weight[gene]; weight (genes or more, hidden)."""
    for n in range(out.shape[0]):
        row = out[n]
        row[:] = bias
        j, last = starts[cells[n]], starts[cells[n] + 1]
        while j + 4 <= last:
            y0, y1, y2, y3 = log1p[values[j]], log1p[values[j + 1]], log1p[values[j + 2]], log1p[values[j + 3]]
            w0, w1, w2, w3 = weight[genes[j]], weight[genes[j + 1]], weight[genes[j + 2]], weight[genes[j + 3]]
            for h in range(row.shape[0]):
                row[h] += (y0 * w0[h] + y1 * w1[h]) + (y2 * w2[h] + y3 * w3[h])
            j += 4
        while j < last:
            y0, w0 = log1p[values[j]], weight[genes[j]]
            for h in range(row.shape[0]):
                row[h] += y0 * w0[h]
            j += 1


@_compiled(fastmath=REORDER)
def hidden_weight_gradient(  # noqa: C901  # a counting sort, then four entries at a time
    starts: np.ndarray,
    genes: np.ndarray,
    values: np.ndarray,
    cells: np.ndarray,
    log1p: np.ndarray,
    d_hidden: np.ndarray,
    d_weight: np.ndarray,
) -> None:
    """d_weight[gene] <- sum over cells of log1p(x) d_hidden[n]; d_hidden (n, hidden), d_weight (genes, hidden).

    The counts are sorted by gene first, so that every row is written once.
    """
    n_genes = d_weight.shape[0]
    ends = np.zeros(n_genes + 1, np.int64)
    for n in range(cells.shape[0]):
        for j in range(starts[cells[n]], starts[cells[n] + 1]):
            ends[genes[j] + 1] += 1
    for g in range(n_genes):
        ends[g + 1] += ends[g]
    cell_of, y_of = np.empty(ends[n_genes], INT), np.empty(ends[n_genes], FLOAT)
    for n in range(cells.shape[0]):
        for j in range(starts[cells[n]], starts[cells[n] + 1]):
            place = ends[genes[j]]
            ends[genes[j]] = place + 1
            cell_of[place] = n
            y_of[place] = log1p[values[j]]
    j = np.int64(0)
    for g in range(n_genes):
        row, last = d_weight[g], ends[g]
        row[:] = FLOAT(0)
        while j + 4 <= last:
            y0, y1, y2, y3 = y_of[j], y_of[j + 1], y_of[j + 2], y_of[j + 3]
            d0, d1, d2, d3 = (
                d_hidden[cell_of[j]],
                d_hidden[cell_of[j + 1]],
                d_hidden[cell_of[j + 2]],
                d_hidden[cell_of[j + 3]],
            )
            for h in range(row.shape[0]):
                row[h] += (y0 * d0[h] + y1 * d1[h]) + (y2 * d2[h] + y3 * d3[h])
            j += 4
        while j < last:
            y0, d0 = y_of[j], d_hidden[cell_of[j]]
            for h in range(row.shape[0]):
                row[h] += y0 * d0[h]
            j += 1


@_compiled(fastmath=REORDER)
def adam(
    values: np.ndarray,
    gradient: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    step: int,
    rate: float,
    epsilon: float,
    weight_decay: float,
) -> None:
    """One step of Adam (Kingma and Ba 2015; weight decay added to the gradient), as torch.optim.Adam; all flat."""
    size = FLOAT(rate / (1.0 - 0.9**step))
    spread = FLOAT(1.0 / math.sqrt(1.0 - 0.999**step))
    e, decay = FLOAT(epsilon), FLOAT(weight_decay)
    for i in range(values.shape[0]):
        g = gradient[i] + decay * values[i]
        m = mean[i] + FLOAT(0.1) * (g - mean[i])
        v = FLOAT(0.999) * square[i] + FLOAT(0.001) * g * g
        mean[i], square[i] = m, v
        values[i] -= size * m / (np.sqrt(v) * spread + e)


@_compiled(fastmath=REORDER)
def norm_and_relu(
    sums: np.ndarray,
    gain: np.ndarray,
    shift: np.ndarray,
    mean: np.ndarray,
    inverse_sd: np.ndarray,
    chances: np.ndarray,
    dropout: float,
    bound: int,
    hidden: np.ndarray,
) -> None:
    """sums <- (sums - mean) * inverse_sd; hidden <- relu(gain * sums + shift), silenced where chances < bound.

    chances (n, hidden units), unused without dropout.
    """
    kept = FLOAT(1.0 / (1.0 - dropout))
    for n in range(sums.shape[0]):
        row, out = sums[n], hidden[n]
        for h in range(row.shape[0]):
            row[h] = (row[h] - mean[h]) * inverse_sd[h]
            out[h] = max(gain[h] * row[h] + shift[h], FLOAT(0))
        if dropout > 0.0:
            chance = chances[n]
            for h in range(row.shape[0]):
                out[h] = out[h] * kept if chance[h] >= bound else FLOAT(0)


@_compiled(fastmath=REORDER)
def column_moments(
    values: np.ndarray,
    epsilon: float,
    momentum: float,
    mean: np.ndarray,
    inverse_sd: np.ndarray,
    running_mean: np.ndarray,
    running_variance: np.ndarray,
) -> None:
    """Mean and 1 / sqrt(variance + epsilon) of every column; the running moments take them up, as in torch.

    The variance is divided by the number of rows, the one that the running variance takes up by one less.
    """
    n = FLOAT(values.shape[0])
    variance = np.zeros(mean.shape[0], FLOAT)
    mean[:] = FLOAT(0)
    for i in range(values.shape[0]):
        row = values[i]
        for h in range(row.shape[0]):
            mean[h] += row[h]
    for h in range(mean.shape[0]):
        mean[h] /= n
    for i in range(values.shape[0]):
        row = values[i]
        for h in range(row.shape[0]):
            variance[h] += (row[h] - mean[h]) ** 2
    share, unbiased = FLOAT(momentum), n / (n - FLOAT(1))
    for h in range(mean.shape[0]):
        variance[h] /= n
        inverse_sd[h] = FLOAT(1) / np.sqrt(variance[h] + FLOAT(epsilon))
        running_mean[h] += share * (mean[h] - running_mean[h])
        running_variance[h] += share * (variance[h] * unbiased - running_variance[h])


@_compiled(fastmath=REORDER)
def norm_and_relu_gradient(
    d_hidden: np.ndarray,
    hidden: np.ndarray,
    normalised: np.ndarray,
    gain: np.ndarray,
    inverse_sd: np.ndarray,
    dropout: float,
    d_gain: np.ndarray,
    d_shift: np.ndarray,
) -> None:
    """d_hidden <- the gradient of the sums before batch norm; a silenced or negative unit has hidden == 0."""
    n, kept = FLOAT(d_hidden.shape[0]), FLOAT(1.0 / (1.0 - dropout))
    d_gain[:] = FLOAT(0)
    d_shift[:] = FLOAT(0)
    for i in range(d_hidden.shape[0]):
        d, out, x = d_hidden[i], hidden[i], normalised[i]
        for h in range(d.shape[0]):
            s = d[h] * kept if out[h] > 0 else FLOAT(0)
            d[h] = s
            d_shift[h] += s
            d_gain[h] += s * x[h]
    for i in range(d_hidden.shape[0]):
        d, x = d_hidden[i], normalised[i]
        for h in range(d.shape[0]):
            d[h] = gain[h] * inverse_sd[h] * (d[h] - d_shift[h] / n - x[h] * (d_gain[h] / n))


@_compiled()
def sample(
    posterior: np.ndarray, noise: np.ndarray, limit: float, simplex: bool, sd: np.ndarray, z: np.ndarray
) -> float:
    """z <- mean + noise * sd, on the simplex for a logistic-normal prior; returns the sum over cells of the KL.

    posterior (n, 2 factors): mean and log-variance side by side; noise, sd (n, factors).
    """
    n_cells, n_factors = z.shape
    kl = 0.0
    for n in range(n_cells):
        top = FLOAT(-np.inf)
        for k in range(n_factors):
            mean, log_variance = posterior[n, k], min(max(posterior[n, n_factors + k], -limit), limit)
            s = math.exp(0.5 * log_variance)
            kl += 0.5 * (mean * mean + s * s - 1.0 - log_variance)
            sd[n, k] = s
            z[n, k] = mean + noise[n, k] * s
            top = max(top, z[n, k])
        if simplex:
            total = FLOAT(0)
            for k in range(n_factors):
                z[n, k] = math.exp(z[n, k] - top)
                total += z[n, k]
            for k in range(n_factors):
                z[n, k] /= total
    return kl


@_compiled()
def sample_gradient(
    posterior: np.ndarray,
    noise: np.ndarray,
    sd: np.ndarray,
    z: np.ndarray,
    d_z: np.ndarray,
    limit: float,
    simplex: bool,
    kl_weight: float,
    d_posterior: np.ndarray,
    d_bias: np.ndarray,
) -> None:
    """d_posterior <- gradient of the mean loss, of d_z (its part through z) and of kl_weight times the mean KL.

    d_bias (2 factors,) <- its sums over cells.
    """
    n_cells, n_factors = z.shape
    weight = kl_weight / n_cells
    d_bias[:] = FLOAT(0)
    for n in range(n_cells):
        shared = 0.0
        if simplex:
            for k in range(n_factors):
                shared += d_z[n, k] * z[n, k]
        for k in range(n_factors):
            d = z[n, k] * (d_z[n, k] - shared) if simplex else d_z[n, k]
            log_variance, s = posterior[n, n_factors + k], sd[n, k]
            d_posterior[n, k] = d + weight * posterior[n, k]
            inside = -limit <= log_variance <= limit
            slope = 0.5 * (d * noise[n, k] * s + weight * (s * s - 1.0))
            d_posterior[n, n_factors + k] = slope if inside else 0.0
            d_bias[k] += d_posterior[n, k]
            d_bias[n_factors + k] += d_posterior[n, n_factors + k]


@_compiled()
def bound(values: np.ndarray, low: float, high: float, out: np.ndarray) -> None:
    """out <- values within low and high."""
    for i in range(values.shape[0]):
        out[i] = min(max(values[i], FLOAT(low)), FLOAT(high))


@_compiled()
def interpolate(
    log_theta: np.ndarray,
    bounded: np.ndarray,
    low: float,
    step: float,
    table: np.ndarray,
    place: np.ndarray,
    cubic: np.ndarray,
    d_log_theta: np.ndarray,
) -> float:
    """Sum over genes of the table at log theta (cubic Hermite); its slope is taken off d_log_theta, 0 out of bounds.

    table (genes, grid, 2): values and slopes. place (genes,), cubic (genes, 4): where every gene stood last, and the
    polynomial there, kept from step to step; log theta seldom leaves its interval, and the table is large.
    """
    total, last, steps = 0.0, table.shape[1] - 2, 1.0 / step
    for g in range(log_theta.shape[0]):
        position = (bounded[g] - low) * steps
        left = min(max(np.int64(position), 0), last)
        u = position - left
        if left != place[g]:
            v0, s0, s1 = table[g, left, 0], table[g, left, 1], table[g, left + 1, 1]
            rise = table[g, left + 1, 0] - v0
            place[g] = left
            cubic[g, 0], cubic[g, 1] = v0, s0
            cubic[g, 2], cubic[g, 3] = 3 * rise - 2 * s0 - s1, s0 + s1 - 2 * rise
        v0, s0, square, cube = cubic[g, 0], cubic[g, 1], cubic[g, 2], cubic[g, 3]
        total += v0 + u * (s0 + u * (square + u * cube))
        slope = (s0 + u * (2 * square + u * 3 * cube)) * steps
        d_log_theta[g] = d_log_theta[g] - slope if log_theta[g] == bounded[g] else 0.0
    return total
