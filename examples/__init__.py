"""Projects to try overflow on."""
