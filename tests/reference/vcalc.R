# Writes vcalc.json: constant-rho sampling covariances by metafor's vcalc.
suppressMessages({library(metafor); library(jsonlite)})
set.seed(11)
d <- data.frame(study = c("a", "b", "a", "c", "b", "a", "d"), esid = 1:7, vi = round(runif(7, .005, .08), 4))
cases <- lapply(c(0, .3, .6, .95), function(rho) list(rho = rho, V = unname(vcalc(vi, cluster = study, obs = esid, rho = rho, data = d))))
write_json(list(made_with = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor"))),
  data = list(study = d$study, vi = d$vi), cases = cases), "vcalc.json", auto_unbox = TRUE, digits = 16)
