"""Fractions of a node that belong to groups of regions; a node at an interface belongs partly to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.mesh.domain import Domain


def node_shares(domain: Domain, weight: Mapping[str, float], groups: Sequence[Sequence[str]]) -> FloatArray:
    """Return the weight fraction of each group at each node, shape (len(groups), nodes.local). Collective.

    Args:
        domain: the mesh.
        weight: weight per volume by region name, for example 1 or the perfusion. A node without weight belongs to the
            first group.
        groups: regions of each group; together all regions with a weight.
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
