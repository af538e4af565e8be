"""The arithmetic of the scaling model, for cases with known results.

| law                                                    | expected                                  |
|--------------------------------------------------------|-------------------------------------------|
| a cost function interpolates the measurements          | exactly                                   |
| one rank                                               | no messages                               |
| work alone, no fixed parts, an even partition          | speed-up P                                |
| latency alone                                          | number of sequential messages x latency   |
| replicated work                                        | the same on any number of ranks           |
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpc.scaling.model import Law, Memory, Network, Numbers, Share, Work, predict

NUMBERS = Numbers(
    cycles=6, cycled_iterations=5, cycled_solves=1, diagonal_iterations=20, diagonal_solves=1, other_reductions=7,
    dealt_levels=2,
)  # fmt: skip
INSTANT = Network("instant", 0.0, 0.0, 1e30)
NONE = Law(0.0, (1.0,), (0.0,))


def _work(**laws: Law) -> Work:
    names = "assemble rest measure judge damage diagonal conjugate fine dealt replicated petsc"
    return Work(**{name: laws.get(name, NONE) for name in names.split()})


def _share(ranks: int) -> Share:
    return Share(ranks, 1e6 / ranks, 6e6 / ranks, ghosts=0, neighbours=0, level_1=5e4, looked_at=0)


def test_a_law_goes_through_its_points_and_keeps_what_a_call_costs_when_it_is_small() -> None:
    law = Law.fit([(1e3, 2e-4), (1e4, 1.1e-3), (1e6, 0.2)])
    assert law.fixed == pytest.approx(1e-4)
    assert [law(n) for n in (1e3, 1e4, 1e6)] == pytest.approx([2e-4, 1.1e-3, 0.2])
    assert law(1.0) == pytest.approx(1e-4, rel=1e-2)
    assert law(1e6, slowdown=2.0) == pytest.approx(2.0 * (0.2 - 1e-4) + 1e-4)


def test_work_that_is_divided_evenly_speeds_up_by_the_ranks() -> None:
    work = _work(fine=Law(0.0, (1.0,), (1e-8,)), assemble=Law(0.0, (1.0,), (2e-8,)))
    one = predict(work, NUMBERS, _share(1), INSTANT).total
    assert one == pytest.approx(6 * 1e-2 + 0.12)
    assert one / predict(work, NUMBERS, _share(64), INSTANT).total == pytest.approx(64)


def test_replicated_work_does_not_speed_up_and_dealt_rows_do() -> None:
    work = _work(replicated=Law(0.0, (1.0,), (1e-7,)), dealt=Law(0.0, (1.0,), (4e-7,)))
    shares = (replace(_share(ranks), how="replicated") for ranks in (1, 100))
    one, many = (predict(work, NUMBERS, share, INSTANT) for share in shares)
    assert one.replicated == many.replicated == pytest.approx(6 * 5e-3)
    assert one.divided == pytest.approx(100 * many.divided)


def test_a_step_waits_once_a_round_for_each_exchange_reduction_and_gathering() -> None:
    slow = Network("slow", 1e-3, 0.0, 1e30)
    share = Share(8, 100, 600, ghosts=50, neighbours=3, level_1=20, looked_at=0)
    found = predict(_work(), NUMBERS, share, slow)
    assert found.exchange == pytest.approx(1e-3 * (4 * 6 + 5 + 1 + 20 + 2))
    # three rounds for eight ranks; a long and a short reduction each V-cycle
    assert found.reduce == pytest.approx(3e-3 * (6 + (6 + 5) + (20 + 1) + 7))
    assert found.gather == pytest.approx(3e-3 * 4 * 2 * 6)
    assert predict(_work(), NUMBERS, Share(1, 100, 600, 0, 0, 20, 0), slow).total == 0.0


def test_long_reductions_are_halved_and_gathered() -> None:
    network = Network("n", 1e-6, 0.0, 1e9)
    assert network.reduce(8, 1024) == pytest.approx(10 * (1e-6 + 8e-9))
    assert network.reduce(1e6, 1024) == pytest.approx(2e-5 + 2e-3)


def test_memory_counts_what_every_rank_holds() -> None:
    runs = [
        {"cells": cells, "potential_levels": [cells // 6, 50], "level_1_entries": 1500, "share": {"peak_MiB": [peak]}}
        for cells, peak in ((1000, 100.0), (1001000, 900.0))
    ]
    memory = Memory.fit(runs)
    assert memory(Share(1, 0, 1001000, 0, 0, 50, 0)) == pytest.approx(900 * 2**20)
    more = memory(Share(1, 0, 1000, 0, 0, 1050, 0)) - memory(Share(1, 0, 1000, 0, 0, 50, 0))
    assert more == pytest.approx(1000 * 2 * 40 * 30)
