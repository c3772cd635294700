"""Tests that run real programs: uv, and the Lambda runtime client."""
