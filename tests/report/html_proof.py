"""Cases with real effects, for figures, tables and pages, without a network."""

import numpy as np
import torch

from unhans.effects import Case, Portion, Proof, Quality, Share, Verdict
from unhans.effects.effect import trial
from unhans.effects.interventions import Example
from unhans.isolation import Failure, FixedEvidence, FreeEvidence, GlobalEvidence, Isolated
from unhans.isolation.isolated import boxes
from unhans.spray import Suspicion

CLASSES = ["fish", "<script>boom()</script> & $garbage$ trucks", "horns"]
N, H, W = 12, 16, 24


def trial_of(name="artifact", shift=3.0, n=60, target=1, lost=False, detail="", seed=0):
    random = np.random.default_rng(seed)
    before = random.normal(size=(n, 3))
    after = before + random.normal(scale=0.3, size=(n, 3))
    after[:, target] += shift
    return trial(name, before, after, target, np.arange(n), lost=lost, detail=detail)


def example_of(index=0, label=0, size=(H, W), p=(0.02, 0.97)):
    random = np.random.default_rng(index)
    images = torch.as_tensor(random.random((2, 3, *size)), dtype=torch.float32)
    maps = random.normal(size=(2, *size)).astype(np.float32) * np.array([1, 5], np.float32)[:, None, None]
    return Example(index, label, images, maps, np.array(p))


def proof_of(verdict="proven", removed=True, examples=2, label=1, **changes):
    values = {
        "label": label,
        "name": CLASSES[label],
        "added": (
            trial_of(),
            trial_of("mean colour", 0.1, seed=1),
            trial_of("patch of the class", 0.2, seed=2),
            trial_of("other classes", -0.1, seed=3, detail="horns"),
        ),
        "removed": (
            trial_of("telea", -2.0, 20, lost=True),
            trial_of("elsewhere", 0.0, 20, lost=True, seed=4, detail="telea"),
        ),
        "verdict": Verdict(verdict, "neither shown nor excluded" if verdict == "open" else None, ("artifact",)),
        "examples": tuple(example_of(i, 2 * (i % 2)) for i in range(examples)),
        "removal_examples": tuple(example_of(i + 50, label, p=(0.98, 0.3)) for i in range(examples)),
    }
    if not removed:
        values |= {"removed": (), "removal_examples": ()}
    return Proof(**values | changes)


def fixed_of(size=(H, W), members=8):
    layer = torch.zeros(4, *size)
    layer[:, size[0] // 2 :, : size[1] // 2] = torch.tensor([1.0, 0.9, 0.1, 0.8])[:, None, None]
    carries = np.arange(N) < members
    masks = np.zeros((N, *size), bool)
    masks[carries, size[0] // 2 :, : size[1] // 2] = True
    return Isolated(
        "fixed", (layer,), carries, masks, None, 0.98, boxes(masks), FixedEvidence("bottom left", 0.25, 0.8)
    )


def free_of(prototypes=3, size=(H, W)):
    random = np.random.default_rng(5)
    layers = tuple(torch.as_tensor(random.random((4, 5 + k, 6)), dtype=torch.float32) for k in range(prototypes))
    base = fixed_of(size)
    return Isolated(
        "free", layers, base.members, base.masks, None, 0.9, base.places, FreeEvidence("shape", (8, 8), (0, 4))
    )


def global_of():
    masks = np.zeros((N, H, W), bool)
    members = np.arange(N) < 8
    return Isolated("global", (), members, masks, None, 0.9, boxes(masks), GlobalEvidence(0.001, 0.9, 0.6))


def suspicion_of(label=1, suspicious=True):
    return Suspicion(label, CLASSES[label], N, 3.1, 0.012, 2, 2.0 if suspicious else 0.3, suspicious, 8, 0.3, 1.5)


SPREAD = (Share("train", N, 8, 8, 12, 4), Share("val", 50, None, 12, 46, 34))
QUALITY = Quality(Portion(8, 0.71, (0.65, 0.77)), Portion(20, 0.1, (0.08, 0.12)), Portion(20, 0.6, (0.5, 0.7)), 0.9)


def case_of(isolated="fixed", proof="proven", **changes):
    layers = {"fixed": fixed_of, "free": free_of, "global": global_of, None: lambda: None}[isolated]()
    values = {
        "label": 1,
        "name": CLASSES[1],
        "suspicion": suspicion_of(),
        "isolated": layers,
        "quality": None if layers is None else QUALITY,
        "proof": None if proof is None else proof_of(proof),
        "spread": SPREAD if proof else (),
        "failures": () if proof else (Failure("too few images", {"least": 2, "members": 1, "others": 11}),),
    }
    return Case(**values | changes)


def samples_of(size=(H, W)):
    random = np.random.default_rng(7)
    return torch.as_tensor(random.random((N, 3, *size)), dtype=torch.float32), random.normal(size=(N, *size))
