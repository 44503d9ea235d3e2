"""Panels of known truth, and the likelihood written out patient by patient."""

import numpy as np

TRUTH = {
    "phi": np.array([[0.4, -0.10], [-0.10, 0.4]]),
    "psi": np.array([[1.0, 0.4], [0.4, 1.0]]),
    "sigma": np.array([[1.0, -0.2], [-0.2, 1.0]]),
}


def stationary(phi, sigma):
    """Γ = ΦΓΦ' + Σ, summed up."""
    gamma, term = np.zeros((2, 2)), np.array(sigma)
    for _ in range(3000):
        gamma = gamma + term
        term = phi @ term @ phi.T
    return gamma


def simulate(rng, n, sessions, phi=None, psi=None, sigma=None, normal=None):
    """(patient, occasion, x, y) of a stationary process, by running it from long before."""
    phi = TRUTH["phi"] if phi is None else np.array(phi)
    psi = TRUTH["psi"] if psi is None else np.array(psi)
    sigma = TRUTH["sigma"] if sigma is None else np.array(sigma)
    draw = rng.normal if normal is None else normal
    trait = draw(size=(n, 2)) @ np.linalg.cholesky(psi).T
    root = np.linalg.cholesky(sigma).T
    w, z = np.zeros((n, 2)), []
    for t in range(60 + sessions):
        w = w @ phi.T + draw(size=(n, 2)) @ root
        if t >= 60:
            z.append(trait + w)
    z = np.stack(z, axis=1)
    return (
        np.repeat(np.arange(n), sessions),
        np.tile(np.arange(sessions), n),
        z[..., 0].ravel(),
        z[..., 1].ravel(),
    )


def ragged(rng, columns, share=0.7, missing=0.1):
    """Skipped sessions, dropout, values missing in x or y alone; shuffled."""
    patient, occasion, x, y = (np.array(column) for column in columns)
    last = rng.integers(1, occasion.max() + 2, patient.max() + 1)
    kept = (rng.random(len(x)) < share) & (occasion < last[patient])
    x, y = (np.where(rng.random(len(v)) < missing, np.nan, v) for v in (x, y))
    order = rng.permutation(np.flatnonzero(kept))
    return patient[order], occasion[order], x[order], y[order]


def dense_log_likelihood(fit, patient, occasion, x, y, trends_x=None, trends_y=None):
    """Sum of multivariate normal log-densities from the parameters of a fit, from scratch."""
    total = 0.0
    none = np.zeros((len(x), 0))
    trends = [none if t is None else np.reshape(t, (len(x), -1)) for t in (trends_x, trends_y)]
    means = [fit.mean_x, fit.mean_y]
    for who in np.unique(patient):
        rows = np.flatnonzero((patient == who) & ~(np.isnan(x) & np.isnan(y)))
        if not len(rows):
            continue
        rows = rows[np.argsort(occasion[rows])]
        start = occasion[rows[0]]
        entries = [(r, j) for r in rows for j in (0, 1) if not np.isnan((x, y)[j][r])]
        size = len(entries)
        V, residual = np.zeros((size, size)), np.zeros(size)
        for a, (row, j) in enumerate(entries):
            mean = means[j][0] + trends[j][row] @ means[j][1:]
            residual[a] = (x, y)[j][row] - mean
            for b, (other, k) in enumerate(entries):
                V[a, b] = pair_covariance(fit, occasion[row] - start, occasion[other] - start)[j, k]
        sign, log_det = np.linalg.slogdet(V)
        assert sign > 0
        quadratic = residual @ np.linalg.solve(V, residual)
        total -= 0.5 * (size * np.log(2 * np.pi) + log_det + quadratic)
    return total


def pair_covariance(fit, t, s):
    """Cov(z_t, z_s), t and s counted from the first occasion, by following the process."""
    if t < s:
        return pair_covariance(fit, s, t).T
    at_s, with_trait = np.array(fit.first_state), np.array(fit.trait_state)
    for _ in range(s):
        at_s = fit.phi @ at_s @ fit.phi.T + fit.sigma
        with_trait = with_trait @ fit.phi.T
    at_t, trait_t = at_s, with_trait
    for _ in range(t - s):
        at_t = fit.phi @ at_t
        trait_t = trait_t @ fit.phi.T
    return fit.psi + at_t + trait_t.T + with_trait


def fixed_effects(patient, occasion, x, y):
    """φ and β of y_t on y_{t-1}, x_{t-1} and an intercept for each patient, complete panels."""
    n = patient.max() + 1
    order = np.lexsort((occasion, patient))
    wide_x, wide_y = (v[order].reshape(n, -1) for v in (x, y))
    columns = [wide_y[:, 1:], wide_y[:, :-1], wide_x[:, :-1]]
    outcome, lagged, before = (c - c.mean(axis=1, keepdims=True) for c in columns)
    design = np.column_stack([lagged.ravel(), before.ravel()])
    return np.linalg.lstsq(design, outcome.ravel(), rcond=None)[0]
