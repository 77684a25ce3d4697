"""Heatmaps of layers whose channels lie last, and of tokens: summed over channels, on the grid of the places."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models
from zoo_networks import images

from unhans.attribution import GradCAM, GuidedGradCAM, Relevance, last_features, with_latent
from unhans.lrp import LRP
from unhans.lrp.tracing import Layout, layouts

WIDE = (32, 64)  # rows and columns differ, so that a shape alone tells nothing


def made(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build().eval()
        for parameter in model.parameters():
            if parameter.dim() == 1:
                nn.init.normal_(parameter, 0.5, 0.2)
    return model


def swin():
    return models.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [2, 2], num_classes=5)


def vit():
    model = models.VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=12, mlp_dim=24, num_classes=5)
    nn.init.normal_(model.heads.head.weight)
    return model


def wide_images(n=2):
    return torch.randn(n, 3, *WIDE, generator=torch.Generator().manual_seed(3))


class Tokens(nn.Module):
    """Patches of 4 × 4 pixels as tokens; others before and after them; a mean over all."""

    def __init__(self, before=0, after=0, channels=6):
        super().__init__()
        self.embed = nn.Conv2d(3, channels, 4, 4)
        self.before, self.after = nn.Parameter(torch.ones(1, before, 1)), nn.Parameter(torch.ones(1, after, 1))
        self.join, self.mix, self.head = nn.Identity(), nn.Linear(channels, channels), nn.Linear(channels, 5)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        more = [t.expand(len(x), -1, x.shape[2]) for t in (self.before, self.after)]
        x = self.join(torch.cat([more[0], x, more[1]], 1) * 1.0)
        return self.head(torch.relu(self.mix(x)).mean(1))


def test_layers_of_swin_are_summed_over_channels_not_over_height():
    model, x = made(swin), wide_images()
    for layer, shape in (("features.0", (8, 16)), ("features.1", (8, 16)), ("features.3", (4, 8))):
        whole = LRP(model).attribute(x, 2, layer=layer)
        maps = Relevance(layer=layer).of(model)(x, 2).maps
        assert maps.shape == (2, *shape)
        torch.testing.assert_close(maps, whole.sum(3))
    assert layouts(model, x)["features.0.0"] == Layout(1, (8, 16))


def test_the_map_of_a_patch_lies_where_the_patch_is():
    """Grad-CAM and LRP of (n, H, W, C) are those of the same maps as (n, C, H, W)."""
    model, x = made(swin), wide_images()
    for method in (Relevance, GradCAM, GuidedGradCAM):
        if method is not GuidedGradCAM:  # Swin has no ReLU
            last, first = (method(layer=layer).of(model)(x, 1).maps for layer in ("norm", "permute"))
            torch.testing.assert_close(last, first)


def test_grad_cam_of_channels_last_by_hand():
    model, x = made(swin), wide_images()
    kept = []
    model.features[1].register_forward_hook(lambda module, inputs, output: kept.append(output))
    (slope,) = torch.autograd.grad(model(x)[:, 3].sum(), kept[0])
    weights = slope.mean((1, 2), keepdim=True)
    small = (weights * kept[0]).sum(3).clamp(min=0)
    expected = F.interpolate(small[:, None], WIDE, mode="bilinear", align_corners=False)[:, 0].detach()
    torch.testing.assert_close(GradCAM("features.1").of(model)(x, 3).maps, expected)


def test_the_last_maps_of_swin_are_found():
    model, x = made(swin), wide_images()
    torch.testing.assert_close(GradCAM().of(model)(x, 3).maps, GradCAM("permute").of(model)(x, 3).maps)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 0), (5, 0), (0, 2), (2, 1)])
def test_tokens_without_a_place_are_left_out(before, after):
    model, x = made(lambda: Tokens(before, after)), wide_images()
    whole = LRP(model).attribute(x, 2, layer="join")
    patches = whole[:, before : before + 8 * 16]
    maps = Relevance(layer="join").of(model)(x, 2).maps
    torch.testing.assert_close(maps, patches.sum(2).reshape(2, 8, 16))
    assert layouts(model, x)["join"] == Layout(2, (8, 16), before)


def test_tokens_of_a_vision_transformer_lie_on_the_grid_of_patches():
    model, x = made(vit), images(2, torch.float32, 32)
    layer = "encoder.layers.encoder_layer_0"
    whole = LRP(model).attribute(x, 2, layer=layer)
    assert whole.shape == (2, 17, 12)
    torch.testing.assert_close(Relevance(layer=layer).of(model)(x, 2).maps, whole[:, 1:].sum(2).reshape(2, 4, 4))
    assert GradCAM(layer).of(model)(x, 2).maps.shape == (2, 32, 32)


def test_what_has_no_places_is_refused_in_one_sentence():
    model, x = made(vit), images(2, torch.float32, 32)
    with pytest.raises(ValueError, match=r"^layer 'heads': expected feature maps, or tokens .* shape \(2, 5\) whose"):
        Relevance(layer="heads").of(model)(x, 2)
    with pytest.raises(ValueError, match=r"channel_axis: expected 1 for .* got 2"):
        Relevance(layer="heads", channel_axis=2)


def test_the_axis_can_be_given_where_the_network_does_not_tell():
    class Hidden(nn.Module):
        """Sorting mixes rows and columns, so nothing is known of what comes after it."""

        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Identity(), nn.Linear(3, 4)

        def forward(self, x):
            x = x.flatten()[torch.arange(x.numel())].reshape(len(x), 4, 6, 3)
            return self.head(self.body(1 * x).mean((1, 2)))

    model, x = made(Hidden), torch.randn(2, 3, 6, 4, generator=torch.Generator().manual_seed(3))
    with pytest.raises(ValueError, match=r"shape \(2, 4, 6, 3\) whose places cannot be told; channel_axis tells"):
        Relevance(layer="body").of(model)(x, 1)
    whole = LRP(model).attribute(x, 1, layer="body")
    torch.testing.assert_close(Relevance(layer="body", channel_axis=3).of(model)(x, 1).maps, whole.sum(3))


def test_pooled_relevance_and_features_of_maps_that_are_not_square():
    model, x = made(swin), wide_images()
    explain, layers = with_latent(Relevance(), model, x[:1])
    found = explain(x, 1)
    for layer in layers:
        told = layouts(model, x)[layer]
        alone = told.places(LRP(model).attribute(x, 1, layer=layer)).flatten(2)
        torch.testing.assert_close(found.latent[layer], torch.stack([alone.sum(2), alone.amax(2)], 1))
    assert last_features(model, x[:1]).means(x).shape == (2, 16)
