"""Per-sample gradients and their cosines against literally flattened gradients in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import weight_norm
from torchvision.models.resnet import BasicBlock

from unhans.influence import GradientCosine, SampleGradients, coordinates, cosines, stages_of
from unhans.influence.layer_gradients import OuterGradients


class Everything(nn.Module):
    """Every kind of layer, ReLU in place, a layer used twice, a parameter of its own."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(True))
        self.body = nn.Sequential(
            nn.Conv2d(6, 6, 3, padding="same", groups=3, dilation=2), nn.ReLU(True),
            nn.Conv2d(6, 6, 3, padding=1, padding_mode="circular"), BasicBlock(6, 6),
        )  # fmt: skip
        self.twice = nn.Conv2d(6, 6, 1)
        self.norm = nn.LayerNorm(6)
        self.scale = nn.ParameterDict({"gamma": nn.Parameter(torch.rand(6))})
        self.head = nn.Linear(6, 4)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-1, 1)
                module.running_var.uniform_(0.5, 2)

    def forward(self, images):
        maps = self.body(self.stem(images))
        maps = self.twice(self.twice(maps).relu_())
        tokens = self.norm(maps.flatten(2).mT) * self.scale["gamma"]
        return self.head(tokens).mean(1)


def network():
    return Everything().double().eval()


def samples(n=5):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, 9, 8, dtype=torch.float64, generator=generator), torch.arange(n) % 4


def literal(model, images, labels, layers, of):
    """One backward pass for each sample, all gradients of a layer in one row."""
    rows = {layer: [] for layer in layers}
    for image, label in zip(images, labels, strict=True):
        logits = model(image[None])
        chosen = {"label": label, "predicted": logits.argmax()}
        scalar = F.cross_entropy(logits, label[None]) if of == "loss" else logits[0, chosen[of]]
        for layer in layers:
            parameters = list(model.get_submodule(layer).parameters())
            grads = torch.autograd.grad(scalar, parameters, retain_graph=True, allow_unused=True)
            rows[layer].append(torch.cat([torch.zeros_like(p).flatten() if g is None else g.flatten()
                                          for p, g in zip(parameters, grads, strict=True)]))  # fmt: skip
    return {layer: torch.stack(found) for layer, found in rows.items()}


LAYERS = ("stem", "body", "twice", "norm", "scale", "head")


@pytest.mark.parametrize("of", ["loss", "label", "predicted"])
def test_gradients_are_those_of_one_backward_pass_a_sample(of):
    model, (images, labels) = network(), samples()
    expected = literal(model, images, labels, LAYERS, of)
    found = SampleGradients(model, LAYERS, of)(images, labels)
    for layer in LAYERS:  # parts lie in another order, which no dot product tells
        assert found[layer].shape == expected[layer].shape
        torch.testing.assert_close(found[layer] @ found[layer].T, expected[layer] @ expected[layer].T)


