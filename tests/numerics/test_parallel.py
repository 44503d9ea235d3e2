import math

from metalliance.numerics.parallel import run


def test_order_does_not_depend_on_the_number_of_processes() -> None:
    items = [9.0, 4.0, 1.0]
    assert run(math.sqrt, items) == run(math.sqrt, items, n_jobs=2) == [3.0, 2.0, 1.0]
