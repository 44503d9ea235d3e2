"""Two groups: d, g, means and standard deviations, a 2×2 table, an odds ratio."""

from __future__ import annotations

import math

from metalliance.effectsize.correlation import fisher_z
from metalliance.effectsize.estimate import Estimate, Given, Quality, worse
from metalliance.effectsize.precision import printed_standard_error, standard_error_needed

__all__ = [
    "LOGIT_TO_D",
    "biserial_from_d",
    "from_d",
    "from_g",
    "from_group_odds_ratio",
    "from_phi_cells",
    "r_from_d",
    "small_sample_factor",
]

LOGIT_TO_D = math.sqrt(3) / math.pi


def from_d(given: Given) -> Estimate:
    """Standardised mean difference: r = d/√(d² + a), a = (n1 + n2)²/(n1 n2).

    From means and standard deviations d = (M1 − M2)/SD, SD pooled. Var(d) = 1/n1 + 1/n2 +
    d²/(2(n1 + n2)), or the printed SE (or interval) squared; Var(r) = a² Var(d)/(d² + a)³. The
    groups are taken as a natural dichotomy, such as dropouts and completers, and r is
    point-biserial; of an artificial split see `biserial_from_d`. Positive where the first group is
    higher.

    References
    ----------
    Borenstein, M., Hedges, L. V., Higgins, J. P. T., & Rothstein, H. R. (2009). Introduction to
    meta-analysis (chapter 7). https://doi.org/10.1002/9780470743386

    Examples
    --------
    >>> estimate = from_d(Given(stat="d", value=.579, n1=40, n2=40))
    >>> round(estimate.r, 3), round(estimate.vi, 4), estimate.quality
    (0.278, 0.012, 'converted')
    """
    if given.value is None:
        d, how = _difference_of_means(given)
    else:
        d, how = given.value, f"d = {given.value:.6g}"
    return _from_difference(d, given, how, "d")


def from_g(given: Given) -> Estimate:
    """Hedges' g: d = g/J with the exact J of n1 + n2 − 2 degrees of freedom, then as d.

    A printed SE is that of g, and is divided by J alike.

    Examples
    --------
    >>> estimate = from_g(Given(stat="g", value=.5, n1=20, n2=20))
    >>> estimate.trace.split("; ")[0]
    'd = g/J = 0.5/0.98011 = 0.510147'
    """
    if given.value is None:
        return from_d(given)
    g = given.value
    n1, n2, _ = _sizes(given)
    j = small_sample_factor(n1 + n2 - 2)
    d = g / j
    return _from_difference(d, given, f"d = g/J = {g:.6g}/{j:.6g} = {d:.6g}", "g", shrunk=j)


def small_sample_factor(m: float) -> float:
    """Hedges' J = Γ(m/2)/(√(m/2) Γ((m − 1)/2)) of m degrees of freedom.

    References
    ----------
    Hedges, L. V. (1981). Journal of Educational Statistics, 6, 107–128.
    https://doi.org/10.3102/10769986006002107

    Examples
    --------
    >>> round(small_sample_factor(10), 6)
    0.922746
    """
    if m <= 1:
        raise ValueError(f"{m:g} degrees of freedom are too few for the small-sample factor")
    if m > 1e6:  # the difference of two such log-gammas has no digits left
        return 1.0 - 3.0 / (4.0 * m - 1.0)
    return math.exp(math.lgamma(m / 2) - 0.5 * math.log(m / 2) - math.lgamma((m - 1) / 2))


def from_group_odds_ratio(given: Given) -> Estimate:
    """Odds ratio of two groups: d = ln(OR)·√3/π, Var(d) = 3 Var(ln OR)/π², then r as of d.

    From the cells ln OR = ln(ad/bc) and Var = 1/a + 1/b + 1/c + 1/d; a table with an empty cell
    takes ½ in every cell, says so and is approximated. Without cells the variance comes from the
    SE of ln OR, the interval of the OR, or the z of its test.

    References
    ----------
    Hasselblad, V., & Hedges, L. V. (1995). Psychological Bulletin, 117, 167–178.
    https://doi.org/10.1037/0033-2909.117.1.167

    Examples
    --------
    >>> estimate = from_group_odds_ratio(Given(stat="OR", cells=(30, 10, 20, 20)))
    >>> round(estimate.r, 3), round(estimate.vi, 4), estimate.quality
    (0.29, 0.0162, 'converted')
    """
    given.refuse_within(" without sd_x, the SD of alliance within patients")
    if given.cells is not None:
        log_or, v, n1, n2, how, halved = _of_cells(given.cells)
        approximated = halved
    else:
        ratio = given.printed
        if not ratio > 0:
            raise ValueError(
                f"an odds ratio of {ratio:g} is not above 0; where ln OR is printed, give its "
                "exponential"
            )
        log_or = math.log(ratio)
        error = standard_error_needed(
            printed_standard_error(given, log_or, ratio=True),
            "an odds ratio of two groups without its cells",
        )
        v = error.se**2
        n1, n2, approximated = _sizes(given)
        equal = "; equal groups assumed" if approximated else ""
        how = f"ln OR = ln {ratio:g} = {log_or:.6g}, {error.how}{equal}"
    d, v_d = log_or * LOGIT_TO_D, v * LOGIT_TO_D**2
    how = f"{how}; d = ln OR x sqrt(3)/pi = {d:.6g}, Var(d) = {v_d:.6g}"
    quality: Quality = "approximated" if approximated else "converted"
    return r_from_d(d, v_d, n1, n2, n=n1 + n2, route="OR", quality=quality, how=how)


