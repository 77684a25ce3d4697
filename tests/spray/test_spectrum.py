import numpy as np
import pytest
from scipy.sparse import block_diag, csr_array
from scipy.sparse.linalg import ArpackError
from scipy.sparse.linalg import eigsh as scipy_eigsh
from sklearn.manifold import spectral_embedding

from unhans.spray.spectral import eigengap, euclidean_neighbours, knn_affinity, laplacian_spectrum
from unhans.spray.spectral import laplacian as spectrum


def random():
    return np.random.RandomState(0)


def ring(n):
    step = np.roll(np.eye(n), 1, axis=1)
    return csr_array(step + step.T)


def clique(n):
    return np.ones((n, n)) - np.eye(n)


def knn(n, seed=0):
    return knn_affinity(euclidean_neighbours(np.random.default_rng(seed).normal(size=(n, 6)), 10))


def literal(affinity):
    """L_sym entry by entry, and its whole spectrum."""
    a = affinity.toarray()
    degree = a.sum(1)
    n = len(a)
    laplacian = np.array(
        [[(i == j) - a[i, j] / np.sqrt(degree[i] * degree[j]) for j in range(n)] for i in range(n)],
    )
    return laplacian, np.linalg.eigvalsh(laplacian)


def assert_solves(affinity, q, atol=1e-9):
    """The q smallest eigenvalues of the literal Laplacian are found, with orthonormal eigenvectors of them."""
    laplacian, expected = literal(affinity)
    values, vectors = laplacian_spectrum(affinity, q, random())
    np.testing.assert_allclose(values, expected[:q], atol=1e-10)
    np.testing.assert_allclose(laplacian @ vectors, vectors * values, atol=atol)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(q), atol=atol)
    return values


@pytest.mark.parametrize("dense", [spectrum.DENSE, 0])
@pytest.mark.parametrize(("n", "q"), [(40, 32), (40, 40), (120, 32), (120, 5)])
def test_values_and_vectors_solve_the_literal_laplacian(n, q, dense, monkeypatch):
    monkeypatch.setattr(spectrum, "DENSE", dense)
    assert_solves(knn(n), q)


@pytest.mark.parametrize("n", [30, 31, 100])
def test_ring(n):
    values, _ = laplacian_spectrum(ring(n), n, random())
    np.testing.assert_allclose(values, np.sort(1 - np.cos(2 * np.pi * np.arange(n) / n)), atol=1e-12)


def test_two_cliques():
    values, vectors = laplacian_spectrum(csr_array(block_diag([clique(6), clique(4)])), 10, random())
    np.testing.assert_allclose(values, [0, 0] + [6 / 5] * 5 + [4 / 3] * 3, atol=1e-12)
    assert np.ptp(vectors[:6, :2], axis=0).max() < 1e-12  # constant on each clique
    assert eigengap(values) == (2, pytest.approx(6 / 5))


@pytest.mark.parametrize("components", [1, 4, 12])
def test_one_zero_per_connected_component(components):
    affinity = csr_array(block_diag([knn(25, seed) for seed in range(components)]))
    values, _ = laplacian_spectrum(affinity, 10, random())
    assert (values < 1e-10).sum() == min(components, 10)
    assert values.min() >= 0
    assert values.max() <= 2


def test_components_with_the_same_spectrum_contribute_every_copy():
    assert_solves(csr_array(block_diag([knn(60, 0)] * 3)), 12)


@pytest.mark.parametrize("q", [2, 3, 4, 40])
def test_vectors_of_zero_are_the_components_the_largest_first(q):
    parts = [knn(12, 0), knn(30, 1), knn(30, 2)]
    order = np.random.default_rng(0).permutation(72)
    affinity = csr_array(block_diag(parts).tocsr()[order][:, order])
    owner = np.repeat([0, 1, 2], [12, 30, 30])[order]
    first, second = sorted((1, 2), key=lambda part: np.flatnonzero(owner == part)[0])
    values, vectors = laplacian_spectrum(affinity, q, random())
    degree = affinity.toarray().sum(axis=1)
    for column, part in enumerate((first, second, 0)[:q]):
        expected = np.where(owner == part, np.sqrt(degree), 0)
        np.testing.assert_allclose(vectors[:, column], expected / np.linalg.norm(expected), atol=1e-14)
    assert not values[:3].any()
    assert (values[3:] > 1e-3).all()


