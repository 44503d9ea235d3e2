# Reads cases (JSON) and writes what metafor and clubSandwich make of them, named as our tables.
# Rscript differential.R cases.json results.json
suppressMessages({library(metafor); library(clubSandwich); library(jsonlite)})

TYPES <- c("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")
TIGHT <- list(tol = 1e-14, maxiter = 1e4)
number <- function(x) unname(as.numeric(x))
absent <- function(expr) tryCatch(expr, error = function(e) list(error = conditionMessage(e)))

frame_of <- function(columns) as.data.frame(columns, stringsAsFactors = FALSE)

tidy <- function(r) list(
  estimate = number(r$beta), std_error = number(r$se), statistic = number(r$zval), p_value = number(r$pval),
  conf_low = number(r$ci.lb), conf_high = number(r$ci.ub))

joint <- function(r) list(qm = r$QM, qm_df = r$QMdf[1], qm_df2 = r$QMdf[2], qm_p = r$QMp, q = r$QE, q_p = r$QEp)

likelihoods <- function(r) {
  used <- if (r$method == "REML") "REML" else "ML"
  list(log_lik = r$fit.stats["ll", used], log_lik_ml = r$fit.stats["ll", "ML"], aic = r$fit.stats["AIC", used],
       bic = r$fit.stats["BIC", used], aicc = r$fit.stats["AICc", used])
}

# one prediction at a time: tau2.levels of a mean-only model takes one level
predictions <- function(r, case, ...) {
  new <- frame_of(case$newdata)
  levels_of <- lapply(frame_of(case$data), function(x) if (is.character(x)) sort(unique(x)) else NULL)
  for (name in names(new)) if (is.character(new[[name]])) new[[name]] <- factor(new[[name]], levels_of[[name]])
  X <- if (r$int.only) NULL else model.matrix(as.formula(case$mods), new)[, -1, drop = FALSE]
  rows <- lapply(seq_len(nrow(new)), function(i) {
    levels <- lapply(list(...), function(name) as.character(new[[name]][i]))
    p <- do.call(predict, c(list(r), if (is.null(X)) NULL else list(newmods = X[i, ]), levels))
    c(p$pred, p$se, p$ci.lb, p$ci.ub, if (is.null(p$pi.lb)) c(NA, NA) else c(p$pi.lb, p$pi.ub))
  })
  rows <- do.call(rbind, rows)
  list(estimate = rows[, 1], std_error = rows[, 2], conf_low = rows[, 3], conf_high = rows[, 4],
       pi_low = rows[, 5], pi_high = rows[, 6])
}

robust_of <- function(r, cluster, types = TYPES) {
  found <- list()
  tested <- if (r$int.only) 1 else 2:r$p
  for (type in types) {
    vcov <- vcovCR(r, cluster = cluster, type = type)
    t <- coef_test(r, vcov = vcov, test = "Satterthwaite")
    w <- Wald_test(r, constraints = constrain_zero(tested), vcov = vcov, test = "HTZ")
    found[[type]] <- list(std_error = t$SE, df = t$df_Satt, p_value = t$p_Satt)
    possible <- !is.na(w$df_denom) && w$df_denom > 0
    found[[paste(type, "HTZ")]] <- if (possible) list(statistic = w$Fstat, df_den = w$df_denom, p_value = w$p_val)
                                   else list(statistic = NA, df_den = NA, p_value = NA)
  }
  found
}

univariate <- function(case) {
  d <- frame_of(case$data)
  call <- list(yi = d$yi, vi = d$vi, mods = as.formula(case$mods), data = d, method = case$method,
               test = case$test, control = c(TIGHT, threshold = 1e-12 * mean(d$vi), tau2.max = 1e6))
  if (!is.null(case$fixed$tau2)) call$tau2 <- case$fixed$tau2
  if (case$weights) call$weights <- d$w
  r <- do.call(rma, call)
  found <- list(tidy = tidy(r), predict = predictions(r, case),
                glance = c(joint(r), likelihoods(r), list(tau2 = r$tau2, i2 = r$I2, h2 = r$H2)))
  if (is.null(case$fixed$tau2) && case$method != "EE") found <- modifyList(found, estimated(r, call, case))
  if (case$each) found$augment <- each(r)
  if (nzchar(case$cluster)) {
    known <- do.call(rma, modifyList(call, list(tau2 = case$ours$tau2)))
    found$robust <- absent(robust_of(known, d[[case$cluster]]))
  }
  found
}

# what there is where tau² is estimated; R² has no meaning where nothing is there to explain
estimated <- function(r, call, case) {
  control <- c(TIGHT, tau2.max = 1e6)
  found <- list(glance = list(se_tau2 = r$se.tau2), qprofile = interval_of(confint(r, type = "QP", control = control)))
  if (case$method %in% c("ML", "REML") && !case$weights)
    found$profile <- interval_of(confint(r, type = "PL", control = control))
  without <- do.call(rma, modifyList(call, list(mods = ~ 1)))
  if (r$p > 1 && without$tau2 > 1e-8 * mean(r$vi)) found$glance$r2 <- r$R2
  found
}

