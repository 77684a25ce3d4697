"""Every YAML in conf/ composes and passes the check, and what is wrong is one sentence."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from unhans import cli
from unhans.cli import OLD, RENAMED, check_values, take_old_words, tell_old_words
from unhans.experiment.analyses import analyze_command as analysis
from unhans.experiment.repair import repair_command
from unhans.experiment.run import check, with_run
from unhans.experiment.train.train_command import check_audit
from unhans.terminal import ConfigurationError

CONF = Path(__file__).parents[2] / "conf"
GIVEN = {
    "data/image_folder": ["data.root=photos"],
    "data/image_table": ["data.root=photos"],
    "data/imagenet": ["data.root=imagenet"],
    "data/label_table": ["data.table=labels.csv"],
    "data/npz": ["data.path=digits.npz"],
    "model/torchvision": ["model.name=resnet18"],
    "model/timm": ["model.name=resnet18"],
    "model/huggingface": ["model.name=microsoft/resnet-18"],
    "experiment/isic": ["data.root=isic"],
    "experiment/garbage_truck": ["data.root=imagenette"],
}
OPTIONS = sorted(str(path.relative_to(CONF).with_suffix("")) for path in CONF.glob("*/[!_]*.yaml"))


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
        (["data.classes=3"], "data.classes=3: input should be a list such as [a,b]."),
        (["data.resize=stretch"], "data.resize='stretch': input should be 'squash', 'crop', 'pad' or 'mirror'"),
        (["+data.sise=3"], "data.sise is not an option of unhans.data.sources.Digits; did you mean resize?"),
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
    ],
)
def test_what_is_wrong_is_one_sentence(overrides, sentence):
    cfg = composed(*overrides)
    with pytest.raises(ConfigurationError) as caught:
        check_all(cfg)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("ckpt=nowhere.ckpt", "ckpt expects a checkpoint file, but nowhere.ckpt does not exist."),
        ("ckpt=.", r"ckpt expects a checkpoint file, but \. is a folder"),
        ("data.root=nowhere", "data.root expects a folder, but nowhere does not exist."),
        ("data.batch_size=big", "data.batch_size expects a number such as 32, got 'big'."),
        ("spray.n_neighbors=many", "spray.n_neighbors expects a number such as 10, got 'many'."),
        ("spray.n_neighbors=log", None),
        ("trainer.devices=auto", None),
        ("data.resize=crop", None),
    ],
)
def test_what_is_wrong_at_a_glance_is_told_before_torch_is_imported(word, sentence, tmp_path):
    words = ["out=somewhere", "data=image_folder", f"data.root={tmp_path}", word]
    with initialize_config_module("unhans.conf", version_base="1.3"):
        cfg = compose("train", overrides=words)
        with pytest.raises(ConfigurationError, match=sentence) if sentence else nullcontext():
            check_values(cfg, words, "train")


def test_choices_by_their_old_words(caplog, tmp_path):
    """They are what they are called now, also in a user's own file, and each is told."""
    assert {f"{group}/{name}" for group, name in RENAMED.items()} <= set(OPTIONS)
    take_old_words()
    for name, words in (("train", ["callbacks"]), ("train", ["experiment"]), ("analyze", ["analysis"])):
        old, new = ([f"{word}={to or RENAMED[word]}" for word in words] for to in (OLD, None))
        assert composed(*old, name=name) == composed(*new, name=name)
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /callbacks: unhans\n"
    )
    words = ["experiment=mine", "out=somewhere", f"hydra.searchpath=[file://{tmp_path}]"]
    with initialize_config_module("unhans.conf", version_base="1.3"):
        cfg = compose("train", overrides=words, return_hydra_config=True)
    assert cfg.callbacks.spray_audit._target_ == "unhans.callbacks.UnHans"
    tell_old_words(cfg.hydra.runtime.choices)
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "callbacks=unhans is now called callbacks=closed_loop"
    ]
    caplog.clear()
    tell_old_words({"callbacks": "closed_loop"})
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        (
            "train",
            [
                "data=image_folder",
                "artifact=watermark",
                "model=torchvision",
                "data.root=x",
                "model.name=resnet18",
                "artifact.target=3",
            ],
        ),
        ("analyze", ["data=digits", "analysis=effect"]),
    ],
)
def test_the_keys_that_help_explains_are_there(name, choices):
    with initialize_config_module("unhans.conf", version_base="1.3"):
        cfg = compose(name, overrides=["out=somewhere", *choices], return_hydra_config=True)
    told = cfg.hydra.help.template.partition("The main keys")[2].partition("Every key")[0].splitlines()[1:]
    keys = [line.split("=")[0].strip() for line in told if line.strip()]
    assert len(keys) > 10
    for key in keys:
        parent, _, last = key.rpartition(".")
        assert last in (OmegaConf.select(cfg, parent) if parent else cfg), key


