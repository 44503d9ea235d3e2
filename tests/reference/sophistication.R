# Regressions on sophistication items, the index and its rivals: Rscript sophistication.R, in this folder.
suppressMessages({library(metafor); library(clubSandwich); library(jsonlite); library(splines)})
items <- c("A1","A2","A3","A4","B1","B2","C2","D1","D2","D3","D4","E1","E2","E3")
highest <- ifelse(items == "D4", 1, 2); names(highest) <- items
domains <- list(temporal="A", repeated="B", disaggregation="C", modelling="D", bias="E")
tight <- list(threshold=1e-12, tol=1e-14, maxiter=1e4)
points_of <- function(d, item, policy) {
  x <- d[[item]]; code <- d[[paste0(item, "_code")]]
  if (policy == "zero" && !is.null(code)) x[code %in% "NR"] <- 0
  x
}
index_of <- function(d, chosen, policy) {
  x <- sapply(chosen, function(i) points_of(d, i, policy))
  top <- matrix(highest[chosen], nrow(x), length(chosen), byrow=TRUE) * !is.na(x)
  rowSums(x, na.rm=TRUE) / rowSums(top)
}
parts <- function(d, x) {  # mean of the study, centred over studies, and the deviation from it
  m <- ave(x, d$study); list(between=m - mean(tapply(x, d$study, mean)), within=x - m)
}
cluster_of <- function(d) {  # studies that share a sample
  g <- d$study
  repeat { h <- ave(ave(g, d$sample, FUN=min), d$study, FUN=min); if (all(h == g)) return(g); g <- h }
}
model <- function(d, X, several) {  # slopes, SE, df, p; joint test of the columns in `which`
  if (!several) {
    r <- rma(yi, vi, mods=X, data=d, test="knha", control=tight)
    return(list(fit=r, table=data.frame(b=c(r$beta), se=r$se, df=r$k - r$p, p=r$pval)[-1, ],
      joint=function(w) { f <- anova(r, btt=w + 1); c(statistic=f$QM, df_num=f$QMdf[1], df=f$QMdf[2], p=f$QMp) }))
  }
  V <- vcalc(vi, cluster=sample, obs=factor(effect), rho=.6, data=d)
  controls <- list(list(optimizer="nlminb"), list(optimizer="nlminb", rel.tol=1e-12), list(optimizer="BFGS", reltol=1e-14, maxit=5000))
  fits <- lapply(controls, function(how)
    tryCatch(rma.mv(yi, V, mods=X, random=~1|study/effect, data=d, control=how), error=function(e) NULL))
  fits <- Filter(Negate(is.null), fits)
  r <- fits[[which.max(sapply(fits, logLik))]]
  v <- vcovCR(r, cluster=cluster_of(d), type="CR2")
  t <- coef_test(r, vcov=v, test="Satterthwaite")
  list(fit=r, table=data.frame(b=t$beta, se=t$SE, df=t$df_Satt, p=t$p_Satt)[-1, ],
    joint=function(w) {
      h <- Wald_test(r, constraints=constrain_zero(w + 1), vcov=v, test="HTZ")
      c(statistic=h$Fstat, df_num=h$df_num, df=h$df_denom, p=h$p_val)
    })
}
rows <- function(t, names) lapply(seq_len(nrow(t)), function(i) c(list(term=names[i]), as.list(t[i, ])))
run <- function(d, several, policy) {
  out <- list()
  take <- function(x) { keep <- !is.na(x); list(d=d[keep, ], x=x[keep]) }
  out$items <- list()
  for (item in items) {
    one <- take(points_of(d, item, policy)); p <- parts(one$d, one$x)
    X <- cbind(p$between); names <- "between"
    off <- length(unique(cluster_of(one$d)[abs(p$within) > 1e-9]))
    if (off >= 4) { X <- cbind(X, p$within); names <- c(names, "within") }
    out$items[[item]] <- rows(model(one$d, X, several)$table, names)
  }
  for (part in c("between", "within")) {
    p <- unlist(lapply(out$items, function(rs) sapply(rs, function(r) if (r$term == part && r$df >= 4) r$p else NULL)))
    if (length(p)) out[[paste0("adjusted_", part)]] <- list(p=as.list(p), holm=unname(p.adjust(p, "holm")), fdr=unname(p.adjust(p, "BH")))
  }
  index_slopes <- function(chosen, extra=NULL) {
    p <- parts(d, index_of(d, chosen, policy))
    X <- cbind(p$between); names <- "between"
    if (diff(range(p$within)) >= .1 - 1e-9) { X <- cbind(X, p$within); names <- c(names, "within") }
    for (n in names(extra)) { X <- cbind(X, extra[[n]]); names <- c(names, n) }
    m <- model(d, X, several); rows(m$table, names)
  }
  out$index <- index_slopes(items)
  out$leave_one_out <- setNames(lapply(items, function(i) index_slopes(setdiff(items, i))), items)
  year <- parts(d, d$year)$between; n <- parts(d, log2(d$ni))$between
  out$rivals <- list(year=index_slopes(items, list(year=year)), n=index_slopes(items, list(n=n)),
    `year + n`=index_slopes(items, list(year=year, n=n)))
  D <- sapply(domains, function(l) parts(d, index_of(d, items[substr(items, 1, 1) == l], policy))$between)
  m <- model(d, D[, seq_len(min(5, length(unique(cluster_of(d))) %/% 10)), drop=FALSE], several)
  out$joint <- list(terms=rows(m$table, names(domains)), all=as.list(m$joint(seq_len(ncol(m$fit$X) - 1))))
  # Spline: ns() spans the straight line and the bends; what is left of it beside the line is tested.
  p <- parts(d, index_of(d, items, policy)); x <- p$between
  means <- tapply(x, d$study, function(v) v[1])
  k <- length(unique(cluster_of(d)))
  knots <- quantile(means, if (k >= 60) c(.05, .35, .65, .95) else c(.1, .5, .9), names=FALSE)
  inner <- knots[-c(1, length(knots))]
  basis <- ns(x, knots=inner, Boundary.knots=range(knots))
  bends <- qr.Q(qr(residuals(lm(basis ~ x))))[, seq_along(inner), drop=FALSE]
  X <- cbind(x); if (diff(range(p$within)) >= .1 - 1e-9) X <- cbind(X, p$within)
  m <- model(d, cbind(X, bends), several)
  out$spline <- c(as.list(m$joint(ncol(X) + seq_along(inner))), list(knots=knots))
  out
}
read <- function(name) read.csv(file.path("datasets", paste0("sophistication_", name, ".csv")))
out <- list(made_with=paste("R", getRversion(), "metafor", packageVersion("metafor"), "clubSandwich", packageVersion("clubSandwich")))
for (name in c("several", "one")) for (policy in c("zero", "missing"))
  out[[name]][[policy]] <- run(read(name), name == "several", policy)
set.seed(1)
p <- round(runif(12)^2, 4)
out$adjust <- list(p=p, holm=p.adjust(p, "holm"), fdr=p.adjust(p, "BH"))
write_json(out, "sophistication.json", digits=I(12), auto_unbox=TRUE, pretty=TRUE)
