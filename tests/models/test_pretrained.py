"""Trained heads: kept, mapped to the data's classes, with the preprocessing of the weights, from three libraries."""

from __future__ import annotations

import copy
import json
import logging
import sys

import numpy as np
import pytest
import timm
import torch
import transformers
from omegaconf import OmegaConf
from PIL import Image
from torch import nn
from torchvision import models

from unhans.data import Preprocessing
from unhans.data.sources import ImageFolder
from unhans.experiment.run.subject import preprocessing_of as preprocessing_of_node
from unhans.lrp import LRP
from unhans.lrp.tracing import logits_of
from unhans.models import (
    Head,
    head_of,
    huggingface_classifier,
    output_indices,
    output_names,
    relabel_for_head,
    timm_classifier,
    torchvision_classifier,
)
from unhans.models.outputs import wordnet_ids

SOME = {"n01440764": 0, "n02102040": 217, "n02979186": 482, "n03417042": 569}  # of Imagenette


def preprocessing_of(make, options):
    return preprocessing_of_node(OmegaConf.create({"_target_": f"{make.__module__}.{make.__qualname__}", **options}))


def images(size=64):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    torch.manual_seed(0)
    source = models.squeezenet1_1().eval()
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    torch.save(source.state_dict(), path)
    return source, str(path)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """A local folder as `save_pretrained` writes it: a small vision transformer with three named outputs."""
    folder = tmp_path_factory.mktemp("hub") / "vit"
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.ViTConfig(image_size=32, patch_size=8, id2label={0: "emu", 1: "cat", 2: "dog"}, **sizes)
    network = transformers.ViTForImageClassification(config)
    nn.init.normal_(network.classifier.weight)
    network.save_pretrained(folder)
    transformers.ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.25] * 3
    ).save_pretrained(folder)
    return network.eval(), str(folder)


def class_folder(root, names, size=(40, 30)):
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in names:
            (root / part / name).mkdir(parents=True)
            for i in range(3):
                pixels = rng.integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{i}.png")
    return root


def test_a_trained_head_is_kept(squeezenet):
    source, path = squeezenet
    kept = torchvision_classifier(4, "squeezenet1_1", path, head="keep").eval()
    assert torch.equal(kept(images()), source(images()))
    fits = torchvision_classifier(1000, "squeezenet1_1", path).eval()
    assert torch.equal(fits(images()), source(images()))
    assert head_of(kept).kept
    assert head_of(fits).kept


def test_a_head_that_does_not_fit_is_new(squeezenet):
    for wanted, choice in ((4, None), (4, "fresh"), (1000, "fresh")):
        network = torchvision_classifier(wanted, "squeezenet1_1", squeezenet[1], head=choice)
        assert not head_of(network).kept
        assert not torch.equal(network.classifier[1].weight[:4], squeezenet[0].classifier[1].weight[:4])
        assert torch.equal(network.features[0].weight, squeezenet[0].features[0].weight)


def test_weights_with_another_number_of_outputs(tmp_path):
    """A network of one's own, of five classes, as a training program with several GPUs wrote it."""
    source = models.resnet18(num_classes=5).eval()
    state = {f"module.{name}": value for name, value in source.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "own.pth")
    network = torchvision_classifier(5, "resnet18", str(tmp_path / "own.pth")).eval()
    assert torch.equal(network(images()), source(images()))
    assert output_indices(head_of(network), ["a", "b", "c", "d", "e"]) == [0, 1, 2, 3, 4]
    other = torchvision_classifier(3, "resnet18", str(tmp_path / "own.pth"))
    assert other.fc.out_features == 3
    assert not head_of(other).kept


def test_freezing_leaves_a_kept_head(squeezenet):
    network = torchvision_classifier(4, "squeezenet1_1", squeezenet[1], freeze=True, head="keep")
    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert trained == ["classifier.1.weight", "classifier.1.bias"]


def test_classes_are_found_by_wordnet_id_and_by_name(squeezenet):
    head = head_of(torchvision_classifier(4, "squeezenet1_1", squeezenet[1], head="keep"))
    assert output_indices(head, list(SOME)) == list(SOME.values())
    assert output_indices(head, ["garbage truck", "Tench", "english_springer"]) == [569, 0, 217]
    assert output_indices(head, ["crane (n02012849)", "crane (n03126707)"]) == [134, 517]
    assert [wordnet_ids()[i] for i in SOME.values()] == list(SOME)
    names = output_names(head, ["n03417042", "crane (n02012849)"], [569, 134])
    assert (names[569], names[134], names[0], names[517]) == ("n03417042", "crane (n02012849)", "tench", "crane")
    assert len(set(names)) == 1000