def test_more_components_than_eigenvalues_are_only_zeros():
    values, vectors = laplacian_spectrum(csr_array(block_diag([clique(3), *[clique(4)] * 9])), 5, random())
    assert not values.any()
    np.testing.assert_array_equal(np.flatnonzero(vectors.any(axis=1)), np.arange(3, 23))


def test_spans_the_subspace_of_scikit_learn():
    affinity = knn(90)
    vectors = laplacian_spectrum(affinity, 5, random())[1]
    degree = np.asarray(affinity.sum(1)).ravel()
    theirs = spectral_embedding(affinity, n_components=5, drop_first=False, random_state=0)
    theirs = theirs * np.sqrt(degree)[:, None]
    theirs, ours = np.linalg.qr(theirs)[0], np.linalg.qr(vectors)[0]
    np.testing.assert_allclose(np.linalg.svd(ours.T @ theirs)[1], 1, atol=1e-6)


def test_signs_do_not_depend_on_the_start_vector(monkeypatch):
    monkeypatch.setattr(spectrum, "DENSE", 0)
    affinity = knn(90)
    one = laplacian_spectrum(affinity, 4, np.random.RandomState(1))[1]
    np.testing.assert_allclose(one, laplacian_spectrum(affinity, 4, np.random.RandomState(2))[1], atol=1e-8)


def test_eigengap_is_the_largest_difference_and_comes_after_all_where_there_is_none():
    assert eigengap(np.array([0, 0.01, 0.02, 0.5, 0.6])) == (3, pytest.approx(0.48))
    assert eigengap(np.zeros(7)) == (7, 0)


def test_every_copy_of_a_repeated_eigenvalue_is_found():
    maps = np.random.default_rng(0).normal(size=(400, 49))
    maps[:12] = 0  # near to all others, so that the graph is full of stars
    values = assert_solves(knn_affinity(euclidean_neighbours(maps, 10)), 32)
    np.testing.assert_allclose(values[29:], values[29], atol=1e-10)  # three copies


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_where_arpack_gives_up_another_way_is_found(failures, monkeypatch):
    bases = []

    def eigsh(*args, ncv, **kwargs):
        bases.append(ncv)
        if len(bases) <= failures:
            raise ArpackError(3)
        return scipy_eigsh(*args, ncv=ncv, **kwargs)

    monkeypatch.setattr(spectrum, "DENSE", 0)
    monkeypatch.setattr(spectrum, "eigsh", eigsh)
    assert_solves(knn(150), 5, atol=1e-7)
    assert bases == [20, 40, 80][: failures + 1]


def test_eigenvectors_that_are_not_found_are_an_error(monkeypatch):
    def eigsh(*args, **kwargs):
        raise ArpackError(3)

    def lobpcg(matrix, start, **kwargs):
        return np.ones(start.shape[1]), start

    monkeypatch.setattr(spectrum, "DENSE", 0)
    monkeypatch.setattr(spectrum, "eigsh", eigsh)
    monkeypatch.setattr(spectrum, "lobpcg", lobpcg)
    sentence = "5 eigenvectors of a graph of 90 samples were not found: residual"
    with pytest.raises(ValueError, match=sentence) as caught:
        laplacian_spectrum(knn(90), 5, random())
    assert isinstance(caught.value.__cause__, ArpackError)


def test_where_the_driver_for_some_eigenvectors_fails_all_are_computed(monkeypatch):
    graph, real = knn_affinity(np.array([[1, 2], [0, 2], [0, 1], [0, 1]])), spectrum.eigh
    expected = spectrum.laplacian_spectrum(graph, 3, np.random.RandomState(0))[0]

    def failing(matrix, **options):
        if "subset_by_index" in options:
            raise spectrum.LinAlgError("Internal Error.")
        return real(matrix, **options)

    monkeypatch.setattr(spectrum, "eigh", failing)
    found = spectrum.laplacian_spectrum(graph, 3, np.random.RandomState(0))[0]
    np.testing.assert_allclose(found, expected, atol=1e-12)
