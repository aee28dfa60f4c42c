"""Count likelihoods at 50 digits, from the textbook formulas: the judge of ours."""

from collections.abc import Callable
from functools import wraps

import mpmath
import numpy as np

DIGITS = 50


def at_every_point(formula: Callable[..., mpmath.mpf]) -> Callable[..., np.ndarray]:
    """The formula over arrays of points, worked out at 50 digits, rounded to double precision at the end."""

    @wraps(formula)
    def over_arrays(*arguments: np.ndarray) -> np.ndarray:
        with mpmath.workdps(DIGITS):
            return np.array(
                [float(formula(*map(mpmath.mpf, map(float, point)))) for point in zip(*arguments, strict=True)]
            )

    over_arrays.formula = formula
    return over_arrays


@at_every_point
def exact_log_nb(count, log_mean, log_theta):
    """Gamma(x + t) / (Gamma(t) x!) * (t / (m + t))^t * (m / (m + t))^x."""
    m, t = mpmath.exp(log_mean), mpmath.exp(log_theta)
    rising = mpmath.loggamma(count + t) - mpmath.loggamma(t) - mpmath.loggamma(count + 1)
    return rising + t * mpmath.log(t / (m + t)) + count * mpmath.log(m / (m + t))


@at_every_point
def exact_log_poisson(count, log_mean):
    """m^x e^-m / x!."""
    return count * log_mean - mpmath.exp(log_mean) - mpmath.loggamma(count + 1)


@at_every_point
def exact_log_zinb(count, log_mean, log_theta, zero_logit):
    """With probability 1 / (1 + e^-logit) a zero, else negative binomial."""
    lost = 1 / (1 + mpmath.exp(-zero_logit))
    probability = mpmath.exp(exact_log_nb.formula(count, log_mean, log_theta))
    return mpmath.log(lost + (1 - lost) * probability if count == 0 else (1 - lost) * probability)


def exact_slopes(exact: Callable[..., np.ndarray], points: np.ndarray) -> list[np.ndarray]:
    """Derivatives of a formula above in all its arguments but the count, each (n_points,), by 50-digit differences."""
    slopes = np.empty((len(points) - 1, points.shape[1]))
    step = mpmath.mpf(10) ** -20
    with mpmath.workdps(80):
        for column, point in enumerate(points.T):
            centre = [mpmath.mpf(float(value)) for value in point]
            for row in range(len(slopes)):
                ahead, behind = (
                    [value + sign * step * (place == row + 1) for place, value in enumerate(centre)] for sign in (1, -1)
                )
                slopes[row, column] = (exact.formula(*ahead) - exact.formula(*behind)) / (2 * step)
    return list(slopes)
