"""A run's folder with a few small classes."""

from contextlib import contextmanager

import pytest
from stored_class import KEY, NAMES, add_maps, audit_of

from unhans.spray import suspicion_of
from unhans.store.virelay import class_files, save_analysis, write_project


@pytest.fixture
def files(tmp_path):
    return class_files(tmp_path, 0, NAMES[0])


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """Two of three classes are done; one has fewer samples than the other."""
    out = tmp_path_factory.mktemp("run")
    for label, n in ((0, 40), (1, 16)):
        files = class_files(out, label, NAMES[label])
        add_maps(files, label, n)
        audit = audit_of(files, label, NAMES[label])
        save_analysis(files, audit, suspicion_of(audit), KEY)
    write_project(out, "run 7", "small net", NAMES, [0, 1], "LRP ε", dataset="three")
    return out


@pytest.fixture
def small_files():
    """Return a context in which files grow no further than is asked for, as on a full disk.

    It ends before the test does: the log of the tests may be larger.
    """
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    @contextmanager
    def limited(room):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
