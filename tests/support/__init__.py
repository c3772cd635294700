"""What the tests share: servers on loopback, packages made by code, Lambda events."""
