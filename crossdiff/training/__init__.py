"""Losses, the training loop, stage I, stage II, wild fine-tuning."""
