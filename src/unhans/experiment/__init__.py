"""What the two commands do, one folder each.

`run` builds, checks, resumes; `train` and `survey` audit during and after training; `effect` tests artifacts, `cases`
stores what was found; `repair` and `clean` act on it; `analyses` holds `analyze.py`'s command and the smaller analyses;
`sweep` sums up Hydra's sweeps. No mathematics here.
"""
