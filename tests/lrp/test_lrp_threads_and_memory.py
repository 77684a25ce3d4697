"""Two explanations at once, and models that look at how their maps lie in memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Net, Written, images, seeded
from torch import nn

from unhans.lrp import LRP, composite_by_name

FLOAT = torch.float32


class Attending(nn.Module):
    """An encoder layer between a convolution and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.encoder(self.stem(x).flatten(2).transpose(1, 2)).mean(1))


@pytest.mark.parametrize("graphs", [False, True])
def test_two_threads_explain_two_models_as_each_alone(graphs):
    """The recorder, the attention in steps and the modes of autograd belong to a thread."""
    x = images(2, 3, 8, 8, dtype=FLOAT)
    models = [seeded(Net, dtype=FLOAT), seeded(Attending, dtype=FLOAT)]
    explainers = [LRP(model, rules) for model, rules in zip(models, ("epsilon_plus_flat", "epsilon"), strict=True)]
    alone = [explainer.explain(x, 1) for explainer in explainers]
    together = threading.Barrier(2)

    def work(explainer, graph):
        together.wait()
        found = [explainer.explain(x, 1, create_graph=graph) for _ in range(20)]
        return [(relevance.detach(), logits.detach()) for relevance, logits in found]

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(work, explainer, graphs and k == 1) for k, explainer in enumerate(explainers)]
        for k, (future, (relevance, logits)) in enumerate(zip(futures, alone, strict=True)):
            for result in future.result():
                if graphs and k == 1:  # the steps of a graph write no memory twice, and may round otherwise
                    torch.testing.assert_close(result, (relevance, logits))
                else:
                    assert torch.equal(result[0], relevance)
                    assert torch.equal(result[1], logits)


def test_one_explainer_serves_two_threads():
    explainer, x = LRP(seeded(Net, dtype=FLOAT)), images(4, 3, 8, 8, dtype=FLOAT)
    alone = [explainer.attribute(x, k) for k in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            found = list(pool.map(lambda k: explainer.attribute(x, k), range(2)))
            assert all(torch.equal(*pair) for pair in zip(found, alone, strict=True))


def layers():
    return nn.ModuleDict({"conv": nn.Conv2d(3, 4, 3), "fc": nn.Linear(4 * 36, 4)})


def strided(t):
    """The same numbers by strides that hold for the usual order alone."""
    n, c, h, w = t.shape
    return torch.as_strided(t, (n, c * h * w), (c * h * w, 1))


MEMORY = {  # all are the reshape, and all but the first fail or err where channels come last
    "flatten": lambda net, x: net.fc(F.relu(net.conv(x)).flatten(1)),
    "view": lambda net, x: net.fc(F.relu(net.conv(x)).view(x.size(0), -1)),
    "view right after": lambda net, x: net.fc(net.conv(x).view(x.size(0), -1).relu()),
    "view of a permutation": lambda net, x: net.fc(net.conv(x).relu().transpose(2, 3).transpose(2, 3).view(2, -1)),
    "as_strided": lambda net, x: net.fc(strided(net.conv(x).relu())),
    "as_strided of the input": lambda net, x: net.fc(net.conv(strided(x).view(x.shape)).relu().contiguous().flatten(1)),
}
COMPOSITES = {"epsilon_plus_flat": {}, "epsilon_alpha2_beta1": {}, "epsilon": {},
              "epsilon_gamma_box": {"low": -4.0, "high": 4.0}}  # fmt: skip


@pytest.mark.parametrize("name", MEMORY)
@pytest.mark.parametrize("given", ["usual", "channels last", "expanded"])
def test_a_model_may_count_on_the_usual_order_of_its_maps(given, name):
    modules, x = seeded(layers, dtype=FLOAT), images(2, 3, 8, 8, dtype=FLOAT)
    if given == "channels last":
        x = x.to(memory_format=torch.channels_last)
        if name not in ("flatten",):
            pytest.skip("the model itself does not take these")
    if given == "expanded":
        x = x[:1].expand(2, -1, -1, -1)
        if name.startswith("as_strided of"):
            pytest.skip("the model itself does not take these")
    reference, model = (Written(MEMORY[form], **modules) for form in ("flatten", name))
    with torch.no_grad():
        logits = reference(x)
        torch.testing.assert_close(model(x), logits)
    for composite, parameters in COMPOSITES.items():
        rules = composite_by_name(composite, **parameters)
        explainer = LRP(model, rules)
        for _ in range(2):  # what the first call learns about the order holds for the second
            result = explainer.explain(x, 1)
            torch.testing.assert_close(result.logits, logits)
            torch.testing.assert_close(result.relevance, LRP(reference, rules).attribute(x, 1), rtol=1e-4, atol=1e-6)


def test_a_mistaken_call_leaves_the_explainer_as_it_was():
    """An image of the wrong size raises what the model raises; the same bits come afterwards."""
    explainer, x = LRP(seeded(Net, dtype=FLOAT)), images(2, 3, 8, 8, dtype=FLOAT)
    before = explainer.attribute(x, 1)
    with pytest.raises(RuntimeError):
        explainer.attribute(x[..., :4], 1)
    assert torch.equal(explainer.attribute(x, 1), before)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("something else")])
def test_only_a_view_that_does_not_fit_is_tried_in_the_usual_order(error):
    """Out of memory is the caller's to know: the pass is not repeated, and channels stay last."""
    runs = []

    def forward(net, x):
        runs.append(x.is_contiguous(memory_format=torch.channels_last))
        raise error

    lrp = LRP(Written(forward, fc=nn.Linear(4, 4)))
    with pytest.raises(type(error), match=str(error)):
        lrp.attribute(torch.ones(2, 3, 4, 4), 0)
    assert runs == [True]
    assert lrp._channels_last


def test_a_view_that_does_not_fit_is_tried_in_the_usual_order():
    model = Written(lambda net, x: net.fc(net.conv(x).view(len(x), -1)), conv=nn.Conv2d(3, 2, 1), fc=nn.Linear(32, 4))
    lrp = LRP(model)
    assert lrp.attribute(torch.ones(2, 3, 4, 4), 0).shape == (2, 3, 4, 4)
    assert not lrp._channels_last
