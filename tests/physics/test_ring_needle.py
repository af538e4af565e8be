"""A bipolar needle of the library: conductance compared with an independent method, and position of the heating.

| law                                                                        | allowed             |
|----------------------------------------------------------------------------|---------------------|
| conductance: rings of current on the bare surfaces, potentials +V/2, -V/2  | 5 %                 |
| the tip current returns through the ring, none through the outer surface   | 1e-8 of the current |
| tissue heats first beside the gap between the electrodes                   | place               |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpi4py import MPI
from scipy.special import ellipk

from rfablate.case.read.case_file import parse_case
from rfablate.evidence.verification_problems import last_frame
from rfablate.mesh.build import make_mesh
from rfablate.mesh.domain import distribute
from rfablate.mesh.root_tasks import on_root
from rfablate.physics.library import applicator_model
from rfablate.problem.problem import Problem, build_problem

MODEL = "bipolar-cooled-15g-30mm"


def needle(comm: MPI.Comm, **keys: Any) -> Problem:
    case = parse_case(
        {
            "domain": {
                **{"kind": "axisymmetric", "radius_mm": 60, "height_mm": 160, "centre_mm": [0, 0, 15]},
                "tissue": "liver",
            },
            "boundary": {"electric": "insulated"},
            "applicators": [{"model": MODEL, **keys}],
            "generator": {"kind": "current", "current_A": 0.5, "duration_s": 5},
        }
    )
    return build_problem(case, distribute(on_root(comm, lambda: make_mesh(case)), comm))


def ring_conductance(sigma: float) -> float:
    """Conductance [S] between the bare parts in an unbounded medium, by rings of current on their surfaces.

    A ring of current I at radius a: phi = I / (4 pi sigma) (2 / pi) K(m) / p, p^2 = (r + a)^2 + z^2, m = 4 r a / p^2.
    It allows current inside the gap, a few per cent, and has no end faces.
    """
    model = applicator_model(MODEL)
    a, tip, gap, ring = (
        1e-3 * length
        for length in (
            0.5 * model["outer_diameter_mm"],
            model["active_tip_mm"],
            model["ring"]["gap_mm"],
            model["ring"]["length_mm"],
        )
    )
    count, parts = 80, 40
    middles, lengths = [], []
    for start, length in ((0.0, tip), (tip + gap, ring)):
        middles.append(start + length * (np.arange(count) + 0.5) / count)
        lengths.append(np.full(count, length / count))
    z, h = np.concatenate(middles), np.concatenate(lengths)
    within = (np.arange(parts) + 0.5) / parts - 0.5  # an even number avoids the singular point
    apart = z[:, None, None] - (z[None, :, None] + h[None, :, None] * within)
    p2 = 4.0 * a**2 + apart**2
    influence = (ellipk(4.0 * a**2 / p2) / np.sqrt(p2)).mean(axis=2) * 2.0 / np.pi / (4.0 * np.pi * sigma)
    # unit potential of each part separately; then zero net current at 1 V between them
    own = np.linalg.solve(influence, np.stack([z < tip, z > tip], axis=1).astype(float))
    G = np.array([[own[z < tip, k].sum() for k in (0, 1)], [own[z > tip, k].sum() for k in (0, 1)]])
    return float(np.linalg.det(G) / G.sum())


@pytest.mark.mpi
def test_its_conductance_is_that_of_rings_of_current(comm: MPI.Comm) -> None:
    problem = needle(comm, tip_shape="blunt")
    assert problem.solvers.electric is not None
    problem.solvers.assemble(problem.initial)
    unit = problem.solvers.electric.solve(problem.solvers.coefficients)
    exact = ring_conductance(problem.tissue_of_region["domain"].sigma)
    print(f"{1.0 / unit.conductance:.1f} ohm, {1.0 / exact:.1f} ohm by rings")
    assert unit.conductance == pytest.approx(exact, rel=0.05)
    out, back, pad = unit.currents
    assert abs(out + back) < 1e-8 * out and pad == 0.0


def test_it_heats_first_abreast_of_the_gap(comm: MPI.Comm) -> None:
    problem = needle(comm)
    frame = last_frame(problem)
    hottest = problem.domain.x[int(frame.T.argmax())]
    print(f"{frame.max_T:.1f} degC at r = {hottest[0] * 1e3:.2f}, z = {hottest[1] * 1e3:.2f} mm")
    assert 13.0e-3 < hottest[1] < 17.0e-3
    assert frame.ledger.residual_fraction < 0.01
