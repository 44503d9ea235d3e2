# Simulated data for the benchmarks (not real studies). Usage: Rscript simulate.R FOLDER
out <- commandArgs(TRUE)[1]; dir.create(out, showWarnings = FALSE, recursive = TRUE)
write_exact <- function(d, file) {
  d[] <- lapply(d, function(x) if (is.double(x)) sprintf("%.17g", x) else x)
  write.csv(d, file.path(out, file), row.names = FALSE, quote = FALSE)
}
covariates <- function(k) {
  X <- matrix(rnorm(k * 5), k, 5); colnames(X) <- paste0("x", 1:5)
  X[, 5] <- as.numeric(X[, 5] > 0); X
}
patients <- function(m) round(exp(rnorm(m, log(80), .6))) + 10
for (k in c(30, 300, 3000, 30000)) {                      # one effect per study
  set.seed(1000 + k %% 997)
  n <- patients(k); X <- covariates(k)
  theta <- atanh(.27) + .05 * X[, 1] - .03 * X[, 5] + rnorm(k, 0, sqrt(.015))
  write_exact(data.frame(id = 1:k, yi = rnorm(k, theta, sqrt(1 / (n - 3))), vi = 1 / (n - 3), ni = n, X),
              sprintf("univariate_%d.csv", k))
}
for (S in c(60, 300, 1500, 6000, 30000)) {                # effects within studies
  set.seed(2000 + S %% 997)
  m <- pmin(pmax(rpois(S, 5), 1), 12); study <- rep(1:S, m); k <- sum(m)
  n <- rep(patients(S), m); X <- covariates(k); X[, 1] <- rep(rnorm(S), m); vi <- 1 / (n - 3)
  e <- (sqrt(.6) * rep(rnorm(S), m) + sqrt(.4) * rnorm(k)) * sqrt(vi)
  yi <- .28 + .05 * X[, 1] - .03 * X[, 5] + rep(rnorm(S, 0, sqrt(.012)), m) + rnorm(k, 0, sqrt(.008)) + e
  write_exact(data.frame(study = study, es = 1:k, yi = yi, vi = vi, ni = n, X), sprintf("nested_%d.csv", S))
}
for (S in c(60, 300, 1500, 6000, 30000)) {                # trait-like and state-like effects
  set.seed(3000 + S %% 997)
  mt <- sample(0:4, S, TRUE); ms <- sample(0:4, S, TRUE); none <- mt + ms == 0; mt[none] <- 1; ms[none] <- 1
  m <- mt + ms; study <- rep(1:S, m); k <- sum(m)
  type <- unlist(mapply(function(a, b) c(rep("trait", a), rep("state", b)), mt, ms, SIMPLIFY = FALSE))
  n <- rep(patients(S), m); vi <- 1 / (n - 3); X <- covariates(k); X[, 1] <- rep(rnorm(S), m)
  L <- chol(matrix(c(.02, .6 * sqrt(.02 * .01), .6 * sqrt(.02 * .01), .01), 2))
  U <- matrix(rnorm(2 * S), S, 2) %*% L
  u <- ifelse(type == "trait", U[study, 1], U[study, 2])
  e <- (sqrt(.6) * rep(rnorm(S), m) + sqrt(.4) * rnorm(k)) * sqrt(vi)
  write_exact(data.frame(study = study, es = 1:k, type = type, yi = ifelse(type == "trait", .28, .18) + u + e,
                         vi = vi, ni = n, X), sprintf("bivariate_%d.csv", S))
}
