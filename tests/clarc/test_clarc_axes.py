"""Directions and corrections of maps with the channels last and of tokens: those of the same maps (n, C, H, W)."""

from __future__ import annotations

import clarc_cases as cases
import pytest
import torch
from torchvision import models

from unhans.clarc import (
    Correction,
    activations,
    channel_axis,
    check_layer,
    corrected,
    fit,
    layers,
    prepared,
    rank_layers,
    specification,
)
from unhans.lrp import LRP

LAYOUTS = {
    "channels last": (3, lambda x: x.permute(0, 2, 3, 1)),
    "tokens": (2, lambda x: x.flatten(2).transpose(1, 2)),
}


def made(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build().eval()


def swin():
    return models.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [2, 2], num_classes=5)


def vit():
    return models.VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=12, mlp_dim=24, num_classes=5)


NETWORKS = {"features.1.1": (swin, 3, (8, 8, 8)), "encoder.layers.encoder_layer_0": (vit, 2, (17, 12))}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("spatial", ["positions", "channels"])
def test_a_direction_does_not_depend_on_where_the_channels_lie(name, spatial):
    axis, moved = LAYOUTS[name]
    x, which = cases.marked()
    usual = fit(x, which, spatial=spatial, axis=1)
    found = fit(moved(x), which, spatial=spatial, axis=axis)
    expected = usual.direction if spatial == "channels" else moved(usual.direction[None])[0]
    torch.testing.assert_close(found.direction, expected)
    assert found.separations == usual.separations
    assert found.axis == axis


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("spatial", ["positions", "channels"])
@pytest.mark.parametrize("reactive", [False, True])
def test_a_correction_does_not_depend_on_where_the_channels_lie(name, spatial, reactive):
    axis, moved = LAYOUTS[name]
    x, which = cases.marked()
    usual = Correction.projective(fit(x, which, spatial=spatial, axis=1), reactive=reactive)
    found = Correction.projective(fit(moved(x), which, spatial=spatial, axis=axis), reactive=reactive)
    torch.testing.assert_close(found(moved(x)), moved(usual(x)), atol=1e-5, rtol=1e-5)
    assert (found.spatial, found.axis) == (spatial, axis if spatial == "channels" else None)
    assert 0 < int((found(moved(x)) == moved(x)).flatten(1).all(1).sum()) < 30 or not reactive


def test_square_maps_and_tokens_tell_their_axis_and_others_do_not():
    x, which = cases.marked(shape=(3, 4, 4))
    assert fit(x, which, spatial="channels").axis == 1
    last = fit(x.permute(0, 2, 3, 1), which, spatial="channels")
    assert last.axis == 3
    assert last.direction.shape == (3,)
    assert fit(x.flatten(2).transpose(1, 2), which, spatial="channels").axis == 2


@pytest.mark.parametrize("layer", NETWORKS)
@pytest.mark.parametrize("spatial", ["positions", "channels"])
def test_transformers_are_fitted_ranked_corrected_and_saved(layer, spatial):
    build, axis, shape = NETWORKS[layer]
    net, plain = made(build), cases.images(12, 32)
    marked = plain.clone()
    marked[:, :, :8, :8] += 2
    assert layers(net, plain[:1])[layer] == (1, *shape)
    assert channel_axis(net, layer, plain[:1]) == axis
    check_layer(net, layer, plain[:1])
    (concept,) = rank_layers(net, marked, plain, [layer], spatial=spatial)
    assert (concept.axis, concept.direction.shape) == (axis, shape[-1:] if spatial == "channels" else shape)
    model = corrected(net, {layer: Correction.projective(concept)})
    found = activations(model, layer, marked).double()
    along = found @ concept.direction.double() if spatial == "channels" else found * concept.direction.double()
    along = along if spatial == "channels" else along.flatten(1).sum(1)
    target = (concept.direction.double() * concept.unaffected.double()).sum()
    torch.testing.assert_close(along, target.expand_as(along), atol=1e-4, rtol=1e-4)
    again = prepared(net, specification(model))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(marked), model(marked))
    assert LRP(model).attribute(marked[:2], 1).isfinite().all()


def test_attention_maps_are_no_features():
    from torch import nn

    class Weights(nn.Module):
        """Attention as (n, heads, N, N) out of a module of its own."""

        def __init__(self):
            super().__init__()
            self.embed, self.soft, self.head = nn.Conv2d(3, 8, 4, 4), nn.Softmax(-1), nn.Linear(8, 5)

        def forward(self, x):
            x = self.embed(x).flatten(2).transpose(1, 2)
            heads = x.unflatten(2, (2, 4)).transpose(1, 2)
            x = (self.soft(heads @ heads.transpose(2, 3)) @ heads).transpose(1, 2).flatten(2)
            return self.head(x.mean(1))

    assert list(layers(made(Weights), cases.images(2, 16))) == ["embed"]
