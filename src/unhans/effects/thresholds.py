"""The thresholds of a verdict: what counts as an effect, on how many samples, and how sure it must be."""

FEWEST = 10  # samples below which nothing is proven and no effect excluded
MINIMUM = 0.05  # least change of the probability that counts as an effect
EQUAL = 0.001  # probability by which an artifact must surpass a control: below is the rounding of networks in 16 bits
RATE = 0.05  # share of false ones among all that is said to be proven
