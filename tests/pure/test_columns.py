"""Packed columns: unpacking restores the columns, and products equal those in compressed row format.

| law                                                   | allowed |
|-------------------------------------------------------|---------|
| unpacked columns are the columns                      | exact   |
| a product of narrow and wide slices is SciPy's        | 1e-14   |
| entries in 16 bits: half a multiple of 1/32767        | exact   |
"""

import numpy as np
import pytest
import scipy.sparse as sp

from rfablate.kernels.loader import SHORT_ONE, SLICE, call
from rfablate.linalg.packed_columns import Columns, padding_columns, slice_starts

N, FAR = 203, 70_000


@pytest.fixture
def matrix() -> sp.csr_matrix:
    """Banded rows, and every fiftieth row with a column `FAR` away, beyond the range of 16 bits."""
    random = np.random.default_rng(1)
    rows = np.repeat(np.arange(N), 7)
    columns = np.clip(rows + random.integers(-20, 21, len(rows)), 0, N - 1)
    columns[rows % 50 == 3] += FAR
    return sp.csr_matrix((random.standard_normal(len(rows)), (rows, columns)), shape=(N, N + FAR))


def _sliced(A: sp.csr_matrix) -> tuple[Columns, np.ndarray, np.ndarray]:
    length = np.diff(A.indptr).astype(np.int32)
    start = slice_starts(length)
    column, values = padding_columns(N, start), np.zeros(start[-1])
    for i in range(N):
        for k in range(length[i]):
            place = start[i // SLICE] + i % SLICE + SLICE * k
            column[place], values[place] = A.indices[A.indptr[i] + k], A.data[A.indptr[i] + k]
    return Columns(start, column), column, values


def test_unpacked_columns_are_what_was_packed(matrix: sp.csr_matrix) -> None:
    columns, column, _ = _sliced(matrix)
    _, base, packed, wide = columns.layout
    assert (base < 0).sum() == 4 and (base >= 0).sum() == 22  # rows 3, 53, 103, 153
    assert packed.dtype == np.uint16 and len(wide) < len(packed) / 2
    np.testing.assert_array_equal(columns.unpacked(), column)


def test_products_are_those_of_compressed_rows(matrix: sp.csr_matrix) -> None:
    columns, _, values = _sliced(matrix)
    x, diagonal = np.random.default_rng(2).standard_normal((2, N + FAR))
    diagonal = diagonal[:N].copy()
    expected = matrix @ x + diagonal * x[:N]
    y, rows = np.empty(N), np.array([3, 4, 53, 202])
    call("multiply", N, *columns.layout, values, diagonal, x, y)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-14 * np.abs(expected).max())
    some = np.empty(len(rows))
    call("multiply_rows", len(rows), rows, *columns.layout, values, diagonal, x, some)
    np.testing.assert_allclose(some, expected[rows], rtol=0, atol=1e-14 * np.abs(expected).max())


def test_entries_in_16_bits_are_the_nearest(matrix: sp.csr_matrix) -> None:
    columns, column, values = _sliced(matrix)
    values /= 1.01 * np.abs(values).max()
    root, shorts = np.ones(N + FAR), np.empty(len(values), dtype=np.int16)
    root[::2] = 0.5
    call("scale_to_shorts", N, *columns.layout, values, root, shorts)
    scaled = values * root[padding_columns(N, columns.start)] * root[column]
    assert np.abs(shorts - SHORT_ONE * scaled).max() <= 0.5
    assert (shorts[values == 0.0] == 0).all()
