"""Several outputs at once: the map of a sum of logits."""

from __future__ import annotations

import pytest
import torch
from test_zoo_laws import ZOO, images, tangle
from torch import nn

from unhans.attribution import GradCAM, InputXGradient, Relevance, Saliency, explain_all
from unhans.lrp import LRP

LINEAR = {"lrp": Relevance(), "lrp epsilon": Relevance("epsilon"), "input x gradient": InputXGradient()}


def weights(n, chosen):
    found = torch.zeros(n, 4)
    found[:, chosen] = 1
    return found


@pytest.mark.parametrize("name", LINEAR)
def test_the_map_of_a_sum_is_the_sum_of_the_maps(name):
    """By conservation: relevance that starts at several outputs is the sum of what starts at each ([003] fig. 2.8)."""
    net, x = tangle().float(), images().float()
    together = explain_all(LINEAR[name].of(net), x, weights(len(x), [0, 2]), batch_size=2)
    one, other = (explain_all(LINEAR[name].of(net), x, label) for label in (0, 2))
    torch.testing.assert_close(together.maps, one.maps + other.maps, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together.logits, one.logits)


@pytest.mark.parametrize("name", [name for name in ZOO if "perturbation" not in name])
def test_one_output_with_weight_one_is_that_class(name):
    net, x = tangle(), images()
    explain = ZOO[name].of(net)
    torch.testing.assert_close(explain(x, weights(len(x), [3])).maps, explain(x, 3).maps)


def test_grad_cam_finds_its_layer_by_the_same_path():
    net, x = (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 4)).eval(),
        torch.rand(2, 3, 8, 8),
    )
    found = GradCAM("1").of(net)(x, weights(2, [1]))
    torch.testing.assert_close(found.maps, GradCAM("1").of(net)(x, 1).maps)


def test_books_of_a_sum_begin_at_all_of_its_logits():
    net, x = tangle(), images()
    report = LRP(net, "epsilon").conservation(x, weights(len(x), [0, 1]).to(x))
    logits = LRP(net, "epsilon").explain(x, 0).logits
    torch.testing.assert_close(report.logits, logits[:, :2].sum(1))


@pytest.mark.parametrize("method", [Relevance(), Saliency()])
def test_bad_weights_are_refused(method):
    net, x = tangle(), images()
    with pytest.raises(ValueError, match=r"target: expected finite weights of the logits, \(3, 4\), got \(3, 5\)"):
        method.of(net)(x, torch.zeros(3, 5))
    with pytest.raises(ValueError, match="got NaN or infinity"):
        method.of(net)(x, torch.full((3, 4), torch.nan))


def test_only_lrp_takes_other_sums_for_each_image():
    net, x = tangle(), images()
    with pytest.raises(ValueError, match="only LRP takes weights of the logits that differ between images"):
        Saliency().of(net)(x, torch.eye(4)[:3])
    own = Relevance().of(net)(x, torch.eye(4)[:3])
    torch.testing.assert_close(own.maps, Relevance().of(net)(x, torch.arange(3)).maps)
