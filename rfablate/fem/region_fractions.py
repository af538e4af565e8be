"""How much of a node belongs to each of several groups of regions: where tissues meet, a node has part of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rfablate.mesh.domain import Domain

FloatArray = npt.NDArray[np.float64]


def node_shares(domain: Domain, weight: Mapping[str, float], groups: Sequence[Sequence[str]]) -> FloatArray:
    """Return each group's share of a node's weight, shape (len(groups), nodes.local), the same on ghosts. Collective.

    Args:
        domain: the mesh.
        weight: by region name, what a volume counts: 1 a volume, or its perfusion. A node without weight is the first
            group's.
        groups: the regions of each group; together all regions that have a weight.
    """
    shares = np.zeros((len(groups), domain.nodes.local))
    for share, names in zip(shares, groups, strict=True):
        density = domain.by_region({name: weight[name] if name in names else 0.0 for name in domain.tag_of})
        share[:] = domain.stencil.to_nodes(density[domain.stencil_region], domain.nodes.local)
    total = shares.sum(axis=0)
    shares[0][total <= 0.0] = 1.0
    shares /= np.where(total > 0.0, total, 1.0)
    for share in shares:
        domain.nodes.update_ghosts(share)
    return shares