@pytest.fixture
def completed(tmp_path, monkeypatch):
    """From the overrides of a run and those of a command about its checkpoint to the configuration that runs."""

    def complete(run, given, name="analyze", groups=None):
        if run is not None:
            OmegaConf.save(composed(*run), tmp_path / "config.yaml", resolve=True)
        (tmp_path / "last.ckpt").touch()
        overrides = ["out=here", f"ckpt={tmp_path / 'last.ckpt'}", *given]
        with initialize_config_module("unhans.conf", version_base="1.3"):
            HydraConfig.instance().set_config(compose(name, overrides=overrides, return_hydra_config=True))
            cfg = compose(name, overrides=overrides)
        return with_run(cfg, groups or (*analysis.SHARED, *analysis.TRAINING))

    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)  # as it was, in the end
    return complete


@pytest.fixture(scope="module")
def choices():
    return composed("scheduler=cosine", "optimizer=sgd", "model=torchvision", "model.name=resnet18")


def test_a_user_s_own_choices_are_found_with_a_checkpoint_too(completed, tmp_path):
    (tmp_path / "mine" / "spray").mkdir(parents=True)
    (tmp_path / "mine" / "spray" / "own.yaml").write_text("_target_: unhans.spray.SpRAy\nn_neighbors: 7\n")
    cfg = completed(["data=digits"], ["spray=own", f"hydra.searchpath=[file://{tmp_path / 'mine'}]"])
    assert cfg.spray.n_neighbors == 7


def test_a_command_takes_what_the_run_was(completed, choices):
    run = ["scheduler=cosine", "optimizer=sgd", "optimizer.lr=0.3", "data=mnist", "data.batch_size=7"]
    cfg = completed(run, ["analysis=repair"])
    assert cfg.scheduler == choices.scheduler
    assert (cfg.optimizer._target_, cfg.optimizer.lr) == (choices.optimizer._target_, 0.3)
    assert (cfg.data.name, cfg.data.batch_size) == ("mnist", 7)
    assert cfg.model == composed().model
    assert not cfg.artifact  # mnist plants nothing
    check(cfg)


def test_what_is_given_goes_first(completed, choices):
    run = ["optimizer=sgd", "artifact=watermark", "artifact.target=3", "+trainer.max_steps=5"]
    given = ["analysis=repair", "optimizer=adam", "+data.batch_size=9", "+trainer.max_steps=8", "~scheduler"]
    cfg = completed(run, [*given, "+trainer.gradient_clip_val=1"])
    assert cfg.optimizer == composed("optimizer=adam").optimizer
    assert cfg.data == composed("data.batch_size=9").data
    assert (cfg.trainer.max_steps, cfg.trainer.gradient_clip_val) == (8, 1)
    assert cfg.artifact.target == 3
    assert not cfg.scheduler


def test_another_group_takes_nothing_of_the_runs(completed):
    cfg = completed(["model=torchvision", "model.name=resnet18"], ["model=small_cnn", "model.width=8"])
    assert cfg.model == composed("model.width=8").model


def test_choosing_nothing_is_a_choice(completed):
    """artifact=none leaves the artifact of the checkpoint's run out."""
    run = ["artifact=watermark", "artifact.target=3"]
    assert completed(run, []).artifact.target == 3
    assert not completed(run, ["artifact=none"]).artifact


def test_a_repair_has_the_trainer_and_the_schedule_of_the_command(completed):
    run = ["scheduler=cosine", "trainer.max_epochs=50", "model.width=4", "optimizer=sgd", "optimizer.lr=0.3"]
    cfg = completed(run, ["experiment=augment", "model.width=8"], "train", repair_command.OF_THE_RUN)
    assert cfg.trainer.max_epochs == composed().trainer.max_epochs
    assert not cfg.scheduler
    assert (cfg.optimizer.lr, cfg.model.width) == (0.3, 8)
    assert cfg.repair.methods == ["unaltered", "augmented"]


def test_the_saved_configuration_wins_over_defaults_that_changed_since(completed, tmp_path):
    saved = composed()
    OmegaConf.update(saved, "model.width", 99)
    OmegaConf.update(saved, "data.own", "kept", force_add=True)
    OmegaConf.update(saved, "data._target_", "unhans.data.Digits")  # as it was called
    OmegaConf.save(saved, tmp_path / "config.yaml", resolve=True)
    cfg = completed(None, [])
    assert (cfg.model.width, cfg.data.own, cfg.data._target_) == (99, "kept", "unhans.data.sources.Digits")


def test_a_checkpoint_without_a_configuration_needs_model_and_data(completed):
    with pytest.raises(ConfigurationError, match=r"has no config.yaml beside it; give model=… and data=… as well"):
        completed(None, ["model=small_cnn"])
    cfg = completed(None, ["model=small_cnn", "data=digits"])
    assert cfg.data == composed().data


def test_an_error_before_a_run_has_its_folder_is_explained_all_the_same(capsys, monkeypatch):
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    with initialize_config_module("unhans.conf", version_base="1.3"):
        HydraConfig.instance().set_config(compose("train", overrides=["out=here"], return_hydra_config=True))
    cli._explain("train", ValueError("x expects 1, got 2."))
    assert capsys.readouterr().err == "error: x expects 1, got 2.\n"
