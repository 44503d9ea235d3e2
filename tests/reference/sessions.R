# Session data with unequal numbers of sessions and slopes that differ: what lme4, lm and aov make of them.
suppressMessages({library(lme4); library(jsonlite)})
options(digits = 15)
set.seed(20261125)
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e6),
                     check.conv.grad = "ignore", check.conv.singular = "ignore")

draw <- function(n, T, unequal, slope_sd) {
  k <- if (unequal) sample(2:T, n, replace = TRUE) else rep(T, n)
  id <- rep(seq_len(n), k); N <- sum(k)
  bx <- rnorm(n); by <- .5 * bx + rnorm(n); u <- rnorm(n, sd = slope_sd)
  w <- rnorm(N)
  x <- bx[id] + w; y <- by[id] + (.3 + u[id]) * w + rnorm(N)
  # printed digits are the data, so that both programs read the same numbers
  x <- round(x, 4); y <- round(y, 4)
  data.frame(id = id, session = unlist(lapply(k, seq_len)), x = x, y = y)
}

described <- function(d) {
  d$p <- factor(d$id)
  d$m <- ave(d$x, d$p); d$w <- d$x - d$m
  dummies <- summary(lm(y ~ x + p, data = d))
  t <- dummies$coefficients["x", "t value"]; df <- dummies$df[2]
  hybrid <- lmer(y ~ w + m + (1 | p), data = d, REML = TRUE, control = tight)
  fixed <- lmer(y ~ 0 + p + w + (0 + w | p), data = d, REML = TRUE, control = tight)
  mixed <- lmer(y ~ w + m + (1 | p) + (0 + w | p), data = d, REML = TRUE, control = tight)
  means <- aggregate(cbind(x, y) ~ p, data = d, FUN = mean)
  icc <- sapply(c("x", "y"), function(v) {
    table <- anova(lm(d[[v]] ~ d$p)); n <- tabulate(d$id)
    n0 <- (sum(n) - sum(n^2) / sum(n)) / (length(n) - 1)
    between <- max((table[1, 3] - table[2, 3]) / n0, 0)
    between / (between + table[2, 3])
  })
  eta <- sapply(c("x", "y"), function(v) { a <- anova(lm(d[[v]] ~ d$p)); a[1, 2] / sum(a[, 2]) })
  sds <- function(fit) { v <- as.data.frame(VarCorr(fit)); setNames(v$sdcor, ifelse(v$grp == "Residual", "residual", v$var1)) }
  list(id = d$id, session = d$session, x = d$x, y = d$y,
       t = t, df = df, r_within = sign(t) * sqrt(t^2 / (t^2 + df)), b_within = coef(dummies)["x", 1],
       se_within = coef(dummies)["x", 2], r_total = cor(d$x, d$y), r_means = cor(means$x, means$y),
       b_means = unname(coef(lm(y ~ x, data = means))[2]),
       b_means_weighted = unname(coef(lm(y ~ x, data = means, weights = tabulate(d$id)))[2]),
       hybrid_b = fixef(hybrid)[["w"]], hybrid_se = sqrt(vcov(hybrid)["w", "w"]),
       slope_b = fixef(fixed)[["w"]], slope_se = sqrt(vcov(fixed)["w", "w"]),
       slope_sd = sds(fixed)[["w"]], slope_residual = sds(fixed)[["residual"]], slope_reml = as.numeric(-2 * logLik(fixed)),
       mixed_b = fixef(mixed)[["w"]], mixed_slope_sd = sds(mixed)[["w"]],
       icc = unname(icc), eta2 = unname(eta))
}

cases <- list(balanced = described(draw(30, 6, FALSE, .4)), unequal = described(draw(40, 9, TRUE, .5)),
              common = described(draw(30, 5, TRUE, 0)))
write_json(list(made_with = list(R = R.version.string, lme4 = as.character(packageVersion("lme4"))), cases = cases),
           "sessions.json", auto_unbox = TRUE, digits = NA, pretty = FALSE)
