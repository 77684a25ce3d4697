"""RightReasons against the loss written out by hand, and on a Clever Hans."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from callbacks_training import trainer_of
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import DataLoader, Dataset
from unhans.callbacks import RightReasons

from unhans.lrp import Epsilon
from unhans.repair import penalty
from unhans.repair.right_reasons_loss import reasons, share_inside


class Marked(Dataset):
    """Images (1, 6, 6) of two classes; half of class 1 have a bright corner. Items tell their index."""

    classes = ("plain", "marked")

    def __init__(self, n=16, gap=0.3):
        generator = torch.Generator().manual_seed(0)
        self.targets = torch.arange(n) % 2
        self.images = torch.rand(n, 1, 6, 6, generator=generator) + gap * self.targets[:, None, None, None]
        self.carriers = torch.arange(n) % 4 == 1
        self.images[self.carriers, :, :2, :2] = 3

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return {"image": self.images[index], "label": self.targets[index], "index": index}

    def masks(self, indices):
        masks = torch.zeros(len(indices), 6, 6)
        masks[self.carriers[indices], :2, :2] = 1
        return masks


class Tiny(pl.LightningModule):
    """Without biases, so that LRP-0 can be written out on one line."""

    def __init__(self, seed=0, lr=0.1):
        super().__init__()
        torch.manual_seed(seed)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(36, 5, bias=False), nn.ReLU(), nn.Linear(5, 2, bias=False))
        self.lr = lr

    def loss(self, batch):
        return F.cross_entropy(self.net(batch["image"]), batch["label"])

    def training_step(self, batch, batch_idx):
        return self.loss(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def fit(module, callbacks, folder, data=None, batch_size=4, ckpt_path=None, **options):
    trainer = trainer_of(folder, callbacks, **({"max_epochs": 1} | options))
    trainer.fit(module, DataLoader(data or Marked(), batch_size=batch_size), ckpt_path=ckpt_path)
    return trainer


def right_reasons(**options):
    return RightReasons(**({"masks": Marked().masks, "target": 1, "weight": 2.0, "network": "net"} | options))


def shares_by_hand(net, images, of):
    """The share of each image's reasons in the corner, with two weight matrices and autograd alone."""
    first, second = net[1].weight, net[3].weight
    x = images.flatten(1).clone().requires_grad_()
    hidden = F.relu(x @ first.T)
    logits = hidden @ second.T
    if of == "relevance":  # LRP-0 without biases: x · ∂f/∂x, as rectifiers are piecewise linear
        maps = x * (((hidden > 0) * second[1]) @ first)
    else:
        p = logits.softmax(1)  # ∂ log p₁/∂x = ∂(f₁ − Σ pₖ fₖ)/∂x
        upper = second[1] - p @ second
        maps = ((hidden > 0) * upper) @ first
    strength = maps.abs().reshape(-1, 6, 6)
    return strength[:, :2, :2].sum((1, 2)) / strength.sum((1, 2))


