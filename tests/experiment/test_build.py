"""What is built from a configuration."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from unhans.experiment.run import build_data


class Fetched:
    """Data that cannot be set up before they are fetched."""

    def __init__(self, artifact=None):
        self.calls = []

    def prepare_data(self):
        self.calls.append("prepare")

    def setup(self):
        self.calls.append("set up")


@pytest.mark.parametrize("rank", ["0", "1"])
def test_no_process_reads_files_that_another_is_still_fetching(rank, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", rank)
    data = build_data(OmegaConf.create({"data": {"_target_": f"{__name__}.Fetched"}}))
    assert data.calls == ["prepare", "set up"]
