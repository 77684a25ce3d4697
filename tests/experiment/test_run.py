"""What a survey tells while two threads finish classes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import SimpleNamespace

from unhans.experiment.survey import ClassResult
from unhans.experiment.survey import survey_command as run


class Slow(Counter):
    """Lets others in between a reading and the next."""

    def __getitem__(self, key):
        time.sleep(0.05)
        return super().__getitem__(key)


def test_a_reason_is_told_once_whichever_threads_have_it(monkeypatch):
    told, both = [], threading.Barrier(2)
    monkeypatch.setattr(run, "CONSOLE", SimpleNamespace(print=told.append))
    survey = run._Run(None, [], SimpleNamespace(clustered=lambda name: None), None, {}, Slow())

    def finish(label):
        both.wait()
        survey._add(ClassResult(label, str(label), refused="too few"))

    threads = [threading.Thread(target=finish, args=(label,)) for label in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 1
    assert survey.refused == {"too few": 2}