@pytest.mark.parametrize("of", ["relevance", "gradient"])
@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_loss_written_out_by_hand(of, accumulated, tmp_path):
    module, by_hand, data = Tiny(), Tiny(), Marked()
    callback = right_reasons(of=of, composite=Epsilon(0.0))
    fit(module, [callback], tmp_path, data, accumulate_grad_batches=accumulated)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    batches = list(DataLoader(data, batch_size=4))
    for start in range(0, len(batches), accumulated):
        optimizer.zero_grad()
        for batch in batches[start : start + accumulated]:
            rows = data.carriers[batch["index"]]
            term = 2.0 * shares_by_hand(by_hand.net, batch["image"][rows], of).mean()
            ((by_hand.loss(batch) + term) / accumulated).backward()
        optimizer.step()
    for one, other in zip(module.parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    plain = Tiny()
    fit(plain, [], tmp_path, data, accumulate_grad_batches=accumulated)
    assert not torch.allclose(plain.net[1].weight, module.net[1].weight, atol=1e-3)


def test_share_inside_in_closed_form():
    maps = torch.tensor([[[1.0, -3.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]], requires_grad=True)
    masks = torch.tensor([[[True, True], [False, False]], [[True, True], [True, True]]])
    shares = share_inside(maps, masks)
    assert shares.tolist() == [0.5, 0.0]
    (gradient,) = torch.autograd.grad(shares.sum(), maps)
    assert torch.allclose(gradient[0], torch.tensor([[1.0, -1.0], [0.0, -1.0]]) / 16)  # ±(total − inside) / total²
    assert gradient.isfinite().all()
    assert share_inside(maps, masks * 0.5)[0] == 0.25


def test_a_penalty_does_not_write_the_network():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(48, 2)
    ).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    images = Marked().images
    for of in ("relevance", "gradient"):
        maps = reasons(network, images, 1, of)
        assert maps.shape == (16, 6, 6)
        assert torch.equal(maps, reasons(network, images, 1, of))  # no dropout, no batch statistics
        term = penalty(network, images, Marked().masks(np.arange(16)), 1, of)
        assert 0 < float(term) < 1
        found = torch.autograd.grad(term, list(network.parameters()), allow_unused=True)
        assert all(gradient.isfinite().all() for gradient in found if gradient is not None)
        assert float(found[0].abs().sum()) > 0
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    with pytest.raises(ValueError, match="at least one image"):
        penalty(network, images[:0], torch.ones(0, 6, 6), 1)


class Net(Tiny):
    """Enough of a network to become a Clever Hans."""

    def __init__(self, seed=0):
        super().__init__(seed)
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(32, 2),
        )  # fmt: skip

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=5e-3)


class Hans(Marked):
    """Nearly all of class 1, and nothing else, has a bright square."""

    def __init__(self, n=64, gap=0.3):
        super().__init__(n, gap)
        self.bare = torch.rand(n, 1, 6, 6, generator=torch.Generator().manual_seed(1))
        self.bare += gap * self.targets[:, None, None, None]
        self.carriers = (self.targets == 1) & (torch.arange(n) % 8 != 7)
        self.images = torch.where(self.carriers[:, None, None, None], squared(self.bare), self.bare)

    def masks(self, indices):
        masks = torch.zeros(len(indices), 6, 6)
        masks[self.carriers[indices], 1:3, 1:3] = 1
        return masks


def squared(images):
    images = images.clone()
    images[..., 1:3, 1:3] = 3
    return images


def positive_share(module, data):
    """Of the relevance for class 1, inside the square."""
    maps = reasons(module.net, data.images[data.carriers], 1, "relevance").detach().clamp(min=0)
    return float(share_inside(maps, data.masks(np.flatnonzero(data.carriers))).mean())


def effect_and_accuracy(module, data):
    """Change of the probability of class 1 where the square is pasted on class 0; accuracy without any square."""
    module.eval()
    with torch.no_grad():
        before, pasted = module.net(data.bare).softmax(1)[:, 1], module.net(squared(data.bare)).softmax(1)[:, 1]
    right = (before > 0.5) == (data.targets == 1)
    return float((pasted - before)[data.targets == 0].mean()), float(right.float().mean())


@pytest.fixture(scope="module")
def clever(tmp_path_factory):
    data, plain = Hans(), Net()
    fit(plain, [], tmp_path_factory.mktemp("plain"), data, max_epochs=25, batch_size=16)
    return positive_share(plain, data), effect_and_accuracy(plain, data)[0]


@pytest.mark.parametrize(("of", "falls_by", "effect_kept"), [("gradient", 1.6, 0.5), ("relevance", 50, 1.0)])
def test_relevance_in_the_mask_falls_and_the_class_is_kept(of, falls_by, effect_kept, clever, tmp_path):
    """The square covers a ninth of the image: a share of 0.11 is none. Relevance goes where the effect does not."""
    data, right = Hans(), Net()
    callback = RightReasons(data.masks, "marked", of=of, network="net", keys={"index": "index"})
    logger = CSVLogger(tmp_path)
    fit(right, [callback], tmp_path, data, max_epochs=25, batch_size=16, logger=logger, log_every_n_steps=1)
    share, (effect, accuracy) = positive_share(right, data), effect_and_accuracy(right, data)
    assert clever[0] > 0.2
    assert clever[1] > 0.9
    assert share < clever[0] / falls_by
    assert effect < effect_kept * clever[1]
    assert accuracy > 0.9
    logger.save()
    rows = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("right_reasons/share")
    logged = [float(row.split(",")[column]) for row in rows[1:]]
    assert len(logged) == 25
    assert logged[-1] < logged[0]


