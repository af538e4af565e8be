"""The closed forms of PHYSICS section 2 as plain functions: rise above body temperature [K] at r [m], t [s].

`outer` is the outer radius of the tissue [m], at body temperature and 0 V; without it the tissue is unbounded.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.integrate import quad
from scipy.special import erfc, expn, k0

from tests.build import BLOOD, OMEGA, R0, RHO, SIGMA, VOLTAGE, C, K

FloatArray = npt.NDArray[np.float64]
W = OMEGA * BLOOD[0] * BLOOD[1]
"""Perfusion [W/(m3 K)]."""
M = float(np.sqrt(W / K))
A = K / (RHO * C)
W_RATE = W / (RHO * C)


def resistance(outer: float = np.inf) -> float:
    """A0, resistance of a sphere to infinity or to a concentric sphere [ohm]."""
    return (1.0 / R0 - 1.0 / outer) / (4.0 * np.pi * SIGMA)


def applied(outer: float) -> float:
    """Return the voltage against a sphere `outer` that gives the same field as VOLTAGE against infinity [V]."""
    return VOLTAGE * (1.0 - R0 / outer)


def joule_sphere(r: FloatArray, outer: float = np.inf) -> FloatArray:
    """A1, steady Joule heat around a thermally insulated sphere."""

    def rise(r: FloatArray) -> FloatArray:
        return SIGMA * VOLTAGE**2 / K * (R0 / r - R0**2 / (2.0 * r**2))

    return rise(r) - rise(np.array(outer))


def joule_held_sphere(r: FloatArray, electrode: float, outer: float = np.inf) -> FloatArray:
    """A1b, the same with the sphere held at the rise `electrode` [K]."""
    q = SIGMA * VOLTAGE**2 * R0**2 / (2.0 * K)
    # theta = A + B / r - q / r^2, with the rise given at r0 and none at the outer sphere
    B = (electrode + q / R0**2 - q / outer**2) / (1.0 / R0 - 1.0 / outer)
    return q / outer**2 - B / outer + B / r - q / r**2


def joule_filmed_sphere(r: FloatArray, h: float, liquid: float, outer: float = np.inf) -> FloatArray:
    """A1b, convection between sphere and a liquid at the rise `liquid` [K]:  k theta' = h (theta - liquid) at r0."""
    q = SIGMA * VOLTAGE**2 * R0**2 / (2.0 * K)
    # theta = A + B / r - q / r^2
    far = q / outer**2
    B = (2.0 * K * q / R0**3 + h * (liquid + q / R0**2 - far)) / (K / R0**2 + h / R0 - h / outer)
    return far - B / outer + B / r - q / r**2


def joule_perfused_sphere(r: FloatArray, outer: float = np.inf) -> FloatArray:
    """A2, steady Joule heat around a thermally insulated sphere, with perfusion."""
    K0 = SIGMA * VOLTAGE**2 * R0**2

    def particular(r: float) -> float:
        behind = quad(lambda s: np.exp(-M * (r - s)) / s**3, R0, r, epsrel=1e-12, epsabs=0.0, limit=300)[0]
        return K0 / (2.0 * M * K) * (behind + np.exp(M * r) * expn(3, M * r) / r**2)

    slope = K0 / (2.0 * K) * np.exp(M * R0) * expn(3, M * R0) / R0**2
    # u = r theta = particular + C e^{-m(r - r0)} + D e^{m(r - R)},  u'(r0) = u(r0) / r0,  u(R) = 0
    far = 0.0 if np.isinf(outer) else np.exp(-M * (outer - R0))
    system = [[-M - 1.0 / R0, (M - 1.0 / R0) * far], [far, 1.0]]
    given = [particular(R0) / R0 - slope, 0.0 if np.isinf(outer) else -particular(outer)]
    C_, D = np.linalg.solve(system, given)
    grow = 0.0 if np.isinf(outer) else np.exp(M * (r - outer))
    return (np.array([particular(float(each)) for each in r]) + C_ * np.exp(-M * (r - R0)) + D * grow) / r


def _erfc_pair(x: FloatArray, t: float) -> FloatArray:
    s, w = x / (2.0 * np.sqrt(A * t)), np.sqrt(W_RATE * t)
    return np.exp(-M * x) * erfc(s - w) + np.exp(M * x) * erfc(s + w)


def stepped_sphere(r: FloatArray, t: float, step: float = 43.0) -> FloatArray:
    """A3, sphere whose surface jumps by `step` [K], with perfusion."""
    return step * R0 / (2.0 * r) * _erfc_pair(r - R0, t)


def stepped_half_space(x: FloatArray, t: float, step: float = 43.0) -> FloatArray:
    """A4, half space whose surface jumps by `step` [K], with perfusion, at depth x [m]."""
    return step / 2.0 * _erfc_pair(x, t)


def held_cylinder(r: FloatArray, rise: float = 43.0) -> FloatArray:
    """A5, steady, around a long cylinder of radius R0 held at `rise` [K], with perfusion."""
    return rise * k0(M * r) / k0(M * R0)


def point_source(r: FloatArray, t: float, power: float = 1.0) -> FloatArray:
    """A6, point source of `power` [W] from t = 0, with perfusion."""
    return power / (8.0 * np.pi * K * r) * _erfc_pair(r, t)
