"""Keys say what changed; digests tell apart whatever differs."""

import itertools

import numpy as np
import pytest
import torch

from unhans.store import differences, digest


def test_differences_are_sentences():
    stored = {
        "attribution": {"composite": "epsilon_plus_flat", "gamma": 0.25},
        "k": [2, 3],
        "old": 1,
        "weights": "a" * 64,
    }
    wanted = {"attribution": {"composite": "epsilon", "gamma": 0.25}, "k": (2, 4), "weights": "b" * 64, "size": None}
    assert differences(stored, wanted) == [
        "attribution.composite was epsilon_plus_flat, now epsilon",
        "k was [2, 3], now [2, 4]",
        "weights has changed",
        "size was absent, now null",
        "old was 1, now absent",
    ]


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        ({}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}),
        ({"a": [1, [2]]}, {"a": (1, (2,))}),
        ({"a": 1}, {"a": np.int64(1)}),
        ({"a": [1, 2]}, {"a": np.array([1, 2])}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": float("nan")}, {"a": float("nan")}),
    ],
)
def test_equal_keys_differ_in_nothing(stored, wanted):
    assert differences(stored, wanted) == []


@pytest.mark.parametrize(
    ("stored", "wanted", "sentence"),
    [
        ({"a": {}}, {"a": {"b": 1}}, ["a.b was absent, now 1", "a was {}, now absent"]),
        ({"a": None}, {}, ["a was null, now absent"]),
        ({"a": ""}, {"a": "x"}, ['a was "", now x']),
        ({"a": True}, {"a": False}, ["a was true, now false"]),
        ({"a": 1}, {"a": True}, ["a was 1, now true"]),
        ({"a": "1"}, {"a": 1}, ["a was 1, now 1 (of another type)"]),
    ],
)
def test_whatever_differs_is_said(stored, wanted, sentence):
    assert differences(stored, wanted) == sentence


def test_a_digest_does_not_depend_on_the_memory_layout():
    matrix = torch.arange(12.0).reshape(3, 4)
    assert digest({"w": matrix.T}) == digest({"w": matrix.T.contiguous()})
    assert digest(np.arange(12)[::2]) == digest(np.arange(0, 12, 2))
    assert digest(matrix.requires_grad_()) == digest(matrix.detach())
    assert digest([1, "a"]) == digest((1, "a"))
    assert len(digest()) == 64


def test_different_contents_have_different_digests():
    a, b = torch.zeros(2), torch.ones(2)
    parts = [
        (),
        ("ab",),
        ("a", "b"),
        (b"ab",),
        ("",),
        (None,),
        (1,),
        (1.0,),
        (True,),
        ("1",),
        (["a", "b"],),
        (["a"], "b"),
        ({"a": "b"},),
        ({"x": a, "y": b},),
        ({"y": b, "x": a},),
        ({"x": b, "y": a},),
        (a,),
        (a[None],),
        (a.double(),),
        (a.bfloat16(),),
        (a.half(),),
        (a.numpy(),),
        (torch.zeros(4).half(),),
        (torch.tensor(0.0),),
        (torch.empty(0),),
        (torch.empty(0, 2),),
        (np.array([True, False]),),
        (np.float32(0),),
    ]
    digests = [digest(*part) for part in parts]
    for (first, one), (second, other) in itertools.combinations(zip(parts, digests, strict=True), 2):
        assert one != other, (first, second)


def test_a_state_dict_has_a_digest():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    before = digest(network.state_dict())
    assert before == digest(network.state_dict())
    network(torch.randn(3, 2))  # running statistics count as well
    assert before != digest(network.state_dict())


def test_what_has_no_content_has_no_digest():
    with pytest.raises(ValueError, match="cannot digest a object"):
        digest({"a": object()})
    with pytest.raises(ValueError, match="cannot digest a ndarray"):
        digest(np.array(["a"]))
