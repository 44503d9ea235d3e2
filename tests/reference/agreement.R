# Writes agreement.json: kappa, weighted kappa, ICC(A,1) of random tables by psych; see the README.
suppressMessages({library(psych); library(jsonlite)})
set.seed(20)
pair <- function(n, q, agree, first = rep(1, q)) {
  a <- sample(q, n, TRUE, first) - 1
  b <- ifelse(runif(n) < agree, a, sample(q, n, TRUE, first) - 1)
  cbind(a, b)
}
kappas <- lapply(list(pair(40, 2, .6), pair(60, 3, .7), pair(25, 3, .2), pair(200, 4, .5),
                      pair(50, 5, .8), pair(120, 3, .8, c(20, 2, 1)), pair(30, 6, 0)), function(x) {
  q <- max(x) + 1
  levels <- 0:(q - 1)
  counts <- table(factor(x[, 1], levels), factor(x[, 2], levels))
  quadratic <- suppressWarnings(cohen.kappa(counts))
  far <- abs(outer(levels, levels, "-"))
  linear <- suppressWarnings(cohen.kappa(counts, w = 1 - far / max(far)))
  list(a = x[, 1], b = x[, 2], kappa = quadratic$kappa, var_kappa = quadratic$var.kappa,
       quadratic = quadratic$weighted.kappa, linear = linear$weighted.kappa)
})
shrout <- matrix(c(9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7), ncol = 4, byrow = TRUE)
numbers <- function(n, k, between, within, shift = 0) {
  outer(rnorm(n, 0, between), rep(1, k)) + matrix(rnorm(n * k, 0, within), n) + outer(rep(1, n), shift * (1:k))
}
iccs <- lapply(list(shrout, numbers(20, 2, 1, .3), numbers(60, 2, 1, 1), numbers(15, 3, 1, .5, .4),
                    numbers(8, 2, .01, 1), numbers(100, 4, 2, .2, .05)), function(x) {
  found <- suppressMessages(suppressWarnings(ICC(x, lmer = FALSE)))$results[2, ]
  list(x = x, icc = found$ICC, low = found$`lower bound`, high = found$`upper bound`)
})
write_json(list(made_with = list(R = as.character(getRversion()), psych = as.character(packageVersion("psych"))),
  kappas = kappas, iccs = iccs), "agreement.json", auto_unbox = TRUE, digits = 16)
