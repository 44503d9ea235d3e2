"""Fit, infer, predict: any table with ``yi`` and ``vi``."""
