"""User objects for a run in addition to its case: a generator, tissues, damage kinetics, structures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rfablate.case.resolve.tissues import case_tissues
from rfablate.case.tables.schema import Case
from rfablate.case.tables.structure_object import ObjectStructure, StructureShape, missing_object, shape_faults
from rfablate.errors import CaseError, Fault
from rfablate.physics.damage import Kinetics
from rfablate.physics.generator import Generator
from rfablate.physics.tissue import Tissue


@dataclass(frozen=True)
class Extensions:
    """Objects that replace parts of a case; a run without them is defined by its case alone.

    The case file does not contain them; to repeat or resume the run, pass equal objects again. `summary.json` lists
    their types under `provenance.extensions`.
    """

    generator: Generator | None = None
    """Chooses the voltage instead of the generator of the case, which must have one channel. The impedance window of
    the [generator] table still applies; its other keys do not."""
    tissues: Mapping[str, Tissue] = field(default_factory=dict)
    """Tissues by the name that the case uses; the laws of a tissue are any objects that satisfy `physics.laws.Law`."""
    damage: Mapping[str, Kinetics] = field(default_factory=dict)
    """Damage kinetics by tissue name; other tissues keep those of the case."""

    structures: Mapping[str, StructureShape] = field(default_factory=dict)
    """Shapes of the structures of kind "object", by their names."""

    def names(self) -> dict[str, str]:
        """Return the type of each object, by the part of the case that it replaces."""
        laws = {
            f"tissues.{name}.{which}": each
            for name, tissue in self.tissues.items()
            for which, each in (("sigma_law", tissue.sigma_law), ("k_law", tissue.k_law))
        }
        found = {"generator": self.generator} if self.generator is not None else {}
        objects = {**found, **laws, **{f"damage.{name}": each for name, each in self.damage.items()}}
        objects |= {f"structures.{name}": each for name, each in self.structures.items()}
        return {where: f"{type(each).__module__}.{type(each).__qualname__}" for where, each in objects.items()}

    def applied_to(self, case: Case) -> Case:
        """Return the case with the shapes of its structures.

        Raises:
            CaseError: a part to be replaced is not in the case, an object is unsuitable or missing, or the case has
                several channels or prescribes a surface temperature.
        """
        known = set(case_tissues(case))
        own = [each.name for each in case.structures if isinstance(each, ObjectStructure)]
        faults = [
            Fault(f"extensions.{part}", f"found no tissue {name} in the case", f"one of {', '.join(sorted(known))}")
            for part, names in (("tissues", self.tissues), ("damage", self.damage))
            for name in names
            if name not in known
        ]
        faults += [
            Fault(
                f"extensions.structures.{name}", 'found no structure of this name with kind = "object" in the case',
                f"one of {', '.join(own)}" if own else "a [[structures]] table with this name and kind",
            )
            for name in self.structures
            if name not in own
        ]  # fmt: skip
        for name in own:
            shape = self.structures.get(name)
            where = f"extensions.structures.{name}"
            faults += [missing_object(name)] if shape is None else shape_faults(where, shape)
        if self.generator is not None and (case.channels or case.generator.kind == "surface_temperature"):
            found = (
                "found a case with channels" if case.channels else "found a case with a prescribed surface temperature"
            )
            faults.append(Fault("extensions.generator", found, "one channel that applies a voltage"))
        if faults:
            raise CaseError(faults, "extensions")
        if not own:
            return case
        placed = (
            each.with_shape(self.structures[each.name]) if isinstance(each, ObjectStructure) else each
            for each in case.structures
        )
        return case.model_copy(update={"structures": tuple(placed)})


NO_EXTENSIONS = Extensions()
