"""What the closed loop decides about its artifacts, without a training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from PIL import Image
from proven_cases import CASES, INDEX, WEAK, isolated, proof_of

from unhans.repair import Ledger, ProvenArtifact
from unhans.report.files import charted, write_course
from unhans.report.html import CaseSection, ClassDecisions, render
from unhans.report.html.case_view import case_view
from unhans.report.text import artifact_sentence, decision_line, decision_reason
from unhans.spray import Suspicion


def test_acting_on_an_unproven_case_is_an_error():
    for name, case in CASES.items():
        if case is not None and name != "proven":
            with pytest.raises(ValueError, match="only a proven artifact can be acted on"):
                ProvenArtifact.from_case(case, INDEX, 0)


def entry():
    return Suspicion(1, "1", 16, 1.0, 0.01, 2, 2.0, True, 8, None, None)


def followed(case=CASES["proven"], epoch=0):
    return ProvenArtifact.from_case(case, INDEX, epoch)


def test_standings_follow_the_rules_of_the_verdict(monkeypatch):
    ledger, artifact = Ledger("augment", 1), followed()
    lines = []
    proofs = [proof_of(3.0), proof_of(0.25), proof_of(-0.01, n=200), proof_of(3.0), proof_of(-3.0)]
    for epoch, proof in enumerate(proofs, 1):
        monkeypatch.setattr("unhans.repair.proven_artifact.prove", lambda *a, _proof=proof, **o: _proof)
        _, (decided,) = ledger.decide([], [(artifact, artifact.measure(None))])
        lines.append(decision_line(ledger.measured(artifact, decided, epoch, entry())))
    assert "is still proven (Δp" in lines[0]
    assert "is not proven any more, but its effect is not excluded either (Δp" in lines[1]
    assert "is no longer proven, an effect of 0.05 or more is excluded (Δp" in lines[2]
    assert "is proven again (Δp" in lines[3]
    assert "is no longer proven: by 0.05 or more it makes the class less probable (Δp −" in lines[4]  # not: excluded
    assert "the last audit: no longer proven: by 0.05 or more it makes" in artifact_sentence(artifact, "augment")
    assert artifact.verdicts == ["proven", "proven", "open", "not used", "proven", "not used"]
    assert lines[0].startswith("epoch 1: class '1': the artifact proven after epoch 0 (laid over all training images)")


def test_the_tests_of_an_audit_are_one_family_and_the_audits_share_one_error_rate():
    ledger, artifact = Ledger("augment", 1), followed()
    weak = replace(CASES["proven"], proof=proof_of(WEAK))
    assert weak.proven
    rates = []
    for look in (1, 2, 3):
        (case,), (again,) = ledger.decide([weak], [(artifact, proof_of(3.0))])
        rates.append(again.verdict.rate)
        assert again.verdict.tests == case.proof.verdict.tests == 2
        assert (case.proven, case.proof.verdict.reason) == ((True, None) if look == 1 else (False, "multiplicity"))
        assert again.verdict.name == "proven"
    assert rates == pytest.approx([0.05 / 2, 0.05 / 6, 0.05 / 12])
    untested = [CASES["not isolated"]]
    assert ledger.decide(untested, []) == (untested, [])
    assert ledger.looks == 3  # an audit that tests nothing spends nothing
    again = Ledger("augment", 1)
    again.load_state_dict(ledger.state_dict())
    assert again.looks == 3


def test_a_checkpoint_of_an_earlier_version_is_refused():
    state = Ledger("augment", 1).state_dict()
    del state["format"]
    with pytest.raises(ValueError, match="verdicts of an earlier version of unhans"):
        Ledger("augment", 1).load_state_dict(state)


def test_the_same_artifact_is_acted_on_once_and_again_only_where_it_was_lost(monkeypatch):
    ledger = Ledger("augment", 1)
    prepared = []
    assert ledger.proven(0, entry(), CASES["proven"], followed(), prepared.append).done == "acted"
    assert ledger.proven(1, entry(), CASES["proven"], followed(epoch=1), prepared.append) is None
    ledger.followed[0].verdicts.append("not used")  # as it was isolated then
    assert ledger.proven(2, entry(), CASES["proven"], followed(epoch=2), prepared.append).done == "acted"
    assert len(prepared) == len(ledger.followed) == 2


def test_what_cannot_be_readied_is_a_decision_not_to_act():
    def refuse(artifact):
        raise ValueError("There is no direction.")

    ledger = Ledger("a_clarc", 1)
    decision = ledger.proven(0, entry(), CASES["proven"], followed(), refuse)
    assert (decision.done, decision_reason(decision)) == (
        "did not act", "proven, but acting on it failed: There is no direction",
    )  # fmt: skip
    assert ledger.followed == []


def test_artifacts_come_back_from_a_checkpoint(tmp_path):
    artifact = followed()
    torch.save(artifact.state(), tmp_path / "state.pt")
    again = ProvenArtifact.from_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again.is_same(artifact)
    assert torch.equal(again.isolated.layer(3, (16, 16)), artifact.isolated.layer(3, (16, 16)))
    assert (again.unaffected == artifact.unaffected).all()
    assert again.effects == artifact.effects
    other = followed(replace(CASES["proven"], isolated=replace(isolated(), layers=(isolated().layers[0].flip(1),))))
    assert not other.is_same(artifact)


def test_the_course_of_an_artifact_is_drawn_and_charted(tmp_path):
    artifact = followed()
    artifact.remember(proof_of(-3.0), 1)
    (path,) = write_course(tmp_path, [artifact], "augment").values()
    assert Image.open(path).width > 500
    numbers = charted([artifact, followed()])
    assert (numbers["unhans/acted"], numbers["unhans/proven"]) == (2, 1)
    assert numbers["unhans/1/proven"] == 0
    assert numbers["unhans/1 2/delta_p"] > 0.4


def test_a_class_without_a_case_tells_what_was_decided():
    ledger = Ledger("none", 1)
    decision = replace(ledger.unproven(0, entry(), CASES["proven"]), trouble="<b>no</b>")
    part = render(
        "case.html", case=case_view(CaseSection(None, decided=ClassDecisions([decision], [followed()], "none")))
    )
    assert "<b>no" not in part
    assert "&lt;b&gt;no" in part
