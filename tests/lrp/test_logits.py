"""Where the logits are in what a network returns."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from unhans.attribution import GradCAM, Relevance, Saliency
from unhans.clarc import Correction, corrected, layers
from unhans.lrp import LRP, UnsupportedModelError
from unhans.lrp.tracing import LogitsOf, logits_of


class Returns(nn.Module):
    """A small network that hands its logits over in some form."""

    def __init__(self, form=lambda logits, features: logits):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.head = nn.Linear(4, 5)
        self.form = form

    def forward(self, x):
        features = self.features(x)
        return self.form(self.head(features.mean((2, 3))), features)


FOUND = {
    "an attribute": lambda logits, features: SimpleNamespace(logits=logits, hidden=features),
    "a mapping": lambda logits, features: {"loss": None, "logits": logits},
    "a tuple": lambda logits, features: (logits, features),
    "a list that ends with them": lambda logits, features: [features, logits],
}
GIVEN = {
    "scores": lambda logits, features: {"scores": logits, "logits": logits * 0},
    "out": lambda logits, features: SimpleNamespace(out=logits),
    1: lambda logits, features: (logits * 0, logits),
}


@pytest.mark.parametrize("form", FOUND)
@pytest.mark.parametrize("attribution", [Relevance(), Relevance(layer="features"), Saliency(), GradCAM()])
def test_explanations_find_the_logits(form, attribution):
    images = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    plain, other = (attribution.of(Returns(how))(images, 2) for how in (lambda logits, features: logits, FOUND[form]))
    assert torch.equal(plain.maps, other.maps)
    assert torch.equal(plain.logits, other.logits)


@pytest.mark.parametrize("output", [*GIVEN, lambda result: result[1]])
def test_logits_that_are_elsewhere(output):
    images = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    form = GIVEN[1] if callable(output) else GIVEN[output]
    wrapped = LogitsOf(Returns(form), output)
    assert torch.equal(LRP(wrapped).attribute(images, 2), LRP(Returns()).attribute(images, 2))
    assert torch.equal(wrapped(images), Returns()(images))


def test_a_correction_in_a_network_that_returns_more():
    images = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    direction = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(2))
    network, plain = Returns(FOUND["a mapping"]), Returns()
    assert layers(network, images[:1]) == layers(plain, images[:1])
    for only in (None, 2):
        one, other = (
            corrected(each, {"features": Correction(direction / direction.norm(), torch.tensor([0.5]))}, only=only)
            for each in (network, plain)
        )
        assert torch.equal(logits_of(one(images)), other(images))


@pytest.mark.parametrize(
    ("result", "output", "said"),
    [
        ({"scores": 1, "loss": 2}, None, "got a dict with the keys 'scores', 'loss'; wrap the network in"),
        ((torch.ones(2, 3), torch.ones(2, 4)), None, r"got a tuple of a tensor \(2, 3\), a tensor \(2, 4\); wrap"),
        ((torch.ones(2, 3),), 4, r"got a tuple of a tensor \(2, 3\) at output=4; wrap"),
        (SimpleNamespace(), "logits", "got a SimpleNamespace at output='logits'"),
        ([torch.ones(2)], "logits", r"a list of a tensor \(2,\) at output='logits'"),
        (None, None, "got a NoneType; wrap"),
    ],
)
def test_what_holds_no_logits_is_one_sentence(result, output, said):
    with pytest.raises(UnsupportedModelError, match=said):
        logits_of(result, output)
