"""Laws 1 and 2 for every method: neither the live model nor the process is written, and the seed decides."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from live_state import state
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import weight_norm
from zoo_networks import ZOO, Scores, Tangle, images, tangle

from unhans.lrp.tracing import LogitsOf

METHODS = pytest.mark.parametrize("name", ZOO)
FLOAT = torch.float32


def mixed():
    net = tangle(FLOAT)
    net.norm.eval()
    net.conv1.requires_grad_(False)
    return net


def computed_weights():
    net = tangle(FLOAT)
    prune.random_unstructured(net.conv2, "weight", 0.5)
    weight_norm(net.conv3)
    return net


def hooked():
    net = tangle(FLOAT)
    for module in (net, net.conv2):
        module.register_forward_hook(lambda *_: pytest.fail("a hook of the live model ran"))
        module.register_full_backward_hook(lambda *_: pytest.fail("a hook of the live model ran"))
    return net


def unfinished():
    net = tangle(FLOAT)
    net(images(dtype=FLOAT)).sum().backward()
    return net


MODELS = {
    "train": lambda: tangle(FLOAT),
    "mixed": mixed,
    "frozen": lambda: tangle(FLOAT).requires_grad_(False),
    "computed weights": computed_weights,
    "hooked": hooked,
    "unfinished step": unfinished,
    "half": lambda: tangle(torch.bfloat16),
}


@pytest.mark.parametrize("kind", MODELS)
@METHODS
def test_the_live_model_is_not_written(name, kind):
    model, x = MODELS[kind](), images(dtype=FLOAT)
    copies = {key: value.clone() for key, value in model.state_dict().items()}
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    before, kept = state(model), x.clone()
    ZOO[name].of(model)(x, 1)
    assert state(model) == before
    assert torch.equal(x, kept)
    assert not x.requires_grad
    for key, value in model.state_dict().items():
        assert torch.equal(value, copies[key]), key
    for parameter, grad in zip(model.parameters(), grads, strict=True):
        assert grad is None or torch.equal(parameter.grad, grad)


class Restless(Tangle):
    """Overwrites images, a buffer and an attribute while it runs, draws numbers, and can break."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.breaks_at = None
        self.seen = []
        self.live = []  # the live model: the view has the same list

    def forward(self, x):
        self.seen += [(self.live[0].training, self.live[0].norm.training, torch.is_inference_mode_enabled())]
        x.relu_()
        self.calls += 1
        self.last = x
        random.random(), np.random.rand(), F.dropout(x)  # noqa: NPY002
        if self.breaks_at is not None and self.calls >= self.breaks_at:
            raise RuntimeError("broken")
        return super().forward(x)


def restless():
    net = Restless().train()
    net.norm.eval()
    net.live.append(None)
    object.__setattr__(net, "live", [net])
    return net


def random_states():
    return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


@METHODS
def test_what_the_network_writes_while_it_runs_is_lost(name):
    net, x = restless(), images(dtype=FLOAT)
    before, kept, states = state(net), x.clone(), random_states()
    ZOO[name].of(net)(x, 1)
    assert state(net) == before
    assert torch.equal(x, kept)
    assert net.calls == 0
    assert not hasattr(net, "last")
    assert set(net.seen) == {(True, False, False)}
    assert random_states() == states


@pytest.mark.parametrize(
    ("name", "breaks_at"), [(name, at) for name in ZOO for at in (1, 2) if (name, at) != ("random", 2)]
)
def test_nothing_is_left_by_a_method_that_raises(name, breaks_at):
    net, x = restless(), images(dtype=FLOAT)
    net.breaks_at = breaks_at
    before, states = state(net), random_states()
    explain = ZOO[name].of(net)
    with pytest.raises(RuntimeError, match="broken"):
        explain(x, 1)
    with pytest.raises(ValueError, match="target"):
        ZOO[name].of(tangle())(x, 4)
    assert state(net) == before
    assert random_states() == states


