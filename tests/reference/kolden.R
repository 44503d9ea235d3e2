# Writes kolden.json: univariate models of the 16 congruence studies on Fisher's z, of the full set,
# of the set with one row altered, and with each of two rows deleted. Run in this folder.
suppressMessages({library(metafor); library(jsonlite)})
d <- read.csv("datasets/kolden2011.csv")
altered <- d; altered$r[6] <- .10; altered$n[6] <- 45
sets <- list(full = d, altered = altered, without_1 = d[-1, ], without_6 = d[-6, ])
new <- packageVersion("metafor") >= "4.0"
one <- function(name, set, method, test) {
  set$yi <- atanh(set$r); set$vi <- 1 / (set$n - 3)
  fit <- rma(yi, vi, data = set, method = method, test = test,
             control = list(threshold = 1e-12, maxiter = 20000, tol = 1e-14))
  p <- predict(fit)
  pi <- if (method == "EE") c(NA, NA) else c(p$pi.lb, p$pi.ub)
  list(set = name, method = method, test = test, r = set$r, n = set$n, estimate = as.numeric(fit$beta), std_error = fit$se,
       statistic = fit$zval, p_value = fit$pval, conf_low = fit$ci.lb, conf_high = fit$ci.ub, tau2 = fit$tau2,
       q = fit$QE, q_p = fit$QEp, i2 = fit$I2, h2 = fit$H2, pi_low = pi[1], pi_high = pi[2],
       log_lik_ml = fit$fit.stats["ll", "ML"], log_lik_reml = fit$fit.stats["ll", "REML"])
}
cases <- list()
for (name in names(sets)) for (method in c("EE", "DL", "ML", "REML", "PM")) for (test in c("z", "knha"))
  if (!(method == "EE" && test == "knha")) cases[[length(cases) + 1]] <- one(name, sets[[name]], method, test)
write_json(list(made_with = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor"))), cases = cases),
  "kolden.json", auto_unbox = TRUE, digits = 15, na = "null")