def test_classes_are_given_by_hand(tmp_path):
    def found(given, classes=("a", "b"), names=("x, ex", "y", "z")):
        return output_indices(Head(True, 3, names, given=given), list(classes))

    assert found([2, 0]) == found(["z", "ex"]) == found({"b": 0, "a": 2}) == [2, 0]
    (tmp_path / "lines.txt").write_text("z\nx\n")
    (tmp_path / "table.csv").write_text("\ufeffclass,output\nb,0\na,2\n", encoding="utf-8")
    (tmp_path / "map.json").write_text(json.dumps({"a": "z", "b": 0}))
    for name in ("lines.txt", "table.csv", "map.json"):
        assert found(str(tmp_path / name)) == [2, 0]


@pytest.mark.parametrize(
    ("given", "classes", "sentence"),
    [
        ([0], ["a", "b"], "expects one output for each of the data's 2 classes, got 1 outputs"),
        ([0, 0], ["a", "b"], "expects an output for each class, got 0 for 'a' and 'b'"),
        ([0, 3], ["a", "b"], "expects numbers from 0 to 2, got 3"),
        ({"a": 1}, ["a", "b"], "expects an output for each class, got none for 'b'"),
        ("no/file.csv", ["a", "b"], "expects a list or a readable text file, got no/file.csv"),
        (None, ["cat", "dgo"], "no output of the network is called 'dgo'; near names: dog; give model.outputs=: the"),
        (None, ["emu"], "class 'emu' could be the outputs 1 and 2 of the network; give model.outputs="),
    ],
)
def test_classes_without_an_output_are_one_sentence(given, classes, sentence):
    names = ("cat", "dog, emu", "emu") if classes == ["emu"] else ("cat", "dog", "emu")
    with pytest.raises(ValueError, match=sentence):
        output_indices(Head(True, 3, names, given=given), classes)


def test_outputs_without_names():
    assert output_indices(Head(True, 2), ["a", "b"]) == [0, 1]
    with pytest.raises(
        ValueError, match="the network's 3 outputs have no names, so that no output is known for class 'a'"
    ):
        output_indices(Head(True, 3), ["a", "b"])
    with pytest.raises(ValueError, match=r"model.outputs is for the trained head, but this head is new"):
        torchvision_classifier(3, "resnet18", outputs=[1, 2, 3])
    with pytest.raises(ValueError, match=r"model.head=keep needs trained weights"):
        torchvision_classifier(3, "resnet18", head="keep")
    with pytest.raises(ValueError, match=r"model.head expects keep, fresh or null, got 'kept'"):
        torchvision_classifier(3, "resnet18", head="kept")


def test_the_order_of_the_networks_outputs_is_not_that_of_the_folders(vit, tmp_path):
    """Three classes on both sides: names decide, not positions."""
    network = huggingface_classifier(3, vit[1])
    data = ImageFolder(class_folder(tmp_path, ["cat", "dog", "emu"]), image_size=32)
    data.setup()
    before = data.train_set.labels.copy()
    relabel_for_head(network, data)
    assert data.classes == ["emu", "cat", "dog"]
    assert [data.classes[label] for label in data.train_set.labels] == [("cat", "dog", "emu")[i] for i in before]
    relabel_for_head(network, data)  # a second network of the same run changes nothing
    assert data.classes == ["emu", "cat", "dog"]


def test_outputs_that_are_taken_in_order_are_told(tmp_path, caplog):
    """A network of one's own, whose weights say nothing of its classes."""
    torch.save(models.resnet18(num_classes=2).state_dict(), tmp_path / "own.pth")
    network = torchvision_classifier(2, "resnet18", str(tmp_path / "own.pth"))
    data = ImageFolder(class_folder(tmp_path / "data", ["cat", "dog"]), image_size=32)
    data.setup()
    with caplog.at_level(logging.WARNING):
        relabel_for_head(network, data)
    assert "output 0 for 'cat', output 1 for 'dog', and so on" in caplog.text
    assert data.classes == ["cat", "dog"]


