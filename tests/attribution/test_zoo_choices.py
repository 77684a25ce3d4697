"""Every choice of attribution= explains, feeds SpRAy, and says what it means; settings are checked at once."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from zoo_networks import images, tangle

from unhans import attribution
from unhans.attribution import explain_all
from unhans.spray import SpRAy

FOLDER = Path(__file__).parents[2] / "conf" / "attribution"
CHOICES = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "lrp_by_place")


def test_every_method_is_a_choice():
    methods = {cls.__name__ for cls in vars(attribution).values() if isinstance(cls, type) and hasattr(cls, "of")}
    chosen = {OmegaConf.load(path)["_target_"].rpartition(".")[2] for path in CHOICES}
    assert chosen == methods - {"Attribution", "Tiled"}  # what others are wrapped in is an option of analysis=heatmaps
    assert len(CHOICES) == 13


@pytest.mark.parametrize("path", CHOICES, ids=lambda path: path.stem)
def test_a_choice_explains_and_feeds_spray(path):
    method = instantiate(OmegaConf.load(path))
    given = set(OmegaConf.load(path)) - {"_target_"}
    assert given == {field.name for field in fields(method)}  # the file shows every setting …
    assert method == type(method)()  # … at its default
    found = explain_all(method.of(tangle(torch.float32)), images(12, torch.float32), 1, batch_size=5)
    maps, prediction, rank = found.maps.numpy(), found.predictions(), found.ranks(1)
    assert maps.shape == (12, 16, 16)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert np.abs(maps).max() > 0
    assert ((rank == 0) == (prediction == 1)).all()
    spray = SpRAy(n_neighbors=3, pooling=4, n_clusters=(2,), projection=None).fit(maps)
    assert spray.labels_.shape == (1, 12)


@pytest.mark.parametrize("path", CHOICES, ids=lambda path: path.stem)
def test_a_description_is_one_line_that_names_every_number(path):
    method = instantiate(OmegaConf.load(path))
    assert "\n" not in method.description
    for key, value in vars(method).items():
        if isinstance(value, str | int | float) and key != "batch_size":
            assert f"{value:g}" in method.description if not isinstance(value, str) else value in method.description


def test_rules_by_place_explain():
    node = OmegaConf.merge(OmegaConf.load(FOLDER / "lrp.yaml"), OmegaConf.load(FOLDER / "lrp_by_place.yaml"))
    del node["defaults"]
    method = instantiate(node, _convert_="all")
    x, named = images(4, torch.float32), attribution.Relevance("epsilon_plus_flat")
    maps = method.of(tangle(torch.float32))(x, 1).maps
    assert maps.isfinite().all()
    assert not torch.allclose(maps, named.of(tangle(torch.float32))(x, 1).maps)
    assert "depth 2: Flat()" in method.description


WRONG = [
    (lambda: attribution.Saliency("l1"), "norm: expected l2 or linf, got 'l1'"),
    (lambda: attribution.IntegratedGradients(steps=0), "steps: expected a positive integer, got 0"),
    (lambda: attribution.IntegratedGradients(baseline=np.nan), "baseline: expected a finite number, got nan"),
    (lambda: attribution.IntegratedGradients(batch_size=2.5), "batch_size: expected a positive integer, got 2.5"),
    (lambda: attribution.Occlusion(window=0), "window: expected a positive integer, got 0"),
    (lambda: attribution.Occlusion(window=3, stride=4), "stride: expected at most the window of 3, got 4"),
    (lambda: attribution.Occlusion(stride="2"), "stride: expected a positive integer, got '2'"),
    (lambda: attribution.Occlusion(baseline="0"), "baseline: expected a finite number, got '0'"),
    (lambda: attribution.Occlusion(batch_size=0), "batch_size: expected a positive integer, got 0"),
    (lambda: attribution.SmoothGrad(samples=True), "samples: expected a positive integer, got True"),
    (lambda: attribution.SmoothGrad(noise=-0.1), "noise: expected a number from 0 on, got -0.1"),
    (lambda: attribution.SmoothGrad(seed=-1), "seed: expected an integer from 0 to 2³² - 1, got -1"),
    (lambda: attribution.SmoothGrad(batch_size=0), "batch_size: expected a positive integer, got 0"),
    (lambda: attribution.GradientSHAP(samples=0), "samples: expected a positive integer, got 0"),
    (lambda: attribution.GradientSHAP(baseline=np.inf), "baseline: expected a finite number, got inf"),
    (lambda: attribution.GradientSHAP(spread=-1), "spread: expected a number from 0 on, got -1"),
    (lambda: attribution.GradientSHAP(noise=np.nan), "noise: expected a number from 0 on, got nan"),
    (lambda: attribution.GradientSHAP(seed=2**32), "seed: expected an integer from 0 to 2³² - 1, got 4294967296"),
    (lambda: attribution.RandomMaps(seed=0.5), "seed: expected an integer from 0 to 2³² - 1, got 0.5"),
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_settings_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message.replace("²", ".")):
        make()


def test_equal_images_have_equal_random_maps_and_others_do_not():
    x = images(3)
    x[2] = x[0]
    maps = attribution.RandomMaps().of(tangle())(x, 1).maps
    assert torch.equal(maps[0], maps[2])
    assert not torch.equal(maps[0], maps[1])
