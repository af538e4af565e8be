"""Electrode potentials in each channel, and the unit fields that they require. Pure.

A channel drives its active electrodes at 1 V against its return electrodes at 0 V. All others float: bare metal in
tissue is equipotential, at the potential for zero net current. Electrodes with equal roles in all channels form a
group; a floating electrode forms its own. The field is solved once for 1 V on each group and 0 V on all others. The
field of each channel is a superposition:

    phi = sum over groups w_g phi_g,     w = 1 active,  0 return,     sum over h  G_gh w_h = 0  for each g that floats
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from rfablate.arrays import FloatArray

Role = Literal["active", "return", "float"]
"""Role of an electrode in a channel."""


def electrode_groups(roles: Sequence[Sequence[Role]]) -> tuple[tuple[int, ...], ...]:
    """Return the groups of electrodes, from the roles of each electrode in every channel.

    Electrodes that are a return in all channels are in no group: they stay at 0 V.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, each in enumerate(roles):
        if set(each) != {"return"}:
            alone = number if "float" in each else -1
            groups.setdefault((alone, *each), []).append(number)
    return tuple(tuple(group) for group in groups.values())


def group_potentials(roles: Sequence[Role], G: FloatArray) -> FloatArray:
    """Return w, the potential of each group in a channel [1].

    Args:
        roles: role of each group in the channel.
        G: current out of each group for 1 V on each group [S], shape (n_groups, n_groups).
    """
    w = np.array([1.0 if role == "active" else 0.0 for role in roles])
    floats = np.flatnonzero([role == "float" for role in roles])
    if len(floats):
        w[floats] = np.linalg.solve(G[np.ix_(floats, floats)], -(G @ w)[floats])
    return w
