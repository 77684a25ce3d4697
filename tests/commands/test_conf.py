"""Every YAML in conf/ composes and passes the check, and what is wrong is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from unhans.experiment import analysis
from unhans.experiment.check import ConfigurationError, check
from unhans.experiment.training import check_audit

CONF = Path(__file__).parents[2] / "conf"
GIVEN = {
    "data/image_folder": ["data.root=photos"],
    "data/imagenet": ["data.root=imagenet"],
    "data/npz": ["data.path=digits.npz"],
    "model/torchvision": ["model.name=resnet18"],
    "model/timm": ["model.name=resnet18"],
    "model/huggingface": ["model.name=microsoft/resnet-18"],
    "experiment/garbage_truck": ["data.root=imagenette"],
}
OPTIONS = sorted(str(path.relative_to(CONF).with_suffix("")) for path in CONF.glob("*/*.yaml"))


def composed(*overrides, name="train"):
    with initialize_config_module("unhans.conf", version_base="1.3"):
        return compose(name, overrides=["out=somewhere", *overrides])


def overrides_of(option):
    group, name = option.split("/")
    given = list(GIVEN.get(option, []))
    if group == "artifact" and name not in ("none", "digits"):
        given.append("artifact.target=3")
    if option == "artifact/patch":
        given.append("artifact.file=patch.png")
    return [f"{group}={name}", *given]


def check_all(cfg):
    check(cfg)
    check_audit(cfg)


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.startswith("analysis/")])
def test_every_option_composes_and_passes_the_check(option):
    check_all(composed(*overrides_of(option)))


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option.split("/")[0] in ("analysis", "data", "artifact", "spray")]
)
def test_every_option_of_the_analysis_composes(option):
    cfg = composed(*overrides_of(option), name="analyze")
    assert OmegaConf.is_config(cfg[option.split("/")[0]])


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["data=image_folder"], "data.root is missing; give it as data.root=…"),
        (["artifact=stripe"], "artifact.target is missing"),
        (["trainer.max_epochs=many"], "trainer.max_epochs='many': input should be a valid integer"),
        (["data.batch_size=big"], "data.batch_size='big': input should be a valid integer"),
        (["artifact.coverage=half"], "artifact.coverage='half': input should be a valid number"),
        (["data.resize=stretch"], "data.resize='stretch': input should be 'squash', 'crop', 'pad' or 'mirror'"),
        (["+data.sise=3"], "data.sise is not an option of unhans.data.Digits; did you mean resize?"),
        (
            ["+trainer.max_epoch=3"],
            "trainer.max_epoch is not an option of pytorch_lightning.Trainer; did you mean max_epochs",
        ),
        (["+callbacks.spray_audit.every=3"], "callbacks.spray_audit.every is not an option"),
        (["callbacks.spray_audit.on_error=skip"], "callbacks.spray_audit.on_error='skip'"),
        (["model._target_=unhans.models.Nothing"], "model._target_=unhans.models.Nothing cannot be imported"),
        (
            ["spray.n_neighbors=300"],
            "callbacks.spray_audit.samples_per_class=300 must be larger than spray.n_neighbors=300",
        ),
        (["ckpt=nowhere.ckpt"], "ckpt expects a checkpoint file, but nowhere.ckpt does not exist"),
    ],
)
def test_what_is_wrong_is_one_sentence(overrides, sentence):
    cfg = composed(*overrides)
    with pytest.raises(ConfigurationError) as caught:
        check_all(cfg)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def run_in(folder, *overrides):
    """A checkpoint's path, beside it the configuration of its run."""
    OmegaConf.save(composed(*overrides), folder / "config.yaml")
    (folder / "last.ckpt").touch()
    return str(folder / "last.ckpt")


def test_an_analysis_that_trains_takes_the_scheduler_of_the_run(tmp_path):
    ckpt = run_in(tmp_path, "scheduler=cosine", "optimizer=sgd")
    cfg = analysis.with_run(composed("analysis=unhans", f"ckpt={ckpt}", name="analyze"))
    assert cfg.scheduler._target_ == composed("scheduler=cosine").scheduler._target_
    assert cfg.optimizer._target_ == composed("optimizer=sgd").optimizer._target_
    check_given = composed("analysis=unhans", f"ckpt={ckpt}", "optimizer=adam", name="analyze")
    assert analysis.with_run(check_given).optimizer._target_ == composed("optimizer=adam").optimizer._target_


def test_choosing_nothing_is_a_choice(tmp_path, monkeypatch):
    """artifact=none leaves the artifact of the checkpoint's run out."""
    ckpt = run_in(tmp_path, "artifact=watermark", "artifact.target=3")
    given = composed("artifact=none", f"ckpt={ckpt}", name="analyze")
    assert analysis.with_run(given).artifact.target == 3  # as where nothing is said
    monkeypatch.setattr(analysis, "given_keys", lambda: {"artifact", "ckpt"})
    assert not analysis.with_run(given).artifact
