"""Nearest neighbours under Gromov-Wasserstein against POT's solver pair by pair, and what they miss.

    OMP_NUM_THREADS=1 uv run python tests/benchmarks/gromov_speed.py --brute-force

POT solves a random sample of the pairs; its time for all of them is extrapolated. Times are of one core's work, so that
other work on the machine matters little; with --jobs the search is timed on several processes as well, by the clock.
Heatmaps: scikit-learn's digits, each turned at random; or smooth random relevance.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits

from unhans.spray.metrics import GromovWasserstein
from unhans.spray.metrics.gromov_wasserstein import gromov_wasserstein
from unhans.spray.metrics.pruned_knn import all_pairs
from unhans.spray.spectral import neighbours_in

GOAL, RECALL = 20, 0.98


def digits(count):
    """Return turned digits (count, 28, 28)."""
    random = np.random.default_rng(0)
    images = [np.pad(ndimage.zoom(image, 2, order=1), 6) for image in load_digits().images[:count]]
    turned = [ndimage.rotate(each, random.uniform(0, 360), reshape=False, order=1) for each in images]
    return np.maximum(turned, 0)


def spots(count):
    """Return smooth random relevance (count, 28, 28), most of it in one region."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    maps = []
    for _ in range(count):
        noise = ndimage.gaussian_filter(random.normal(size=(28, 28)), random.uniform(1, 2.5))
        top, left = random.uniform(8, 20, 2)
        window = np.exp(-((y - top) ** 2 + (x - left) ** 2) / 2 / random.uniform(4, 9) ** 2)
        maps.append(np.maximum(noise * window, 0))
    return np.stack(maps)


def rivals(shapes, count):
    """Solve a sample of pairs by POT and by ours, in turn; return both times per pair and both values (count,)."""
    from ot.gromov import gromov_wasserstein2

    random = np.random.default_rng(1)
    pairs = random.permutation(all_pairs(len(shapes)))[:count]
    theirs, ours, times = [], [], []
    for i, j in pairs:
        first, second = shapes[i].fine, shapes[j].fine
        arguments = first.distances, second.distances, first.weights, second.weights
        began = time.process_time()
        theirs.append(np.sqrt(gromov_wasserstein2(*arguments)))
        between = time.process_time()
        ours.append(gromov_wasserstein(shapes[i], shapes[j]))
        times.append((between - began, time.process_time() - between))
    return np.mean(times, axis=0), np.array(theirs), np.array(ours)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--maps", choices=["digits", "spots"], default="digits")
    parser.add_argument("--brute-force", action="store_true", help="measure all pairs as well, for the recall")
    options = parser.parse_args()
    maps = {"digits": digits, "spots": spots}[options.maps](options.count)
    metric, total = GromovWasserstein(), len(all_pairs(options.count))
    (pot, own), theirs, ours = rivals(metric.shapes(maps), options.sample)
    print(f"POT {1000 * pot:.1f} ms a pair, ours {1000 * own:.1f} ms; {options.sample} of {total} pairs")
    lower, higher = np.mean(ours < 0.999 * theirs), np.mean(ours > 1.001 * theirs)
    print(f"our value / POT's: median {np.median(ours / theirs):.3f}, lower in {lower:.0%}, higher in {higher:.0%}")
    began = time.process_time()
    found = metric.neighbours(maps, options.k)
    took = time.process_time() - began
    all_by_pot = pot * total
    faster = all_by_pot / took
    print(
        f"{options.k} neighbours of {options.count}: {took:.1f} s of one core, POT {all_by_pot:.0f} s (extrapolated):"
    )
    print(f"{faster:.1f} × faster (goal on two cores ≥ {GOAL}, so {GOAL / 2:.0f} on one)", flush=True)
    if options.jobs != 1:
        began = time.perf_counter()
        GromovWasserstein(n_jobs=options.jobs).neighbours(maps, options.k)
        print(f"with {options.jobs} processes {time.perf_counter() - began:.1f} s by the clock", flush=True)
    if options.brute_force:
        began = time.process_time()
        true = neighbours_in(metric.distances(maps), options.k)
        recall = np.mean([len(set(a) & set(b)) / options.k for a, b in zip(found, true, strict=True)])
        print(f"recall {recall:.4f} (≥ {RECALL}); all pairs by ours: {time.process_time() - began:.0f} s of one core")


if __name__ == "__main__":
    main()
