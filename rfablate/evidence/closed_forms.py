"""Closed forms of electric, heat and damage problems: rise above body temperature [K] at r [m] and t [s]. Pure.

| id  | problem                                              | equation                                             |
|-----|------------------------------------------------------|------------------------------------------------------|
| A0  | resistance of a sphere of radius r0                  | R = 1 / (4 pi sigma r0)                              |
| A1  | steady Joule heat around a sphere that takes no heat | theta = (sigma V^2 / k) (r0/r - r0^2 / (2 r^2))      |
| A1b | the same, sphere held at the rise theta_e            | theta = B/r - sigma V^2 r0^2 / (2 k r^2)             |
| A2  | A1 with perfusion                                    | u = r theta, u'' - m^2 u = -sigma V^2 r0^2 / (k r^3) |
| A3  | sphere whose surface steps by theta_0, perfusion     | theta = theta_0 r0 / (2 r) E(r - r0, t)              |
| A4  | half space whose surface steps by theta_0, perfusion | theta = theta_0 / 2 E(x, t)                          |
| A5  | steady, cylinder held at the rise theta_e, perfusion | theta = theta_e K0(m r) / K0(m r0)                   |
| A6  | point source of P from t = 0, perfusion              | theta = P / (8 pi k r) E(r, t)                       |
| A7  | boiling front in a half space (Stefan problem)       | s = 2 lambda sqrt(a t)                               |

    E(x, t) = e^(-m x) erfc(x / (2 sqrt(a t)) - sqrt(w t)) + e^(m x) erfc(x / (2 sqrt(a t)) + sqrt(w t))
    B = r0 (theta_e + sigma V^2 / (2 k)),   a = k / (rho c),   m = sqrt(W / k),   w = W / (rho c),   W = omega rho_b c_b

A0, A1, A1b: one and two integrations of the spherical Laplacian; A2: variation of constants. A3, A4, A6 and A7:
H. S. Carslaw, J. C. Jaeger, Conduction of Heat in Solids, 2nd ed., Oxford 1959, chapters II, IX, X and XI; perfusion
enters as a first-order loss, P. V. Danckwerts, Trans. Faraday Soc. 47 (1951) 1014. A5: modified Bessel equation.

`outer` is the radius of the tissue [m], at body temperature and grounded; by default the tissue is infinite.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erf, erfc, expn, k0

from rfablate.arrays import FloatArray

K = 0.5
"""Thermal conductivity k [W/(m K)]."""
RHO = 1060.0
"""Density [kg/m3]."""
C = 3600.0
"""Specific heat capacity [J/(kg K)]."""
T_A = 37.0
"""Temperature at the start and far away [degC]."""
SIGMA = 0.33
"""Electric conductivity [S/m]."""
VOLTAGE = 6.0
"""Voltage of the sphere to infinity [V]."""
R0 = 0.5e-3
"""Radius of the sphere or cylinder [m]."""
OMEGA = 0.0064
"""Perfusion rate [1/s]."""
BLOOD = (1000.0, 4180.0)
"""Density [kg/m3] and specific heat capacity [J/(kg K)] of blood."""
W = OMEGA * BLOOD[0] * BLOOD[1]
"""Perfusion [W/(m3 K)]."""
M = float(np.sqrt(W / K))
"""m [1/m]"""
A = K / (RHO * C)
"""Thermal diffusivity a [m2/s]."""
W_RATE = W / (RHO * C)
"""w [1/s]"""
WATER_FRACTION = 0.68
"""Volume fraction of water that boils in A7, that of liver."""
LATENT = WATER_FRACTION * 2.26e9
"""Latent heat of A7 [J/m3]: 1000 kg/m3 x 2.26e6 J/kg of water."""
HELD, BOILING = 140.0, 100.0
"""Temperatures of the surface and of the front in A7 [degC]."""


def resistance(outer: float = np.inf) -> float:
    """A0, sphere against infinity or against a concentric sphere [ohm]."""
    return (1.0 / R0 - 1.0 / outer) / (4.0 * np.pi * SIGMA)


def applied(outer: float) -> float:
    """Return the voltage that drives the field of VOLTAGE to infinity when the return is a sphere `outer` [V]."""
    return VOLTAGE * (1.0 - R0 / outer)


def joule_sphere(r: FloatArray, outer: float = np.inf) -> FloatArray:
    """A1, steady Joule heat around a sphere that takes no heat."""

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
    """A1b, a film between sphere and a liquid at the rise `liquid` [K]:  k theta' = h (theta - liquid) at r0."""
    q = SIGMA * VOLTAGE**2 * R0**2 / (2.0 * K)
    # theta = A + B / r - q / r^2
    far = q / outer**2
    B = (2.0 * K * q / R0**3 + h * (liquid + q / R0**2 - far)) / (K / R0**2 + h / R0 - h / outer)
    return far - B / outer + B / r - q / r**2


