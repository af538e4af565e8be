"""The section of a credibility document on sensitivity and uncertainty, from a study with distributions."""

from __future__ import annotations

from rfablate.evidence.credibility_context import stated
from rfablate.evidence.credibility_document import Part, PartBuilder
from rfablate.evidence.credibility_evidence import CaseEvidence, keys_text
from rfablate.results.wording import short
from rfablate.study.study_plan import axis_name

FEW_DRAWS = 64
"""Number of draws below which the section says that there are few."""


def uncertainty_part(evidence: CaseEvidence) -> Part:
    """Return the section on sensitivity and uncertainty."""
    part = PartBuilder("Sensitivity and uncertainty")
    if evidence.study is None:
        reason = evidence.reasons.get("study", "")
        text = f"There is no study with distributions of the inputs of this case ({reason})."
        part.missing(text, "rfablate study with axes that have a distribution and a source")
        return part.part()
    study = evidence.study
    draws = max([band.draws for band in study.found.bands] or [each.draws for each in study.found.verdicts] or [0])
    kind = study.study.design.kind
    part.say(
        f"Study {study.directory}: {draws} draws ({kind} design) of the inputs below. Percentiles are over the draws;"
        " they contain neither the numerical error nor the error of the model form."
    )
    axes = [axis for axis in study.study.axes if axis.distribution is not None]
    rows = [
        (
            axis_name(axis),
            axis.key,
            str(axis.distribution),
            f"{short(axis.low, 4)} to {short(axis.high, 4)}",
            axis.source,
        )
        for axis in axes
    ]
    part.table(("input", "key", "distribution", "range", "source"), rows, texts=5, caption="Uncertain inputs")
    rankings = {each.column: each for each in study.found.rankings}
    bands = [
        (
            band.column,
            short(band.median, 4),
            f"{short(band.low, 4)} to {short(band.high, 4)}",
            rankings[band.column].text() if band.column in rankings else "–",
        )
        for band in study.found.bands
    ]
    head = ("number", "median", "5 to 95 % of draws", "drivers, strongest first")
    part.table(head, bands, caption="Bands and their drivers")
    ranked = [
        (ranking.column, str(place), each.key, ranking.strength_text(each.strength), ranking.measure)
        for ranking in study.found.rankings
        for place, each in enumerate(ranking.drivers, start=1)
    ]
    part.table(("number", "rank", "input", "strength", "measure"), ranked, texts=3, caption="Sensitivity")
    part.items(list(dict.fromkeys(f"{each.column}: {each.how}. {each.warning}" for each in study.found.rankings)))
    if not study.found.rankings:
        part.missing("The study has no ranking of its inputs.", "rfablate study --collect")
    verdicts = [
        (
            each.structure,
            each.verdict,
            f"{100 * each.probability:.0f} %",
            "{:.0f} to {:.0f} %".format(*(100 * end for end in each.interval)),
        )
        for each in study.found.verdicts
    ]
    part.table(("structure", "verdict", "probability", "95 % interval"), verdicts, texts=2, caption="Verdicts")
    _gaps(part, evidence, draws)
    return part.part()


def _gaps(part: PartBuilder, evidence: CaseEvidence, draws: int) -> None:
    study = evidence.study
    assert study is not None
    if study.differences:
        part.gap("weak", f"The study is of a case that differs in {keys_text(study.differences)}.", "rfablate study")
    if draws < FEW_DRAWS:
        part.gap("weak", f"The bands are from {draws} draws, fewer than {FEW_DRAWS}.", "more samples in the study")
    assumed = tuple(axis_name(axis) for axis in study.study.axes if axis.source.lower().startswith("assumed"))
    if assumed:
        part.gap("weak", f"The ranges of {len(assumed)} uncertain inputs are assumed: {keys_text(assumed)}.")
    bands = {band.column: band for band in study.found.bands}
    for key, accepted in stated(evidence.case).goals.items():
        band = bands.get(key)
        if band is None:
            part.gap(
                "missing", f"Credibility goal {key}: the study gives no band of it.", "collect.responses of the study"
            )
        elif 0.5 * (band.high - band.low) > accepted:
            half = 0.5 * (band.high - band.low)
            part.gap(
                "weak", f"Credibility goal {key}: half of the 5 to 95 % band is {half:.2g}, accepted is {accepted:g}."
            )
