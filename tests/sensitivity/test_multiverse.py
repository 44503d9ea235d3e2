"""Pools under other choices."""

import math

import pandas as pd
import pytest

from metalliance.effectsize.table import CORE_COLUMNS, EffectTable
from metalliance.sensitivity.multiverse import as_claimed
from metalliance.traitstate.pooling import pool_effects

pytestmark = pytest.mark.filterwarnings("ignore::metalliance.MetallianceWarning")


def effects() -> EffectTable:
    """Six within effects, one called trait-like, and four change scores called state-like."""
    frame = pd.DataFrame({name: ["x"] * 10 for name in CORE_COLUMNS})
    frame["study"] = frame["sample"] = list("abcdefghij")
    frame["effect"] = "E1"
    frame["component"] = ["within"] * 6 + ["between_change"] * 4
    frame["es_metric"] = "z"
    frame["yi"] = [0.1, 0.12, 0.08, 0.15, 0.05, 0.4, 0.3, 0.35, 0.25, 0.3]
    frame["vi"] = 0.004
    frame["component_claimed"] = [None] * 5 + ["trait-like"] + ["state-like"] * 4
    return EffectTable.build(frame, moderators=["component_claimed"])


def test_effects_move_to_where_their_authors_put_them() -> None:
    every = effects()
    own = every.where(every.usable["component"].eq("within"))
    row = as_claimed(every, own, rho=0.6).iloc[0]
    assert row["setting"] == "components as their authors call them (4 more effects, 1 fewer)"
    by_hand = every.where([True] * 5 + [False] + [True] * 4)
    assert row["k_effects"] == 9
    fitted = pool_effects(by_hand).fit.beta[0]
    assert row["estimate"] == pytest.approx(math.tanh(fitted))


def test_no_row_where_claims_change_nothing() -> None:
    every = effects()
    silent = EffectTable.build(every.usable.assign(component_claimed=None))
    own = silent.where(silent.usable["component"].eq("within"))
    assert as_claimed(silent, own, rho=0.6).empty
    plain = EffectTable.build(every.usable.drop(columns="component_claimed"))
    assert as_claimed(plain, plain.where([True] * 6 + [False] * 4), rho=0.6).empty
