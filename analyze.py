"""Audit a trained model, every class of a data set."""

from unhans.cli import analyze

if __name__ == "__main__":
    analyze()
