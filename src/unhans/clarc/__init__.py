"""Class Artifact Compensation (ClArC): correcting a network in feature space [001; METHODS §5]."""
