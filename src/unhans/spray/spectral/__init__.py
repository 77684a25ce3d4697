"""The neighbour graph of heatmaps, its Laplacian's spectrum, and normalised cuts."""

from unhans.spray.spectral.graph_cuts import normalised_cuts, sweep_cut
from unhans.spray.spectral.knn_graph import (
    APPROXIMATE,
    Neighbours,
    Symmetrisation,
    check_count,
    check_neighbours,
    euclidean_neighbours,
    knn_affinity,
    neighbour_count,
    neighbours_in,
)
from unhans.spray.spectral.laplacian import eigengap, laplacian_spectrum

__all__ = [
    "APPROXIMATE",
    "Neighbours",
    "Symmetrisation",
    "check_count",
    "check_neighbours",
    "eigengap",
    "euclidean_neighbours",
    "knn_affinity",
    "laplacian_spectrum",
    "neighbour_count",
    "neighbours_in",
    "normalised_cuts",
    "sweep_cut",
]
