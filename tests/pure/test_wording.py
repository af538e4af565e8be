"""Numbers as text: the text is the number to the digits shown."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfablate.results.wording import short


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (250.4, 3, "250"),
        (99.99, 3, "100"),
        (1000.2, 3, "1\u2009000"),
        (-0.1004, 3, "−0.1"),
        (0.25, 1, "0.2"),
        (12.0, 3, "12"),
        (8999.7, 4, "9\u2009000"),
        (1.5e-4, 2, "1.5 × 10^−4"),
    ],
)
def test_short_numbers(value: float, digits: int, text: str) -> None:
    assert short(value, digits) == text


@given(st.floats(1e-3, 9.9e4), st.integers(1, 5), st.sampled_from([1, -1]))
def test_a_short_number_is_the_number_to_its_digits(size: float, digits: int, sign: int) -> None:
    """Zeros before the decimal point stay: 250.4 is 250, not 25."""
    value = sign * size
    shown = float(short(value, digits).replace("\u2009", "").replace("−", "-"))
    place = 10.0 ** (math.floor(math.log10(size)) - digits + 1)
    assert abs(shown - value) <= 0.51 * place
