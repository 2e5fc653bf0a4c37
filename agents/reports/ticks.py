"""Round numbers along an axis, and how they are written."""

import math
from collections.abc import Sequence
from itertools import pairwise


def linear_ticks(low: float, high: float, about: int = 5, least: float = 0.0) -> list[float]:
    """Round numbers within a range, one, two or five times a power of ten apart.

    Args:
        low: start of the range.
        high: its end, above ``low``.
        about: how many are wanted.
        least: distance that they keep at least; 1 for what is counted.
    """
    raw = max((high - low) / about, least)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [(first + index) * step for index in range(count)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten within a range; powers alone where they are many.

    A range too narrow for two of them has round numbers at equal distances.
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)
    ticks = [m * 10.0**p for p in powers for m in steps if low <= m * 10.0**p <= high]
    return ticks if len(ticks) > 1 else linear_ticks(low, high, 4)


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """Ticks in few characters, but in as many as tell neighbours apart.

    >>> tick_texts([1.07, 1.0705, 1.071])
    ['1.07', '1.0705', '1.071']
    """
    gap = min((b - a for a, b in pairwise(ticks)), default=1.0)
    for digits in range(4, 15):
        if all(abs(float(f"{tick:.{digits}g}") - tick) <= gap / 100 for tick in ticks):
            break
    return [short(0.0 if abs(tick) < gap / 100 else tick, digits) for tick in ticks]


def short(value: float, digits: int = 4) -> str:
    """A number in few characters, ``digits`` of it significant.

    >>> [short(v) for v in (0, 0.25, 1500, 2_000_000)]
    ['0', '0.25', '1.5k', '2M']
    """
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.{digits}g}{sign}"
    return f"{0.0 if abs(value) < 1e-12 else value:.{digits}g}"


def clock(seconds: float) -> str:
    """``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
