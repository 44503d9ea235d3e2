# Writes aggregate.json: one effect per study of datasets/assink2016.csv by metafor's aggregate.
suppressMessages({library(metafor); library(jsonlite)})
d <- read.csv("datasets/assink2016.csv")
d <- escalc(yi = yi, vi = vi, data = d)
V <- vcalc(vi, cluster = study, type = deltype, obs = esid, rho = c(.7, .2), data = d)
take <- function(a) list(yi = c(a$yi), vi = c(a$vi), year = a$year, id = a$id)
write_json(list(made_with = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor"))),
  rho = take(aggregate(d, cluster = study, rho = .6)),
  mean = take(aggregate(d, cluster = study, rho = .6, weighted = FALSE)),
  V = take(aggregate(d, cluster = study, V = V)),
  V_mean = take(aggregate(d, cluster = study, V = V, weighted = FALSE)),
  times = take(aggregate(d, cluster = study, struct = "CS*CAR", time = esid, obs = id, rho = .8, phi = .9))),
  "aggregate.json", auto_unbox = TRUE, digits = 16)