interval_of <- function(x) {
  rows <- x$random[c("tau^2", "I^2(%)", "H^2"), , drop = FALSE]
  list(conf_low = number(rows[, 2]), conf_high = number(rows[, 3]))
}

# an effect with leverage one has no residual
standardised <- function(r) ifelse(hatvalues(r) > 1 - 1e-10, NA, rstandard(r)$z)

each <- function(r) {
  b <- blup(r)
  list(hat = number(hatvalues(r)), weight = number(weights(r)), std_residual = number(standardised(r)),
       rstudent = number(rstudent(r)$z), blup = number(b$pred), blup_se = number(b$se),
       blup_low = number(b$pi.lb), blup_high = number(b$pi.ub))
}

sampling <- function(case, d) {
  if (!is.null(case$V$rho)) return(vcalc(vi, cluster = study, obs = effect, rho = case$V$rho, data = d))
  if (is.null(case$V$rvars)) return(d$vi)
  names <- lapply(case$V$rvars, as.name)
  eval(bquote(vcalc(vi, cluster = study, rvars = .(as.call(c(list(as.name("c")), names))), data = d)))
}

multilevel_call <- function(case, d) {
  random <- lapply(case$random, as.formula)
  call <- list(yi = d$yi, V = sampling(case, d), mods = as.formula(case$mods),
               random = if (length(random) == 1) random[[1]] else random, data = d,
               method = case$method, test = case$test)
  if (length(case$structure)) call$struct <- case$structure
  modifyList(call, as.list(case$fixed))
}

# the optimiser of metafor, then another where that fails
free_fit <- function(call) {
  errors <- character(0)
  for (control in list(list(optimizer = "nlminb", eval.max = 1e4, iter.max = 1e4),
                       list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-14, maxit = 1e4))) {
    call$control <- control
    r <- tryCatch(suppressWarnings(do.call(rma.mv, call)), error = function(e) conditionMessage(e))
    if (!is.character(r)) return(list(fit = r, errors = errors))
    errors <- c(errors, r)
  }
  list(fit = NULL, errors = errors)
}

components <- function(r) list(
  sigma2 = if (r$withS) number(r$sigma2) else NULL, tau2 = if (r$withG) number(r$tau2) else NULL,
  rho = if (r$withG) number(r$rho) else NULL, gamma2 = if (r$withH) number(r$gamma2) else NULL,
  phi = if (r$withH) number(r$phi) else NULL)

# the sum of all random effects of a row, where all terms are intercepts
shrunken <- function(r, d) {
  total <- number(fitted(r))
  u <- ranef(r)
  for (name in names(u)) {
    label <- do.call(paste, c(lapply(strsplit(name, "/")[[1]], function(n) d[[n]]), sep = "/"))
    total <- total + u[[name]]$intrcpt[match(label, rownames(u[[name]]))]
  }
  total
}

each_at <- function(r, case, d) {
  found <- list(hat = number(hatvalues(r)), std_residual = number(standardised(r)))
  deleted <- number(rstudent(r)$z)
  if (!all(is.na(deleted))) found$rstudent <- deleted # metafor cannot refit some of them
  if (r$int.only) found$weight <- number(weights(r, type = "rowsum"))
  if (!length(case$structure)) found$blup <- shrunken(r, d)
  found
}

multilevel <- function(case) {
  d <- frame_of(case$data)
  call <- multilevel_call(case, d)
  own <- free_fit(call)
  known <- suppressWarnings(do.call(rma.mv, modifyList(call, case$ours)))
  at <- list(tidy = tidy(known), glance = c(joint(known), likelihoods(known)))
  level <- any(case$structure %in% c("DIAG", "HCS", "UN"))
  if (!any(case$structure == "GEN") && length(case$structure) < 2)
    at$predict <- if (level) predictions(known, case, tau2.levels = "outcome") else predictions(known, case)
  if (case$each) at$augment <- each_at(known, case, d)
  if (nzchar(case$cluster)) at$robust <- absent(robust_of(known, d[[case$cluster]]))
  found <- list(at = at, errors = as.list(own$errors))
  if (is.null(own$fit)) return(found)
  r <- own$fit
  found$free <- list(tidy = tidy(r), glance = c(joint(r), likelihoods(r)), components = components(r))
  if (nzchar(case$cluster)) found$free$robust <- absent(robust_of(r, d[[case$cluster]], "CR2"))
  found
}

run <- function(case) {
  tryCatch(if (length(case$random)) multilevel(case) else univariate(case),
           error = function(e) list(error = conditionMessage(e)))
}

files <- commandArgs(TRUE)
cases <- fromJSON(files[1], simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
results <- lapply(cases, function(case) suppressWarnings(run(case)))
names(results) <- vapply(cases, `[[`, "", "id")
write_json(results, files[2], digits = I(17), na = "null", null = "null", auto_unbox = TRUE)
