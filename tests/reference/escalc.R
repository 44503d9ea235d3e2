# Writes escalc.json: effect sizes and variances of metafor's escalc for drawn inputs, measure by
# measure. PCOR and ZPCOR changed their variance after 3.8: (1 - r^2)^2/(n - m - 1) and 1/(n - m - 1)
# became (1 - r^2)^2/(n - m) and 1/(n - m - 2), which the test takes into account.
suppressMessages({library(metafor); library(jsonlite)})
set.seed(11)
k <- 40
r <- data.frame(ri = round(runif(k, -.95, .95), 2), ni = sample(6:400, k, TRUE))
p <- data.frame(ti = round(rnorm(k, 0, 2.5), 2), ni = sample(30:300, k, TRUE), mi = sample(2:8, k, TRUE))
p$r2i <- round(p$ti^2 / (p$ti^2 + p$ni - p$mi - 1) + runif(k, .01, .3), 3)
g <- data.frame(m1i = round(rnorm(k, 5, 2), 2), sd1i = round(runif(k, .5, 3), 2), n1i = sample(4:90, k, TRUE),
                m2i = round(rnorm(k, 5, 2), 2), sd2i = round(runif(k, .5, 3), 2), n2i = sample(4:90, k, TRUE))
t <- data.frame(ai = sample(1:80, k, TRUE), bi = sample(1:80, k, TRUE), ci = sample(1:80, k, TRUE), di = sample(1:80, k, TRUE))
t$ai[3] <- 0; t$di[9] <- 0
c1 <- data.frame(m1i = round(rnorm(k, 5, 2), 2), m2i = round(rnorm(k, 5, 2), 2), sd1i = round(runif(k, .5, 3), 2),
                 sd2i = round(runif(k, .5, 3), 2), ni = sample(5:90, k, TRUE), ri = round(runif(k, -.2, .95), 2))
a <- data.frame(ai = round(runif(k, .3, .97), 2), mi = sample(3:40, k, TRUE), ni = sample(10:500, k, TRUE))
r2 <- data.frame(r2i = round(runif(k, .01, .8), 3), ni = sample(20:300, k, TRUE))

out <- list()
add <- function(name, measure, data, ..., keys) {
  call <- c(list(measure = measure), as.list(data[keys]), list(...))
  x <- tryCatch(suppressWarnings(do.call(escalc, call)), error = function(e) NULL)
  if (is.null(x)) { message(name, " is not in this metafor"); return(invisible()) }
  out[[name]] <<- list(measure = measure, given = as.list(data[keys]), yi = as.numeric(x$yi), vi = as.numeric(x$vi))
}
G <- c("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i"); C <- c("ai", "bi", "ci", "di")
for (v in c("LS", "AV")) add(paste0("COR.", v), "COR", r, vtype = v, keys = c("ri", "ni"))
for (v in c("LS", "UB")) add(paste0("UCOR.", v), "UCOR", r, vtype = v, keys = c("ri", "ni"))
add("ZCOR.LS", "ZCOR", r, keys = c("ri", "ni"))
add("SPCOR.LS", "SPCOR", p, keys = c("ti", "ni", "mi", "r2i"))
add("R2.LS", "R2", r2, mi = rep(3, k), keys = c("r2i", "ni"))
add("ZR2.LS", "ZR2", r2, mi = rep(3, k), keys = c("r2i", "ni"))
for (m in c("RPB", "RBIS", "D2ORL", "D2ORN", "MD", "SMD", "SMDH")) add(paste0(m, ".LS"), m, g, keys = G)
add("RPB.CS", "RPB", g, vtype = "CS", keys = G)
for (v in c("LS2", "UB")) add(paste0("SMD.", v), "SMD", g, vtype = v, keys = G)
add("SMD1.LS", "SMD1", g, keys = c("m1i", "n1i", "m2i", "sd2i", "n2i"))
for (m in c("PHI", "YUQ", "YUY", "RTET", "PBIT", "OR", "OR2DL", "OR2DN", "RR", "RD")) add(paste0(m, ".LS"), m, t, keys = C)
for (m in c("MC", "SMCC")) add(paste0(m, ".LS"), m, c1, keys = c("m1i", "m2i", "sd1i", "sd2i", "ni", "ri"))
add("SMCR.LS", "SMCR", c1, keys = c("m1i", "m2i", "sd1i", "ni", "ri"))
for (m in c("ARAW", "AHW", "ABT")) add(paste0(m, ".LS"), m, a, keys = c("ai", "mi", "ni"))
for (m in c("PCOR", "ZPCOR")) add(paste0(m, ".LS"), m, p, keys = c("ti", "ni", "mi"))
add("PCOR.AV", "PCOR", p, vtype = "AV", keys = c("ti", "ni", "mi"))
add("SPCOR.AV", "SPCOR", p, vtype = "AV", keys = c("ti", "ni", "mi", "r2i"))
add("UCOR.AV", "UCOR", r, vtype = "AV", keys = c("ri", "ni"))
add("RPB.ST", "RPB", g, vtype = "ST", keys = G)
for (v in c("ST", "CS")) add(paste0("PHI.", v), "PHI", t, vtype = v, keys = C)
add("OR2D.LS", "OR2D", t, keys = C)
add("D2OR.LS", "D2OR", g, keys = G)
write_json(list(made_with = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor"))),
  cases = out), "escalc.json", auto_unbox = TRUE, digits = 16, na = "null")
