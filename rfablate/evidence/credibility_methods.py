"""The last sections of a credibility document: versions and hashes, and methods with references for a paper."""

from __future__ import annotations

from typing import Protocol

from rfablate.case.describe.generator_text import describe_generator
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.evidence.credibility_conditions import conditions_of
from rfablate.evidence.credibility_document import Part, PartBuilder
from rfablate.evidence.credibility_evidence import CaseEvidence
from rfablate.physics.library import damage_set
from rfablate.results.wording import rule_label, short
from rfablate.study.drivers import TOTAL

REFERENCES = {
    "pennes": "Pennes HH. Analysis of tissue and arterial blood temperatures in the resting human forearm. J Appl "
    "Physiol 1948;1:93-122.",
    "dolfinx": "Baratta IA, Dean JP, Dokken JS, et al. DOLFINx: the next generation FEniCS problem solving "
    "environment. 2023. doi:10.5281/zenodo.10447666.",
    "gmsh": "Geuzaine C, Remacle JF. Gmsh: a 3-D finite element mesh generator with built-in pre- and post-processing "
    "facilities. Int J Numer Methods Eng 2009;79:1309-1331.",
    "cem43": "Sapareto SA, Dewey WC. Thermal dose determination in cancer therapy. Int J Radiat Oncol Biol Phys "
    "1984;10:787-800.",
    "roache": "Roache PJ. Perspective: a method for uniform reporting of grid refinement studies. J Fluids Eng "
    "1994;116:405-413.",
    "celik": "Celik IB, Ghia U, Roache PJ, et al. Procedure for estimation and reporting of uncertainty due to "
    "discretization in CFD applications. J Fluids Eng 2008;130:078001.",
    "bland": "Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of clinical "
    "measurement. Lancet 1986;327:307-310.",
    "sobol": "Saltelli A, Annoni P, Azzini I, et al. Variance based sensitivity analysis of model output. Comput Phys "
    "Commun 2010;181:259-270.",
    "salib": "Herman J, Usher W. SALib: an open-source Python library for sensitivity analysis. J Open Source Softw "
    "2017;2(9):97. doi:10.21105/joss.00097.",
    "vv20": "ASME V&V 20-2009. Standard for verification and validation in computational fluid dynamics and heat "
    "transfer.",
    "vv40": "ASME V&V 40-2018. Assessing credibility of computational modeling through verification and validation: "
    "application to medical devices.",
    "fda": "U.S. Food and Drug Administration. Assessing the credibility of computational modeling and simulation in "
    "medical device submissions. Guidance, November 2023. Docket FDA-2021-D-0980.",
    "morrison": "Morrison TM, Hariharan P, Funkhouser CM, et al. Assessing computational model credibility using a "
    "risk-based framework: application to hemolysis in centrifugal blood pumps. ASAIO J 2019;65:349-360. "
    "doi:10.1097/MAT.0000000000000996.",
    "pathmanathan": "Pathmanathan P, Gray RA, Romero VJ, Morrison TM. Applicability analysis of validation evidence "
    "for biomedical computational models. J Verif Valid Uncert 2017;2:021005. doi:10.1115/1.4037671.",
}
"""References by key."""


class Cite(Protocol):
    """Gives the numbers of references in the text, in brackets, and remembers them."""

    def __call__(self, *keys: str) -> str:
        """Return the numbers of the references."""


def versions_part(evidence: CaseEvidence) -> Part:
    """Return the section on versions and hashes."""
    part = PartBuilder("Versions and hashes")
    rows = [("this installation", name, str(value)) for name, value in evidence.versions.items()]
    if evidence.run is not None:
        found = evidence.run.summary.provenance
        values = ("rfablate", "dolfinx", "gmsh", "python", "ranks", "started", "case_sha256")
        rows += [("run", name, str(getattr(found, name))) for name in values]
        rows += [("run", f"extension: {name}", kind) for name, kind in found.extensions.items()]
        if found.extensions:
            part.gap("weak", "The run used objects of the user's own, which this program has not verified.")
        if found.rfablate != evidence.versions.get("rfablate", found.rfablate):
            part.gap("weak", f"The run was made with rfablate {found.rfablate}.", "rfablate run CASE")
    part.table(("of", "what", "value"), rows, texts=3)
    part.say("“code” is the SHA-256 of the program's own code and tables, shortened to 16 digits.")
    return part.part()


def methods_part(evidence: CaseEvidence) -> Part:
    """Return the section with a methods paragraph and its references."""
    part = PartBuilder("Methods, for a paper")
    used: list[str] = []

    def cite(*keys: str) -> str:
        for key in keys:
            if key not in used:
                used.append(key)
        return f"[{', '.join(str(used.index(key) + 1) for key in keys)}]"

    sentences = [*_model(evidence, cite), *_evidence(evidence, cite)]
    part.say(*sentences)
    part.items([REFERENCES[key] for key in used], numbered=True)
    part.say(
        "Not all bibliographic data were compared with the publications: check them, and the sources of the inputs."
    )
    return part.part()


