"""AClArC in somebody else's training."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from callbacks_training import TheirModule, train, trainer_of
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import DataLoader, Dataset
from unhans.callbacks import AClArC, HeatmapEvolution

from unhans.clarc import Concept
from unhans.clarc import fit as fit_concept
from unhans.data import PixelScale


class Marked(Dataset):
    """Bright or dark images; most bright ones (class 1) have a white corner."""

    classes = ("dark", "bright")

    def __init__(self, n=64, coverage=0.75, gap=0.1):
        generator = torch.Generator().manual_seed(0)
        self.targets = torch.arange(n) % 2
        self.images = torch.rand(n, 3, 12, 12, generator=generator) * 0.6 + gap * self.targets[:, None, None, None]
        self.carriers = np.zeros(n, dtype=bool)
        self.carriers[np.flatnonzero(self.targets.numpy())[: int(coverage * n / 2)]] = True
        self.images[self.carriers] = pasted(self.images[self.carriers])

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], int(self.targets[index])


def pasted(images):
    images = images.clone()
    images[..., :4, :4] = 1
    return images


def corner():
    layer = torch.zeros(4, 12, 12)
    layer[:, :4, :4] = 1
    return layer


class Corner:
    """The artifact as anything with a layer."""

    def layer(self, index, size):
        return corner()


class Big:
    def layer(self, index, size):
        return torch.ones(4, 15, 15)


class Small(pl.LightningModule):
    def __init__(self, optimizer=lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1)):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Dropout(0.1),
            nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 2),
        )  # fmt: skip
        self.optimizer, self.losses, self.batches, self.validated = optimizer, [], [], []

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        self.losses.append(loss.detach())
        self.batches.append(batch)
        return loss

    def validation_step(self, batch, batch_idx):
        self.validated.append(self.net(batch[0]))

    def configure_optimizers(self):
        return self.optimizer(self.parameters())


LAYER = "2"  # the first rectifier


def small(seed=0, **options):
    torch.manual_seed(seed)
    return Small(**options)


def fit(module, callbacks, folder, data=None, val=None, ckpt_path=None, **options):
    trainer = trainer_of(folder, callbacks, num_sanity_val_steps=0, **options)
    pl.seed_everything(0, verbose=False)
    trainer.fit(module, DataLoader(data or Marked(), batch_size=16, shuffle=True), val, ckpt_path=ckpt_path)
    return trainer


def a_clarc(**options):
    return AClArC(**({"layer": LAYER, "network": "net", "affected": Marked().carriers} | options))


def state_of(module):
    flags = [(name, m.training, len(m._forward_hooks)) for name, m in module.named_modules()]
    return flags, [(name, p.requires_grad) for name, p in module.named_parameters()]


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.1),
    "LBFGS": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("options", [{}, {"accumulate_grad_batches": 2, "precision": "bf16-mixed"}])
def test_what_lies_below_stays_bit_for_bit_and_everything_is_given_back(optimizer, options, tmp_path):
    module = small(optimizer=OPTIMIZERS[optimizer])
    module.net[5].eval()
    module.net[4].bias.requires_grad_(False)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)  # left from something else
    flags = state_of(module)
    fit(module, [a_clarc()], tmp_path, **options)
    after = module.state_dict()
    assert list(after) == list(before)
    changed = {key for key in after if not torch.equal(after[key], before[key])}
    assert not any(key.startswith(("net.0.", "net.1.")) for key in changed)
    assert {"net.4.weight", "net.9.weight", "net.9.bias"} <= changed
    assert "net.4.bias" not in changed
    assert "net.5.running_mean" not in changed  # as its owner wished
    assert state_of(module) == flags


def test_training_steps_see_the_augmented_features_and_validation_the_plain_network(tmp_path):
    """The loss of the first step, written out: h − v vᵀ(h − z) in place of h."""
    module, callback = small(), a_clarc()
    module.net[3].p = 0
    plain = small().net.eval()
    val = DataLoader(Marked(16), batch_size=16)

    class Between(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            hooked = pl_module.net.eval()(batch[0])
            by_hand = batch[0]
            for layer in pl_module.net:
                by_hand = layer.forward(by_hand)
            assert torch.equal(hooked, by_hand)
            pl_module.net.train()
            self.called = True

    between = Between()
    fit(module, [between, callback], tmp_path, val=val, max_epochs=1)
    concept = callback.concept_
    images, labels = module.batches[0]
    with torch.no_grad():
        h = plain[:3](images)
        v, z = concept.direction.double(), concept.affected.double()
        flat = (h.double() - z).flatten(1) @ v.flatten()
        augmented = (h.double() - flat[:, None, None, None] * v).float()
        above = small().net.train()
        above[3].p = 0
        by_hand = F.cross_entropy(above[3:](augmented), labels)
    assert float(module.losses[0]) == pytest.approx(float(by_hand), abs=1e-5)
    assert not torch.allclose(h, augmented, atol=0.05)
    module.eval()
    with torch.no_grad():
        assert torch.equal(module.validated[0], module.net(next(iter(val))[0]))
    assert between.called


def test_batch_norm_below_stays_in_evaluation_mode_whoever_trains_it(tmp_path):
    class Stubborn(Small):
        def on_train_epoch_start(self):
            self.train()

        def training_step(self, batch, batch_idx):
            assert not self.net[1].training
            assert self.net[5].training
            return super().training_step(batch, batch_idx)

    torch.manual_seed(0)
    module = Stubborn()
    running = module.net[1].running_mean.clone()
    fit(module, [a_clarc()], tmp_path)
    assert torch.equal(module.net[1].running_mean, running)
    assert module.net[1].training


def test_batch_norm_without_parameters_counts_by_its_turn(tmp_path):
    module = small()
    module.net[1], module.net[5] = nn.BatchNorm2d(6, affine=False), nn.BatchNorm2d(8, affine=False)
    fit(module, [a_clarc()], tmp_path, max_epochs=1)
    assert torch.equal(module.net[1].running_mean, torch.zeros(6))
    assert not torch.equal(module.net[5].running_mean, torch.zeros(8))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_everything_is_given_back_after_an_exception(error, tmp_path):
    class Failing(Small):
        def training_step(self, batch, batch_idx):
            if self.losses:
                raise error("stop")
            return super().training_step(batch, batch_idx)

    torch.manual_seed(0)
    module = Failing()
    flags = state_of(module)
    with pytest.raises((RuntimeError, SystemExit)):
        fit(module, [a_clarc()], tmp_path)
    assert state_of(module) == flags


def test_a_checkpoint_within_an_epoch_is_plain(tmp_path):
    class Saving(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.save_checkpoint(tmp_path / "within.ckpt")

    fit(small(), [a_clarc(), Saving()], tmp_path, max_epochs=1)
    stored = torch.load(tmp_path / "within.ckpt", weights_only=True)
    assert list(stored["state_dict"]) == list(small().state_dict())


def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path):
    whole, first, rest = small(), small(), small(seed=5)
    for module in (whole, first, rest):
        module.net[3].p = 0
    callback, resumed = a_clarc(), a_clarc()
    run_in_order(whole, callback, tmp_path, 3)
    run_in_order(first, a_clarc(), tmp_path, 1).save_checkpoint(tmp_path / "half.ckpt")
    run_in_order(rest, resumed, tmp_path, 3, tmp_path / "half.ckpt")
    for key, value in whole.state_dict().items():
        assert torch.equal(value, rest.state_dict()[key])
    assert torch.equal(resumed.concept_.direction, callback.concept_.direction)


def run_in_order(module, callback, folder, epochs, ckpt_path=None):
    trainer = trainer_of(folder, [callback], max_epochs=epochs)
    trainer.fit(module, DataLoader(Marked(), batch_size=16), ckpt_path=ckpt_path)
    return trainer


def features_of(images):
    with torch.no_grad():
        return small().net.eval()[:3](images)


def test_the_three_ways_to_tell_who_is_affected(tmp_path):
    data = Marked()
    carriers = np.flatnonzero(data.carriers)
    others = np.flatnonzero((data.targets.numpy() == 1) & ~data.carriers)

    def concept_of(**options):
        callback = a_clarc(**({"affected": None} | options))
        fit(small(), [callback], tmp_path, max_epochs=1)
        return callback.concept_

    def same(found, activations, affected, **options):
        by_hand = fit_concept(activations, affected, layer=LAYER, **options)
        assert torch.allclose(found.direction, by_hand.direction, atol=1e-5)
        assert torch.allclose(found.affected, by_hand.affected, atol=1e-6)
        assert (found.n_affected, found.n_unaffected) == (by_hand.n_affected, by_hand.n_unaffected)
        return by_hand

    both = np.concatenate([carriers, others])
    which = np.arange(len(both)) < len(carriers)
    by_hand = same(concept_of(affected=data.carriers), features_of(data.images[both]), which)
    same(concept_of(affected=carriers, unaffected=others.tolist()), features_of(data.images[both]), which)
    given = concept_of(layer=None, concept=by_hand)
    assert given is by_hand
    free = np.flatnonzero(~data.carriers)
    pairs = features_of(torch.cat([pasted(data.images[free]), data.images[free]]))
    scale = PixelScale(torch.zeros(3), torch.ones(3))
    options = {"estimator": "ridge", "spatial": "channels"}
    found = concept_of(artifact=Corner(), scale=scale, **options)
    same(found, pairs, np.arange(2 * len(free)) < len(free), **options)
    few = concept_of(artifact=Corner(), scale=scale, samples=6)
    assert (few.n_affected, few.n_unaffected) == (6, 6)


def effect_of(module, images):
    """Mean change of the probability of class 1 by pasting the corner, and the accuracy without it."""
    module.eval()
    with torch.no_grad():
        before, after = module.net(images).softmax(1)[:, 1], module.net(pasted(images)).softmax(1)[:, 1]
    right = (before > 0.5) == (torch.arange(len(images)) % 2 == 1)
    return float((after - before).mean()), float(right.float().mean())


def test_it_repairs_a_clever_hans(tmp_path):
    plain = Marked(64, coverage=0, gap=0.2).images
    torch.manual_seed(0)
    module = Small(lambda p: torch.optim.Adam(p, lr=5e-3))
    data = Marked(64, coverage=1.0, gap=0.2)
    fit(module, [], tmp_path, data, max_epochs=10)
    before, _ = effect_of(module, plain[::2])
    module.train()
    scale = PixelScale(torch.zeros(3), torch.ones(3))
    callback = a_clarc(affected=None, artifact=Corner(), scale=scale)
    fit(module, [callback], tmp_path, data, max_epochs=25)
    after, _ = effect_of(module, plain[::2])
    accuracy = effect_of(module, plain)[1]
    assert before > 0.3
    assert after < 0.2 * before
    assert accuracy > 0.85
    assert callback.concept_.separation > 0.95


def test_two_directions_at_once_and_everything_is_given_back(tmp_path):
    module, flags = small(), state_of(small())
    second = a_clarc(layer="0", affected=range(0, 64, 4), unaffected=range(2, 64, 4))
    before = module.net[0].weight.clone()
    fit(module, [a_clarc(), second], tmp_path)
    assert torch.equal(module.net[0].weight, before)
    assert state_of(module) == flags


def test_audits_explain_the_plain_network(tmp_path):
    audit = HeatmapEvolution(network="net", samples_per_class=1, on_error="raise", folder=tmp_path / "evolution")
    module = small()
    fit(module, [a_clarc(), audit], tmp_path)
    assert audit.epochs == [0, 1]


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self.head = nn.ReLU(), nn.Linear(12, 2)
        self.first = nn.Conv2d(3, 12, 1)

    def forward(self, x):
        return self.head(self.act(self.act(self.first(x))).mean((2, 3)))


def twice():
    module = small()
    module.net = Twice()
    return module


def compiled():
    module = small()
    module.net = torch.compile(module.net, backend="aot_eager")
    return module


def parallel():
    module = small()
    module.net = nn.DataParallel(module.net)
    return module


def in_place():
    module = small()
    module.net[4].compile(backend="aot_eager")
    return module


@pytest.mark.parametrize(
    ("make", "options", "sentence"),
    [
        (small, {"layer": "22"}, "'22' does not exist"),
        (small, {"layer": "9"}, r"feature maps \(n, C, H, W\)"),
        (small, {"network": "model"}, "names no module"),
        (twice, {"layer": "act"}, "runs 2 times"),
        (compiled, {}, "not compiled"),
        (in_place, {}, "not compiled"),
        (lambda: torch.compile(small(), backend="aot_eager"), {}, "not compiled"),
        (parallel, {}, "DataParallel"),
        (small, {"affected": [99]}, "affected expects indices 0 … 63"),
        (small, {"affected": []}, "affected expects at least one sample, got none"),
        (small, {"unaffected": []}, "unaffected expects at least one sample, got none"),
        (small, {"affected": np.ones(3, bool)}, r"affected expects \(64,\) bool"),
        (small, {"affected": np.arange(64)}, "unaffected expects at least one sample without the artifact, got none"),
        (small, {"affected": None, "artifact": Big()}, "of the image's size"),
    ],
)
def test_what_could_not_be_augmented_is_refused_before_training(make, options, sentence, tmp_path):
    module = make()
    with pytest.raises(MisconfigurationException, match=sentence):
        fit(module, [a_clarc(**options)], tmp_path)
    assert not module.losses


def test_a_layer_with_nothing_to_train_above_is_refused(tmp_path):
    module = small()
    module.net[9].requires_grad_(False)
    with pytest.raises(MisconfigurationException, match="no parameter that is trained lies above the layer '7'"):
        fit(module, [a_clarc(layer="7")], tmp_path)


@pytest.mark.parametrize("options", [{"devices": 2, "strategy": "ddp_spawn"}, {"strategy": "ddp"}])
def test_several_processes_are_refused_at_setup(options):
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, **options)
    with pytest.raises(MisconfigurationException, match="trains in one process with whole parameters, got DDPStrategy"):
        a_clarc().on_fit_start(trainer, small())


def test_knobs_are_checked_at_once():
    concept = Concept("a", "ridge", "positions", *[torch.ones(1)] * 3, 0.0, 1, 1, 1.0, ())
    with pytest.raises(ValueError, match="one of concept, affected and artifact"):
        AClArC("2")
    with pytest.raises(ValueError, match="one of concept, affected and artifact"):
        AClArC("2", affected=[1], concept=concept)
    with pytest.raises(ValueError, match="expects the layer"):
        AClArC(affected=[1])
    with pytest.raises(ValueError, match="the concept belongs to layer 'a', got layer '2'"):
        AClArC("2", concept=concept)
    with pytest.raises(ValueError, match="samples expects 2 or more"):
        AClArC("2", affected=[1], samples=1)
    assert AClArC(concept=concept).layer == "a"


def test_another_persons_script(tmp_path):
    """One channel, random noise in the data set, a module with dropout."""
    module = TheirModule()
    clarc = AClArC("0", network="net", affected=range(1, 32, 4), unaffected=range(0, 32, 2))
    train(module, [clarc], tmp_path)
    assert clarc.concept_.direction.shape == (4, 14, 14)
    assert not module.net[0]._forward_hooks


class Last(nn.Module):
    """Feature maps (n, H, W, C) with as many channels as rows, as a Swin transformer may have them."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm, self.head = nn.Conv2d(3, 12, 3, padding=1), nn.LayerNorm(12), nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.norm(self.embed(x).permute(0, 2, 3, 1)).mean((1, 2)))


def test_one_weight_per_channel_where_the_channels_are_last(tmp_path):
    """Not one per row of the image."""
    module = small()
    module.net = Last()
    callback = a_clarc(layer="norm", spatial="channels")
    data = Marked()
    fit(module, [callback], tmp_path, max_epochs=1)
    concept = callback.concept_
    assert (concept.axis, concept.direction.shape[0]) == (3, 12)
    torch.manual_seed(0)
    before = small()
    before.net = Last()
    with torch.no_grad():
        features = before.net.norm(before.net.embed(data.images[1::2]).permute(0, 2, 3, 1)).mean((1, 2))
    carries = torch.from_numpy(data.carriers[1::2])
    literal = features[carries].mean(0) - features[~carries].mean(0)
    assert float(F.cosine_similarity(concept.direction.flatten(), literal, dim=0)) > 0.999


def test_a_second_fit_fits_a_concept_of_its_own(tmp_path):
    callback, found = AClArC("4", affected=Marked().carriers, network="net"), []
    for seed in range(2):
        torch.manual_seed(seed)
        train(Small(), [callback], tmp_path, max_epochs=1, data=Marked())
        found.append(callback.concept_)
    assert not torch.allclose(found[0].direction, found[1].direction)
