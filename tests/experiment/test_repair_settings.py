"""What a repair refuses, and by what its outcomes are known again."""

from __future__ import annotations

import pytest

from unhans.experiment.repair import RepairOptions
from unhans.experiment.repair.repair_task import check_methods, check_seeds, only_class
from unhans.repair import METHODS
from unhans.terminal import ConfigurationError


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"samples": 1}, "samples expects 2 or more, got 1"),
        ({"images": 0}, "images expects 1 or more"),
        ({"strength": 0.0}, "strength expects a number above 0"),
        ({"strength": 1.5}, "strength expects a number above 0"),
        ({"weight": 0.0}, "weight expects a number above 0"),
    ],
)
def test_numbers_out_of_range(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        RepairOptions(**options)


def test_methods():
    assert check_methods(["p_clarc", "unaltered", "p_clarc"]) == ("p_clarc", "unaltered")
    with pytest.raises(ConfigurationError, match=r"got 'a_clark'; did you mean a_clarc\?"):
        check_methods(["unaltered", "a_clark"])
    with pytest.raises(ConfigurationError, match=r"methods expects one or more of uncorrected, .* got none"):
        check_methods([])


def test_seeds():
    assert check_seeds([2, 0, 2]) == (2, 0)
    with pytest.raises(ConfigurationError, match="seeds expects one or more numbers"):
        check_seeds([])
    with pytest.raises(ConfigurationError, match="seeds expects numbers of 0 or more, got -1"):
        check_seeds([0, -1])


def test_an_artifact_belongs_to_one_class():
    assert only_class(None) is None
    assert only_class([3]) == "3"
    with pytest.raises(ConfigurationError, match=r"an artifact belongs to one class.* got cat, dog"):
        only_class(["cat", "dog"])


def test_an_outcome_depends_on_its_own_settings_alone():
    assert {method for method in METHODS if "layer" in RepairOptions().key(method)} == {
        "a_clarc",
        "p_clarc",
        "reactive",
    }
    for name, methods in {"strength": {"p_clarc", "reactive"}, "weight": {"right_reasons"}}.items():
        assert {m for m in METHODS if RepairOptions(**{name: 0.5}).key(m) != RepairOptions().key(m)} == methods
