# Writes conversions.json: what R's own tests print of drawn data, and the correlation behind each.
# Partial and semi-partial correlations are those of residuals, phi is that of two indicators, and
# within patients r is that of scores about their patient's mean.
suppressMessages({library(metafor); library(jsonlite)})
set.seed(20)
across <- function(n, rho) {
  w <- matrix(rnorm(2 * n), n); x <- rho * w[, 1] + rnorm(n); y <- rho * x + .4 * w[, 2] + rnorm(n)
  ct <- cor.test(x, y); one <- summary(lm(y ~ x)); many <- summary(lm(y ~ x + w))
  rx <- resid(lm(x ~ w)); ry <- resid(lm(y ~ w))
  list(n = n, r = cor(x, y), z_low = atanh(ct$conf.int[1]), z_high = atanh(ct$conf.int[2]),
    t = unname(ct$statistic), df = unname(ct$parameter), p = ct$p.value,
    p_greater = cor.test(x, y, alternative = "greater")$p.value, F = unname(one$fstatistic[1]), R2 = one$r.squared,
    spearman = cor(x, y, method = "spearman"), m = 3, t_many = many$coefficients["x", 3],
    p_many = many$coefficients["x", 4], R2_many = many$r.squared, r_partial = cor(rx, ry), r_semipartial = cor(rx, y),
    zpcor = c(escalc(measure = "ZPCOR", ti = many$coefficients["x", 3], ni = n, mi = 3)$yi),
    spcor = c(escalc(measure = "SPCOR", ti = many$coefficients["x", 3], ni = n, mi = 3, r2i = many$r.squared)$vi),
    r_critical = {q <- qt(.975, n - 2); q / sqrt(q^2 + n - 2)})
}
groups <- function(n1, n2, d) {
  y <- c(rnorm(n1, d), rnorm(n2)); g <- rep(1:0, c(n1, n2)); tt <- t.test(y[g == 1], y[g == 0], var.equal = TRUE)
  es <- function(m, ...) escalc(measure = m, m1i = mean(y[g == 1]), m2i = mean(y[g == 0]), sd1i = sd(y[g == 1]),
    sd2i = sd(y[g == 0]), n1i = n1, n2i = n2, ...)
  g_ <- es("SMD"); j <- exp(lgamma((n1 + n2 - 2) / 2) - log(sqrt((n1 + n2 - 2) / 2)) - lgamma((n1 + n2 - 3) / 2))
  list(n1 = n1, n2 = n2, mean1 = mean(y[g == 1]), sd1 = sd(y[g == 1]), mean2 = mean(y[g == 0]), sd2 = sd(y[g == 0]),
    t = unname(tt$statistic), df = unname(tt$parameter), F = summary(aov(y ~ g))[[1]]$F[1], r_pb = cor(y, g), g = c(g_$yi), d = c(g_$yi) / j,
    v_d = c(es("D2OR")$vi) * 3 / pi^2, r_bis = c(es("RBIS")$yi), v_bis = c(es("RBIS")$vi))
}
table2 <- function(a, b, c, d) {
  x <- rep(c(1, 1, 0, 0), c(a, b, c, d)); y <- rep(c(1, 0, 1, 0), c(a, b, c, d))
  fit <- glm(y ~ x, family = binomial, control = list(epsilon = 1e-15, maxit = 100)); s <- summary(fit)$coefficients["x", ]
  exact <- escalc(measure = "OR", ai = a, bi = b, ci = c, di = d); phi <- escalc(measure = "PHI", ai = a, bi = b, ci = c, di = d)
  list(cells = c(a, b, c, d), chi2 = unname(suppressWarnings(chisq.test(table(x, y), correct = FALSE))$statistic), phi = cor(x, y), v_phi = c(phi$vi),
    or = exp(c(exact$yi)), se = sqrt(c(exact$vi)), glm_or = unname(exp(s[1])), glm_se = unname(s[2]), glm_z = unname(s[3]),
    ci = unname(exp(confint.default(fit)["x", ])), ci90 = unname(exp(confint.default(fit, level = .9)["x", ])),
    d = c(escalc(measure = "OR2D", ai = a, bi = b, ci = c, di = d)$yi), v_d = c(escalc(measure = "OR2D", ai = a, bi = b, ci = c, di = d)$vi))
}
within <- function(n, sessions, b) {
  id <- rep(1:n, each = sessions); x <- rnorm(n)[id] + rnorm(n * sessions); y <- b * x + 2 * rnorm(n)[id] + rnorm(n * sessions)
  s <- summary(lm(y ~ factor(id) + x)); t <- s$coefficients["x", 3]
  list(n = n, sessions = sessions, n_obs = n * sessions, t = t, df = s$df[2], r = cor(x - ave(x, id), y - ave(y, id)), F = t^2)
}
write_json(list(made_with = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor"))),
  across = list(across(30, .3), across(64, -.4), across(200, .1), across(44, .6), across(12, .5)),
  groups = list(groups(20, 20, .5), groups(15, 45, -.8), groups(60, 12, .1)),
  tables = list(table2(30, 10, 20, 20), table2(5, 25, 14, 9), table2(70, 12, 33, 8)),
  within = list(within(20, 6, -.3), within(60, 8, .1))), "conversions.json", auto_unbox = TRUE, digits = 16)
