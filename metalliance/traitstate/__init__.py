"""Between-patient (trait-like) and within-patient (state-like) components."""
