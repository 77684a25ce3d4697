"""The end of a run that acted on its own artifacts: what it did, for the terminal and for its report."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from unhans.callbacks import UnHans
from unhans.callbacks.decision import STANDINGS, story
from unhans.callbacks.followed import Followed
from unhans.report.decisions import decisions_part, decisions_section, decisions_text, with_decisions

NOTHING = "Nothing was proven, so training was left as it is."


def decided(audit: UnHans) -> Text:
    """Return what a run did about its artifacts, and what came of it."""
    return decisions_text([story(each, audit.act) for each in audit.followed] or [NOTHING], audit.decisions)


def with_all_decisions(sections: Mapping[int, str], audit: UnHans) -> dict[int, str]:
    """Return the sections of the report by label, with the decisions about each class at their end.

    A class that was acted on and is not suspicious any more has a section of its own, if it is still audited.
    """
    found = dict(sections)
    for label in sorted({each.label for each in audit.decisions}):
        own = [each for each in audit.followed if each.label == label]
        sentence = " ".join(story(each, audit.act) for each in own)
        part = decisions_part([each for each in audit.decisions if each.label == label], sentence)
        if label in found:
            found[label] = with_decisions(found[label], part)
        elif own:
            found[label] = decisions_section(part, *_standing(own[-1]), sentence)
    return found


def _standing(each: Followed) -> tuple[str, str]:
    """The last verdict, and a badge for it."""
    verdict = each.verdicts[-1]
    return verdict, STANDINGS[verdict].partition(",")[0]
