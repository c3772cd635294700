"""Unit tests: values in, values out; no processes, no network."""
