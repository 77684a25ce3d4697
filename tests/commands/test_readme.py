"""Every command of the README runs as it stands there, made small by `debug=fast`; variants do with `-m slow`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import timm
import torch
import transformers
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from PIL import Image
from pytorch_lightning import Trainer
from running import command, only_run, photographs
from torch.utils.data import TensorDataset
from torchvision import models

from unhans.clarc import activations
from unhans.experiment.run import build_data
from unhans.experiment.survey import Parallel
from unhans.lrp import LRP
from unhans.models import SmallCNN
from unhans.spray import SpRAy

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```bash\n(.*?)```", README.read_text(), re.DOTALL)
PREFIX = re.compile(r"^uv run (--extra (timm|huggingface) )?")
LINES = [PREFIX.sub("", line.split("&& ")[-1]).replace("'", "") for block in BLOCKS for line in block.splitlines()]
COMMANDS = [line for line in LINES if line.startswith(("train.py", "analyze.py"))]
UNTESTED = " callbacks.spray_audit.verify=false callbacks.spray_audit.pages=0"
CLASSES = "[1,2,3,7,8]"  # of the finished run
SIDE = 32  # of its images
BY_CLASS = ("squaring", "influence", "faithfulness", "compare", "stability", "context")
HERE, QUICK = Parallel(n_jobs=1), SpRAy(pooling=28, projection=None)
GARBAGE_TRUCK = ("n01440764", "n02979186", "n03028079", "n03417042", "n03425413")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what the commands name: photographs, weights and a finished run."""
    folder = tmp_path_factory.mktemp("readme")
    photographs(folder / "photos")
    photographs(folder / "imagenette", GARBAGE_TRUCK)
    Image.new("RGBA", (20, 10), (255, 230, 0, 200)).save(folder / "layer.png")
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (SIDE // 5, 3 * SIDE // 4, SIDE, SIDE))
    mask.save(folder / "mask.png")
    torch.save(squeezenet(), folder / "squeezenet1_1.pth")
    torch.save(timm.create_model("mobilenetv3_small_050").state_dict(), folder / "mobilenetv3.pth")
    transformer(folder / "vit")
    small = f"debug=fast trainer.max_epochs=1 spray.projection=null data.classes={CLASSES} data.image_size={SIDE}"
    assert command(folder, f"train.py {small}{UNTESTED} logger=none") == 0
    shutil.move(only_run(folder), folder / "outputs" / "run")
    for several in ("multirun/decoys/0", "multirun/decoys/1", "outputs/set/models/0", "outputs/set/models/1"):
        shutil.copytree(folder / "outputs" / "run", folder / several)
    data = build_data(OmegaConf.load(folder / "outputs" / "run" / "config.yaml"))
    threes = [data.train_set.paths[i] for i in (data.train_set.labels == data.classes.index("3")).nonzero()[0]]
    for name in ("twin", "clean", "blurred"):
        shutil.copytree(folder / "outputs" / "run", folder / "outputs" / name)
    config = folder / "outputs" / "blurred" / "config.yaml"
    OmegaConf.save(OmegaConf.merge(OmegaConf.load(config), {"data": {"degrade": {"blur": 3}}}), config)
    for number in (0, 1):
        save_as_of_epoch(number, folder / "outputs" / "run", folder / "outputs" / "long")
    (folder / "suspects.csv").write_text("path\n" + "\n".join(threes[::2]))
    boxes = [f"{path},,2,1,6,7" for path in (*data.train_set.paths, *data.val_set.paths)]
    for name, level in (("plain", 0), ("grey", 90)):
        Image.new("L", (48, 48), level).save(folder / f"{name}.png")
    others = [data.val_set.paths[i] for i in (data.val_set.labels != data.classes.index("3")).nonzero()[0][:12]]
    (folder / "places.csv").write_text("image,x,y,angle\n" + "".join(f"{path},10,20,15\n" for path in others))
    (folder / "pairs.csv").write_text("before,after,class\nplain.png,grey.png,3\n")
    (folder / "boxes.csv").write_text("\n".join(["path,class,x0,y0,x1,y1", *boxes]))
    return folder


def save_as_of_epoch(number, run, longer):
    """Write the checkpoint of a run as that of an epoch of another run."""
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=False)
    (longer / "checkpoints").mkdir(parents=True, exist_ok=True)
    shutil.copy(run / "config.yaml", longer)
    torch.save(checkpoint | {"epoch": number}, longer / "checkpoints" / f"epoch_{number:03d}.ckpt")