@METHODS
def test_random_states_are_put_back(name):
    explain, x = ZOO[name].of(tangle(FLOAT)), images(dtype=FLOAT)
    seed_all(1)
    states = random_states()
    first = explain(x, 1).maps
    assert random_states() == states
    seed_all(2)
    assert torch.equal(explain(x, 1).maps, first)


@METHODS
def test_a_map_does_not_depend_on_its_batch(name):
    explain, x = ZOO[name].of(tangle()), images(5)
    target = torch.tensor([2, 0, 3, 1, 1])
    together = explain(x, target)
    order = [3, 0, 4, 2, 1]
    for part in ([0, 1, 2], [4], order):
        alone = explain(x[part], target[part])
        torch.testing.assert_close(alone.maps, together.maps[part], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(alone.logits, together.logits[part])


@pytest.mark.parametrize("name", ["smooth_grad", "gradient_shap", "random"])
def test_the_seed_decides(name):
    x, net = images(), tangle()
    other = type(ZOO[name])(seed=1)
    assert torch.equal(other.of(net)(x, 1).maps, type(other)(seed=1).of(net)(x, 1).maps)
    assert not torch.allclose(other.of(net)(x, 1).maps, type(other)(seed=2).of(net)(x, 1).maps, rtol=1e-3)
    assert "seed 1" in other.description


@pytest.fixture(scope="module")
def process_group(tmp_path_factory):
    store = tmp_path_factory.mktemp("group") / "store"
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def assert_same(found, expected):
    torch.testing.assert_close(found.maps, expected.maps, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.logits, expected.logits.to(found.logits.dtype))
    assert not found.maps.is_inference()


@METHODS
def test_the_callers_modes_change_nothing(name, process_group):
    x = images(dtype=FLOAT)
    expected = ZOO[name].of(tangle(FLOAT).eval())(x, 1)
    torch.testing.assert_close(expected.logits, tangle(FLOAT).eval()(x).detach())
    for wrap in (nn.Module.train, torch.compile, nn.Module.requires_grad_, nn.DataParallel, DistributedDataParallel):
        assert_same(ZOO[name].of(wrap(tangle(FLOAT)))(x, 1), expected)
    assert_same(ZOO[name].of(tangle(FLOAT).requires_grad_(False))(x, 1), expected)
    explain = ZOO[name].of(tangle(FLOAT))
    for mode in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)):
        with mode:
            assert_same(explain(x.clone(), 1), expected)
    assert_same(explain(x.clone().requires_grad_(), torch.tensor([1, 1, 1])), expected)
    with torch.inference_mode():
        made_inside = tangle(FLOAT)
    assert_same(ZOO[name].of(made_inside)(x, 1), expected)


@METHODS
def test_parameters_are_read_at_every_call(name):
    net, x = tangle(), images()
    explain = ZOO[name].of(net)
    before = explain(x, 1)
    optimizer = torch.optim.SGD(net.parameters(), 0.5)
    net(x).square().sum().backward()
    optimizer.step()
    after, fresh = explain(x, 1), ZOO[name].of(net)(x, 1)
    assert torch.equal(after.maps, fresh.maps)
    assert torch.equal(after.logits, fresh.logits)
    assert not torch.allclose(before.logits, after.logits)
    net.conv1 = nn.Conv2d(3, 6, 3, padding=1).double()
    assert torch.equal(explain(x, 1).logits, net.eval()(x).detach())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@METHODS
def test_half_precision_is_explained_in_single(name, dtype):
    x = images(dtype=dtype)
    found = ZOO[name].of(tangle().to(dtype))(x, 1)
    assert found.maps.dtype == found.logits.dtype == FLOAT
    assert_same(found, ZOO[name].of(tangle().to(dtype).float())(x.float(), 1))


@METHODS
def test_maps_are_finite_single_precision_and_signed_where_the_method_is(name):
    for dtype in (FLOAT, torch.float64):
        maps, logits, _ = ZOO[name].of(tangle(dtype))(images(dtype=dtype), 1)
        assert maps.shape == (3, 16, 16)
        assert maps.dtype == FLOAT
        assert logits.shape == (3, 4)
        assert maps.isfinite().all()
        assert maps.any()
        assert not maps.requires_grad
        assert not logits.requires_grad
        assert (maps.min() < 0) == (name not in ("saliency", "saliency_linf", "grad_cam", "extremal_perturbation"))


