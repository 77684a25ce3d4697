"""Each method against its closed form, or against a second version that follows the definition word for word."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum import attr
from torch import nn
from torch.utils.checkpoint import checkpoint
from zoo_networks import Scores, images, linear, tangle

from unhans.attribution import (
    Deconvolution,
    GradCAM,
    GradientSHAP,
    GuidedBackprop,
    GuidedGradCAM,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    RandomMaps,
    Saliency,
    SmoothGrad,
)

TARGETS = torch.tensor([2, 0, 3])


def assert_near(ours, theirs):
    torch.testing.assert_close(ours, theirs.detach().float(), rtol=2e-5, atol=2e-6)


def gradient(net, x, target):
    x = x.clone().requires_grad_()
    scores = net(x)
    return torch.autograd.grad(sum(scores[i, t] for i, t in enumerate(target)), x)[0]


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("linf", np.inf)])
def test_saliency_of_a_linear_network_is_the_norm_of_its_weights(norm, order):
    net, weight = linear()
    maps = Saliency(norm).of(net)(images(side=6), TARGETS).maps
    assert_near(maps, torch.as_tensor(np.linalg.norm(weight[TARGETS], order, axis=1)))


def test_input_times_gradient_of_a_linear_network_is_weight_times_input():
    net, weight = linear()
    x = images(side=6)
    assert_near(InputXGradient().of(net)(x, TARGETS).maps, (weight[TARGETS] * x).sum(1))


@pytest.mark.parametrize("method", [Saliency(), InputXGradient()])
def test_gradients_are_those_of_the_network_in_evaluation_mode(method):
    net, x = tangle(), images()
    found = gradient(tangle().eval(), x, TARGETS)
    maps = method.of(net)(x, TARGETS).maps
    assert_near(maps, found.norm(dim=1) if isinstance(method, Saliency) else (found * x).sum(1))


@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_integrated_gradients_of_a_linear_network_start_at_the_baseline(batch_size):
    net, weight = linear()
    x = images(side=6)
    method = IntegratedGradients(steps=7, baseline=-0.5, batch_size=batch_size)
    assert_near(method.of(net)(x, TARGETS).maps, (weight[TARGETS] * (x + 0.5)).sum(1))


def test_integrated_gradients_are_complete():
    net, x = tangle(), images()
    found = IntegratedGradients(steps=300, batch_size=64).of(net)(x, TARGETS)
    start = net.eval()(torch.zeros_like(x))
    rise = (found.logits - start).gather(1, TARGETS[:, None])[:, 0]
    torch.testing.assert_close(
        found.maps.sum((1, 2)).double(), rise.detach(), rtol=0, atol=0.02 * rise.abs().max().item()
    )


def rectifier(rule):
    class Rectifier(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.where(x > 0, x, 0)

        @staticmethod
        def backward(ctx, above):
            (x,) = ctx.saved_tensors
            return torch.where(above > 0, above, 0) * ((x > 0) if rule == "guided" else 1)

    return Rectifier.apply


def literal(net, relu):
    """The tangled network again, out of place, every ReLU by name."""

    def forward(x):
        x = relu(net.norm(net.conv1(x)))
        x = F.max_pool2d(x, 2)
        x = relu(net.conv2(x) + x)
        x = relu(net.conv3(x))
        x = relu(net.fc1(x.flatten(1)))
        return net.fc2(relu(x - 0.1))

    return forward


RECTIFIED = [(GuidedBackprop(), "guided"), (Deconvolution(), "deconvolved")]


@pytest.mark.parametrize(("method", "rule"), RECTIFIED)
def test_every_spelling_of_relu_is_rectified(method, rule):
    net, x = tangle(), images()
    theirs = gradient(literal(tangle().eval(), rectifier(rule)), x, TARGETS)
    assert theirs.flatten(1).any(1).all()
    assert not torch.allclose(theirs, gradient(tangle().eval(), x, TARGETS))
    assert_near(method.of(net)(x, TARGETS).maps, theirs.sum(1))


SPELLINGS = {
    "module": lambda net, x: net.relu(x),
    "in-place module": lambda net, x: net.inplace(x),
    "function": lambda net, x: F.relu(x),
    "in-place function": lambda net, x: F.relu(x, inplace=True),
    "torch": lambda net, x: torch.relu(x),
    "torch_": lambda net, x: torch.relu_(x),
    "method": lambda net, x: x.relu(),
    "method_": lambda net, x: x.relu_(),
    "aten": lambda net, x: torch.ops.aten.relu(x),
    "clamp": lambda net, x: x.clamp(min=0),
    "clamp_min": lambda net, x: torch.clamp_min(x, 0),
    "threshold": lambda net, x: F.threshold(x, 0, 0),
    "checkpoint": lambda net, x: checkpoint(net.relu, x, use_reentrant=False),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("method", "rule"), RECTIFIED)
def test_rectified_gradients_by_hand(method, rule, spelling):
    first, second = nn.Linear(12, 9).double(), nn.Linear(9, 4).double()
    net = Scores(
        lambda net, x: net.second(SPELLINGS[spelling](net, net.first(x.flatten(1)))),
        first=first,
        second=second,
        relu=nn.ReLU(),
        inplace=nn.ReLU(inplace=True),
    )
    x = images(side=2)
    above = second.weight[TARGETS].clamp(min=0)
    active = first(x.flatten(1)) > 0 if rule == "guided" else 1
    assert_near(method.of(net)(x, TARGETS).maps, ((above * active) @ first.weight).reshape(3, 3, 2, 2).sum(1))


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize(
    ("method", "peer"), [(GuidedBackprop(), attr.GuidedBackprop), (Deconvolution(), attr.Deconvolution)]
)
def test_rectified_gradients_are_captums_where_captum_is_right(method, peer):
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 4))
    x = images(side=6, dtype=torch.float32)
    theirs = peer(net).attribute(x.clone().requires_grad_(), target=TARGETS)
    assert_near(method.of(net)(x, TARGETS).maps, theirs.sum(1))


def test_other_activations_keep_their_gradient():
    net = Scores(
        lambda net, x: net.fc(torch.tanh(F.relu(x.flatten(1))).clamp(0, 0.3)),
        fc=nn.Linear(12, 4).double().requires_grad_(False),
    )
    x = images(side=2)
    inside = F.relu(x.flatten(1))
    slope = net.fc.weight[TARGETS] * (1 - inside.tanh() ** 2) * (inside.tanh() <= 0.3)
    theirs = slope.clamp(min=0) * (x.flatten(1) > 0)
    assert_near(GuidedBackprop().of(net)(x, TARGETS).maps, theirs.reshape(3, 3, 2, 2).sum(1))


class Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, above):
        return above


HIDING = {
    "function HiddenBackward": lambda net, x: net.fc(Hidden.apply(x.flatten(1).relu())),
    "in-place operation on a view": lambda net, x: net.fc((2 * x).flatten(1).relu_()),
    "got one without": lambda net, x: net.fc(F.gelu(x.flatten(1))),
}


@pytest.mark.parametrize("message", HIDING)
@pytest.mark.parametrize("method", [GuidedBackprop(), Deconvolution(), GuidedGradCAM("fc")])
def test_relus_that_cannot_be_seen_are_refused(method, message):
    net = Scores(HIDING[message], fc=nn.Linear(12, 4).double())
    with pytest.raises(ValueError, match=message):
        method.of(net)(images(side=2), 0)


def literal_cam(net, x, target):
    """Grad-CAM at conv2, before the sum and the in-place ReLU that follow."""
    before = F.max_pool2d(F.relu(net.norm(net.conv1(x))), 2)
    maps = net.conv2(before).detach().requires_grad_()
    scores = net.fc2(F.relu(F.relu(net.fc1(F.relu(net.conv3(F.relu(maps + before))).flatten(1))) - 0.1))
    result = torch.zeros(len(x), 8, 8).double()
    for i, t in enumerate(target):
        slope = torch.autograd.grad(scores[i, t], maps, retain_graph=True)[0][i]
        for channel in range(6):
            result[i] += slope[channel].mean() * maps[i, channel].detach()
    return F.interpolate(result.clamp(min=0)[:, None], (16, 16), mode="bilinear", align_corners=False)[:, 0]


def test_grad_cam_before_an_in_place_relu():
    x, theirs = images(), literal_cam(tangle().eval(), images(), TARGETS)
    assert theirs.max() > 1e-4
    assert_near(GradCAM("conv2").of(tangle())(x, TARGETS).maps, theirs)


def test_guided_grad_cam_is_the_product():
    x, theirs = images(), literal_cam(tangle().eval(), images(), TARGETS)
    guided = gradient(literal(tangle().eval(), rectifier("guided")), x, TARGETS)
    assert (guided.sum(1) * theirs).any()
    assert_near(GuidedGradCAM("conv2").of(tangle())(x, TARGETS).maps, guided.sum(1) * theirs)


def test_grad_cam_at_a_shared_module_is_that_of_its_last_use():
    first, second, fc = nn.Conv2d(3, 4, 1).double(), nn.Conv2d(4, 4, 1).double(), nn.Linear(4, 4).double()
    net = Scores(
        lambda net, x: net.fc(net.relu(net.second(net.relu(net.first(x)))).mean((2, 3))),
        first=first,
        second=second,
        fc=fc,
        relu=nn.ReLU(inplace=True),
    )
    x = images(side=5)
    maps = F.relu(second(F.relu(first(x))))
    theirs = (maps * fc.weight[TARGETS][:, :, None, None] / 25).sum(1).clamp(min=0)
    assert_near(GradCAM("relu").of(net)(x, TARGETS).maps, theirs)
    assert_near(GradCAM().of(net)(x, TARGETS).maps, theirs)


@pytest.mark.parametrize(("wrong", "near"), [("conv22", "conv2"), ("layer4", "fc1, drop, fc2"), ("", "fc1, drop, fc2")])
def test_an_unknown_layer_is_refused_with_near_names(wrong, near):
    with pytest.raises(ValueError, match=f"layer '{wrong}' does not exist in this Tangle; .*{near}"):
        GradCAM(wrong).of(tangle())


def test_a_layer_without_feature_maps_is_refused():
    with pytest.raises(ValueError, match=r"layer fc1: expected outputs of the shape \(n, C, H, W\), got \(1, 30\)"):
        GradCAM("fc1").of(tangle())(images(), 0)
    with pytest.raises(ValueError, match="larger than one pixel, got none"):
        GradCAM().of(linear()[0])(images(side=6), 0)
    net = Scores(lambda net, x: net.fc(x.flatten(1)), fc=nn.Linear(12, 4).double(), unused=nn.ReLU())
    with pytest.raises(ValueError, match=r"layer unused: .* got no tensor"):
        GradCAM("unused").of(net)(images(side=2), 0)


def test_occlusion_finds_the_one_pixel_that_counts():
    net = Scores(lambda net, x: torch.stack([x[:, 1, 2, 3], x[:, 0, 0, 0] * 3], 1))
    x = images(side=6)
    theirs = torch.zeros(2, 3, 6, 6).double()
    theirs[0, :, 2, 3] = x[:, 1, 2, 3] - 0.5
    theirs[1, :, 0, 0] = 3 * x[:, 0, 0, 0] - 1.5
    explain = Occlusion(window=1, stride=1, baseline=0.5, batch_size=7).of(net)
    assert_near(explain(x, 0).maps, theirs[0])
    assert_near(explain(x, 1).maps, theirs[1])


@pytest.mark.parametrize("size", [(5, 3), (4, 4), (16, 1), (None, None)])
@pytest.mark.parametrize("batch_size", [2, 50])
def test_occlusion_is_the_mean_over_the_squares_that_cover_a_pixel(size, batch_size):
    net, x = tangle().eval(), images(side=16)
    window, stride = (4, 2) if size[0] is None else size
    loss, squares = torch.zeros(3, 16, 16).double(), torch.zeros(16, 16)
    starts = range(0, 16 - window + stride, stride)
    for top in starts:
        for left in starts:
            covered = x.clone()
            covered[:, :, top : top + window, left : left + window] = -0.2
            drop = (net(x) - net(covered)).gather(1, TARGETS[:, None])
            loss[:, top : top + window, left : left + window] += drop.detach()[:, :, None]
            squares[top : top + window, left : left + window] += 1
    assert_near(Occlusion(*size, baseline=-0.2, batch_size=batch_size).of(tangle())(x, TARGETS).maps, loss / squares)


@pytest.mark.parametrize(
    ("size", "message"), [((17, 1), "window: .* 16 pixels, got 17"), ((None, 5), "stride: .* 4 .*got 5")]
)
def test_squares_that_do_not_fit_are_refused(size, message):
    with pytest.raises(ValueError, match=message):
        Occlusion(*size).of(tangle())(images(), 0)


def test_the_gradient_of_a_linear_network_is_smooth_already():
    net, weight = linear()
    assert_near(SmoothGrad(samples=3).of(net)(images(side=6), TARGETS).maps, weight[TARGETS].sum(1))


def test_smooth_grad_without_noise_is_the_gradient():
    x = images()
    assert_near(
        SmoothGrad(samples=2, noise=0.0).of(tangle())(x, TARGETS).maps, gradient(tangle().eval(), x, TARGETS).sum(1)
    )


def test_smooth_grad_sees_noise_of_a_share_of_the_range():
    net = Scores(lambda net, x: (x**3).sum((2, 3)))  # the mean gradient is 3 (x² + σ²)
    x = images(2, side=4)
    maps = SmoothGrad(samples=20000, noise=0.1, batch_size=5000).of(net)(x, 1).maps
    share = 0.1 * (x.amax((1, 2, 3)) - x.amin((1, 2, 3)))[:, None, None]
    torch.testing.assert_close(maps, (3 * (x[:, 1] ** 2 + share**2)).float(), rtol=0.02, atol=0.08)


def test_gradient_shap_of_a_linear_network_is_weight_times_distance_from_the_mean_baseline():
    net, weight = linear()
    x = images(side=6)
    assert_near(
        GradientSHAP(samples=4, baseline=0.3, spread=0.0).of(net)(x, TARGETS).maps, (weight[TARGETS] * (x - 0.3)).sum(1)
    )


def test_gradient_shap_tends_to_integrated_gradients():
    x = images(2)
    exact = IntegratedGradients(steps=200).of(tangle())(x, 1).maps
    sampled = GradientSHAP(samples=600, spread=0.0).of(tangle())(x, 1).maps
    for ours, theirs in zip(sampled, exact, strict=True):
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98


def test_random_maps_are_normal_and_differ():
    maps = RandomMaps().of(linear()[0])(images(200, side=6), 0).maps
    assert abs(maps.mean()) < 0.05
    assert abs(maps.std() - 1) < 0.05
    assert (np.abs(np.corrcoef(maps.flatten(1)) - np.eye(200)) < 0.7).all()
    other = RandomMaps(seed=1).of(linear()[0])(images(200, side=6), 0).maps
    assert abs(np.corrcoef(maps.ravel(), other.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("method", "most"),
    [
        (IntegratedGradients(steps=9, batch_size=4), 4),
        (Occlusion(window=4, batch_size=4), 4),
        (SmoothGrad(samples=9, batch_size=4), 4),
        (GradientSHAP(samples=7), 7),
    ],
)
def test_large_methods_go_in_small_batches(method, most):
    sizes = []
    net = Scores(lambda net, x: (sizes.append(len(x)), net.net(x))[1], net=tangle())
    for n in (1, 3, 9):
        sizes.clear()
        maps = method.of(net)(images(n), 1).maps
        assert sizes.pop(0) == n  # the logits
        assert max(sizes) <= most
        assert_near(maps, method.of(tangle())(images(n), 1).maps.double())
