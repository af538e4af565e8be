"""Which electrodes have which potential in each channel, and what that asks of the field. Pure.

A channel drives its active electrodes at 1 V against those that return at 0 V; all others float: bare metal in tissue
is an equipotential that takes the potential at which no net current leaves it. Electrodes that always go together are
one group, and the field is solved once for 1 V on each group and 0 V on all else. Its fields add up to every channel's:

    phi = sum over groups w_g phi_g,     w = 1 active,  0 return,     sum over h  G_gh w_h = 0  for each g that floats
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Role = Literal["active", "return", "float"]
"""An electrode's part in a channel."""


def electrode_groups(roles: Sequence[Sequence[Role]]) -> tuple[tuple[int, ...], ...]:
    """Return the groups of electrodes; `roles` has each electrode's in every channel.

    What returns in all channels is in no group: it stays at 0 V.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, each in enumerate(roles):
        if set(each) != {"return"}:
            alone = number if "float" in each else -1
            groups.setdefault((alone, *each), []).append(number)
    return tuple(tuple(group) for group in groups.values())


def group_potentials(roles: Sequence[Role], G: FloatArray) -> FloatArray:
    """Return w, each group's potential [1] in a channel, from its role there.

    G: current out of each group for 1 V on each group [S], shape (n_groups, n_groups).
    """
    w = np.array([1.0 if role == "active" else 0.0 for role in roles])
    floats = np.flatnonzero([role == "float" for role in roles])
    if len(floats):
        w[floats] = np.linalg.solve(G[np.ix_(floats, floats)], -(G @ w)[floats])
    return w
