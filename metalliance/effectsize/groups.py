"""Two groups: d, g, means and standard deviations, a 2×2 table, an odds ratio."""

from __future__ import annotations

import math

from metalliance.effectsize.estimate import Estimate, Given, Quality, fisher, standard_error, worse

__all__ = [
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
    d²/(2(n1 + n2)), or the printed SE squared; Var(r) = a² Var(d)/(d² + a)³. The groups are taken
    as a natural dichotomy (r is point-biserial); of an artificial split see `biserial_from_d`.

    References
    ----------
    Borenstein, M., Hedges, L. V., Higgins, J. P. T., & Rothstein, H. R. (2009). Introduction to
    meta-analysis (chapter 7). https://doi.org/10.1002/9780470743386
    """
    d, how = _difference(given)
    return _from_difference(d, given, how, "d")


def from_g(given: Given) -> Estimate:
    """Hedges' g: d = g/J with the exact J of n1 + n2 − 2 degrees of freedom, then as d."""
    if given.value is None:
        return from_d(given)
    g = given.oriented()
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
    return math.exp(math.lgamma(m / 2) - 0.5 * math.log(m / 2) - math.lgamma((m - 1) / 2))


def from_group_odds_ratio(given: Given) -> Estimate:
    """Odds ratio of two groups: d = ln(OR)·√3/π, Var(d) = 3 Var(ln OR)/π², then r as of d.

    From the cells ln OR = ln(ad/bc) and Var = 1/a + 1/b + 1/c + 1/d; a table with an empty cell
    takes ½ in every cell and says so.

    References
    ----------
    Hasselblad, V., & Hedges, L. V. (1995). Psychological Bulletin, 117, 167–178.
    https://doi.org/10.1037/0033-2909.117.1.167
    """
    if given.within:
        raise ValueError("an odds ratio of two groups is no within-patient effect")
    quality: Quality = "converted"
    if given.cells is not None:
        log_or, v, n1, n2, how, halved = _of_cells(given)
        n = n1 + n2
        quality = "approximated" if halved else quality
    else:
        ratio = given.number()
        if not ratio > 0:
            raise ValueError(f"an odds ratio of {ratio:g} is not above 0")
        log_or = math.log(ratio) * (given.sign or 1)
        se, told = standard_error(given, log=True)
        v = se**2
        n1, n2, assumed = _sizes(given)
        n = n1 + n2
        quality = "approximated" if assumed else quality
        how = f"ln OR = ln {ratio:g} = {log_or:.6g}, {told}"
    d, v_d = log_or * LOGIT_TO_D, v * LOGIT_TO_D**2
    how = f"{how}; d = ln OR x sqrt(3)/pi = {d:.6g}, Var(d) = {v_d:.6g}"
    return r_from_d(d, v_d, n1, n2, n=n, route="OR", quality=quality, how=how)


def from_phi_cells(given: Given) -> Estimate:
    """φ = (ad − bc)/√(product of the margins), Var(φ) of Yule.

    References
    ----------
    Yule, G. U. (1912). Journal of the Royal Statistical Society, 75, 579–652.
    https://doi.org/10.2307/2340126
    """
    assert given.cells is not None
    a, b, c, d = (float(count) for count in given.cells)
    n = a + b + c + d
    rows, columns = (a + b, c + d), (a + c, b + d)
    if min(*rows, *columns, a, b, c, d) < 0 or min(*rows, *columns) == 0:
        raise ValueError("a row or column of the 2x2 table is empty")
    phi = (a * d - b * c) / math.sqrt(math.prod(rows) * math.prod(columns))
    v = phi_variance(a, b, c, d)
    r = phi * (given.sign or 1)
    z = fisher(r)
    return Estimate(
        yi=z,
        vi=v / (1 - r * r) ** 2,
        r=r,
        v_r=v,
        ni=n,
        route="phi",
        quality="converted",
        trace=f"phi = ({a:g} x {d:g} - {b:g} x {c:g})/sqrt({rows[0]:g} x {rows[1]:g} x "
        f"{columns[0]:g} x {columns[1]:g}) = {phi:.6g}; Var(phi) = {v:.6g} (Yule); z = {z:.6g}",
    )


def phi_variance(a: float, b: float, c: float, d: float) -> float:
    """Large-sample variance of φ when only n is fixed (Yule, 1912)."""
    n = a + b + c + d
    p1, p2, q1, q2 = (a + b) / n, (c + d) / n, (a + c) / n, (b + d) / n
    phi = (a * d - b * c) / (n * n) / math.sqrt(p1 * p2 * q1 * q2)
    skew = (p1 - p2) * (q1 - q2) / math.sqrt(p1 * p2 * q1 * q2)
    lopsided = (p1 - p2) ** 2 / (p1 * p2) + (q1 - q2) ** 2 / (q1 * q2)
    return (1 - phi**2 + phi * (1 + phi**2 / 2) * skew - 0.75 * phi**2 * lopsided) / n


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
    """R = d/√(d² + a), Var(r) = a² Var(d)/(d² + a)³, Var(z) = Var(r)/(1 − r²)²."""
    a = (n1 + n2) ** 2 / (n1 * n2)
    r = d / math.sqrt(d * d + a)
    v_r = a * a * v_d / (d * d + a) ** 3
    z = fisher(r)
    v = v_r / (1 - r * r) ** 2
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
        f"z = {z:.6g}, v = {v:.6g}",
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
    from scipy.special import ndtri

    n = n1 + n2
    m = n - 2
    r_pb = d / math.sqrt(d * d + m / n1 + m / n2)
    p, q = n1 / n, n2 / n
    cut = float(-ndtri(p))
    f = math.exp(-cut * cut / 2) / math.sqrt(2 * math.pi)
    r = r_pb * math.sqrt(p * q) / f
    t = max(-1.0, min(1.0, r))
    inner = 1.5 + (1 - p * cut / f) * (1 + q * cut / f)
    return r, (p * q / f**2 - inner * t**2 + t**4) / (n - 1)


def _difference(given: Given) -> tuple[float, str]:
    if given.value is not None:
        d = given.oriented()
        return d, f"d = {d:.6g}"
    found = {name: getattr(given, name) for name in ("mean1", "sd1", "mean2", "sd2", "n1", "n2")}
    missing = [name for name, number in found.items() if number is None]
    if missing:
        raise ValueError(f"value is missing, or of the two groups {', '.join(missing)}")
    n1, n2, sd1, sd2 = found["n1"], found["n2"], found["sd1"], found["sd2"]
    if min(n1, n2) < 2 or min(sd1, sd2) < 0:
        raise ValueError("each group has at least 2 patients and a standard deviation from 0")
    pooled = math.sqrt(((n1 - 1) * sd1**2 + (n2 - 1) * sd2**2) / (n1 + n2 - 2))
    if pooled == 0:
        raise ValueError("both standard deviations are 0")
    d = (found["mean1"] - found["mean2"]) / pooled * (given.sign or 1)
    return d, (
        f"pooled SD = {pooled:.6g}; d = ({found['mean1']:g} - {found['mean2']:g})/SD = {d:.6g}"
    )


def _from_difference(
    d: float, given: Given, how: str, route: str, *, shrunk: float = 1.0
) -> Estimate:
    if given.within:
        raise ValueError("a difference of two groups is no within-patient effect")
    n1, n2, assumed = _sizes(given)
    if given.se is not None:
        se, told = standard_error(given)
        v_d = (se / shrunk) ** 2
        how = f"{how}; {told}"
    else:
        v_d = 1 / n1 + 1 / n2 + d * d / (2 * (n1 + n2))
        how = f"{how}; Var(d) = 1/{n1:g} + 1/{n2:g} + d^2/(2 x {n1 + n2:g}) = {v_d:.6g}"
    quality: Quality = worse("converted", "approximated" if assumed else "direct")
    how = f"{how} (equal groups assumed)" if assumed else how
    return r_from_d(d, v_d, n1, n2, n=n1 + n2, route=route, quality=quality, how=how)


def _sizes(given: Given) -> tuple[float, float, bool]:
    """Sizes of the groups, and whether they were taken as equal."""
    if given.n1 is not None and given.n2 is not None:
        if min(given.n1, given.n2) < 1 or given.n1 + given.n2 < 4:
            raise ValueError(f"groups of {given.n1:g} and {given.n2:g} are too small")
        return given.n1, given.n2, False
    if given.n is None:
        raise ValueError("n1 and n2 are missing (patients in the two groups), or n")
    if given.n < 4:
        raise ValueError(f"n = {given.n:g} is too small: at least 4")
    return given.n / 2, given.n / 2, True


def _of_cells(given: Given) -> tuple[float, float, float, float, str, bool]:
    assert given.cells is not None
    counts = [float(count) for count in given.cells]
    if min(counts) < 0 or not all(math.isfinite(count) for count in counts):
        raise ValueError("a cell of the 2x2 table is below 0")
    n1, n2 = counts[0] + counts[1], counts[2] + counts[3]
    if min(n1, n2) == 0:
        raise ValueError("a row of the 2x2 table is empty")
    halved = min(counts) == 0
    a, b, c, d = (count + 0.5 if halved else count for count in counts)
    log_or = math.log(a * d / (b * c)) * (given.sign or 1)
    v = 1 / a + 1 / b + 1 / c + 1 / d
    added = " (0.5 added to each cell)" if halved else ""
    how = (
        f"ln OR = ln(({a:g} x {d:g})/({b:g} x {c:g})) = {log_or:.6g}, "
        f"Var = 1/{a:g} + 1/{b:g} + 1/{c:g} + 1/{d:g} = {v:.6g}{added}"
    )
    return log_or, v, n1, n2, how, halved
