import numpy as np
import pytest
from scipy import stats

from metalliance.numerics.distributions import chi2_sf, critical_value, f_sf, two_sided_p
from tests.tolerances import CLOSED_FORM


@pytest.mark.parametrize("df", [0.7, 2.3, 15.0, 4000.0])
@pytest.mark.parametrize("t", [0.0, 0.3, 2.1, 40.0])
def test_t(t: float, df: float) -> None:
    assert two_sided_p(-t, df) == pytest.approx(2 * stats.t.sf(t, df), rel=CLOSED_FORM)
    assert critical_value(0.9, df) == pytest.approx(stats.t.ppf(0.95, df), rel=CLOSED_FORM)


def test_infinite_df_is_normal() -> None:
    assert two_sided_p(33.0, np.inf) == pytest.approx(2 * stats.norm.sf(33), rel=CLOSED_FORM)
    assert critical_value(0.95, np.inf) == pytest.approx(stats.norm.ppf(0.975), rel=CLOSED_FORM)


def test_chi_square_and_f() -> None:
    assert chi2_sf(789.7, 159) == pytest.approx(stats.chi2.sf(789.7, 159), rel=CLOSED_FORM)
    assert f_sf(66.6, 2, 0.88) == pytest.approx(stats.f.sf(66.6, 2, 0.88), rel=CLOSED_FORM)


def test_what_is_undefined_is_nan() -> None:
    assert np.isnan(two_sided_p(1.0, 0.0))
    assert np.isnan(critical_value(0.95, -1.0))
    assert np.isnan(f_sf(1.0, 2, -0.5))
    with pytest.raises(ValueError, match="level"):
        critical_value(95, 3)
