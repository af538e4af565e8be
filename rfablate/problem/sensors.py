"""The temperature sensors of the applicators, and the readings of the channels.

A reading is linear in the temperature field, so each is linear in V^2 over a step:  T_k = a_k + b_k V^2. A channel that
controls the hottest of its sensors uses the lowest of the voltages required by each sensor alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.sensor_points import sensor_points
from rfablate.case.resolve.channel_setup import ChannelSetup, outputs_of
from rfablate.case.tables.generator_tables import Device
from rfablate.case.tables.geometry_tables import Applicator, MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.mesh.domain import Domain
from rfablate.mesh.electrode_sensor import REACH
from rfablate.mesh.point_location import Probe, in_mesh, make_probe


@dataclass(frozen=True)
class Sensors:
    """The sensors of the applicators, and the readings that each channel uses."""

    probe: Probe
    """Interpolation at the points of all sensors."""
    weights: FloatArray
    """Weight of each point in each sensor, shape (n_sensors, n_points)."""
    followed: tuple[FloatArray, ...]
    """For each channel, the weight of each sensor in each of its readings, shape (n_numbers, n_sensors). The channel
    uses the highest reading."""

    def read(self, *fields: FloatArray) -> list[FloatArray]:
        """Return the reading of each sensor in each nodal field, shape (n_sensors,). Collective."""
        mine = np.concatenate([self.weights @ self.probe.partial(field) for field in fields])
        return np.split(self.probe.domain.nodes.total_of(*mine), len(fields))

    def follow(self, *fields: FloatArray) -> list[list[FloatArray]]:
        """Return the readings of each channel in each nodal field, shape (n_numbers,). Collective."""
        readings = self.read(*fields)
        return [[np.asarray(followed @ each) for each in readings] for followed in self.followed]

    def hottest(self, field: FloatArray) -> tuple[float, ...]:
        """Return the highest reading of each channel in a nodal field [degC]. Collective."""
        return tuple(float(seen.max()) for (seen,) in self.follow(field))


def make_sensors(case: Case, domain: Domain) -> Sensors:
    """Return the sensors of a case. Collective."""
    groups = [sensor_points(case, applicator) for applicator in case.applicators]
    if isinstance(case.domain, MeshDomain):
        groups = [place_in_domain(domain, each, own) for each, own in zip(groups, case.applicators, strict=True)]
    weights = np.zeros((len(groups), sum(len(points) for points in groups)))
    first = 0
    for row, points in zip(weights, groups, strict=True):
        row[first : first + len(points)] = 1.0 / len(points)
        first += len(points)
    outputs = outputs_of(case.applicators, case.channels, case.generator)
    followed = tuple(_followed(each, len(groups)) for each in outputs)
    return Sensors(make_probe(domain, np.concatenate(groups), "temperature sensor"), weights, followed)


def _followed(channel: ChannelSetup, count: int) -> FloatArray:
    """Return the weight of each of `count` sensors in each reading of a channel."""
    own = np.eye(count)[list(channel.sensors)]
    reads = channel.generator.reads if isinstance(channel.generator, Device) else "first"
    followed = {"hottest": own, "mean": own.mean(axis=0, keepdims=True), "first": own[:1]}
    return np.asarray(followed[reads])


def place_in_domain(domain: Domain, points: FloatArray, applicator: Applicator) -> FloatArray:
    """Return sensor points as `mesh.electrode_sensor.place_in_mesh`, on any number of ranks. Collective."""
    owned = np.flatnonzero(domain.surface_nodes["active"][: domain.nodes.owned])
    points = points.copy()
    for n in np.flatnonzero(~in_mesh(domain, points)):
        distance = np.round(np.linalg.norm(domain.x[owned] - points[n], axis=1), 12)
        order = np.lexsort((domain.input_node[owned], distance))[:1]
        mine = [(float(distance[k]), int(domain.input_node[owned[k]]), domain.x[owned[k]].tolist()) for k in order]
        found = min(each for rank in domain.comm.allgather(mine) for each in rank)
        if found[0] <= REACH * applicator.outer_diameter:
            points[n] = found[2]
    return points
