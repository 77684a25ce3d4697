"""LRP in float32 computes with all bits of it, and puts the switches of TensorFloat-32 back."""

from __future__ import annotations

import threading

import pytest
import torch
from lrp_networks import Written
from torch import nn

from unhans.lrp import LRP
from unhans.lrp.numerics import _switches, whole_float32


def flags():
    return [switch.fp32_precision for switch in _switches()]


EXACT = ["ieee"] * len(flags())


@pytest.fixture(autouse=True, params=["default", "high"])
def _precision(request):
    before = torch.get_float32_matmul_precision()
    if request.param == "high":
        torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before)


def watched():
    seen = []
    model = Written(lambda net, x: (seen.append(flags()), net.fc(x))[1], fc=nn.Linear(4, 2))
    return model, seen


@pytest.mark.parametrize("call", ["attribute", "conservation", "layers"])
def test_switches_are_off_inside_and_back_outside(call):
    model, seen = watched()
    before, arguments = flags(), () if call == "layers" else (1,)
    assert before != EXACT
    getattr(LRP(model), call)(torch.ones(2, 4), *arguments)
    assert seen == [EXACT]
    assert flags() == before
    torch.backends.cudnn.allow_tf32  # noqa: B018 the older switch can still be read


def test_they_are_back_after_an_error():
    before = flags()
    with pytest.raises(ValueError, match="expected classes"):
        LRP(nn.Linear(4, 2)).attribute(torch.ones(2, 4), 9)
    assert flags() == before


def test_the_last_of_several_threads_puts_them_back():
    before, entered, leave = flags(), threading.Event(), threading.Event()

    def hold():
        with whole_float32():
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(30)
    with whole_float32():
        pass
    inside = flags()
    leave.set()
    thread.join()
    assert inside == EXACT
    assert flags() == before
