"""How numbers are said in sentences, tables and figures: decided here, so that one number reads the same everywhere."""

import math

SMALLEST = -300.0  # log10 of p and q below which nothing is told apart


def three_digits(value: float) -> str:
    """Three significant digits with a real minus sign, thousands set apart: 0.0123, −1.45, 2,240, 1.23 million."""
    if math.isnan(value):
        return "n/a"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size >= 999_500:
        text = f"{float(f'{size / 1e6:.3g}'):,.3g} million" if size < 9.995e8 else f"{size:.2e}"
    elif size >= 999.5:
        text = f"{float(f'{size:.3g}'):,.0f}"
    elif size == 0 or size >= 1e-3:
        text = f"{size:.3g}"
    else:
        text = f"{size:.2e}"
    return ("−" if value < 0 and size else "") + text


def percent(share: float) -> str:
    """A share with three significant digits at most: 11.2%, 0.53%, under 0.1%."""
    if math.isnan(share):
        return "n/a"
    if abs(share) < 0.0005:
        return "0%" if share <= 0 else "under 0.1%"
    return f"{100 * share:.3g}%" if abs(share) >= 0.01 else f"{100 * share:.2g}%"


def explained(share: float) -> str:
    """What a factor explains of the deviance; one that predicts worse than none explains nothing, not less."""
    return "nothing" if share <= 0 else percent(share)


def fold(ratio: float, more: int = 0) -> str:
    """How many times as high: '1.8', '34', '1,200'. more: digits behind the point beyond those."""
    digits = more + (0 if ratio >= 9.95 else 1)
    return f"{ratio:,.{min(digits, 3)}f}"


def interval_words(low: float, high: float) -> str:
    """Of two ratios, '1.8 to 2.1': with as many digits as tell the ends apart, up to three behind the point."""
    for more in range(4):
        ends = [fold(value, more) for value in (low, high)]
        if ends[0] != ends[1]:
            break
    return f"{ends[0]} to {ends[1]}"


def small_number(log10: float) -> str:
    """A p or q value: '0.031', '2e-17', '< 1e-300'; '' where it is not known."""
    if math.isnan(log10):
        return ""
    if log10 <= SMALLEST + 1e-6:  # what is smaller has become that
        return f"< 1e{SMALLEST:.0f}"
    if log10 > -3:
        return f"{10**log10:.3f}"
    power = int(log10 // 1)
    lead = round(10 ** (log10 - power))
    return f"{lead if lead < 10 else 1}e{power if lead < 10 else power + 1}"
