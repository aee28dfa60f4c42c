"""Colour arithmetic: contrast against the paper, and any number of colours that stay apart for colour-blind eyes."""

from functools import cache

import numpy as np

# Linear-RGB simulations of full protanopia and deuteranopia (Machado, Oliveira and Fernandes 2009, severity 1).
_PROTANOPIA = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
_DEUTERANOPIA = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
# Linear RGB -> cone responses -> Oklab (Ottosson 2020): distances in it are about as large as they look.
_TO_CONES = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
_TO_OKLAB = np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_PALEST, _LOUDEST = 0.04, 0.2  # chroma: greys mean "all cells", neon shouts
_DARKEST, _LIGHTEST = 0.07, 0.45  # luminance: visible on white paper and on dark paper alike


def rgb(colour: str) -> np.ndarray:
    """(3,) in 0..1 from "#RRGGBB". Raises ValueError for anything else."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(f"{colour!r} is not a colour of the form #RRGGBB")
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def hex_colour(values: np.ndarray) -> str:
    """ "#RRGGBB" from (3,) in 0..1."""
    return "#" + "".join(f"{round(float(value) * 255):02X}" for value in np.clip(values, 0, 1))


def linear(values: np.ndarray) -> np.ndarray:
    """Light energy from sRGB, elementwise: what may be averaged."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def gamma(values: np.ndarray) -> np.ndarray:
    """sRGB from light energy, elementwise."""
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def contrast(colour: str, paper: str) -> float:
    """WCAG contrast ratio, 1 to 21: 3 is the least for lines, 4.5 for text."""
    light, dark = sorted((float(linear(rgb(c)) @ _LUMINANCE) for c in (colour, paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def with_contrast(colour: str, paper: str, least: float) -> str:
    """The colour itself where it has the contrast; otherwise its nearest mix with black or white that has it."""
    if contrast(colour, paper) >= least:
        return colour
    goal = np.zeros(3) if float(linear(rgb(paper)) @ _LUMINANCE) > 0.18 else np.ones(3)
    for share in np.linspace(0.02, 1, 50):
        mixed = hex_colour(rgb(colour) * (1 - share) + goal * share)
        if contrast(mixed, paper) >= least:
            return mixed
    return hex_colour(goal)


def blend(colour: str, paper: str, share: float) -> str:
    """`share` of the colour on `1 - share` of the paper: a tint that stays the same in every file format."""
    return hex_colour(rgb(colour) * share + rgb(paper) * (1 - share))


@cache
def distinct_colours(start: tuple[str, ...], n: int) -> tuple[str, ...]:
    """`start` and then, one by one, the colour furthest from all before it, for normal and colour-blind eyes at once.

    Each longer list begins with the shorter ones, so that a 21st cell type leaves the first 20 colours alone.
    """
    steps = np.linspace(0.1, 0.95, 12)
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    luminance = linear(candidates) @ _LUMINANCE
    chroma = np.linalg.norm(_as_seen(candidates)[0, :, 1:], axis=1)
    calm = (chroma > _PALEST) & (chroma < _LOUDEST)
    candidates = candidates[(luminance > _DARKEST) & (luminance < _LIGHTEST) & calm]
    seen = _as_seen(candidates)
    chosen = list(start[:n])
    nearest = np.full(len(candidates), np.inf)
    for colour in chosen:
        nearest = np.minimum(nearest, _distance(seen, _as_seen(rgb(colour)[None])))
    while len(chosen) < n:
        best = int(nearest.argmax())
        chosen.append(hex_colour(candidates[best]))
        nearest = np.minimum(nearest, _distance(seen, seen[:, best : best + 1]))
    return tuple(chosen)


def _as_seen(colours: np.ndarray) -> np.ndarray:
    """(3 kinds of eye, n, 3) Oklab: as normal, protanope and deuteranope eyes see them."""
    energy = linear(colours)
    views = np.stack([energy, energy @ _PROTANOPIA.T, energy @ _DEUTERANOPIA.T])
    return np.cbrt(np.clip(views, 0, 1) @ _TO_CONES.T) @ _TO_OKLAB.T


def _distance(seen: np.ndarray, one: np.ndarray) -> np.ndarray:
    """How different they look to the worst-off eye; colour-blind ones see two dimensions and may settle for half."""
    apart = np.linalg.norm(seen - one, axis=-1)
    return np.minimum(apart[0], 2 * apart[1:].min(axis=0))
