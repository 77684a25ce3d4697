"""The ranking of one query, the mean influence on several, and the layers that are taken where none are named."""

from __future__ import annotations

import numpy as np
import pytest
from torchvision import models

from unhans.influence import Training, last_stages, mean_influence, query_influence
from unhans.models import SmallCNN

TRAINING = Training(np.array([10, 11, 12, 13, 14]), np.array([0, 0, 0, 1, 1]), np.array([1, 0, 1, 0, 1], bool))
SCORES = np.array([0.1, 0.9, 0.8, -0.5, 0.7], dtype=np.float32)


def test_a_ranking_by_hand():
    one = query_influence(99, 0, 1, False, True, SCORES, TRAINING, [1, 2, 4])
    assert one.order.tolist() == [1, 2, 4, 0, 3]
    assert one.scores == pytest.approx([0.9, 0.8, 0.7, 0.1, -0.5])
    assert one.precision == pytest.approx({1: 0, 2: 1 / 2, 4: 2 / 4})  # the carrier of class 1 carries another artifact
    assert one.average_precision == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert one.chance == pytest.approx((2 / 3, 2 / 5))
    assert one.agreement == pytest.approx({1: 1, 2: 1, 4: 3 / 4})
    assert one.carries is True


def test_a_training_image_is_not_held_to_itself():
    one = query_influence(11, 0, 0, True, False, SCORES, TRAINING, [2])
    assert one.order.tolist() == [2, 4, 0, 3]
    assert one.precision == {2: 1 / 2}
    assert one.chance == pytest.approx((2 / 2, 2 / 4))


@pytest.mark.parametrize("carriers", [None, np.array([0, 0, 0, 1, 1], bool)])
def test_a_class_without_known_carriers_has_no_precision(carriers):
    training = Training(TRAINING.index, TRAINING.labels, carriers)
    one = query_influence(99, 0, 0, False, False, SCORES, training, [2])
    assert (one.precision, one.chance, one.carries) == ({}, None, None)
    assert np.isnan(one.average_precision)
    assert one.agreement == {2: 1}


def test_an_image_does_not_teach_itself():
    scores = np.array([[1.0, 0.2, 0.4], [0.3, 1.0, 0.6]])
    assert mean_influence(scores, np.array([7, 8]), np.array([7, 8, 9])) == pytest.approx([0.3, 0.2, 0.5])
    assert np.isnan(mean_influence(scores[:1], np.array([7]), np.array([7, 8, 9]))[0])


def test_the_later_half_as_far_as_memory_allows():
    resnet = models.resnet18(num_classes=5)
    assert last_stages(resnet, 2e9) == ["layer3", "layer4", "fc"]
    sizes = [sum(p.numel() for p in part.parameters()) for part in (resnet.layer3, resnet.layer4, resnet.fc)]
    assert sum(sizes) == 10_496_005
    assert last_stages(resnet, 80 * sum(sizes)) == ["layer3", "layer4", "fc"]
    assert last_stages(resnet, 80 * sum(sizes) - 1) == ["layer4", "fc"]
    assert last_stages(resnet, 1) == ["fc"]


def test_parts_that_hold_nearly_everything_are_opened():
    squeezenet = ["features.9", "features.10", "features.11", "features.12", "classifier"]
    assert last_stages(models.squeezenet1_1(num_classes=10), 2e9) == squeezenet
    assert last_stages(SmallCNN(10), 2e9) == ["features.2", "classifier"]
    assert last_stages(models.vgg16(num_classes=10), 2e9) == ["classifier.3", "classifier.6"]
    transformer = models.vit_b_32(num_classes=10)
    names = last_stages(transformer, 2e9)
    assert names[-2:] == ["encoder.ln", "heads"]
    assert set(names[:-2]) == {f"encoder.layers.encoder_layer_{i}" for i in (9, 10, 11)}
