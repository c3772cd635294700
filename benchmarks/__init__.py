"""Benchmarks: how fast overflow builds, and how it reads and judges large locks."""
