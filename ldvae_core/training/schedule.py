"""How the KL weight and the learning rate move over a run: pure functions of the step."""

import math

RATE_WARMUP = 0.05  # share of the run in which the learning rate rises
LAST_RATE = 0.02  # of the highest rate, at the end
SETTLING = 0.1  # share of the run, at its end, without dropout


def kl_weight(step: int, n_steps: int, warmup: float) -> float:
    """Weight of the factors' KL at `step` of n_steps (from 0): rises linearly, reaches 1 after `warmup` of the run.

    Counted in steps, not in epochs: the published 400-epoch warm-up left 10-epoch runs at a weight of 0.02.
    """
    rising = warmup * n_steps
    return 1.0 if rising < 1 else min(1.0, (step + 1) / rising)


def has_dropout(step: int, n_steps: int) -> bool:
    """Whether the encoder drops units at `step` of n_steps (from 0): not in the last tenth of a run.

    Dropout blurs the positions of the cells, and loadings fitted to blurred positions are too small (by 2% on simulated
    counts). At the end they are fitted to the positions that are shown.
    """
    return step < (1 - SETTLING) * n_steps


def learning_rate(step: int, n_steps: int, highest: float) -> float:
    """One cycle: a short rise, then half a cosine down to 2% of the highest rate."""
    rising = RATE_WARMUP * n_steps
    if step < rising:
        return highest * (step + 1) / (rising + 1)
    progress = (step - rising) / max(n_steps - rising, 1)
    return highest * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * progress)))
