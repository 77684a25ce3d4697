"""Where the results of one class lie in a run's folder."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from unhans.store.atomic import file_stem

WORDNET = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class ClassFiles:
    """The files of one class, whether they exist or not.

    attribution, dataset, analysis: HDF5 in the layout that ViRelAy reads (`unhans.store.virelay.attributions`,
    `.analysis`); page: the picture; report: its entry of the report; wordnet_id: the name of the class inside HDF5
    files.
    """

    folder: Path
    wordnet_id: str

    @property
    def attribution(self) -> Path:
        """Heatmaps and logits."""
        return self.folder / "attribution.h5"

    @property
    def dataset(self) -> Path:
        """Images, as a person sees them."""
        return self.folder / "dataset.h5"

    @property
    def analysis(self) -> Path:
        """What SpRAy found."""
        return self.folder / "analysis.h5"

    @property
    def page(self) -> Path:
        """The class page, a picture."""
        return self.folder / "page.jpg"

    @property
    def report(self) -> Path:
        """What the report says about the class."""
        return self.folder / "report.zlib"


def class_files(out: str | os.PathLike[str], label: int, name: str) -> ClassFiles:
    """Return the files of class `label` in a run's folder: `out/classes/0003-garbage_truck/`."""
    return ClassFiles(Path(out) / "classes" / file_stem(label, name), wordnet_id(label, name))


def wordnet_id(label: int, name: str) -> str:
    """Name a class for ViRelAy: a name that is a WordNet id (n and eight digits) itself, another like its files.

    It is unique in a data set and safe as the name of an HDF5 group, whatever the class is called.
    """
    return name if WORDNET.fullmatch(name) else file_stem(label, name)