def from_phi_cells(given: Given) -> Estimate:
    """φ = (ad − bc)/√(product of the margins), Var(φ) of Yule.

    References
    ----------
    Yule, G. U. (1912). Journal of the Royal Statistical Society, 75, 579–652.
    https://doi.org/10.2307/2340126

    Examples
    --------
    >>> round(from_phi_cells(Given(stat="chi2", cells=(30, 10, 20, 20))).r, 4)
    0.2582
    """
    import numpy as np

    from metalliance.effectsize.measures_table import phi_of_cells

    a, b, c, d = counts = _counts(given.cells)
    phi, v_r = (float(x) for x in phi_of_cells(*(np.asarray(x, float) for x in counts)))
    z, v = fisher_z(phi), v_r / (1 - phi * phi) ** 2
    return Estimate(
        yi=z,
        vi=v,
        r=phi,
        v_r=v_r,
        ni=a + b + c + d,
        route="phi",
        quality="converted",
        trace=f"phi = ({a:g} x {d:g} - {b:g} x {c:g})/sqrt({a + b:g} x {c + d:g} x {a + c:g} x "
        f"{b + d:g}) = {phi:.6g}; Var(phi) = {v_r:.6g} (Yule); z = {z:.6g}; "
        f"v = Var(phi)/(1 - phi^2)^2 = {v:.6g}",
    )


def r_from_d(
    d: float,
    v_d: float,
    n1: float,
    n2: float,
    *,
    n: float,
    route: str,
    quality: Quality,
    how: str,
) -> Estimate:
    """R = d/√(d² + a), Var(r) = a² Var(d)/(d² + a)³, Var(z) = Var(r)/(1 − r²)².

    On z the factors cancel: z = arsinh(d/√a) and Var(z) = Var(d)/(d² + a).
    """
    a = (1 + n1 / n2) * (1 + n2 / n1)
    r = d / math.hypot(d, math.sqrt(a))
    z, v = math.asinh(d / math.sqrt(a)), v_d / (d * d + a)
    fisher_z(r)
    v_r = (1 - r * r) ** 2 * v
    return Estimate(
        yi=z,
        vi=v,
        r=r,
        v_r=v_r,
        ni=n,
        route=route,
        quality=quality,
        trace=f"{how}; a = ({n1:g} + {n2:g})^2/({n1:g} x {n2:g}) = {a:.6g}; "
        f"r = d/sqrt(d^2 + a) = {r:.6g}; Var(r) = a^2 Var(d)/(d^2 + a)^3 = {v_r:.6g}; "
        f"z = {z:.6g}; v = Var(r)/(1 - r^2)^2 = {v:.6g}",
    )


def biserial_from_d(d: float, n1: float, n2: float) -> tuple[float, float]:
    """Biserial correlation behind an artificial split into two groups, and its variance.

    r_b = r_pb √(pq)/f with f the normal density at the cut; Soper's variance. Use it where groups
    were made by cutting a continuous score; r_b can exceed 1 and is then truncated in its variance.

    References
    ----------
    Soper, H. E. (1914). Biometrika, 10, 384–390. https://doi.org/10.1093/biomet/10.2-3.384
    Jacobs, P., & Viechtbauer, W. (2017). Research Synthesis Methods, 8, 161–180.
    https://doi.org/10.1002/jrsm.1218

    Examples
    --------
    >>> r, v = biserial_from_d(.5, 40, 40)
    >>> round(r, 4), round(v, 4)
    (0.3076, 0.017)
    """
    import numpy as np

    from metalliance.effectsize.measures_groups import biserial_from_point_biserial

    if min(n1, n2) < 1 or n1 + n2 < 4:
        raise ValueError(f"groups of {n1:g} and {n2:g} are too small")
    m = n1 + n2 - 2
    r_pb = d / math.hypot(d, math.sqrt(m / n1 + m / n2))
    r, v = biserial_from_point_biserial(*(np.asarray(x, float) for x in (r_pb, n1, n2)))
    return float(r), float(v)


