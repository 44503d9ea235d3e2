# Writes trait_state.json: joint models of two components and the random-coefficients model of
# totals, between- and within-patient correlations, on simulated effects. Run in this folder.
suppressMessages({library(metafor); library(clubSandwich); library(jsonlite)})
set.seed(20171)
# rma.mv stops early, and where a variance is near zero it can stop at zero: the best of several
best <- function(...) {
  call <- list(...)
  found <- list()
  for (control in list(list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-15, maxit = 1e4),
                       list(optimizer = "optim", optmethod = "Nelder-Mead", reltol = 1e-15, maxit = 1e5),
                       list(optimizer = "nlminb", eval.max = 1e4, iter.max = 1e4),
                       list(optimizer = "nlminb", tau2.init = c(.02, .01), gamma2.init = c(.01, .01), eval.max = 1e4, iter.max = 1e4)))
    found[[length(found) + 1]] <- try(do.call(rma.mv, c(call, control = list(control))), silent = TRUE)
  found <- Filter(function(f) !inherits(f, "try-error"), found)
  found[[which.max(sapply(found, logLik))]]
}

V_of <- function(d, rho) {
  V <- matrix(0, nrow(d), nrow(d))
  for (i in seq_len(nrow(d))) for (j in seq_len(nrow(d)))
    if (i == j) V[i, j] <- d$vi[i]
    else if (d$study[i] == d$study[j] && d$component[i] == d$component[j]) V[i, j] <- rho * sqrt(d$vi[i] * d$vi[j])
    else if (d$study[i] == d$study[j] && setequal(c(d$component[i], d$component[j]), c("within", "total")))
      V[i, j] <- .3 * sqrt(d$vi[i] * d$vi[j])
  V
}
coefficients_of <- function(fit, cluster) {
  t <- coef_test(fit, vcov = vcovCR(fit, cluster = cluster, type = "CR2"), test = "Satterthwaite")
  list(estimate = as.numeric(fit$beta), std_error = t$SE, df = t$df_Satt)
}

# studies with trait (one to three effects), state, or both
joint <- function(studies, both) {
  rows <- list()
  for (i in seq_len(studies)) {
    u <- rnorm(2) * c(.12, .05)
    kinds <- if (i <= both) c("between_observed", "within") else if (i %% 3 == 0) "within" else "between_observed"
    for (kind in kinds) for (effect in seq_len(if (kind == "within") 1 else 1 + i %% 3)) {
      n <- sample(30:150, 1); vi <- if (kind == "within") 1 / (4 * n) else 1 / (n - 3)
      mean <- if (kind == "within") .10 + u[2] else .35 + u[1]
      rows[[length(rows) + 1]] <- data.frame(study = sprintf("S%02d", i), component = kind, vi = vi,
        yi = mean + rnorm(1, 0, sqrt(vi + if (kind == "within") 0 else .003)))
    }
  }
  do.call(rbind, rows)
}
joint_case <- function(d, rho) {
  d$part <- ifelse(d$component == "within", "within", "between"); d$row <- seq_len(nrow(d))
  V <- V_of(d, .6)
  one <- function(mods) best(yi = d$yi, V = V, mods = mods, random = list(~ part | study, ~ part | row), struct = c("UN", "DIAG"),
    gamma2 = c(NA, 0), rho = rho, data = d)
  fit <- one(~ 0 + part); gap <- one(~ part)
  list(data = d[, c("study", "component", "yi", "vi")], held = rho, log_lik = as.numeric(logLik(fit)),
    components = list(tau2 = fit$tau2, rho = fit$rho, gamma2 = fit$gamma2),
    means = coefficients_of(fit, d$study), difference = lapply(coefficients_of(gap, d$study), function(x) x[2]))
}

# correlations over patients with weights a, b, and within-patient ones
mixture <- function() {
  rows <- list()
  for (i in 1:60) {
    rho <- c(.40, .10) + rnorm(2) * c(.10, .05)
    kind <- if (i <= 40) "total" else if (i <= 50) "between_observed" else "within"
    k <- if (kind == "between_observed") sample(3:8, 1) else 1
    s <- if (kind == "total" && i %% 2 == 0) 1 else 0
    for (effect in seq_len(if (kind == "within") 1 else 1 + i %% 2)) {
      n <- sample(40:200, 1)
      Vx <- .7 + .3 / k; a <- sqrt(.7 * .6) / sqrt(Vx); b <- s * sqrt(.3 * .4) / (k * sqrt(Vx))
      if (kind == "within") { a <- 0; b <- 1 }
      mean <- a * rho[1] + b * rho[2]
      v <- if (kind == "within") 1 / (4 * n) else 1 / (n - 1)
      rows[[length(rows) + 1]] <- data.frame(study = sprintf("S%02d", i), component = kind, k_x = k, k_y = 1, shared = s,
        a = a, b = b, ni = n, v_z = v, r = mean + rnorm(1, 0, sqrt((1 - mean^2)^2 * v + .002)))
    }
  }
  do.call(rbind, rows)
}
mixture_case <- function(d) {
  d$row <- seq_len(nrow(d)); d$kind <- ifelse(d$component == "within", "state", "mixed")
  mean <- rep(weighted.mean(d$r, 1 / d$v_z), nrow(d))
  repeat {
    d$vi <- (1 - mean^2)^2 * d$v_z
    fit <- best(yi = d$r, V = V_of(d, .6), mods = ~ 0 + a + b, random = list(~ 0 + a + b | study, ~ kind | row),
      struct = c("GEN", "DIAG"), rho = 0, gamma2 = c(NA, 0), data = d)
    before <- mean; mean <- as.numeric(fitted(fit))
    if (max(abs(mean - before)) < 1e-9) break
  }
  list(data = d[, c("study", "component", "k_x", "k_y", "shared", "ni", "v_z", "r", "a", "b")], log_lik = as.numeric(logLik(fit)),
    components = list(tau2 = fit$tau2, gamma2 = fit$gamma2), means = coefficients_of(fit, d$study))
}
many <- joint(36, 14); few <- joint(24, 5)
out <- list(made_with = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor")),
                             clubSandwich = as.character(packageVersion("clubSandwich"))),
  joint = list(estimated = joint_case(many, NA), zero = joint_case(few, 0), held = joint_case(few, .4)),
  synthesis = mixture_case(mixture()))
write_json(out, "trait_state.json", auto_unbox = TRUE, digits = 15, na = "null")