def joule_perfused_sphere(r: FloatArray, outer: float = np.inf) -> FloatArray:
    """A2, steady Joule heat around a sphere that takes no heat, with perfusion."""
    K0 = SIGMA * VOLTAGE**2 * R0**2

    def particular(r: float) -> float:
        behind = quad(lambda s: np.exp(-M * (r - s)) / s**3, R0, r, epsrel=1e-12, epsabs=0.0, limit=300)[0]
        return float(K0 / (2.0 * M * K) * (behind + np.exp(M * r) * expn(3, M * r) / r**2))

    slope = K0 / (2.0 * K) * np.exp(M * R0) * expn(3, M * R0) / R0**2
    # u = r theta = particular + C e^{-m(r - r0)} + D e^{m(r - R)},  u'(r0) = u(r0) / r0,  u(R) = 0
    far = 0.0 if np.isinf(outer) else np.exp(-M * (outer - R0))
    system = [[-M - 1.0 / R0, (M - 1.0 / R0) * far], [far, 1.0]]
    given = [particular(R0) / R0 - slope, 0.0 if np.isinf(outer) else -particular(outer)]
    C_, D = np.linalg.solve(system, given)
    grow = 0.0 if np.isinf(outer) else np.exp(M * (r - outer))
    u = np.array([particular(float(each)) for each in r]) + C_ * np.exp(-M * (r - R0)) + D * grow
    return np.asarray(u / r)


def _erfc_pair(x: FloatArray, t: float) -> FloatArray:
    s, w = x / (2.0 * np.sqrt(A * t)), np.sqrt(W_RATE * t)
    return np.asarray(np.exp(-M * x) * erfc(s - w) + np.exp(M * x) * erfc(s + w))


def stepped_sphere(r: FloatArray, t: float, step: float = 43.0) -> FloatArray:
    """A3, sphere whose surface jumps by `step` [K], with perfusion."""
    return step * R0 / (2.0 * r) * _erfc_pair(r - R0, t)


def stepped_half_space(x: FloatArray, t: float, step: float = 43.0) -> FloatArray:
    """A4, half space whose surface jumps by `step` [K], with perfusion, at depth x [m]."""
    return step / 2.0 * _erfc_pair(x, t)


def held_cylinder(r: FloatArray, rise: float = 43.0) -> FloatArray:
    """A5, steady, around a long cylinder of radius R0 held at `rise` [K], with perfusion."""
    return np.asarray(rise * k0(M * r) / k0(M * R0))


def point_source(r: FloatArray, t: float, power: float = 1.0) -> FloatArray:
    """A6, `power` [W] in a point from t = 0, with perfusion."""
    return power / (8.0 * np.pi * K * r) * _erfc_pair(r, t)


def stefan_lambda() -> float:
    """A7, lambda [1] of the boiling front, k and a the same in both phases.

    k (T_w - T_m) e^(-l^2) / (sqrt(a) erf l) - k (T_m - T_i) e^(-l^2) / (sqrt(a) erfc l) = l sqrt(pi) L sqrt(a)
    """
    root = np.sqrt(np.pi) * LATENT * A / K

    def balance(x: float) -> float:
        decay = np.exp(-(x**2))
        return float((HELD - BOILING) * decay / erf(x) - (BOILING - T_A) * decay / erfc(x) - root * x)

    return float(brentq(balance, 1e-3, 1.0))


def stefan_front(t: float) -> float:
    """A7, depth of the boiling front [m]."""
    return float(2.0 * stefan_lambda() * np.sqrt(A * t))


def stefan_rise(x: FloatArray, t: float) -> FloatArray:
    """A7, rise at depth x [m] on both sides of the front."""
    scale, l_ = 2.0 * np.sqrt(A * t), stefan_lambda()
    behind = HELD - T_A - (HELD - BOILING) * erf(x / scale) / erf(l_)
    ahead = (BOILING - T_A) * erfc(x / scale) / erfc(l_)
    return np.asarray(np.where(x < l_ * scale, behind, ahead))
