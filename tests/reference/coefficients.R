# Coefficients that papers print, from one small multilevel data set, and the correlations behind them:
# lm and glm across patients, lme and lm with patient dummies within them.
suppressMessages({library(metafor); library(jsonlite); library(nlme)})
options(digits = 15)
set.seed(20251125)

partial <- function(y, x, z) cor(resid(lm(y ~ z)), resid(lm(x ~ z)))

# Across patients: one predictor, three predictors
n <- 90
across <- lapply(1:4, function(s) {
  z1 <- rnorm(n); z2 <- rnorm(n)
  x <- .4 * z1 + rnorm(n); y <- c(.3, -.3, .05, 1.5)[s] * x + .5 * z2 - .2 * z1 + rnorm(n, sd = 1 + s)
  one <- lm(y ~ x); three <- lm(y ~ x + z1 + z2)
  scaled <- lm(scale(y) ~ scale(x) + scale(z1) + scale(z2))
  co <- summary(three)$coefficients["x", ]; sc <- summary(scaled)$coefficients["scale(x)", ]
  ci <- confint(three)["x", ]; ci80 <- confint(three, level = .80)["x", ]
  z <- escalc(measure = "ZPCOR", ti = co[["t value"]], ni = n, mi = 3)
  list(n = n, b_one = coef(one)[["x"]], sd_x = sd(x), sd_y = sd(y), r = cor(x, y),
       b = co[["Estimate"]], se = co[["Std. Error"]], t = co[["t value"]], ci = unname(ci), ci80 = unname(ci80),
       beta = sc[["Estimate"]], se_beta = sc[["Std. Error"]],
       r_partial = partial(y, x, cbind(z1, z2)), z_metafor = as.numeric(z$yi))
})

# Within patients
sessions <- function(n, T, unequal) {
  k <- if (unequal) sample(2:T, n, replace = TRUE) else rep(T, n)
  id <- rep(seq_len(n), k); N <- sum(k)
  bx <- rnorm(n); by <- .5 * bx + rnorm(n)
  x <- bx[id] + rnorm(N); y <- by[id] - .25 * (x - bx[id]) + rnorm(N)
  m <- ave(x, id)
  data.frame(id = factor(id), x, y, m, w = x - m)
}
within <- lapply(c(FALSE, TRUE), function(unequal) {
  d <- sessions(40, 6, unequal)
  dummies <- summary(lm(y ~ x + id, data = d))$coefficients["x", ]
  dy <- d$y - ave(d$y, d$id)
  tight <- lmeControl(tolerance = 1e-12, msTol = 1e-12, niterEM = 100)
  centred <- lme(y ~ w + m, random = ~ 1 | id, data = d, control = tight)
  raw <- lme(y ~ x + m, random = ~ 1 | id, data = d, control = tight)
  # the covariance of the coefficients at the same variance components, by generalised least squares
  s2 <- centred$sigma^2; t2 <- as.numeric(VarCorr(centred)[1, 1])
  at <- function(X) { W <- solve(s2 * diag(nrow(d)) + t2 * outer(d$id, d$id, "=="))
                      V <- solve(t(X) %*% W %*% X); list(b = as.numeric(V %*% t(X) %*% W %*% d$y), V = V) }
  C <- at(cbind(1, d$w, d$m)); R <- at(cbind(1, d$x, d$m))
  stopifnot(max(abs(C$b - fixef(centred))) < 1e-6, max(abs(R$b - fixef(raw))) < 1e-4)
  list(unequal = unequal, n = 40, n_obs = nrow(d), t = dummies[["t value"]], b_within = dummies[["Estimate"]],
       se_within = dummies[["Std. Error"]], ss_x = sqrt(sum(d$w^2)), ss_y = sqrt(sum(dy^2)),
       r_within = cor(d$w, dy),
       contextual = list(b_w = R$b[2], b_c = R$b[3], se_w = sqrt(R$V[2, 2]), se_c = sqrt(R$V[3, 3]), cov = R$V[2, 3]),
       between = list(b = C$b[3], se = sqrt(C$V[3, 3])))
})

# Logistic slopes
logistic <- lapply(1:3, function(s) {
  x <- rnorm(150, sd = c(1, .6, 4)[s]); y <- rbinom(150, 1, plogis(c(-1, .2, 0)[s] + c(.5, -.9, .1)[s] * x))
  co <- summary(glm(y ~ x, family = binomial, control = list(epsilon = 1e-14)))$coefficients["x", ]
  ci <- exp(co[["Estimate"]] + c(-1, 1) * qnorm(.975) * co[["Std. Error"]])
  list(or = exp(co[["Estimate"]]), se = co[["Std. Error"]], z = co[["z value"]], ci = ci, sd_x = sd(x))
})

write_json(list(made_with = paste("metafor", packageVersion("metafor"), "nlme", packageVersion("nlme")),
                across = across, within = within, logistic = logistic),
           "coefficients.json", digits = I(15), auto_unbox = TRUE, pretty = TRUE)