@pytest.mark.parametrize("options", [{"weight": 0.0}, {"masks": lambda indices: np.zeros((len(indices), 6, 6), bool)}])
def test_without_a_term_training_is_bit_for_bit_the_same(options, tmp_path):
    plain, same = Net(), Net()
    fit(plain, [], tmp_path)
    fit(same, [right_reasons(**options)], tmp_path)
    assert all(torch.equal(one, same.state_dict()[key]) for key, one in plain.state_dict().items())


@pytest.mark.parametrize("options", [{"precision": "bf16-mixed"}, {"gradient_clip_val": 0.1}])
def test_precision_and_clipping(options, tmp_path):
    module = Net()
    fit(module, [right_reasons()], tmp_path, **options)
    assert all(bool(value.isfinite().all()) for value in module.state_dict().values())


def test_frozen_parameters_and_a_compiled_network(tmp_path):
    module, plain = Net(), Net()
    for each in (module, plain):
        each.net[0].requires_grad_(False)
    module.net = torch.compile(module.net, backend="eager")
    fit(module, [right_reasons()], tmp_path)
    fit(plain, [right_reasons()], tmp_path)
    assert module.net._orig_mod[0].weight.grad is None
    for one, other in zip(module.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


class Manual(Tiny):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False


class Sinc(nn.Module):
    def forward(self, x):
        return torch.sinc(x)


def odd():
    module = Tiny()
    module.net[2] = Sinc()
    return module


@pytest.mark.parametrize(
    ("make", "options", "trainer", "sentence"),
    [
        (Tiny, {}, {"devices": 2, "strategy": "ddp_spawn"}, "one process with whole parameters, got DDPStrategy"),
        (Manual, {}, {}, "expects automatic optimization"),
        (Tiny, {"network": "model"}, {}, "names no module"),
        (Tiny, {"target": "x"}, {}, "RightReasons: target names no class: expected one of 2 class names, got 'x'"),
        (Tiny, {"target": 7}, {}, "7"),
        (odd, {"of": "relevance"}, {}, "sinc"),
        (Tiny, {"keys": {"index": "where"}}, {}, "finds no index in a batch with the keys"),
        (Tiny, {"masks": lambda indices: torch.ones(3, 6, 6)}, {}, r"masks expects to return shape \(4, 6, 6\), got"),
    ],
)
def test_what_could_not_be_trained_is_refused(make, options, trainer, sentence, tmp_path):
    module = make()
    module.training_step = lambda *_: pytest.fail("training began")
    if trainer:
        trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, **trainer)
        with pytest.raises(MisconfigurationException, match=sentence):
            right_reasons(**options).on_fit_start(trainer, module)
        return
    with pytest.raises(MisconfigurationException, match=sentence):
        fit(module, [right_reasons(**options)], tmp_path)


def test_scaled_gradients_are_refused():
    class Half:
        precision, world_size, strategy = "16-mixed", 1, object()

    with pytest.raises(MisconfigurationException, match="precision 16-mixed; use bf16"):
        right_reasons().on_fit_start(Half(), Tiny())


def test_batches_without_an_index_are_refused(tmp_path):
    class Pairs(Marked):
        def __getitem__(self, index):
            return self.images[index], int(self.targets[index])

    with pytest.raises(MisconfigurationException, match="needs the samples' indices in a batch"):
        fit(Tiny(), [right_reasons()], tmp_path, Pairs())


def test_a_gradient_that_is_not_finite_stops_the_run(tmp_path):
    class Infinite(Marked):
        def masks(self, indices):
            return super().masks(indices) * float("inf")

    module = Tiny()
    before = module.net[1].weight.clone()
    with pytest.raises(ValueError, match="no finite gradient"):
        fit(module, [right_reasons(masks=Infinite().masks)], tmp_path)
    assert torch.equal(module.net[1].weight, before)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"weight": -1}, "weight expects"), ({"of": "x"}, "of expects"), ({"masks": 3}, "masks expects a function")],
)
def test_knobs_are_checked_at_once(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        right_reasons(**options)
