"""Train a classifier and audit it while it trains."""

from unhans.cli import train

if __name__ == "__main__":
    train()