@METHODS
def test_an_empty_batch_has_no_maps(name):
    maps, logits, _ = ZOO[name].of(tangle())(images(0), 1)
    assert maps.shape == (0, 16, 16)
    assert logits.shape == (0, 4)


@METHODS
def test_integers_are_images(name):
    x = torch.arange(2 * 3 * 256).reshape(2, 3, 16, 16).remainder(7).to(torch.uint8)
    assert_same(ZOO[name].of(tangle(FLOAT))(x, 1), ZOO[name].of(tangle(FLOAT))(x.float(), 1))


@METHODS
@pytest.mark.parametrize(
    ("target", "message"),
    [
        (4, "target: expected classes 0 to 3, got 4 to 4"),
        (-1, "target: expected classes 0 to 3, got -1 to -1"),
        (
            torch.tensor([0, 1]),
            r"target: expected a class or \(3,\) classes as integers, got torch.int64 of shape \(2,\)",
        ),
        (torch.tensor(1.0), "classes as integers, got torch.float32"),
        (None, r"for a model with 4 outputs, got None"),
    ],
)
def test_targets_that_are_none_are_refused(name, target, message):
    with pytest.raises(ValueError, match=message):
        ZOO[name].of(tangle())(images(), target)


@METHODS
def test_what_is_no_image_is_refused(name):
    with pytest.raises(ValueError, match=r"Images must have the shape \(n, C, H, W\); got \(3, 16, 16\)."):
        ZOO[name].of(tangle())(images()[0], 1)


@METHODS
def test_what_has_no_logits_is_refused(name):
    method = ZOO[name] if name != "guided_grad_cam" else ZOO["grad_cam"]
    with pytest.raises(ValueError, match=r"expects logits of shape \(n, C\), got \(3, 3, 16, 16\)"):
        method.of(Scores(lambda net, x: x.relu()))(images(), 1)
    with pytest.raises(ValueError, match=r"returns logits \(n, C\), a tensor, got a tuple of a tensor"):
        method.of(Scores(lambda net, x: (x, x)))(images(), 1)


@pytest.mark.parametrize("name", [name for name in ZOO if name not in ("random", "grad_cam")])
def test_maps_that_are_not_finite_are_refused(name):
    net = tangle()
    net.fc2.weight.data[1] = np.nan
    with pytest.raises(ValueError, match="Heatmaps must be finite; got NaN or infinite values from"):
        ZOO[name].of(net)(images(), 1)


@pytest.mark.parametrize("name", ["smooth_grad", "gradient_shap", "guided_backprop"])
def test_threads_do_not_disturb_each_other(name):
    explain, x = ZOO[name].of(tangle(FLOAT)), images(dtype=FLOAT)
    states, expected = random_states(), explain(x, 1).maps
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: explain(x, 1).maps, range(12)))
    assert random_states() == states
    assert all(torch.equal(maps, expected) for maps in found)


class Returning(Tangle):
    """Returns its logits under a name, beside something else of their shape."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, x):
        logits = super().forward(x)
        return {self.name: logits, "other": 1 - logits}


@METHODS
def test_logits_may_be_elsewhere(name):
    """Where they are found, and where it is said."""
    expected = ZOO[name].of(tangle().eval())(images(), 1)
    found, told = Returning("logits").double(), Returning("scores").double()
    for each in (found, told):
        each.load_state_dict(tangle().state_dict())
    method = ZOO[name]
    inside = replace(method, layer=f"model.{method.layer}") if getattr(method, "layer", None) else method
    for explain in (method.of(found.eval()), inside.of(LogitsOf(told.eval(), "scores"))):
        got = explain(images(), 1)
        assert torch.equal(got.maps, expected.maps)
        assert torch.equal(got.logits, expected.logits)
