"""A few small classes to store."""

import numpy as np

from unhans.spray import ClassAudit, SpRAy, rank_clusters
from unhans.store.virelay import open_maps, writing_maps

NAMES = ["cat/dog 猫", "n02105855", "owl"]
KEY = {"weights": "3fa", "attribution": {"composite": "epsilon", "stride": (1, 2)}}


def add_maps(files, label, n=40, key=KEY, seed=0, precision="float16"):
    """Store maps of two kinds, the second half with a bright corner, and return what was stored."""
    random = np.random.default_rng([seed, label])
    maps = random.normal(size=(n, 6, 5)).astype(np.float32)
    maps[n // 2 :, :2, :2] += 5
    maps *= 10.0 ** random.integers(-3, 4, (n, 1, 1))
    images = random.integers(0, 256, (n, 3, 12, 10), dtype=np.uint8)
    logits = random.normal(size=(n, len(NAMES))).astype(np.float32)
    with writing_maps(files, n + 7, (6, 5), len(NAMES), (3, 12, 10), key, precision) as writer:
        for rows in (slice(0, 15), slice(15, n)):
            index = np.arange(n)[rows] * 2 + 100
            paths = [f"images/{i}.png" for i in index]
            writer.add(index, index % 2, label, (label + 1) % 3, images[rows], maps[rows], logits[rows], paths)
    return maps, images, logits


def audit_of(files, label, name, **parameters):
    """Cluster the stored maps of a class."""
    stored = open_maps(files)
    options = {"normalisation": "max", "n_clusters": range(2, 12), "projection": None} | parameters
    spray = SpRAy(**options).fit(stored.maps)
    return ClassAudit(
        label=label,
        name=name,
        index=stored.index,
        heatmaps=stored.maps,
        prediction=stored.prediction,
        rank=stored.rank,
        spray=spray,
        control=SpRAy(n_clusters=[2], projection=None).fit(stored.images[:, 0].astype(np.float32)),
        clusters=rank_clusters(spray, stored.maps, stored.images),
        description="LRP, for the label",
        split=stored.split,
        target=stored.target,
    )
