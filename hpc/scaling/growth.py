"""Time and memory of a step by node count, on one rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hpc.scaling.launch import Result, probe, table

STAGES = ("assemble", "potential", "heat", "judge", "damage", "measure")


def growth(meshes: Sequence[str], steps: int) -> Iterator[Result]:
    """Yield the probe's results on one rank for each mesh."""
    return (probe(name, 1, steps) for name in meshes)


def show(runs: Sequence[Result]) -> str:
    """Return a table; the times of a step and its stages are medians over the second half of the steps.

    Times are processor times; `busy` is their ratio to wall times, 1 on an idle machine.
    """
    heads = ["mesh", "nodes", "cells", "steps", "ms per step", *STAGES, "us per node and step", "busy"]
    rows: list[list[object]] = [
        [*heads, "V-cycles", "other its", "set-up s", "first step s", "peak MiB", "kB per node"]
    ]
    for run in runs:
        nodes, peak = run["nodes"], sum(run["share"]["peak_MiB"])
        stages = [f"{1e3 * run.get(f'{name}_s', 0.0):.1f}" for name in STAGES]
        rows.append(
            [
                run["mesh"], nodes, run["cells"], run["steps"], f"{1e3 * run['step_s']:.1f}", *stages,
                f"{1e6 * run['step_s'] / nodes:.2f}", f"{run['busy']:.2f}", f"{run.get('cycles', 0):.1f}",
                f"{run.get('diagonal_iterations', 0):.1f}", f"{run['mesh_s'] + run['setup_s']:.1f}",
                f"{run['first_step_s']:.2f}", f"{peak:.0f}", f"{1024 * peak / nodes:.1f}",
            ]
        )  # fmt: skip
    return table(rows)
