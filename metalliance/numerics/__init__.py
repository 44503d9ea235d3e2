"""Float64 arrays in, frozen dataclasses out: no tables, no vocabulary."""
