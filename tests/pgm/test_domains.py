"""Domains: what they hold, when they are equal, and what they refuse."""

import pickle
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgm import Binary, Count, Finite, Real, Variable
from pgm.domains import Numeric
from pgm.errors import GraphError

shapes = st.lists(st.integers(1, 9), max_size=3).map(tuple)
kinds = st.sampled_from([Real, Binary, Count])


@given(kinds, shapes)
def test_numeric_domains_are_values(kind: type[Numeric], shape: tuple[int, ...]) -> None:
    domain = kind(*shape)
    assert (domain.shape, domain.length) == (shape, prod(shape))
    assert eval(repr(domain)) == domain
    assert pickle.loads(pickle.dumps(domain)) == domain
    assert hash(kind(*map(np.int64, shape))) == hash(domain)


@given(kinds, kinds, shapes, shapes)
def test_domains_are_equal_when_kind_and_shape_are(
    one: type[Numeric], two: type[Numeric], a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    assert (one(*a) == two(*b)) == ((one, a) == (two, b))
    assert one(*a) != Finite(["a", "b"])


def test_a_variable_has_the_shape_of_its_domain_and_no_states() -> None:
    image = Variable("image", Binary(28, 28))
    assert (image.shape, image.finite) == ((28, 28), False)
    assert repr(image) == "Variable('image', Binary(28, 28))"
    assert (Variable("wet", 2).shape, Variable("wet", 2).finite) == ((), True)
    for ask in (lambda: image.states, lambda: image.size, lambda: image.number("yes")):
        with pytest.raises(GraphError, match=r"^'image' is Binary\(28, 28\): it has numbers, not states\.$"):
            ask()


@pytest.mark.parametrize("shape", [(0,), (-1, 2), (2.0,), ((2, 3),), (True,), ("3",)])
def test_lengths_are_positive_whole_numbers(shape: tuple[object, ...]) -> None:
    with pytest.raises(GraphError) as caught:
        Real(*shape)
    assert str(caught.value) == f"Real: shape is {shape!r}, expected positive whole numbers such as Real(28, 28)."


def test_a_domain_is_made_before_it_is_used() -> None:
    with pytest.raises(GraphError, match=r"expected a list of labels, their number, or Real\(\) or such\.$"):
        Variable("x", Real)
