# Writes panel.json: random intercepts, with and without autocorrelation, by lme4 and nlme; see the README.
suppressMessages({library(lme4); library(nlme); library(jsonlite)})
set.seed(5)
panel <- function(n, sessions, ar, skip) {
  rows <- lapply(seq_len(n), function(i) {
    trait <- rnorm(2, 0, c(1, .8)) %*% chol(matrix(c(1, .4, .4, 1), 2))
    w <- matrix(rnorm(2 * (sessions + 20)), ncol = 2) %*% chol(matrix(c(1, -.2, -.2, 1), 2))
    for (t in 2:nrow(w)) w[t, ] <- ar * w[t - 1, ] + w[t, ]
    z <- sweep(tail(w, sessions), 2, trait, "+")
    data.frame(patient = i, occasion = seq_len(sessions), x = z[, 1], y = 3 + 2 * z[, 2] - .1 * seq_len(sessions))
  })
  data <- do.call(rbind, rows)
  data[runif(nrow(data)) > skip, ]
}
tight <- lmeControl(maxIter = 500, msMaxIter = 500, tolerance = 1e-10, msTol = 1e-12, opt = "optim", reltol = 1e-14)

balanced <- panel(30, 5, 0, 0)
margin <- function(name) {
  fit <- lmer(reformulate("(1 | patient)", name), balanced, REML = FALSE,
              control = lmerControl(optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-14)))
  v <- as.data.frame(VarCorr(fit))$vcov
  list(mean = unname(fixef(fit)), between = v[1], within = v[2], log_lik = as.numeric(logLik(fit)))
}

ragged <- panel(40, 6, 0, .3)
ragged$x[runif(nrow(ragged)) < .1] <- NA
ragged$y[runif(nrow(ragged)) < .1] <- NA
long <- rbind(data.frame(ragged[, 1:2], variable = "x", time = 0, value = ragged$x),
              data.frame(ragged[, 1:2], variable = "y", time = ragged$occasion, value = ragged$y))
long <- long[!is.na(long$value), ]
long$cell <- paste(long$patient, long$occasion)
long$place <- as.integer(long$variable == "y") + 1
long <- long[order(long$patient, long$occasion, long$place), ]
both <- lme(value ~ 0 + variable + time, long, random = ~ 0 + variable | patient, method = "ML",
            weights = varIdent(form = ~ 1 | variable), correlation = corSymm(form = ~ place | patient / occasion), control = tight)
sd_x <- both$sigma
ratio <- coef(both$modelStruct$varStruct, unconstrained = FALSE)
r <- coef(both$modelStruct$corStruct, unconstrained = FALSE)
psi <- unclass(getVarCov(both))

alone <- panel(60, 10, .5, .3)
alone$x[alone$patient > 30] <- NA
alone$y[alone$patient <= 30] <- NA
decay <- function(name) {
  data <- alone[!is.na(alone[[name]]), ]
  fit <- lme(reformulate("1", name), data, random = ~ 1 | patient, method = "ML",
             correlation = corCAR1(form = ~ occasion | patient), control = tight)
  list(mean = unname(fixef(fit)), between = as.numeric(getVarCov(fit)), within = fit$sigma^2,
       phi = unname(coef(fit$modelStruct$corStruct, unconstrained = FALSE)), log_lik = as.numeric(logLik(fit)))
}

write_json(list(
  made_with = list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")), nlme = as.character(packageVersion("nlme"))),
  balanced = list(data = as.list(balanced), x = margin("x"), y = margin("y")),
  ragged = list(data = as.list(ragged), mean = unname(fixef(both)), psi = c(psi[1, 1], psi[2, 1], psi[2, 2]),
                sigma = c(sd_x^2, unname(r * ratio) * sd_x^2, unname(ratio^2) * sd_x^2), log_lik = as.numeric(logLik(both))),
  alone = list(data = as.list(alone), x = decay("x"), y = decay("y"))
), "panel.json", auto_unbox = TRUE, digits = 16, na = "null")
