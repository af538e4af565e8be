"""Prediction of radiofrequency ablation lesions: electric field, bioheat, generator control and damage on FEniCSx.

    import rfablate as rfa

    case = rfa.load_case("cases/trigeminal")
    hotter = case.with_changes({"generator.target_degC": 75})
    result = rfa.run(hotter, "runs/hotter")
    result.lesion["isotherm_50C"].width_mm

The names below are the public interface. Each name is imported at first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rfablate.version import __version__

if TYPE_CHECKING:
    from rfablate.api.credibility import write_credibility
    from rfablate.api.evidence import converge, validate, verify
    from rfablate.api.export_run import export
    from rfablate.api.file_keys import explain, schema
    from rfablate.api.new_case import NewCase, new_case
    from rfablate.api.run_case import load_case, open_run, resume, run
    from rfablate.api.run_result import Fields, RunResult
    from rfablate.api.studies import StudyResult, compare, find, run_study, write_comparison
    from rfablate.api.watch_case import WatchedRun, watch
    from rfablate.case.resolve.tissues import case_tissues as tissues_of
    from rfablate.case.tables.generator_tables import (
        ConstantCurrent,
        ConstantPower,
        ConstantVoltage,
        Pulsed,
        Replay,
        Staged,
        SurfaceTemperature,
        TemperatureControl,
    )
    from rfablate.case.tables.geometry_tables import (
        Applicator,
        Ellipsoid,
        HalfSpace,
        ObjectStructure,
        Slab,
        Sphere,
        Surface,
        Tube,
    )
    from rfablate.case.tables.geometry_tables import AxisymmetricDomain as Axisymmetric
    from rfablate.case.tables.geometry_tables import Box as BoxStructure
    from rfablate.case.tables.geometry_tables import BoxDomain as Box
    from rfablate.case.tables.geometry_tables import Cylinder as CylinderStructure
    from rfablate.case.tables.geometry_tables import CylinderDomain as Cylinder
    from rfablate.case.tables.geometry_tables import MeshDomain as UserMesh
    from rfablate.case.tables.schema import Case
    from rfablate.errors import CaseError, Interrupted, MeshError, RfablateError, SolveError, StepError
    from rfablate.evidence.converge_case import ConvergedNumber, Convergence
    from rfablate.evidence.credibility_document import CredibilityDocument, EvidenceGap
    from rfablate.evidence.grid_convergence import Estimate
    from rfablate.evidence.validation_results import Agreement, ComparedNumber, ExperimentResult, Validation
    from rfablate.evidence.verification_results import CheckResult, Measurement, Verification
    from rfablate.physics.damage import Arrhenius
    from rfablate.physics.library import tissue as library_tissue
    from rfablate.physics.tissue import Tissue
    from rfablate.problem.extensions import Extensions
    from rfablate.results.summary_models import EnergyBalance, LesionMeasures, RunSummary, StructureResult

_GENERATORS = "rfablate.case.tables.generator_tables"
_GEOMETRY = "rfablate.case.tables.geometry_tables"
_PUBLIC = {
    "converge": "rfablate.api.evidence",
    "validate": "rfablate.api.evidence",
    "verify": "rfablate.api.evidence",
    "write_credibility": "rfablate.api.credibility",
    "export": "rfablate.api.export_run",
    "load_case": "rfablate.api.run_case",
    "open_run": "rfablate.api.run_case",
    "resume": "rfablate.api.run_case",
    "run": "rfablate.api.run_case",
    "Fields": "rfablate.api.run_result",
    "RunResult": "rfablate.api.run_result",
    "NewCase": "rfablate.api.new_case",
    "new_case": "rfablate.api.new_case",
    "explain": "rfablate.api.file_keys",
    "schema": "rfablate.api.file_keys",
    "WatchedRun": "rfablate.api.watch_case",
    "watch": "rfablate.api.watch_case",
    "StudyResult": "rfablate.api.studies",
    "compare": "rfablate.api.studies",
    "find": "rfablate.api.studies",
    "run_study": "rfablate.api.studies",
    "write_comparison": "rfablate.api.studies",
    "Convergence": "rfablate.evidence.converge_case",
    "ConvergedNumber": "rfablate.evidence.converge_case",
    "Estimate": "rfablate.evidence.grid_convergence",
    "CredibilityDocument": "rfablate.evidence.credibility_document",
    "EvidenceGap": "rfablate.evidence.credibility_document",
    "Agreement": "rfablate.evidence.validation_results",
    "ComparedNumber": "rfablate.evidence.validation_results",
    "ExperimentResult": "rfablate.evidence.validation_results",
    "Validation": "rfablate.evidence.validation_results",
    "CheckResult": "rfablate.evidence.verification_results",
    "Measurement": "rfablate.evidence.verification_results",
    "Verification": "rfablate.evidence.verification_results",
    "Case": "rfablate.case.read.case_file",
    "Extensions": "rfablate.problem.extensions",
    "Arrhenius": "rfablate.physics.damage",
    "Tissue": "rfablate.physics.tissue",
    "library_tissue": "rfablate.physics.library:tissue",
    "tissues_of": "rfablate.case.resolve.tissues:case_tissues",
    "Axisymmetric": f"{_GEOMETRY}:AxisymmetricDomain",
    "Box": f"{_GEOMETRY}:BoxDomain",
    "Cylinder": f"{_GEOMETRY}:CylinderDomain",
    "UserMesh": f"{_GEOMETRY}:MeshDomain",
    "Applicator": _GEOMETRY,
    "BoxStructure": f"{_GEOMETRY}:Box",
    "CylinderStructure": f"{_GEOMETRY}:Cylinder",
    "Ellipsoid": _GEOMETRY,
    "HalfSpace": _GEOMETRY,
    "ObjectStructure": _GEOMETRY,
    "Slab": _GEOMETRY,
    "Sphere": _GEOMETRY,
    "Surface": _GEOMETRY,
    "Tube": _GEOMETRY,
    "ConstantCurrent": _GENERATORS,
    "ConstantPower": _GENERATORS,
    "ConstantVoltage": _GENERATORS,
    "Pulsed": _GENERATORS,
    "Replay": _GENERATORS,
    "Staged": _GENERATORS,
    "SurfaceTemperature": _GENERATORS,
    "TemperatureControl": _GENERATORS,
    "CaseError": "rfablate.errors",
    "Interrupted": "rfablate.errors",
    "MeshError": "rfablate.errors",
    "RfablateError": "rfablate.errors",
    "SolveError": "rfablate.errors",
    "StepError": "rfablate.errors",
    "EnergyBalance": "rfablate.results.summary_models",
    "LesionMeasures": "rfablate.results.summary_models",
    "RunSummary": "rfablate.results.summary_models",
    "StructureResult": "rfablate.results.summary_models",
}
"""Public name -> `module`, or `module:name` where the object has another name in its module."""

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    """Return a public object; imports it at first use.

    Raises:
        AttributeError: the name is not public.
    """
    if name not in _PUBLIC:
        raise AttributeError(f"module 'rfablate' has no attribute {name!r}")
    module, _, original_name = _PUBLIC[name].partition(":")
    value = globals()[name] = getattr(import_module(module), original_name or name)
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
