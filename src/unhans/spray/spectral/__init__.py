"""The neighbour graph of heatmaps, its Laplacian's spectrum, separability τ and the sweep cut."""

from unhans.spray.spectral.knn_graph import (
    APPROXIMATE,
    Neighbours,
    check_count,
    check_neighbours,
    euclidean_neighbours,
    knn_affinity,
    neighbours_in,
)
from unhans.spray.spectral.laplacian import eigengap, laplacian_spectrum
from unhans.spray.spectral.separability import fisher_separability
from unhans.spray.spectral.sweep_cut import dispersion, smallest, smallest_cut

__all__ = [
    "APPROXIMATE",
    "Neighbours",
    "check_count",
    "check_neighbours",
    "dispersion",
    "eigengap",
    "euclidean_neighbours",
    "fisher_separability",
    "knn_affinity",
    "laplacian_spectrum",
    "neighbours_in",
    "smallest",
    "smallest_cut",
]
