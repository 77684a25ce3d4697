import inspect
from itertools import cycle
from pathlib import Path

import hydra
import pytest
import unhans.conf
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf
from PIL import Image

from unhans.artifacts import Artifact, EdgePadding, PlacedArtifact
from unhans.data.sources import ImageData

CONF = Path(unhans.conf.__file__).parent
DATA, ARTIFACT = (sorted((CONF / group).glob("[!_]*.yaml")) for group in ("data", "artifact"))
KINDS = [path for path in ARTIFACT if "_target_" in OmegaConf.load(path)]  # others are none and deltas


def parameters(kind):
    names = {*inspect.signature(kind.__init__).parameters} - {"self", "options", "artifact", "preprocessing"}
    if kind is EdgePadding:
        return names  # copies have no opacity
    for base in kind.__mro__:
        if base in (ImageData, Artifact, PlacedArtifact) or kind is base:
            names |= set(inspect.signature(base.__init__).parameters) - {"self", "options", "artifact", "preprocessing"}
    return names


def composed(*paths):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(overrides=[f"+{path.parent.name}={path.stem}" for path in paths])


@pytest.mark.parametrize("path", DATA + KINDS, ids=lambda path: path.stem)
def test_each_file_sets_every_parameter(path):
    config = composed(path)[path.parent.name]
    assert set(config) - {"_target_"} == parameters(get_object(config._target_))


@pytest.mark.parametrize(("path", "artifact"), [*zip(DATA, cycle(ARTIFACT), strict=False)], ids=lambda path: path.stem)
def test_each_file_composes_and_instantiates(path, artifact, tmp_path):
    Image.new("RGBA", (4, 4), "red").save(tmp_path / "patch.png")
    cfg = composed(path, artifact)
    for node, name, value in (
        (cfg.data, "root", tmp_path),
        (cfg.data, "path", tmp_path),
        (cfg.data, "table", tmp_path),
        (cfg.artifact, "target", 0),
    ):
        if OmegaConf.is_missing(node, name):
            node[name] = str(value) if name != "target" else value
    if OmegaConf.is_missing(cfg.artifact, "file"):
        cfg.artifact.file = str(tmp_path / "patch.png")
    data = instantiate(cfg.data, artifact=instantiate(cfg.artifact) if cfg.artifact else None)
    assert isinstance(data, ImageData)
    assert (data.artifact is None) == (artifact.stem == "none")


def test_the_files_are_these():
    names = ["cifar10", "coloured_digits", "digits", "fashion_mnist", "image_folder", "image_table"]
    names += ["imagenet", "imagenette", "label_table", "mnist", "npz"]
    assert [path.stem for path in DATA] == names
    kinds = ["border", "edge_padding", "patch", "rounded_corners", "stripe", "watermark"]
    assert [path.stem for path in KINDS] == kinds


def test_default_files_hold_the_defaults_of_the_classes():
    for path in KINDS:
        config = OmegaConf.to_container(composed(path).artifact)
        bases = reversed(get_object(config.pop("_target_")).__mro__)
        defaults = {name: one for base in bases for name, one in inspect.signature(base.__init__).parameters.items()}
        for name, value in config.items():
            assert value == "???" or value == defaults[name].default, f"{path.stem}.{name}"
