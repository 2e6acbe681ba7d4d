"""Datasets, baselines, metrics and reports: every claim of the project, re-runnable."""
