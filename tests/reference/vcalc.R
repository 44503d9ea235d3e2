# Writes vcalc.json: sampling covariances by metafor's vcalc. Caveat: made with metafor 3.8-1;
# later versions differ in speed and in what they refuse, not in these values.
suppressMessages({library(metafor); library(jsonlite)})
set.seed(11)
d <- data.frame(study = c("a", "b", "a", "c", "b", "a", "d"), esid = 1:7, vi = round(runif(7, .005, .08), 4))
cases <- lapply(c(0, .3, .6, .95), function(rho) list(rho = rho, V = unname(vcalc(vi, cluster = study, obs = esid, rho = rho, data = d))))

# 24 effects of 7 studies in mixed order: two measures, two components, unequal weeks. No study has a
# measure of a component twice in one week.
k <- 24
w <- expand.grid(study = paste0("S", 1:7), measure = c("WAI", "HAq"), component = c("total", "within"),
                 week = c(0, 1.5, 4), stringsAsFactors = FALSE)
w <- w[sample(nrow(w), k), ]
w$esid <- seq_len(k)
w$vi <- round(runif(k, .005, .08), 4)
by <- function(levels, other) matrix(c(1, other, other, 1), 2, dimnames = list(levels, levels))
measures <- by(c("WAI", "HAq"), .5)
components <- by(c("total", "within"), .2)
random <- list(
  list(name = "rho and phi", V = vcalc(vi, cluster = study, obs = esid, time1 = week, rho = .6, phi = .8, data = w)),
  list(name = "one measure at several times", V = vcalc(vi, cluster = study, type = component, obs = measure,
    time1 = week, rho = list(measures, components), phi = .7, data = w)),
  list(name = "component pairs", V = vcalc(vi, cluster = study, type = component, obs = esid, rho = c(.55, .25), data = w)),
  list(name = "negative phi", V = vcalc(vi, cluster = study, obs = esid, time1 = 2 * week, rho = .4, phi = -.3, data = w))
)
random <- lapply(random, function(case) list(name = case$name, V = unname(as.matrix(case$V))))

# Correlations in columns: the rows of each study in the order of the data.
R <- matrix(c(1, .2, .5, .2, 1, .4, .5, .4, 1), 3)
w$place <- ave(seq_len(k), w$study, FUN = seq_along)
g <- w[w$place <= 3, ]
for (j in 1:3) g[[paste0("r", j)]] <- R[g$place, j]
columns <- list(data = as.list(g[c("study", "vi", "r1", "r2", "r3")]),
                V = unname(as.matrix(vcalc(vi, cluster = study, rvars = c(r1, r2, r3), data = g))))
b <- dat.berkey1998
berkey <- unname(as.matrix(vcalc(vi = 1, cluster = author, rvars = c(v1i, v2i), data = b)))

write_json(list(made_with = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor"))),
  data = list(study = d$study, vi = d$vi), cases = cases,
  random = list(data = as.list(w[c("study", "measure", "component", "week", "esid", "vi")]), cases = random),
  columns = columns, berkey = berkey), "vcalc.json", auto_unbox = TRUE, digits = 16)