def squeezenet():
    """Weights of a SqueezeNet as it is made, whose logits lie above the ReLU at its end."""
    weights = models.squeezenet1_1().state_dict()
    weights["classifier.1.bias"] += 1
    return weights


def transformer(folder):
    """A small vision transformer of two classes as Hugging Face saves it."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.ViTConfig(image_size=32, patch_size=8, id2label={0: "dog", 1: "cat"}, **sizes)
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def test_the_readme_names_both_commands():
    assert "train.py" in COMMANDS
    assert len(COMMANDS) > 12
    assert any(text.startswith("analyze.py ckpt=") for text in COMMANDS)
    assert any("uv run pytest" in block for block in BLOCKS)


LOGGED = ("train.py", "train.py debug=fast")  # by default: with W&B
OWN_TESTS = (  # of these commands as they stand: test_what_it_shows, test_closed_loop, test_effect
    "train.py", "train.py experiment=closed_loop", "analyze.py ckpt=outputs/run/checkpoints/last.ckpt analysis=effect",
)  # fmt: skip


KINDS = ("analysis", "experiment", "data", "model")  # groups whose first command is run by every `pytest`


def kind(text):
    """What the first command of a kind shows, of which the others are variants; runs that others take are none."""
    words = text.split()
    options = KINDS + (("out",) if words[0] == "train.py" else ())
    chosen = [next((word for word in words if word.startswith(f"{option}=")), "") for option in options]
    return words[0], *chosen, *(part in text for part in ("-m ", "--help", "--cfg", "ckpts="))


FIRST = {kind(text): text for text in reversed(COMMANDS)}
VARIANTS = [text for text in dict.fromkeys(COMMANDS) if FIRST[kind(text)] != text]


def marked(text):
    """A command, slow where another test runs it as it stands, and where it is a variant of an earlier one."""
    slow = text in OWN_TESTS or text in VARIANTS
    return pytest.param(text, id=text, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("text", VARIANTS)
def test_variants_are_made_of_what_the_configuration_has(text):
    program, *words = text.split()
    with initialize_config_module("unhans.conf", version_base="1.3"):
        cfg = compose(program.removesuffix(".py"), overrides=words)
    assert program in ("train.py", "analyze.py")
    assert OmegaConf.to_container(cfg, resolve=False)


@pytest.mark.parametrize("text", [marked(text) for text in dict.fromkeys(COMMANDS)])
def test_command(text, workplace):
    for library, module in (("ray", "ray"), ("dask", "distributed")):
        if f"backend={library}" in text:
            pytest.importorskip(module)
    if "--" not in text:
        text += small(text)
    assert command(workplace, text) == 0


def small(text):
    """What makes a command quick: few samples, small images, a projection that needs no compilation.

    Audits of runs that show another option test nothing; those of the plain run and of the closed loop do.
    """
    if text.startswith("analyze.py"):
        here = "" if "parallel" in text or "compare" in text else " parallel.n_jobs=1"
        surveys = "analysis=effect" in text or "analysis=" not in text or "imagenette" in text
        some = "n01440764,n03417042" if "imagenette" in text else "cat,dog" if "photos" in text else "1,3"
        surveys = surveys or any(f"analysis={name}" in text for name in BY_CLASS)
        few = f" analysis.classes=[{some}]" if surveys and "classes=" not in text else ""
        few += (
            " analysis.classes=[1,3] analysis.per_class=2 analysis.sanity=1" if "analysis=faithfulness" in text else ""
        )
        few += " analysis.mask.steps=20" if "masks=" in text else ""
        few += " analysis.size=3" if "barycenters" in text else ""
        few += " analysis.samples=40" if "analysis=effect" in text and "samples=" not in text else ""
        size = " data.image_size=64" if "imagenette" in text else ""
        return " samples_per_class=14 spray.projection=null" + size + here + few + repair(text, "analysis")
    size = f" data.image_size={48 if 'data.root' in text else SIDE}"
    if text == "train.py":
        size = ""
    size += "" if text in LOGGED or "logger=" in text else " logger=none"
    if "experiment=rashomon" in text:
        return f" debug=fast trainer.max_epochs=1 spray.projection=null data.classes=[1,3] out=outputs/tried{size}"
    if text.startswith("train.py -m"):
        elsewhere = " hydra.sweep.dir=multirun/tried" if "sweep.dir" in text else ""
        one = "debug=fast trainer.max_epochs=1 callbacks=none logger=none"
        return f" {one} data.classes=[1,3] data.image_size=16{elsewhere}"
    epochs = 3 if "ckpt=" in text else 1
    tests = "" if text == "train.py" or "closed_loop" in text else UNTESTED
    several = any(part in text for part in ("ckpt=", "outputs/"))
    classes = CLASSES if several else "[1,3]"
    all_of_them = text == "train.py" or "data.root" in text or "target=7" in text
    tests += "" if all_of_them else f" data.classes={classes}"
    return f" debug=fast spray.projection=null trainer.max_epochs={epochs}{tests}{size}{repair(text, 'repair')}"


def repair(text, node):
    """What makes a repair quick."""
    if not any(f"={name}" in text for name in ("repair", "augment", "a_clarc", "p_clarc")):
        return ""
    return f" {node}.images=20 {node}.samples=10 {node}.seeds=[0] {node}.layer=features.1"


def test_the_python_snippets_run():
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(snippets) == 6
    names = {
        "Trainer": Trainer,
        "model": SmallCNN(2),
        "images": torch.rand(40, 3, 32, 32, generator=torch.Generator().manual_seed(0)),
        "target": torch.zeros(40, dtype=torch.int64),
    }
    for snippet in snippets[2:5]:
        exec(snippet.replace("n_neighbors=10", "n_neighbors=10, projection=None"), names)
    assert names["relevance"].shape == (40, 3, 32, 32)
    assert len(names["trainer"].callbacks) >= 2
    assert names["spray"].eigenvalues_[0] == pytest.approx(0, abs=1e-9)


def test_the_snippet_on_a_whole_data_set(tmp_path, monkeypatch, capsys):
    snippet = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    images = torch.rand(24, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    names = {"model": SmallCNN(2).eval(), "dataset": TensorDataset(images, torch.arange(24) // 12)}
    names |= {"HERE": HERE, "QUICK": QUICK}
    exec(snippet.replace("samples_per_class=300", "parallel=HERE, spray=QUICK"), names)
    assert "Classes by suspicion" in capsys.readouterr().out
    assert (tmp_path / "audit" / "report.html").is_file()


def test_the_snippet_on_corrections_takes_the_concept_out():
    snippet = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    images, carries = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.arange(20) < 10
    images[carries, :, :8, :8] = 1.0
    names = {"model": SmallCNN(2).eval(), "images": images, "carries": carries}
    exec(snippet, names)
    concept, after = names["direction"], activations(names["repaired"], "features", images)
    scores = (after * concept.direction).sum((1, 2, 3))
    torch.testing.assert_close(scores, torch.full((20,), float((concept.unaffected * concept.direction).sum())))


def test_the_snippet_on_lrp_gives_what_its_comments_say(capsys):
    snippet = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[5]
    names = {
        "LRP": LRP,
        "model": models.resnet18(),
        "images": torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)),
        "targets": torch.tensor([1, 2]),
        "concept": torch.ones(2, 512, 2, 2),
    }
    exec(snippet, names)
    assert names["features"].shape == (2, 256, 4, 4)
    assert names["several"].shape == (2, 2, 3, 64, 64)
    assert names["of_concept"].shape == (2, 3, 64, 64)
    assert names["of_concept"].any()
    assert torch.autograd.grad(names["loss"], names["model"].fc.weight)[0].any()
    assert "Biases absorb" in capsys.readouterr().out