def _model(evidence: CaseEvidence, cite: Cite) -> list[str]:
    """Return the sentences on the model and the case."""
    case, here, versions = evidence.case, conditions_of(evidence.case), evidence.versions
    run = evidence.run.summary if evidence.run is not None else None
    rfablate = run.provenance.rfablate if run is not None else versions.get("rfablate", "")
    dolfinx = run.provenance.dolfinx if run is not None else versions.get("dolfinx", "")
    gmsh = run.provenance.gmsh if run is not None else versions.get("gmsh", "")
    base = cite("dolfinx")
    article = "an" if here.applicator[0] in "aeiou" else "a"
    mesher = "" if isinstance(case.domain, MeshDomain) else f" with meshes by Gmsh {gmsh} {cite('gmsh')}"
    sentences = [
        f"Ablation was simulated with rfablate {rfablate}, a finite element program on DOLFINx {dolfinx}"
        f" {base}{mesher}.",
        "The quasi-static electric potential, with temperature-dependent conductivity, was coupled to the bioheat"
        f" equation of Pennes {cite('pennes')}, with linear elements and implicit steps of order {case.time.order}.",
        f"The applicator was {article} {here.applicator} ({here.electrodes}; outer diameter {here.diameter_mm:.3g} mm,"
        f" active tip {here.active_tip_mm:.3g} mm) in {here.tissue.replace('_', ' ')}, {here.blood_flow}, at"
        f" {here.start_degC:g} °C at the start.",
        f"Protocol: {'; '.join(describe_generator(case.generator))}.",
        *_lesion(case, cite),
    ]
    if run is not None:
        steps = f"{run.numerics.nodes} nodes and {run.numerics.steps} time steps"
        shape = "axisymmetric" if run.case.axisymmetric else "three-dimensional"
        sentences.append(f"The {shape} mesh had {steps}.")
    return sentences


def _lesion(case: Case, cite: Cite) -> list[str]:
    rules = case.lesion.rules
    parts = [rule_label(rule) + (f" {cite('cem43')}" if rule.startswith("cem43") else "") for rule in rules]
    sentences = [f"Lesions were defined by: {', '.join(parts)}."]
    if any(rule.startswith("arrhenius") for rule in rules) or case.damage.perfusion_stops:
        if case.damage.A is not None and case.damage.Ea is not None:
            kinetics = f"A = {short(case.damage.A)} 1/s and Ea = {short(case.damage.Ea, 4)} J/mol"
        else:
            A, Ea, source = damage_set(case.damage.set)
            kinetics = f"A = {short(A)} 1/s and Ea = {short(Ea, 4)} J/mol ({source})"
        sentences.append(f"Arrhenius damage had {kinetics}.")
    return sentences


def _evidence(evidence: CaseEvidence, cite: Cite) -> list[str]:
    """Return the sentences on the evidence that exists."""
    sentences = []
    if evidence.verification is not None:
        found = evidence.verification.found
        passed = sum(check.passed for check in found.checks)
        sentences.append(
            f"The installation passed {passed} of {len(found.checks)} checks against closed forms, a manufactured"
            f" solution, balances and symmetries ({found.date[:10]})."
        )
    if evidence.convergence is not None:
        sentences.append(
            "Numerical uncertainty was estimated from three meshes, three time tolerances and, where possible, two"
            f" domain sizes with the grid convergence index {cite('roache', 'celik')}."
        )
    elif evidence.run is not None and evidence.run.summary.numerics.error_bar:
        sentences.append("Numerical error bars are differences to a run on a coarser mesh with longer time steps.")
    if evidence.study is not None:
        draws = max((band.draws for band in evidence.study.found.bands), default=0)
        axes = sum(axis.distribution is not None for axis in evidence.study.study.axes)
        text = f"{axes} uncertain inputs were propagated with {draws} draws"
        if any(each.measure == TOTAL for each in evidence.study.found.rankings):
            text += f"; Sobol indices {cite('sobol')} were computed with SALib {cite('salib')}"
        sentences.append(f"{text}.")
    if evidence.validation is not None:
        found_validation = evidence.validation.found
        sentences.append(
            f"The model was compared with {len(found_validation.experiments)} published experiments and models"
            f" ({found_validation.date[:10]}; {cite('vv20')}; agreement {cite('bland')})."
        )
    sentences.append(
        f"Credibility was documented in the order of ASME V&V 40 {cite('vv40', 'morrison')} and the FDA guidance"
        f" {cite('fda')}, applicability after {cite('pathmanathan')}."
    )
    return sentences
