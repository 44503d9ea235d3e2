import numpy as np
import pytest

from metalliance.numerics.blocks import connected_components
from tests.numerics.examples import block_matrix

LABELS = np.array([0, 1, 0, 2, 3, 1, 4, 4, 4, 5])


def test_regroup_keeps_the_matrix() -> None:
    fine = block_matrix(LABELS)
    coarse = fine.regroup(np.array([0, 1, 0, 0, 2, 1, 2, 2, 2, 1]))
    assert np.array_equal(coarse.to_array(), fine.to_array())
    assert len(np.unique(coarse.labels())) == 3


def test_regroup_refuses_to_split_a_block() -> None:
    with pytest.raises(ValueError, match="split"):
        block_matrix(LABELS).regroup(np.arange(len(LABELS)))


@pytest.mark.parametrize("dropped", [[0], [6, 8], [3, 9], [0, 1, 2]])
def test_select_is_the_submatrix(dropped: list[int]) -> None:
    keep = ~np.isin(np.arange(len(LABELS)), dropped)
    matrix = block_matrix(LABELS)
    assert np.array_equal(matrix.select(keep).to_array(), matrix.to_array()[np.ix_(keep, keep)])


def test_sparse_and_dense_agree() -> None:
    matrix = block_matrix(LABELS)
    assert np.array_equal(matrix.to_sparse().toarray(), matrix.to_array())
    assert np.array_equal(matrix.diagonal(), np.diag(matrix.to_array()))


def test_connected_components_chain() -> None:
    study = np.array([0, 0, 1, 2, 3])
    sample = np.array([0, 1, 1, 2, -1])
    assert connected_components([study, sample]).tolist() == [0, 0, 0, 1, 2]
