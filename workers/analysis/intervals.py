"""Intervals of 95 percent around the figures of a quiz.

A function returns None if its result is undefined.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

CONFIDENCE: Final = 0.95

_TAIL: Final = (1 - CONFIDENCE) / 2
_Z: Final = NormalDist().inv_cdf(1 - _TAIL)

Interval = tuple[float, float]


def share_interval(part: int, whole: int) -> Interval | None:
    """Return Wilson's score interval of a share, such as the facility of an item scored right or wrong.

    (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²))/(1 + z²/n), with p the share and n the whole. None for an empty
    whole.
    Source: Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22.

    >>> [round(limit, 6) for limit in share_interval(4, 6)]
    [0.299993, 0.903229]
    """
    if not whole:
        return None
    p, z2 = part / whole, _Z**2 / whole
    middle = (p + z2 / 2) / (1 + z2)
    reach = _Z * math.sqrt(p * (1 - p) / whole + z2 / (4 * whole)) / (1 + z2)
    # At a share of 0 or 1 one limit is the share itself, but for the rounding.
    return max(0.0, middle - reach) if part else 0.0, min(1.0, middle + reach) if part < whole else 1.0


def correlation_interval(r: float, n: int) -> Interval | None:
    """Return the interval of a correlation by Fisher's transformation: tanh(artanh r ± z/√(n − 3)).

    It takes both variables for normal, so around a correlation with a right or wrong score it is approximate.
    None for fewer than four pairs, or for a correlation of exactly ±1.
    Source: Fisher, R. A. (1921), On the probable error of a coefficient of correlation, Metron 1.

    >>> [round(limit, 6) for limit in correlation_interval(0.5, 50)]
    [0.257488, 0.683256]
    """
    if n < 4 or abs(r) >= 1:
        return None
    reach = _Z / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)


def alpha_interval(alpha: float, respondents: int, items: int) -> Interval | None:
    """Return Feldt's interval of coefficient alpha.

    1 − (1 − alpha)·F with the quantiles of F at n − 1 and (n − 1)(k − 1) degrees of freedom, for n
    respondents and k items. None for fewer than two of either.
    Source: Feldt, L. S., Woodruff, D. J. and Salih, F. A. (1987), Statistical inference for coefficient
    alpha, Applied Psychological Measurement 11.

    >>> [round(limit, 6) for limit in alpha_interval(0.75, 50, 10)]
    [0.632354, 0.841716]
    """
    if respondents < 2 or items < 2:
        return None
    # Only statistics need it, and it takes 18 MiB of each process that imports it.
    from scipy.special import fdtri

    df = respondents - 1, (respondents - 1) * (items - 1)
    lower, upper = (1 - (1 - alpha) * float(fdtri(*df, p)) for p in (1 - _TAIL, _TAIL))
    return lower, upper