def test_data_of_a_few_classes_takes_the_labels_of_a_wide_head(squeezenet, tmp_path):
    data = ImageFolder(class_folder(tmp_path, SOME), image_size=32)
    data.setup()
    relabel_for_head(torchvision_classifier(4, "squeezenet1_1", squeezenet[1], head="keep"), data)
    assert sorted(set(data.train_set.labels)) == sorted(set(data.val_set.labels)) == sorted(SOME.values())
    assert [data.classes[i] for i in SOME.values()] == list(SOME)
    assert data.num_classes == 1000
    assert all(
        SOME[path.split("/")[-2]] == label
        for path, label in zip(data.train_set.paths, data.train_set.labels, strict=True)
    )


def test_the_preprocessing_of_torchvisions_weights():
    """Equal to torchvision's own transforms, pixel by pixel, on pictures of any form."""
    own = models.ResNet50_Weights.IMAGENET1K_V2.transforms()
    options = {"name": "resnet50", "weights": "IMAGENET1K_V2"}
    found = preprocessing_of(torchvision_classifier, options)(1000)
    assert (found.image_size, found.crop_from, found.interpolation) == (224, 232, "bilinear")
    rng = np.random.default_rng(0)
    for size in ((300, 401), (500, 233), (232, 232), (100, 90)):
        picture = Image.fromarray(rng.integers(256, size=(*size, 3), dtype=np.uint8))
        assert torch.equal(prepared(picture, found), own(picture))


def prepared(picture, found: Preprocessing):
    from unhans.data import to_tensor
    from unhans.data.image_io import resize

    square = resize(picture, found.image_size, found.resize, found.crop_from, found.interpolation)
    mean, std = (torch.tensor(values)[:, None, None] for values in (found.mean, found.std))
    return (to_tensor(square) - mean) / std


def test_a_new_head_takes_mean_and_size_but_not_the_cut():
    options = {"name": "resnet50", "weights": "IMAGENET1K_V2"}
    found = preprocessing_of(torchvision_classifier, options)(10)
    assert (found.image_size, found.mean) == (224, (0.485, 0.456, 0.406))
    assert (found.resize, found.crop_from, found.interpolation) == (None, None, None)
    assert preprocessing_of(torchvision_classifier, {"name": "resnet50"})(10) is None
    assert preprocessing_of(nn.Linear, {})(10) is None


def test_data_take_over_what_the_weights_expect(tmp_path, caplog):
    wanted = Preprocessing(64, (0.1,) * 3, (0.2,) * 3, "crop", 73, "bilinear", "resnet50 (DEFAULT)")
    root = class_folder(tmp_path, ["a", "b"])
    data = ImageFolder(root, preprocessing=lambda classes: wanted)
    with caplog.at_level(logging.WARNING):
        data.setup()
    assert not caplog.messages
    assert torch.equal(data.train_set[0].image, prepared(Image.open(data.train_set.paths[0]), wanted))
    other = ImageFolder(root, mean=[0.5] * 3, resize="squash", preprocessing=lambda classes: wanted)
    with caplog.at_level(logging.WARNING):
        other.setup()
    assert caplog.messages == [
        "data.mean is [0.5, 0.5, 0.5] instead of [0.1, 0.1, 0.1], data.resize is squash instead of crop; resnet50 "
        "(DEFAULT) expects the latter, and its accuracy and heatmaps may suffer. null takes its value."
    ]
    assert other.train_set[0].image.shape == (3, 64, 64)
    assert other.crop_from is None


def test_a_cut_is_undone_for_masks(tmp_path):
    """A pixel of the network's square is found again where it was in the picture."""
    from unhans.data import native_mask
    from unhans.data.image_io import resize

    picture = Image.new("L", (90, 60))
    picture.paste(255, (40, 25, 50, 35))
    square = np.asarray(resize(picture.convert("RGB"), 32, "crop", 40, "nearest"))[..., 0] > 0
    native = native_mask(square, (60, 90), "crop", 40)
    truth = np.asarray(picture) > 0
    assert native.shape == truth.shape
    assert (native & truth).sum() / (native | truth).sum() > 0.6


