"""Models on the same images: other classes, other sizes, what is stored, effects, and masks seen by each other."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import adjusted_rand_score
from torch import nn
from torch.utils.data import Dataset

import unhans
from unhans.artifacts import Patch
from unhans.attribution import ExtremalPerturbation, InputXGradient
from unhans.comparison import Choice, ImageMasks, Reasons
from unhans.experiment.compare.compared_model import Asked, ComparedModel, SampleSet, Viewing, see_through
from unhans.experiment.compare.comparison_files import _write_before_after
from unhans.experiment.compare.comparison_run import compare_views, sample_set
from unhans.experiment.compare.model_loading import check_squaring, folder_names, renamed, training_settings
from unhans.experiment.compare.model_settings import check_twins, differing, twins_of
from unhans.influence import last_stages, two_clusters
from unhans.report.text.models import comparison_sentences
from unhans.spray import SpRAy
from unhans.terminal import ConfigurationError

CLASSES = ["cat", "dog", "owl"]


class Pictures(Dataset):
    """Bright images; of one class the upper half is brighter. Unreadable ones are None."""

    def __init__(self, side=16, classes=CLASSES, broken=()):
        rng = np.random.default_rng(0)
        self.targets, self.classes, self.broken = np.repeat(np.arange(len(classes)), 12).tolist(), classes, broken
        coarse = torch.from_numpy(rng.uniform(0, 1, (len(self.targets), 3, 8, 8)).astype(np.float32))
        self.images = nn.functional.interpolate(coarse, (side, side))

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return None if index in self.broken else (self.images[index], self.targets[index])


class Reads(nn.Module):
    """Each logit is the contrast in a quarter of the image, which a blur takes away."""

    def __init__(self, classes=3, offset=0, strength=60.0):
        super().__init__()
        self.classes, self.offset = classes, offset
        self.strength = nn.Parameter(torch.tensor(strength))

    def forward(self, images):
        half, contrast = images.shape[-1] // 2, (images - 0.5).square()
        quarters = [contrast[:, :, i : i + half, j : j + half].mean((1, 2, 3)) for i in (0, half) for j in (0, half)]
        return torch.stack([quarters[(each + self.offset) % 4] for each in range(self.classes)], 1) * self.strength


def model(name, side=16, classes=CLASSES, offset=0, **options):
    data = Pictures(side, CLASSES, options.pop("broken", ()))
    return ComparedModel(name, Reads(len(classes), offset).eval(), data, classes, **options)


HOW = Viewing(InputXGradient(), batch_size=7)


def run(models, how=HOW, masked=0, **options):
    samples, left_out = sample_set(models, masked=masked)
    return compare_views(models, samples, left_out, how, effect_samples=0, **options)


def test_models_of_other_sizes_and_orders_of_classes_agree_where_they_read_the_same():
    class Reordered(Reads):
        def forward(self, images):
            return super().forward(images)[:, [2, 0, 1]]

    other = ComparedModel("b", Reordered().eval(), Pictures(32), ["owl", "cat", "dog"])
    found, _ = run([model("a"), other])
    (agreement,) = found.predictions.values()
    assert agreement.agreement == 1
    (over_all,) = [one for one in found.pairs if one.measure == "cosine" and one.label is None]
    assert over_all.found.median == pytest.approx(0, abs=1e-5)
    assert found.views["a"].heatmaps.shape == found.views["b"].heatmaps.shape == (36, 16, 16)


def test_classes_that_not_all_models_have_are_left_out_and_told():
    found, _ = run([model("a"), model("b", classes=["cat", "dog", "fox", "owl"])])
    assert found.left_out == ["fox"]
    assert (found.common, list(found.names)) == (3, ["cat", "dog", "owl", "fox"])
    few, _ = run([model("a"), model("b", classes=["cat", "dog"])])
    assert few.left_out == ["owl"]
    assert set(few.labels) == {0, 1}
    with pytest.raises(ValueError, match=r"classes that the data and all models have \(there are none\)"):
        sample_set([model("a"), model("b", classes=["x", "y"])])
    with pytest.raises(ValueError, match="got 'owl'"):
        sample_set([model("a"), model("b", classes=["cat", "dog"])], classes=["owl"])


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([model("a")], "at least two models, got 1"),
        ([model("a"), model("a")], "got 'a' twice"),
        ([model("a"), replace(model("b"), dataset=torch.utils.data.Subset(Pictures(), range(5)))], "has 5 of them"),
        (
            [model("a"), replace(model("b"), dataset=torch.utils.data.Subset(Pictures(), range(35, -1, -1)))],
            "in the same",
        ),
        ([model("a"), model("b", classes=["cat", "dog", "cat"])], "two outputs called 'cat'"),
    ],
)
def test_what_cannot_be_compared_is_refused(models, message):
    with pytest.raises(ValueError, match=message):
        sample_set(models)


def test_images_that_one_model_cannot_read_are_left_out_for_all():
    found, _ = run([model("a"), model("b", broken=(3, 20))])
    assert len(found.labels) == 34
    assert not {3, 20} & set(found.index.tolist())
    with pytest.raises(ValueError, match="can be read"):
        run([model("a"), model("b", broken=range(36))])


def test_what_a_model_said_is_kept_until_something_changes(tmp_path):
    models = [model("a"), model("b", offset=1)]
    said = []
    how = replace(HOW, folder=tmp_path, say=lambda text, images: said.append(text))
    first, again = run(models, how)
    assert again == []
    said.clear()
    second, again = run(models, how)
    assert (again, sorted(set(said))) == ([], ["a", "b"]), "nothing is measured again"
    assert np.array_equal(first.views["a"].heatmaps, second.views["a"].heatmaps)
    models[1] = replace(models[1], network=Reads(offset=1, strength=7.0))
    _, again = run(models, how)
    assert again == ["b: model.weights has changed", "b: model.answers has changed"]
    models[1] = replace(models[1], network=Reads(offset=2, strength=7.0))
    assert run(models, how)[1] == ["b: model.answers has changed"], "the same weights, used in another way"
    (tmp_path / "0000.npz").write_bytes(b"no archive")
    assert run(models, how)[1] == ["a: 0000.npz is damaged"]


def test_a_model_sees_less_through_the_masks_of_one_that_looks_elsewhere():
    models = [model("a"), model("b", side=32, offset=2), model("twin")]
    samples, _ = sample_set(models, masked=2)
    assert samples.masked.sum() == 6
    how = replace(HOW, masks=ExtremalPerturbation(area=0.25, steps=40, start="relevance"))
    found, _ = compare_views(models, samples, [], how, effect_samples=0)
    assert found.views["a"].masks.rows.tolist() == np.flatnonzero(samples.masked).tolist()
    assert {view.masks.size for view in found.views.values()} == {(16, 16)}
    masked = {one.second: one.found.median for one in found.pairs if one.measure == "masks" and one.label is None
              and one.first == "a"}  # fmt: skip
    assert masked["twin"] < 0.2 < masked["b"]
    through = found.views["a"].through
    assert np.nanmean(through["a"] - through["b"]) > np.nanmean(through["a"] - through["twin"]) + 0.05


def test_a_model_is_asked_through_masks_as_they_are_given():
    """The whole image kept is the image itself; nothing kept is the blurred one."""
    samples = SampleSet(CLASSES, 3, np.arange(36), np.repeat(np.arange(3), 12), np.ones(36, bool))
    asked = Asked(0, model("a"), samples, HOW)
    some, every = np.r_[:4, 5:36], np.arange(36)
    masks = {
        "all": ImageMasks.of(some, np.ones((35, 16, 16))),
        "none": ImageMasks.of(every, np.zeros((36, 16, 16))),
    }
    found = see_through(asked, masks)
    plain = torch.softmax(Reads()(Pictures().images), 1)[np.arange(36), samples.labels].detach().numpy()
    known = np.arange(36) != 4
    assert found["all"][known] == pytest.approx(plain[known], abs=1e-5)
    assert np.isnan(found["none"][4])
    assert np.nanstd(found["none"]) < 0.5 * np.nanstd(plain)


def test_an_artifact_is_held_against_the_same_images_in_every_model(tmp_path):
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:] = 255
    Image.fromarray(picture).save(tmp_path / "mark.png")
    mark = Patch("cat", tmp_path / "mark.png", placement="top_left")

    class Reordered(Reads):
        def forward(self, images):
            return super().forward(images)[:, [2, 0, 1]]

    other = ComparedModel("not", Reordered(offset=3).eval(), Pictures(), ["owl", "cat", "dog"])
    models = [model("reads"), other]
    samples, left = sample_set(models)
    found, _ = compare_views(models, samples, left, HOW, artifacts={"mark": (mark, "cat")}, effect_samples=16)
    one, two = found.effects
    assert (one.model, one.n, two.n) == ("reads", 16, 16)
    assert one.probability > 0.3 > two.probability
    assert np.array_equal(one.index, two.index)
    (difference,) = found.differences
    assert difference.difference == pytest.approx(np.mean(one.changes - two.changes))
    assert difference.interval[0] > 0
    assert found.recommendation.choice in (Choice.LEAST_EFFECT, Choice.NOTHING_PROVEN)
    apart = dict(zip(one.index.tolist(), np.abs(one.changes - two.changes), strict=True))
    shown = [example.index for example in one.examples]
    assert shown == [example.index for example in two.examples]
    assert min(apart[i] for i in shown) >= sorted(apart.values())[-3]
    for example, same in zip(one.examples, two.examples, strict=True):
        torch.testing.assert_close(example.images, same.images)
        assert example.images[1, :, 0, 0].tolist() == [1, 1, 1] != example.images[0, :, 0, 0].tolist()
        assert np.diff(example.probabilities)[0] - np.diff(same.probabilities)[0] == pytest.approx(
            (one.changes - two.changes)[one.index.tolist().index(example.index)], abs=1e-5
        )
    (path,) = _write_before_after(found, "toy", tmp_path)
    assert path.name == "0000-mark.jpg"
    with Image.open(path) as drawn:
        assert drawn.width > 800


def test_images_that_a_model_was_trained_on_are_left_out():
    seen = np.zeros(36, bool)
    seen[[0, 14]] = True
    found, _ = run([model("a"), replace(model("b"), seen=seen)])
    assert (found.seen, len(found.labels)) == (2, 34)
    assert not {0, 14} & set(found.index.tolist())
    with pytest.raises(ValueError, match="among the training images"):
        sample_set([model("a"), replace(model("b"), seen=np.ones(36, bool))])


def test_outputs_that_have_no_names_are_refused():
    with pytest.raises(ValueError, match="'b' has 4 outputs, but names of 3"):
        run([model("a"), replace(model("b"), network=Reads(classes=4))])


def test_twins_differ_in_the_seed_only():
    settings = {"data": {"seed": 0, "size": 8}, "model": {"name": "x"}, "seed": 0}
    audited = settings | {"seed": 1, "callbacks": {"audit": {"seed": 1, "spray": {"random_state": 1}}}}
    three = {
        "a": settings | {"callbacks": {"audit": {"seed": 0, "spray": {"random_state": 0}}}}, "b": audited,
        "c": audited | {"model": {"name": "y"}},
    }  # fmt: skip
    assert twins_of(three) == [("a", "b")]
    assert twins_of({"a": {}, "b": {}}) == [], "of models that nobody knows anything about"
    assert twins_of({"a": settings, "same": settings}) == [], "the same training twice is no twin"
    assert check_twins([["a", "b", "c"]], "abc") == [("a", "b"), ("a", "c"), ("b", "c")]
    assert check_twins([["b", "a", "b"], ["a", "b"]], "abc") == [("a", "b")], "in the order of the models, once"
    with pytest.raises(ValueError, match="groups of two or more names"):
        check_twins([["a", "x"]], "abc")
    assert differing({name: {**each, "callbacks": None} for name, each in three.items()})["c"] == {
        "model.name": "y",
        "seed": 1,
    }
    planted = {"a": settings | {"artifact": {"_target_": "x.Mark", "size": 1}}, "b": settings | {"artifact": {}}}
    assert differing(planted) == {"a": {"artifact": "Mark"}, "b": {"artifact": "none"}}


def test_audits_are_no_difference_of_training_and_what_acts_is(tmp_path):
    run = "seed: 0\nout: /runs/x\ndata: {root: /runs/x/images, size: 8}\ncallbacks: {audit: {every: 1}%s}\n"
    for name, acting in (("plain", ""), ("acts", ", loop: {act: augment}"), ("dry", ", loop: {act: none}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(run % acting)
    found = {name: training_settings(tmp_path / name / "last.ckpt") for name in ("plain", "acts", "dry")}
    assert found["plain"] == found["dry"]
    assert found["acts"]["callbacks"] == {"loop": {"act": "augment"}}
    assert found["plain"]["data"] == {"root": None, "size": 8}, "folders of the run itself are no difference"
    assert training_settings(tmp_path / "last.ckpt") == {}


def test_models_are_called_as_their_runs_are():
    assert folder_names(["r/a/checkpoints/last.ckpt", "r/b/checkpoints/last.ckpt"]) == ["a", "b"]
    assert folder_names(["x/0/checkpoints/last.ckpt", "y/0/checkpoints/last.ckpt"]) == ["x/0", "y/0"]
    assert folder_names(["one.pth", "two.pth"]) == ["one", "two"]
    assert folder_names(["r/a/checkpoints/epoch=0.ckpt", "r/a/checkpoints/last.ckpt"]) == ["epoch=0", "last"]
    assert len(set(folder_names(["same.pth", "same.pth"]))) == 2
    assert [each.name for each in renamed([model("a"), model("b")], ["x", "y"])] == ["x", "y"]
    with pytest.raises(ValueError, match="one for each of 2 models, got 1"):
        renamed([model("a"), model("b")], ["x"])


def test_the_call_in_python_compares_and_writes(tmp_path):
    """`unhans.compare`, with a data set for each model, twins by name and a folder that is found again."""
    networks = {"a": Reads(), "b": Reads(strength=50.0), "moved": Reads(offset=2)}
    datasets = {"a": Pictures(), "b": Pictures(32), "moved": Pictures()}
    options = {"twins": [("a", "b")], "attribution": InputXGradient(), "spray": SpRAy(n_neighbors=4, projection=None)}
    found = unhans.compare(networks, datasets, out=tmp_path, effect_samples=0, **options)
    assert found.twins == [("a", "b")]
    apart = {(one.first, one.second) for one in found.pairs if one.found.reasons is Reasons.DIFFERENT}
    assert ("a", "moved") in apart
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "models" / "0001.npz").is_file()
    assert unhans.compare(networks, Pictures(), effect_samples=0, attribution=InputXGradient()).twins == []
    with pytest.raises(ValueError, match="got none for 'b'"):
        unhans.compare(networks, {"a": Pictures()})


def test_influence_is_ranked_by_every_model_and_equals_flattened_gradients(tmp_path):
    """The same network twice and another one; one training image cannot be read by one of them."""

    class Net(nn.Module):
        def __init__(self, seed):
            super().__init__()
            torch.manual_seed(seed)
            self.body = nn.Conv2d(3, 4, 3)
            self.head = nn.Linear(4, 3)

        def forward(self, images):
            return self.head(self.body(images).relu().mean((2, 3)))

    models = [
        ComparedModel(name, Net(seed).eval(), Pictures(), CLASSES, training=Pictures(broken=broken))
        for name, seed, broken in (("a", 0, (5,)), ("same", 0, ()), ("b", 1, ()))
    ]
    samples, left = sample_set(models, queries=6, training=6)
    assert (samples.queries.sum(), len(samples.training)) == (18, 18)
    how = replace(HOW, spray=SpRAy(n_neighbors=3), folder=tmp_path)
    found, _ = compare_views(models, samples, left, how, effect_samples=0)
    again, reasons = compare_views(models, samples, left, how, effect_samples=0)
    assert reasons == []
    assert np.array_equal(found.views["b"].clusters, again.views["b"].clusters)
    over_all = {(one.first, one.second): one.found for one in found.pairs
                if one.measure == "influence" and one.label is None}  # fmt: skip
    assert over_all["a", "same"].median == pytest.approx(0, abs=1e-6)
    assert over_all["a", "b"].median > 0.01
    row = np.flatnonzero(samples.queries)[9]
    ranked = [i for i in samples.training if i != 5 or 5 not in samples.training]
    network, pictures = models[2].network.double(), Pictures()

    def gradient(index):
        logits = network(pictures.images[index][None].double())
        loss = nn.functional.cross_entropy(logits, torch.tensor([pictures.targets[index]]))
        layers = last_stages(network, 2e9)
        parameters = [p for layer in layers for p in network.get_submodule(layer).parameters()]
        return torch.cat([each.flatten() for each in torch.autograd.grad(loss, parameters)])

    query = gradient(samples.index[row])
    expected = [float(nn.functional.cosine_similarity(query, gradient(i), dim=0)) for i in ranked]
    assert found.views["b"].influence[row] == pytest.approx(expected, abs=1e-4)
    own = np.flatnonzero(samples.queries & (samples.labels == 1))
    flat = torch.stack([nn.functional.normalize(gradient(samples.index[i]), dim=0) for i in own])
    clusters = found.views["b"].clusters
    assert adjusted_rand_score(clusters[own], two_clusters(flat @ flat.T, SpRAy(n_neighbors=3))) == 1
    assert set(clusters[own]) <= {2, 3}
    assert (clusters[~samples.queries] == -1).all()
    (alike,) = [one.found for one in found.pairs if one.measure == "gradient clusters" and one.label is None
                and (one.first, one.second) == ("a", "same")]  # fmt: skip
    assert alike.median == 0
    assert not [each for each in comparison_sentences(found) if "not clustered" in each]
    few, _ = compare_views(models, samples, left, HOW, effect_samples=0)
    assert [each for each in comparison_sentences(few) if "gradients of 3 of 3 classes are not clustered" in each]
    with pytest.raises(ValueError, match="got none for 'x'"):
        sample_set([models[0], model("x")], queries=1)


def test_models_that_see_other_parts_of_an_image_are_not_compared_place_by_place():
    squash = SimpleNamespace(resize="squash", crop_from=None, image_size=64)
    crop = SimpleNamespace(resize="crop", crop_from=256, image_size=224)
    check_squaring("b", squash, "a", squash)
    check_squaring("b", crop, "a", SimpleNamespace(resize="crop", crop_from=128, image_size=112))
    with pytest.raises(ConfigurationError, match=r"'b' sees images by data\.resize=crop .* give data\.resize"):
        check_squaring("b", crop, "a", squash)
