"""What is written as JSON is read again: records with all that they hold, arrays with their type, NaN and infinity."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unhans.store import export_json, jsonable, read_json, record_from, write_json


@dataclass(frozen=True)
class Inner:
    values: NDArray[np.int64]
    interval: tuple[float, float]


@dataclass(frozen=True)
class Outer:
    name: Literal["a", "b"]
    inner: Inner | None
    several: tuple[Inner, ...] = ()
    key: dict[str, Any] | None = None


def equal(one, other):
    np.testing.assert_array_equal(one.values, other.values)
    return one.values.dtype == other.values.dtype and one.interval == other.interval


def test_a_record_is_read_again(tmp_path):
    inner = Inner(np.arange(3), (-math.inf, 1.5))
    empty = Inner(np.zeros((2, 0), dtype=np.float32), (0.0, 1.0))
    write_json(tmp_path / "new" / "a.json", Outer("a", inner, (empty, inner), {"k": (1, np.int64(2)), "p": Path("x")}))
    read = record_from(Outer, read_json(tmp_path / "new" / "a.json"))
    assert equal(read.inner, inner)
    assert read.several[0].values.shape == (2, 0)
    assert all(map(equal, read.several, (empty, inner)))
    assert (read.name, read.key) == ("a", {"k": [1, 2], "p": "x"})
    write_json(tmp_path / "b.json", read)
    assert equal(record_from(Outer, read_json(tmp_path / "b.json")).inner, inner)


def test_numbers_come_back_as_they_were(tmp_path):
    values = np.random.default_rng(0).normal(size=100)
    write_json(tmp_path / "a.json", {"values": values, "nan": math.nan, "one": values[0], "few": values.astype("f4")})
    read = read_json(tmp_path / "a.json")
    np.testing.assert_array_equal(read["values"], values)
    np.testing.assert_array_equal(read["few"], values.astype(np.float32))
    assert math.isnan(read["nan"])
    assert read["one"] == values[0]


@pytest.mark.parametrize("change", [{"extra": 1}, {"name": "c"}, {"inner": {"values": [1]}}, {"several": None}])
def test_other_fields_are_refused(change):
    plain = {"name": "a", "inner": None}
    assert record_from(Outer, plain) == Outer("a", None)
    with pytest.raises(ValueError, match="Outer"):
        record_from(Outer, plain | change)


@pytest.mark.parametrize("text", [None, "", "{", "[1]", "\x00"])
def test_what_is_not_whole_is_none(text, tmp_path):
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    assert read_json(tmp_path / "a.json") is None


def test_other_programs_read_strict_json(tmp_path):
    values = {"name": "é", "of": Inner(np.arange(2), (math.nan, math.inf)), "row": [np.float32(0.5), -math.inf]}
    export_json(tmp_path / "a.json", values)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "é" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "name": "é", "of": {"values": [0, 1], "interval": [None, None]}, "row": [0.5, None]
    }  # fmt: skip


def test_settings_are_plain_values():
    settings = MappingProxyType({"k": range(2, 4), "f": jsonable, "path": Path("a"), "n": torch.tensor([1.5])})
    assert jsonable(settings) == {"k": [2, 3], "f": "jsonable", "path": "a", "n": [1.5]}
