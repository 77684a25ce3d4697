"""Image gradients and their inverse."""

import pytest
import torch

from unhans.isolation.fixed import gradients
from unhans.isolation.fixed.discriminant import divergence, integrate

SHAPES = [(3, 6, 9), (1, 1, 7), (2, 5, 1), (4, 2, 16, 8), (8, 8)]


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_differences_by_hand():
    image = torch.tensor([[1.0, 4.0, 9.0], [0.0, 2.0, 2.0]])
    right, down = gradients(image)
    assert right.tolist() == [[3, 5, 0], [2, 0, 0]]
    assert down.tolist() == [[-1, -2, -7], [0, 0, 0]]


@pytest.mark.parametrize("shape", SHAPES)
def test_divergence_is_minus_the_adjoint(shape):
    image, field = noise(*shape), noise(2, *shape) - 0.5
    assert (field * gradients(image)).sum() == pytest.approx(-float((divergence(field) * image).sum()))


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_is_its_integrated_gradients_but_for_the_mean(shape):
    image = noise(*shape)
    expected = image - image.mean((-2, -1), keepdim=True)
    torch.testing.assert_close(integrate(gradients(image)), expected)


def test_integration_is_the_least_squares_solution():
    field = noise(2, 4, 5) - 0.5
    unit = torch.eye(20, dtype=torch.float64).reshape(20, 4, 5)
    matrix = gradients(unit).permute(0, 2, 3, 1).reshape(40, 20)
    used = field.clone()
    used[0, :, -1], used[1, -1] = 0, 0  # no gradient there
    solution = torch.linalg.pinv(matrix) @ used.reshape(40)
    torch.testing.assert_close(integrate(field).reshape(20), solution)


def test_the_input_is_left_alone():
    field = noise(2, 4, 5)
    before = field.clone()
    integrate(field)
    assert torch.equal(field, before)