def test_gradients_of_layers_that_take_vectors():
    """Most heads: a linear layer, or a norm, on (n, features)."""
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(216, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.LayerNorm(7), nn.Linear(7, 4, bias=False)
    model, (images, labels) = nn.Sequential(*layers).double().eval(), samples()
    names = ("1", "2", "4", "5")
    expected = literal(model, images, labels, names, "loss")
    found = SampleGradients(model, names)(images, labels)
    for name in names:
        torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize("change", [weight_norm, lambda module: prune.random_unstructured(module, "weight", 0.5)])
def test_computed_weights_have_the_gradients_of_what_they_are_computed_from(change):
    model, (images, labels) = network(), samples(3)
    change(model.twice)
    expected, found = literal(model, images, labels, ("twice",), "loss"), SampleGradients(model, ("twice",))
    rows = found(images, labels)["twice"]
    torch.testing.assert_close(rows @ rows.T, expected["twice"] @ expected["twice"].T)


@pytest.mark.parametrize("memory", [1e9, 4 * 8 * 5])
def test_scores_are_cosines_of_flattened_gradients_whatever_fits_into_memory(memory):
    model, (images, labels) = network(), samples(7)
    flat = torch.cat(list(literal(model, images, labels, ("body", "head"), "loss").values()), 1)
    expected = F.normalize(flat[:3]) @ F.normalize(flat).T
    training = [(images[:4], labels[:4]), (images[4:], labels[4:])]
    cosine = GradientCosine(("body", "head"), memory=memory)
    scores = cosine.scores(model, [(images[:3], labels[:3])], lambda: training)
    torch.testing.assert_close(scores, expected)
    assert scores.diagonal() == pytest.approx(1)
    dots = GradientCosine(("body", "head"), normalise=False).scores(model, [(images[:3], labels[:3])], lambda: training)
    torch.testing.assert_close(dots, flat[:3] @ flat.T)


@pytest.mark.parametrize("queries", [1, 3, 50])
def test_dot_products_by_factors_are_those_of_flattened_gradients(queries):
    """A dense layer and convolutions of few places are compared by their factors, the others by whole gradients."""
    torch.manual_seed(0)
    wide = nn.Conv2d(8, 8, 3, stride=2, padding=1)  # called twice, at 2 × 2 and 1 × 1 places

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.wide = nn.Conv2d(3, 8, 3, stride=3, padding=1), wide
            self.norm, self.head = nn.BatchNorm2d(8), nn.Linear(8, 4)

        def forward(self, images):
            return self.head(self.wide(self.wide(self.norm(self.first(images)).relu()).relu()).mean((2, 3)))

    model, (images, labels) = Net().double().eval(), samples(6)
    layers = ("first", "wide", "norm", "head")
    gradients = SampleGradients(model, layers)
    parts = gradients.parts(images, labels, queries)
    assert isinstance(parts["head"][0], OuterGradients)
    assert isinstance(parts["first"][0], torch.Tensor)
    assert isinstance(parts["wide"][0], OuterGradients) == (queries == 1), "with many, whole gradients pay"
    flat = literal(model, images, labels, layers, "loss")
    for layer in layers:
        found = sum(each.dots(each) if isinstance(each, OuterGradients) else each @ each.T for each in parts[layer])
        torch.testing.assert_close(found, flat[layer] @ flat[layer].T)
    scores = GradientCosine(layers).scores(model, [(images[:2], labels[:2])], lambda: [(images, labels)])
    rows = F.normalize(torch.cat(list(flat.values()), 1))
    torch.testing.assert_close(scores, rows[:2] @ rows.T)


@pytest.mark.parametrize("most", [1, 40, 2**24])
def test_products_of_factors_are_the_same_in_blocks(most, monkeypatch):
    monkeypatch.setattr("unhans.influence.layer_gradients.MOST_PRODUCTS", most)
    generator = torch.Generator().manual_seed(0)
    one, two = (
        OuterGradients(*(torch.randn(n, places, size, generator=generator).double() for size in (4, 5)))
        for n, places in ((5, 3), (4, 2))
    )
    whole = [torch.einsum("nlo,nli->noi", each.delta, each.inputs).flatten(1) for each in (one, two)]
    torch.testing.assert_close(one.dots(two), whole[0] @ whole[1].T)
    torch.testing.assert_close(one.squares(), whole[0].square().sum(1))


def test_the_network_before_the_first_layer_is_not_gone_back_through():
    model, (images, labels) = network(), samples(2)

    class Refuses(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise AssertionError("gone back through")

    class Barrier(nn.Module):
        def forward(self, x):
            return Refuses.apply(x)

    model.stem.append(Barrier())
    expected = literal(network(), images, labels, ("body", "head"), "loss")
    found = SampleGradients(model, ("body", "head"))(images, labels)
    for layer in expected:
        torch.testing.assert_close(found[layer] @ found[layer].T, expected[layer] @ expected[layer].T)


def test_gram_matrices_of_layers_add_up():
    model, (images, labels) = network(), samples(6)
    grams = GradientCosine(("twice", "head")).gram(model, lambda: [(images, labels)])
    flat = torch.cat(list(literal(model, images, labels, ("twice", "head"), "loss").values()), 1)
    together = cosines(grams.values())
    torch.testing.assert_close(together, F.normalize(flat) @ F.normalize(flat).T)
    points = coordinates(together)
    torch.testing.assert_close(points @ points.T, together)


def test_a_sample_without_a_gradient_has_the_score_zero():
    model, (images, labels) = network(), samples(2)
    model.head.requires_grad_(False).weight.zero_()
    scores = GradientCosine(("stem",), "label").scores(model, [(images, labels)], lambda: [(images, labels)])
    assert not scores.any()


def test_the_model_is_not_written():
    model, (images, labels) = Everything().double().train(), samples()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    GradientCosine(("body",)).scores(model, [(images, labels)], lambda: [(images, labels)])
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_stages_go_from_input_to_output():
    assert list(stages_of(network())) == list(LAYERS)
    assert list(stages_of(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Linear(4, 2))))) == [
        "0.0",
        "0.2",
    ]


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (("boddy",), "layers: 'boddy' is no module with parameters of this network; near: body"),
        ((), "layers: expected at least one module, got none"),
        (("body", "body.0"), "layers: 'body.0' is given twice, as part of 'body'"),
    ],
)
def test_layers_that_cannot_be_are_one_sentence(layers, sentence):
    with pytest.raises(ValueError, match=sentence):
        SampleGradients(network(), layers)


def test_shared_parameters_are_refused():
    model = network()
    model.body[0].weight = nn.Parameter(torch.rand(6, 2, 3, 3, dtype=torch.float64))
    model.body.append(nn.Conv2d(6, 6, 1).double())
    model.body[-1].weight = model.twice.weight
    with pytest.raises(ValueError, match="share parameters"):
        SampleGradients(model, ("body", "twice"))


def test_a_layer_that_is_never_called_is_told():
    model = network()
    model.spare = nn.Linear(2, 2).double()
    with pytest.raises(ValueError, match="layers: 'spare' is not called when the network sees an image"):
        SampleGradients(model, ["head", "spare"])(*samples())
