"""What a repair is: methods, decisions to act, what a network does after it, and comparisons over seeds.

Pure parts. Networks are trained and corrected in `unhans.experiment.repair`, concepts are fitted in `unhans.clarc`.
"""

from unhans.repair.assessment import Assessment, assess, assess_work
from unhans.repair.decision import FAR, REASON, STANDINGS, Act, Decision, story
from unhans.repair.known_artifact import OnBench
from unhans.repair.ledger import Ledger
from unhans.repair.method_comparison import Summary, rate_of, summaries
from unhans.repair.methods import CORRECTING, METHODS, POST_HOC, Method, Outcome, Point
from unhans.repair.outcome import BEFORE, METHOD_NAMES, OutcomeLike, by_method, name_of, short_name
from unhans.repair.proven_artifact import Followed, followed_of
from unhans.repair.right_reasons_loss import Reason, penalty

__all__ = [
    "BEFORE",
    "CORRECTING",
    "FAR",
    "METHODS",
    "METHOD_NAMES",
    "POST_HOC",
    "REASON",
    "STANDINGS",
    "Act",
    "Assessment",
    "Decision",
    "Followed",
    "Ledger",
    "Method",
    "OnBench",
    "Outcome",
    "OutcomeLike",
    "Point",
    "Reason",
    "Summary",
    "assess",
    "assess_work",
    "by_method",
    "followed_of",
    "name_of",
    "penalty",
    "rate_of",
    "short_name",
    "story",
    "summaries",
]
