"""Gaussian process surrogate of a study: interpolates between the rows with a cross-validation error; no extrapolation.

Inputs are scaled to the unit cube of the ranges of the rows, responses to mean 0 and standard deviation 1. The
covariance is Matern 5/2 with one length scale for each axis, plus white noise for the discretisation error. Fitted by
scikit-learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.errors import CaseError, Fault
from rfablate.study.results_table import StudyTable, column_of

MOST_ROWS = 600
"""Maximum number of rows of a fit, whose time grows with the cube of the rows; larger tables are sampled evenly."""
FOLDS = 10
FEWEST_PER_AXIS = 4
SEED = 1
FAR = 0.5
"""Standard deviation of the process, relative to that of the response, above which a point is far from all rows."""
EDGE = 1e-9
"""Relative tolerance at the ends of a range."""


@dataclass(frozen=True)
class Surrogate:
    """A fitted response. rmse: cross-validation error in the response's unit; q2: 1 - rmse**2 / variance."""

    column: str
    keys: tuple[str, ...]
    low: FloatArray
    high: FloatArray
    rows: int
    rmse: float
    worst: float
    q2: float
    process: Any
    mean: float
    scale: float

    def predict(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return predictions and their standard deviations at points in the units of the axes, shape (n, axes).

        Raises:
            CaseError: a point lies outside the ranges of the rows, or far from every row.
        """
        faults = [
            Fault(key, f"found {value:g}", f"{low:g} to {high:g}: the surrogate does not extrapolate")
            for point in points
            for key, value, low, high in zip(self.keys, point, self.low, self.high, strict=True)
            if not low - EDGE * abs(low) <= value <= high + EDGE * abs(high)
        ]
        answers, deviations = self.evaluate(points)
        if not faults and (deviations > FAR * self.scale).any():
            expected = "a point closer to the rows: the surrogate does not extrapolate"
            faults.append(Fault(self.column, "the point is far from every row, or the surrogate is poor", expected))
        if faults:
            raise CaseError(faults, "predict")
        return answers, deviations

    def evaluate(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return predictions and standard deviations without a check of the ranges."""
        answers, deviations = self.process.predict((points - self.low) / (self.high - self.low), return_std=True)
        return answers * self.scale + self.mean, np.asarray(deviations) * self.scale


def fit(table: StudyTable, column: str) -> Surrogate:
    """Return the surrogate of a column of a study's table.

    Raises:
        CaseError: no such column, an axis is not numeric, too few rows, or scikit-learn is not installed.
    """
    try:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    except ModuleNotFoundError:
        fault = Fault("surrogate", "scikit-learn is not installed", "scikit-learn", 'pip install "rfablate[study]"')
        raise CaseError([fault], "study") from None
    keys, x, y, members = _rows(table, column)
    low, high = x.min(axis=0), x.max(axis=0)
    u, mean, scale = (x - low) / (high - low), float(y.mean()), float(y.std()) or 1.0
    kernel = ConstantKernel(1.0, (1e-2, 1e4)) * Matern(np.full(len(keys), 1.0), (5e-2, 1e2), nu=2.5)
    kernel += WhiteKernel(1e-4, (1e-8, 1e-1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length scale at its bound only means that the axis has no effect
        process = GaussianProcessRegressor(kernel, random_state=SEED).fit(u, (y - mean) / scale)
        errors = _cross_validated(process, u, (y - mean) / scale, members) * scale
    q2 = 1.0 - float((errors**2).mean()) / scale**2
    rmse, worst = float(np.sqrt((errors**2).mean())), float(np.abs(errors).max())
    return Surrogate(column, keys, low, high, len(y), rmse, worst, q2, process, mean, scale)


def _cross_validated(process: Any, u: FloatArray, y: FloatArray, members: Sequence[str]) -> FloatArray:
    """Return the cross-validation error at each row, from fits to the other folds with the covariance of all rows.

    All rows of one member are in the same fold, because they come from one run and are strongly correlated.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor

    names, group = np.unique(np.array(members), return_inverse=True)
    order = np.random.default_rng(SEED).permutation(len(names))
    errors = np.zeros(len(y))
    for fold in np.array_split(order, min(FOLDS, len(names))):
        left_out = np.flatnonzero(np.isin(group, fold))
        kept = np.setdiff1d(np.arange(len(y)), left_out)
        part = GaussianProcessRegressor(process.kernel_, optimizer=None).fit(u[kept], y[kept])
        errors[left_out] = part.predict(u[left_out]) - y[left_out]
    return errors


def _rows(table: StudyTable, column: str) -> tuple[tuple[str, ...], FloatArray, FloatArray, list[str]]:
    """Return keys and values of the varying axes, the values of the column and the members, for rows with a value."""
    y = column_of(table, column, "surrogate")
    axes: list[tuple[str, FloatArray]] = []
    for key in table.axes:
        if key in table.along or len({str(value) for value in table.columns[key]}) < 2:
            continue
        x = table.numbers(key)
        if not np.isfinite(x).all():
            fault = Fault(key, "found values that are not numbers", "numbers on every axis of a surrogate")
            raise CaseError([fault], "study")
        axes.append((key, x))
    kept = np.flatnonzero(np.isfinite(y))
    if len(kept) > MOST_ROWS:
        kept = kept[np.linspace(0, len(kept) - 1, MOST_ROWS).astype(int)]
    if len(kept) < FEWEST_PER_AXIS * max(1, len(axes)) or not axes:
        fault = Fault(
            column, f"found {len(kept)} rows with a number", f"at least {FEWEST_PER_AXIS} for each of {len(axes)} axes"
        )
        raise CaseError([fault], "surrogate")
    members = [str(table.columns["member"][n]) for n in kept]
    return tuple(key for key, _ in axes), np.stack([x[kept] for _, x in axes], axis=1), y[kept], members


def parse_point(texts: Sequence[str], keys: Sequence[str]) -> FloatArray:
    """Return the point given by `KEY=NUMBER` texts, in the order of `keys`, shape (1, axes).

    Raises:
        CaseError: a key is unknown or missing, or has no number.
    """
    given, faults = dict[str, float](), list[Fault]()
    for text in texts:
        key, _, value = text.partition("=")
        try:
            given[key.strip()] = float(value)
        except ValueError:
            faults.append(Fault("--predict", f"found {text!r}", "KEY=NUMBER"))
    known = ", ".join(keys)
    faults += [
        Fault(f"--predict {k}", "unknown axis", f"one of {known}", did_you_mean(k, keys))
        for k in given
        if k not in keys
    ]
    faults += [
        Fault("--predict", f"{key} is missing", f"a number for each of {known}") for key in keys if key not in given
    ]
    if faults:
        raise CaseError(faults, "predict")
    return np.array([[given[key] for key in keys]])
