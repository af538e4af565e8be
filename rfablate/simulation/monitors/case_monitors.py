"""The monitors of a case."""

from __future__ import annotations

from collections.abc import Collection

from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.resolve.channel_setup import outputs_of
from rfablate.case.tables.generator_tables import Replay, replay_driver, replay_log
from rfablate.physics.generator import PulsedControl
from rfablate.problem.problem import without_guard
from rfablate.simulation.monitors.channel_monitor import ChannelMonitor
from rfablate.simulation.monitors.electric_monitor import ElectricMonitor
from rfablate.simulation.monitors.electrode_monitor import ElectrodeMonitor
from rfablate.simulation.monitors.fields_monitor import FieldsMonitor
from rfablate.simulation.monitors.lesion_monitor import LesionMonitor
from rfablate.simulation.monitors.monitor import Monitor
from rfablate.simulation.monitors.observed_times import ObservedTimes
from rfablate.simulation.monitors.prior_monitor import PriorMonitor
from rfablate.simulation.monitors.progress_monitor import ProgressMonitor
from rfablate.simulation.monitors.pulse_monitor import PulseMonitor
from rfablate.simulation.monitors.replay_monitor import ReplayMonitor
from rfablate.simulation.monitors.result_monitor import ResultMonitor
from rfablate.simulation.prior_treatment import Prior
from rfablate.simulation.run_context import RunContext


def case_monitors(
    run: RunContext, prior: Prior | None, output_times: Collection[float], observe_at: Collection[float]
) -> list[Monitor]:
    """Return the monitors of a case, in the order of their columns in history.csv. Collective.

    Args:
        run: the case, its problem and its run directory.
        prior: the prior treatment from which it starts.
        output_times: times of the frames of fields.vtkhdf [s].
        observe_at: times of `output.observe_at_s` [s].
    """
    case, problem, files = run.case, run.problem, run.files
    channels = [each.name for each in outputs_of(case.applicators, case.channels, case.generator)]
    lesion, electric = LesionMonitor(run.observer), ElectricMonitor(len(channels))
    found: list[Monitor] = [lesion, electric]
    if case.channels:
        found.append(ChannelMonitor(channels))
    if len(electrode_roles(case.applicators)) > 1:
        found.append(ElectrodeMonitor(case, problem))
    generator = without_guard(problem)
    if isinstance(generator, PulsedControl):
        found.append(PulseMonitor(problem, generator))
    if isinstance(case.generator, Replay):
        found.append(ReplayMonitor(replay_log(case.generator), replay_driver(case.generator)))
    if prior is not None:
        found.append(PriorMonitor(prior, run.observer))
    found += [
        ResultMonitor(case, problem, run.observer),
        ObservedTimes(observe_at, [lesion, electric]),
        FieldsMonitor(problem, files, output_times),
        ProgressMonitor(problem.generator.end, enabled=files is not None),
    ]
    return found
