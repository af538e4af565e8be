"""The lesion card in the README is the output of `rfablate run cases/trigeminal`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rfablate.cli.main import main
from tests.shipped import CASES

README = Path(__file__).parents[2] / "README.md"
NUMBER = re.compile(r"[-+±]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
# Wall times vary between runs; iterations and error bars vary with rounding.
LOOSE = ("time ", "energy ", "numerics ")


@pytest.mark.published
@pytest.mark.slow
def test_the_card_of_the_readme_is_that_of_the_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(CASES / "trigeminal"), "-o", str(tmp_path / "run"), "--quiet"]) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    (block,) = re.findall(r"```text\n(Trigeminal.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = [line.rstrip() for line in block.splitlines() if line.strip()]
    printed = printed[printed.index(shown[0]) :]
    assert len(printed) == len(shown)
    for ours, theirs in zip(shown[:-1], printed[:-1], strict=True):
        words = [" ".join(NUMBER.sub("#", line).split()) for line in (ours, theirs)]
        if ours.strip().startswith(LOOSE):
            assert words[0].split()[0] == words[1].split()[0]
            continue
        assert words[0] == words[1]
        for left, right in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True):
            bar = left.startswith("±")
            assert float(left.lstrip("±")) == pytest.approx(
                float(right.lstrip("±")), rel=0.5 if bar else 0.01, abs=0.02
            )
