"""Which layers are pooled, and that one pass gives what separate passes give."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models
from zoo_networks import images

from unhans.attribution import InputXGradient, Relevance, explain_all, with_latent
from unhans.attribution.latent import pooled
from unhans.attribution.places import channel_axis, layers_with_places
from unhans.lrp import LRP, UnsupportedModelError, composite_by_name


def small(bias=True):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=bias),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1, bias=bias),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12 * 16, 5, bias=bias),
    )


class ChannelsLast(nn.Module):
    """A network whose features are (n, H, W, C)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3, 7)
        self.mix = nn.Linear(7, 9)
        self.head = nn.Linear(9, 4)

    def forward(self, x):
        x = torch.relu(self.embed(x.permute(0, 2, 3, 1)))
        return self.head(torch.relu(self.mix(x)).mean((1, 2)))


class Foreign(nn.Module):
    """Something that LRP cannot follow."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.cos(self.conv(x)).mean((2, 3)))


def made(build, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build().eval()


def vit():
    model = models.VisionTransformer(32, 8, num_layers=4, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=10)
    nn.init.normal_(model.heads.head.weight)  # zero until it is trained
    return model


def chosen(model, side, attribution=None):
    return with_latent(attribution or Relevance(), model, images(1, torch.float32, side))


CHOSEN = {
    "small": (small, 16, 2),
    "resnet18": (models.resnet18, 64, 3),
    "squeezenet": (models.squeezenet1_1, 64, 3),
    "vit": (vit, 32, 3),
    "channels last": (ChannelsLast, 8, 1),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_layers_have_channels_and_places_and_differ(name):
    build, side, fewest = CHOSEN[name]
    model = made(build)
    explain, layers = chosen(model, side)
    shapes = LRP(model).layers(images(1, torch.float32, side))
    assert fewest <= len(layers) <= 3
    x = images(3, torch.float32, side, seed=4)
    found = explain(x, torch.tensor([0, 1, 2]))
    assert tuple(found.latent) == layers
    for layer in layers:
        channels = shapes[layer][channel_axis(shapes[layer])]
        assert found.latent[layer].shape == (3, 2, channels)
        assert channels != found.logits.shape[1]  # the classes themselves are no concepts
        assert found.latent[layer].isfinite().all()
    for i, layer in enumerate(layers):
        for other in layers[:i]:
            one, two = found.latent[layer][:, 0], found.latent[other][:, 0]
            assert one.shape != two.shape or not torch.allclose(one, two, rtol=1e-3)


def test_the_coarsest_grids_of_resnet_come_first():
    _, layers = chosen(made(models.resnet18), 128)
    shapes = LRP(made(models.resnet18)).layers(images(1, torch.float32, 128))
    assert [shapes[layer][-1] for layer in layers] == [4, 8, 16]
    assert layers[0].startswith("layer4")


@pytest.mark.parametrize("name", ["small", "resnet18", "vit", "channels last"])
def test_pooled_relevance_is_that_of_a_pass_for_the_layer(name):
    build, side, _ = CHOSEN[name]
    model = made(build)
    explain, layers = chosen(model, side)
    x = images(2, torch.float32, side, seed=4)
    found, lrp = explain(x, 1), LRP(model)
    torch.testing.assert_close(found.maps, lrp.attribute(x, 1).sum(1))
    for layer in layers:
        alone = lrp.attribute(x, 1, layer=layer).movedim(channel_axis(lrp.layers(x)[layer]), 1).flatten(2)
        torch.testing.assert_close(found.latent[layer], torch.stack([alone.sum(2), alone.max(2).values], 1))


def test_sums_over_channels_are_the_logit_in_every_layer():
    model, x = made(lambda: small(bias=False)), images(3, torch.float32, 16)
    rules = composite_by_name("epsilon_plus_flat", epsilon=1e-9)
    explain, layers = with_latent(Relevance(list(rules)), model, x[:1])
    found = explain(x, 2)
    assert len(layers) >= 2
    for layer in layers:
        torch.testing.assert_close(found.latent[layer][:, 0].sum(1), found.logits[:, 2], rtol=1e-3, atol=1e-5)


def test_pooling_by_hand():
    relevance = torch.tensor([[[[1.0, -2.0], [3.0, 0.0]], [[-1.0, -4.0], [-2.0, -3.0]]]])
    expected = torch.tensor([[[2.0, -10.0], [3.0, -1.0]]])
    torch.testing.assert_close(pooled(relevance), expected)
    wide = relevance.repeat(1, 3, 1, 1)[:, :5]  # (1, 5, 2, 2) and (1, 2, 2, 5): channels last by its shape
    torch.testing.assert_close(pooled(wide.permute(0, 2, 3, 1)), pooled(wide))
    tokens = wide.flatten(2).movedim(1, 2)
    torch.testing.assert_close(pooled(tokens), pooled(wide))


@pytest.mark.parametrize(
    ("shape", "axis"), [((2, 8, 4, 4), 1), ((2, 4, 4, 8), 3), ((2, 4, 4, 4), 1), ((2, 9, 8), 2), ((2, 3, 4, 5), 1)]
)
def test_where_the_channels_are(shape, axis):
    assert channel_axis(shape) == axis


def test_layers_without_places_and_those_of_classes_are_left_out():
    shapes = {"a": (1, 8, 4, 4), "b": (1, 10, 4, 4), "pool": (1, 8, 1, 1), "fc": (1, 10), "flat": (1, 128)}
    assert layers_with_places(shapes, 10) == ["a"]
    assert layers_with_places({"fc": (1, 10)}, 10) == []


def test_layers_between_are_added_where_there_is_one_grid():
    shapes = {f"block{i}": (1, 17, 16) for i in range(12)}
    assert layers_with_places(shapes, 10) == ["block11", "block3", "block7"]


def test_another_method_keeps_its_heatmaps_and_gets_the_layers_of_lrp():
    model, x = made(small), images(3, torch.float32, 16)
    explain, layers = chosen(model, 16, InputXGradient())
    found = explain(x, 1)
    torch.testing.assert_close(found.maps, InputXGradient().of(model)(x, 1).maps)
    expected = chosen(model, 16)[0](x, 1)
    assert layers == tuple(expected.latent)
    for layer in layers:
        torch.testing.assert_close(found.latent[layer], expected.latent[layer])


def test_heatmaps_at_a_layer_stay_there():
    model, x = made(small), images(2, torch.float32, 16)
    attribution = Relevance(layer="3")
    explain, layers = with_latent(attribution, model, x[:1])
    assert explain(x, 1).maps.shape == (2, 8, 8)
    torch.testing.assert_close(explain(x, 1).maps, attribution.of(model)(x, 1).maps)
    assert layers


def test_what_lrp_refuses_has_no_layers_and_keeps_its_heatmaps():
    model, x = made(Foreign), images(2, torch.float32, 8)
    with pytest.raises(UnsupportedModelError):
        LRP(model).attribute(x, 1)
    explain, layers = chosen(model, 8, InputXGradient())
    assert layers == ()
    assert not explain(x, 1).latent
    torch.testing.assert_close(explain(x, 1).maps, InputXGradient().of(model)(x, 1).maps)


def test_a_network_without_places_has_no_layers():
    model = made(lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.ReLU(), nn.Linear(6, 3)))
    explain, layers = chosen(model, 8)
    assert layers == ()
    assert explain(images(2, torch.float32, 8), 1).maps.shape == (2, 8, 8)


def test_batches_change_nothing():
    model, x = made(small), images(7, torch.float32, 16)
    explain, layers = chosen(model, 16)
    whole = explain(x, torch.arange(7) % 5)
    parts = explain_all(explain, x, torch.arange(7) % 5, batch_size=3)
    torch.testing.assert_close(parts.maps, whole.maps)
    for layer in layers:
        torch.testing.assert_close(parts.latent[layer], whole.latent[layer])
