"""Find out while a classifier trains whether it is right for the right reasons."""
