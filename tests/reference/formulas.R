# Moderator formulas: fitted values of rma() at tau2 = .02, of new rows, and model.matrix() where the coding is the same.
suppressMessages({library(metafor); library(jsonlite); library(splines)})
options(digits = 15)
set.seed(20250301)
k <- 60
d <- data.frame(
  yi = round(rnorm(k, .28, .2), 4), vi = round(runif(k, .005, .06), 4),
  rater = rep(c("client", "observer", "therapist"), length.out = k),
  design = rep(c("cohort", "trial"), each = 3, length.out = k),
  wave = rep(1:4, times = c(20, 10, 15, 15)),
  session = round(runif(k, 1, 30), 3), year = round(runif(k, 1985, 2022), 2),
  blinded = rep(c(TRUE, FALSE, FALSE, TRUE, TRUE), length.out = k)
)
write.csv(d, "datasets/formulas.csv", row.names = FALSE)
new <- data.frame(rater = c("therapist", "client", "observer"), design = c("trial", "trial", "cohort"),
                  wave = c(4, 2, 3), session = c(4.5, 28, 12.25), year = c(1990, 2020.5, 2001),
                  blinded = c(TRUE, FALSE, FALSE))
# ours -> R's; exact: the same columns in the same order
cases <- list(
  list("~ rater", ~ rater, TRUE),
  list("~ 0 + rater", ~ 0 + rater, TRUE),
  list("~ rater - 1", ~ rater - 1, TRUE),
  list('~ C(rater, ref="therapist")', ~ relevel(factor(rater), ref = "therapist"), TRUE),
  list("~ C(wave)", ~ factor(wave), TRUE),
  list("~ C(wave, ref=3)", ~ relevel(factor(wave), ref = "3"), TRUE),
  list("~ rater * design", ~ rater * design, TRUE),
  list("~ rater:design", ~ 0 + rater:design, FALSE),
  list("~ 0 + rater:design", ~ 0 + rater:design, TRUE),
  list("~ rater * session", ~ rater * session, FALSE),
  list("~ 0 + rater + rater:session", ~ 0 + rater + rater:session, TRUE),
  list("~ 0 + rater:session", ~ 0 + rater:session, TRUE),
  list("~ rater:session", ~ rater:session, TRUE),
  list("~ rater / session", ~ rater / session, TRUE),
  list("~ design / rater", ~ design / rater, FALSE),
  list("~ session * center(year)", ~ session * I(year - mean(d$year)), TRUE),
  list("~ (rater + design + session)**2", ~ (rater + design + session)^2, FALSE),
  list("~ rater * design * session", ~ rater * design * session, FALSE),
  list("~ rater * design - rater:design", ~ rater * design - rater:design, TRUE),
  list("~ session + I(session**2)", ~ session + I(session^2), TRUE),
  list("~ session + I(session^2)", ~ session + I(session^2), TRUE),
  list("~ I((year - 2000) / 10) + I(2 * session - -year)", ~ I((year - 2000) / 10) + I(2 * session + year), TRUE),
  list("~ poly(session, 2)", ~ poly(session, 2), TRUE),
  list("~ poly(session, 3)", ~ poly(session, 3), TRUE),
  list("~ poly(session, 2, raw=True)", ~ poly(session, 2, raw = TRUE), TRUE),
  list("~ rater * poly(session, 2)", ~ rater * poly(session, 2), FALSE),
  list("~ center(year)", ~ I(year - mean(d$year)), TRUE),
  list("~ scale(year) + log(session) + sqrt(session)", ~ I((year - mean(d$year)) / sd(d$year)) + log(session) + sqrt(session), TRUE),
  list("~ scale(log(session))", ~ I((log(session) - mean(log(d$session))) / sd(log(d$session))), TRUE),
  list("~ blinded", ~ I(as.numeric(blinded)), TRUE),
  list("~ blinded:rater", ~ I(as.numeric(blinded)):rater, TRUE),
  list("~ cr(session, df=2)", ~ ns(session, df = 2), FALSE),
  list("~ cr(session, df=3)", ~ ns(session, df = 3), FALSE),
  list("~ cr(session, df=5)", ~ ns(session, df = 5), FALSE),
  list("~ rater * cr(session, df=3)", ~ rater * ns(session, df = 3), FALSE),
  list("~ bs(session, df=4)", ~ bs(session, df = 4), TRUE),
  list("~ bs(session, df=5, degree=2) + design", ~ bs(session, df = 5, degree = 2) + design, TRUE)
)
one <- function(case) {
  X <- model.matrix(case[[2]], d)
  r <- rma(d$yi, d$vi, mods = X, intercept = FALSE, tau2 = .02)
  # lm() keeps the knots, means and polynomials of the fitted rows for new ones
  plain <- lm(update(case[[2]], yi ~ .), d)
  out <- list(ours = case[[1]], p = ncol(X),
              fitted = unname(as.numeric(fitted(r))),
              least_squares_new = unname(as.numeric(predict(plain, newdata = new))))
  if (case[[3]]) out$X <- unname(X)
  out
}
writeLines(toJSON(list(made_with = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))),
  new = new, cases = lapply(cases, one)), digits = I(15), auto_unbox = TRUE), "formulas.json")
