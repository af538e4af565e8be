"""The temperature sensors of the applicators, and the readings of the channels.

A reading is linear in the temperature field, so each is linear in V^2 over a step:  T_k = a_k + b_k V^2. A channel that
controls the hottest of its sensors uses the lowest of the voltages required by each sensor alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.half_plane import is_axisymmetric
from rfablate.case.resolve.channel_setup import ChannelSetup, outputs_of
from rfablate.case.tables.generator_tables import Device
from rfablate.case.tables.geometry_tables import Applicator
from rfablate.case.tables.schema import Case
from rfablate.mesh.domain import Domain
from rfablate.mesh.point_location import Probe, make_probe

SENSOR_RING = np.sqrt(7.0 / 12.0)
"""Radius of the six sensor points relative to that of the disc: their mean with the centre is the disc mean of any
quadratic field."""


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


def sensor_points(case: Case, applicator: Applicator) -> FloatArray:
    """Return the sensor points of an applicator [m]: one, or seven on a disc; (r, z, 0) if axisymmetric."""
    frame, offset = applicator_frame(applicator), applicator.sensor_offset
    direction: FloatArray = frame.direction(offset)
    centre: FloatArray = frame.centre_line(np.array([offset]))[0]
    if is_axisymmetric(case):
        radii = [0.0] if applicator.sensor_radius == 0.0 else [0.0, *[SENSOR_RING * applicator.sensor_radius] * 6]
        return np.array([[radius, centre[2], 0.0] for radius in radii])
    if applicator.sensor_radius == 0.0:
        return centre[None]
    first = np.cross(direction, np.eye(3)[int(np.argmin(np.abs(direction)))])
    first /= np.linalg.norm(first)
    second = np.cross(direction, first)
    angles = np.arange(6) * np.pi / 3.0
    ring = np.outer(np.cos(angles), first) + np.outer(np.sin(angles), second)
    return np.concatenate([centre[None], centre + SENSOR_RING * applicator.sensor_radius * ring])