def _difference_of_means(given: Given) -> tuple[float, str]:
    found = {name: getattr(given, name) for name in ("mean1", "sd1", "mean2", "sd2", "n1", "n2")}
    missing = [name for name, number in found.items() if number is None]
    if missing:
        raise ValueError(f"value is missing, or of the two groups {', '.join(missing)}")
    n1, n2, sd1, sd2 = found["n1"], found["n2"], found["sd1"], found["sd2"]
    if min(n1, n2) < 2 or min(sd1, sd2) < 0:
        raise ValueError("each group has at least 2 patients and a standard deviation from 0")
    pooled = math.sqrt(((n1 - 1) * sd1 * sd1 + (n2 - 1) * sd2 * sd2) / (n1 + n2 - 2))
    if pooled == 0:
        raise ValueError("both standard deviations are 0, so the difference has no scale")
    d = (found["mean1"] - found["mean2"]) / pooled
    return d, (
        f"pooled SD = sqrt(({n1 - 1:g} x {sd1:g}^2 + {n2 - 1:g} x {sd2:g}^2)/{n1 + n2 - 2:g}) = "
        f"{pooled:.6g}; d = ({found['mean1']:g} - {found['mean2']:g})/SD = {d:.6g}"
    )


def _from_difference(
    d: float, given: Given, how: str, route: str, *, shrunk: float = 1.0
) -> Estimate:
    given.refuse_within("; give a correlation or slope of sessions")
    n1, n2, assumed = _sizes(given)
    if given.value is not None and (given.se is not None or given.ci is not None):
        error = standard_error_needed(printed_standard_error(given, given.value), "d")
        v_d = (error.se / shrunk) ** 2
        over_j = " of g, over J" if shrunk != 1 else ""
        how = f"{how}; {error.how}{over_j}: Var(d) = {v_d:.6g}"
    else:
        v_d = 1 / n1 + 1 / n2 + d * d / (2 * (n1 + n2))
        how = f"{how}; Var(d) = 1/{n1:g} + 1/{n2:g} + d^2/(2 x {n1 + n2:g}) = {v_d:.6g}"
    quality: Quality = worse("converted", "approximated" if assumed else "direct")
    how = f"{how} (equal groups assumed)" if assumed else how
    return r_from_d(d, v_d, n1, n2, n=n1 + n2, route=route, quality=quality, how=how)


def _sizes(given: Given) -> tuple[float, float, bool]:
    """Sizes of the groups, and whether they were taken as equal."""
    n, n1, n2 = given.n, given.n1, given.n2
    if n is not None and n1 is not None and n2 is None:
        n2 = n - n1
    elif n is not None and n2 is not None and n1 is None:
        n1 = n - n2
    if n1 is not None and n2 is not None:
        if min(n1, n2) < 1 or n1 + n2 < 4:
            raise ValueError(f"groups of {n1:g} and {n2:g} are too small")
        return n1, n2, False
    if n is None:
        raise ValueError("n1 and n2 are missing (patients in the two groups), or n")
    if n < 4:
        raise ValueError(f"n = {n:g} is too small: at least 4")
    return n / 2, n / 2, True


def _counts(cells: tuple[float, float, float, float] | None) -> tuple[float, float, float, float]:
    """The cells by rows (group, then outcome yes and no), no row or column of them empty."""
    assert cells is not None
    a, b, c, d = cells
    if min(cells) < 0:
        raise ValueError("a cell of the 2x2 table is below 0")
    if min(a + b, c + d) == 0:
        raise ValueError("a row of the 2x2 table is empty: there is only one group")
    if min(a + c, b + d) == 0:
        raise ValueError(
            "a column of the 2x2 table is empty: all patients have the same outcome, which says "
            "nothing about an association"
        )
    return a, b, c, d


def _of_cells(
    cells: tuple[float, float, float, float],
) -> tuple[float, float, float, float, str, bool]:
    counts = _counts(cells)
    n1, n2 = counts[0] + counts[1], counts[2] + counts[3]
    halved = min(counts) == 0
    a, b, c, d = (count + 0.5 if halved else count for count in counts)
    log_or = math.log(a) + math.log(d) - math.log(b) - math.log(c)
    v = 1 / a + 1 / b + 1 / c + 1 / d
    added = " (an empty cell: 0.5 added to each cell)" if halved else ""
    how = (
        f"ln OR = ln(({a:g} x {d:g})/({b:g} x {c:g})) = {log_or:.6g}, "
        f"Var = 1/{a:g} + 1/{b:g} + 1/{c:g} + 1/{d:g} = {v:.6g}{added}"
    )
    return log_or, v, n1, n2, how, halved
