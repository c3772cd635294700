"""What runs inside Lambda. Copied as it stands into bundles, there named `_overflow`.

Standard library only, relative imports only. Kept empty so that importing one module of it costs
nothing else.
"""
