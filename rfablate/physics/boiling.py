"""Constants of boiling tissue water."""

BOILING = 100.0
"""[degC]"""
HOT = 90.0
"""Highest temperature [degC] at and above which steps are backward Euler."""
WATER = 1000.0 * 2.26e6
"""Latent heat of water [J/m3] (PHYSICS section 1): rho_w x 2.26e6 J/kg."""
