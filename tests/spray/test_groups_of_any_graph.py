"""Which graph the groups that are tested are cut from, whatever graph the spectrum is of."""

import numpy as np

from unhans.spray import SpRAy, propose_groups


def test_groups_come_from_the_mean_of_binary_edges_whatever_the_spectrum_is_of():
    random = np.random.default_rng(0)
    maps = random.normal(size=(40, 4, 4)) + 3 * (np.arange(40) < 15)[:, None, None]
    images = np.zeros((40, 3, 4, 4), np.float32)
    settings = [{}, {"symmetrisation": "max"}, {"edges": "distance"}]
    fitted = [SpRAy(n_neighbors=5, projection=None, n_clusters=(2,), **one).fit(maps) for one in settings]
    assert not np.allclose(fitted[0].eigenvalues_, fitted[1].eigenvalues_)
    assert not np.allclose(fitted[0].eigenvalues_, fitted[2].eigenvalues_)
    plain, *others = (propose_groups(one, maps, {}, images) for one in fitted)
    assert plain
    for groups in others:
        assert [(one.view, one.normalised_cut) for one in groups] == [(one.view, one.normalised_cut) for one in plain]
        assert all((one.members == same.members).all() for one, same in zip(groups, plain, strict=True))
