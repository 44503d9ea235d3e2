"""How closely a number has to agree with R, by kind; every use names its kind."""

CLOSED_FORM = 1e-10
ITERATED = 1e-8
LOG_LIKELIHOOD = 1e-9  # R's may be lower by any amount, ours by no more than this
COEFFICIENT = 1e-6  # block fits
COMPONENT = 1e-4  # block fits: variance components and standard errors
BOUNDARY = 1e-8  # absolute, components at zero
ROBUST = 1e-6  # CR standard errors, df, HTZ at R's components
ROBUST_OWN = 1e-4  # the same at our components
