"""What is raised for a model that cannot be explained as it is."""


class UnsupportedModelError(ValueError):
    """The model cannot be followed, or has an operation without a rule."""