@pytest.mark.parametrize("options", [{"resize": "squash", "crop_from": 64}, {"resize": "crop", "crop_from": 20}])
def test_a_cut_that_is_impossible(options, tmp_path):
    with pytest.raises(ValueError, match=r"data.crop_from is for data.resize=crop and must be data.image_size=32 or"):
        ImageFolder(tmp_path, image_size=32, **options)


FAMILIES = {
    "resnet18.a1_in1k": "fc",
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k": "head",
    "convnext_atto.d2_in1k": "head.fc",
    "mobilenetv3_small_050.lamb_in1k": "classifier",
    "levit_128s.fb_dist_in1k": "head",
}


@pytest.mark.parametrize("name", FAMILIES)
def test_networks_of_timm(name, tmp_path):
    torch.manual_seed(0)
    source = timm.create_model(name, pretrained=False).eval()
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    kept = timm_classifier(4, name, weights=str(tmp_path / "weights.pth"), head="keep").eval()
    x = images(224)[:1]
    assert torch.equal(kept(x), source(x))
    assert output_indices(head_of(kept), list(SOME)) == list(SOME.values())
    assert output_indices(head_of(kept), ["garbage truck", "dustcart"][:1]) == [569]
    new = timm_classifier(4, name, weights=str(tmp_path / "weights.pth"), freeze=True).eval()
    assert new(x).shape == (1, 4)
    trained = [key for key, parameter in new.named_parameters() if parameter.requires_grad]
    assert trained
    assert all(key.startswith(FAMILIES[name]) for key in trained)
    assert LRP(kept).attribute(x, 3).isfinite().all()
    found = preprocessing_of(timm_classifier, {"name": name, "weights": str(tmp_path / "weights.pth"), "head": "keep"})(
        4
    )
    own = timm.data.resolve_data_config(model=source)
    assert (found.image_size, found.interpolation) == (own["input_size"][1], own["interpolation"])
    transform = timm.data.create_transform(**own)
    picture = Image.fromarray(np.random.default_rng(0).integers(256, size=(300, 260, 3), dtype=np.uint8))
    assert torch.allclose(prepared(picture, found), transform(picture), atol=0.03)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "resnet19"}, r"model.name expects a network of timm, got 'resnet19'; near names: resnet"),
        ({"name": "resnet18.nobodys"}, "expects one of timm's weights .*resnet18.a1_in1k"),
        ({"name": "resnet18", "weights": "no/file.pth"}, "expects DEFAULT, null or a file, but no/file.pth does not"),
    ],
)
def test_what_timm_does_not_have(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        timm_classifier(3, **options)


def test_a_classifier_of_hugging_face(vit):
    source, folder = vit
    kept = huggingface_classifier(3, folder).eval()
    x = images(32)
    assert torch.equal(kept(x).logits, source(x).logits)
    assert output_indices(head_of(kept), ["cat", "dog", "emu"]) == [1, 2, 0]
    found = preprocessing_of(huggingface_classifier, {"name": folder})(3)
    assert (found.image_size, found.resize, found.mean, found.std) == (32, "squash", (0.5,) * 3, (0.25,) * 3)
    picture = Image.fromarray(np.random.default_rng(0).integers(256, size=(50, 60, 3), dtype=np.uint8))
    own = transformers.AutoImageProcessor.from_pretrained(folder)(picture, return_tensors="pt")["pixel_values"][0]
    assert torch.allclose(prepared(picture, found), own, atol=0.05)
    for classes in (3, 5):
        new = huggingface_classifier(classes, folder, head="fresh", freeze=True)
        assert logits_of(new(x)).shape == (2, classes)
        assert not torch.equal(new.classifier.weight[:3], source.classifier.weight)
        assert [key for key, p in new.named_parameters() if p.requires_grad] == ["classifier.weight", "classifier.bias"]


def test_what_hugging_face_does_not_have(tmp_path):
    with pytest.raises(
        ValueError, match=r"model.name expects an image classifier of Hugging Face, a name on the hub or a"
    ):
        huggingface_classifier(3, str(tmp_path))
    with pytest.raises(ValueError, match=r"expects DEFAULT or null, got 'file.pth'; a folder is given as model.name"):
        huggingface_classifier(3, str(tmp_path), weights="file.pth")


def test_a_trained_network_on_real_images(real_data):
    """Ten classes of a thousand: SqueezeNet as it was trained finds most of Imagenette's images."""
    options = {
        "name": "squeezenet1_1",
        "weights": str(real_data / "weights" / "squeezenet1_1_ncnn.pth"),
        "head": "keep",
    }
    data = ImageFolder(
        real_data / "imagenette224", max_per_class=1, max_per_class_val=6,
        preprocessing=preprocessing_of(torchvision_classifier, options),
    )  # fmt: skip
    data.setup()
    network = torchvision_classifier(10, **options).eval()
    relabel_for_head(network, data)
    with torch.no_grad():
        logits = network(torch.stack([sample.image for sample in data.val_set]))
    ten = torch.tensor(sorted(set(data.val_set.labels.tolist())))
    labels = torch.from_numpy(data.val_set.labels)
    assert (ten[logits[:, ten].argmax(1)] == labels).float().mean() > 0.85
    assert (logits.argmax(1) == labels).float().mean() > 0.3  # among the thousand


def test_a_file_is_prepared_for_the_first_weights_which_is_told_where_others_differ(tmp_path, caplog, squeezenet):
    torch.save(models.resnet50().state_dict(), tmp_path / "resnet50.pth")
    options = {"name": "resnet50", "weights": str(tmp_path / "resnet50.pth")}
    assert preprocessing_of(torchvision_classifier, options)(1000).crop_from == 256
    assert "images are prepared for IMAGENET1K_V1, since a file does not tell" in caplog.text
    assert "IMAGENET1K_V2 expects them otherwise: set data.crop_from" in caplog.text
    caplog.clear()
    preprocessing_of(torchvision_classifier, options)(10)  # a new head takes no cut
    preprocessing_of(torchvision_classifier, {"name": "resnet50", "weights": "IMAGENET1K_V2"})(1000)
    preprocessing_of(torchvision_classifier, {"name": "squeezenet1_1", "weights": squeezenet[1]})(1000)
    assert caplog.text == ""


WEIGHTS = "torchvision.models._api.WeightsEnum.get_state_dict"


def test_torchvisions_weights_by_name(squeezenet, monkeypatch):
    asked = []
    monkeypatch.setattr(
        WEIGHTS, lambda self, **options: (asked.append((self.name, options)), torch.load(squeezenet[1]))[1]
    )
    network = torchvision_classifier(1000, "squeezenet1_1", "DEFAULT").eval()
    assert torch.equal(network(images()), squeezenet[0](images()))
    assert asked == [("IMAGENET1K_V1", {"progress": True, "check_hash": True})]


def unreachable(*arguments, **options):
    raise OSError("no route to host\nand more")


def test_a_download_that_fails_is_one_sentence(monkeypatch):
    monkeypatch.setattr(WEIGHTS, unreachable)
    with pytest.raises(ValueError, match=r"the download failed \(no route to host\); give a path instead"):
        torchvision_classifier(1000, "squeezenet1_1", "DEFAULT")
    monkeypatch.setattr(timm, "create_model", unreachable)
    sentence = r"the weights of resnet18.a1_in1k could not be had \(.*no route to host\); give a path instead"
    with pytest.raises(ValueError, match=sentence):
        timm_classifier(1000, "resnet18.a1_in1k")


def test_timms_weights_by_name(monkeypatch):
    torch.manual_seed(0)
    source, make, asked = timm.create_model("resnet18.a1_in1k").eval(), timm.create_model, []

    def create(name, pretrained=False, **options):
        asked.append(pretrained)
        return copy.deepcopy(source) if pretrained else make(name, **options)

    monkeypatch.setattr(timm, "create_model", create)
    kept, new = (timm_classifier(classes, "resnet18.a1_in1k").eval() for classes in (1000, 4))
    assert torch.equal(kept(images()), source(images()))
    assert new(images()).shape == (2, 4)
    assert torch.equal(new.conv1.weight, source.conv1.weight)
    assert True in asked


@pytest.mark.parametrize(
    ("make", "package", "extra"),
    [(timm_classifier, "timm", "timm"), (huggingface_classifier, "transformers", "huggingface")],
)
def test_a_package_that_is_not_installed_is_named(make, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"model={extra} needs the package {package}; install it, or unhans with the"):
        make(3, "any")
