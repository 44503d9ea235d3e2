# Reads "task size" from standard input, runs the task once, and answers with one line of JSON:
# CPU seconds (user + system of this process) and the numbers that the other side must agree with.
suppressPackageStartupMessages({library(metafor); library(clubSandwich); library(jsonlite)})
folder <- commandArgs(TRUE)[1]
cache <- new.env()
data_of <- function(kind, size) {
  key <- paste(kind, size)
  if (is.null(cache[[key]])) cache[[key]] <- read.csv(sprintf("%s/%s_%s.csv", folder, kind, size))
  cache[[key]]
}
block_v <- function(d) Matrix::bdiag(lapply(split(d$vi, d$study), function(v) {
  R <- matrix(.6, length(v), length(v)); diag(R) <- 1; R * tcrossprod(sqrt(v))
}))
prepared <- function(key, make) { if (is.null(cache[[key]])) cache[[key]] <- make(); cache[[key]] }
mods5 <- ~ x1 + x2 + x3 + x4 + x5
nested <- function(size, mods) {
  d <- data_of("nested", size); V <- prepared(paste("V nested", size), function() block_v(d))
  rma.mv(yi, V, mods = mods, random = ~ 1 | study/es, data = d, sparse = TRUE, test = "t")
}
bivariate <- function(size) {
  d <- data_of("bivariate", size); V <- prepared(paste("V bivariate", size), function() block_v(d))
  rma.mv(yi, V, mods = ~ 0 + type, random = ~ type | study, struct = "UN", data = d, sparse = TRUE, test = "t")
}
numbers <- function(r) list(beta = c(r$beta), log_lik = as.numeric(logLik(r)))
ready <- function(task, size) switch(task,       # what is made before the clock starts
  cr2 = , htz = list(fit = prepared(paste("fit", size), function() nested(size, mods5)), cluster = data_of("nested", size)$study),
  profile = prepared(paste("fit0", size), function() nested(size, ~ 1)),
  permutation = prepared(paste("perm", size), function() rma(yi, vi, mods = mods5, data = data_of("univariate", size), test = "knha")),
  qprofile = prepared(paste("uni", size), function() rma(yi, vi, data = data_of("univariate", size), test = "knha")),
  nested_mods = , nested = , bivariate = { d <- data_of(if (task == "bivariate") "bivariate" else "nested", size); NULL },
  NULL)
run <- function(task, size, given) switch(task,
  reml = numbers(rma(yi, vi, data = data_of("univariate", size), test = "knha")),
  reml_mods = numbers(rma(yi, vi, mods = mods5, data = data_of("univariate", size), test = "knha")),
  dl = numbers(rma(yi, vi, data = data_of("univariate", size), method = "DL", test = "knha")),
  qprofile = list(limits = unname(confint(given)$random["tau^2", 2:3])),
  permutation = { set.seed(1); list(n = length(permutest(given, iter = 1000, progbar = FALSE)$pval)) },
  nested = numbers(nested(size, ~ 1)),
  nested_mods = numbers(nested(size, mods5)),
  bivariate = numbers(bivariate(size)),
  profile = list(limits = unname(unlist(lapply(confint(given)[1:2], function(z) z$random[1, 2:3])))),
  cr2 = { r <- coef_test(given$fit, vcov = "CR2", cluster = given$cluster, test = "Satterthwaite"); list(se = r$SE) },
  htz = { r <- Wald_test(given$fit, constraints = constrain_zero(2:6), vcov = "CR2", cluster = given$cluster, test = "HTZ"); list(f = r$Fstat) })
lines <- file("stdin", "r")
repeat {
  line <- readLines(lines, 1); if (!length(line)) break
  words <- strsplit(line, " ")[[1]]
  given <- ready(words[1], words[2])
  if (words[1] %in% c("nested", "nested_mods", "bivariate")) {
    kind <- if (words[1] == "bivariate") "bivariate" else "nested"
    invisible(prepared(paste("V", kind, words[2]), function() block_v(data_of(kind, words[2]))))
  }
  invisible(gc(FALSE))
  times <- 0; spent <- 0                          # the clock of R has milliseconds: repeat short tasks
  while (spent < .2) {
    before <- sum(proc.time()[1:2]); result <- run(words[1], words[2], given)
    spent <- spent + sum(proc.time()[1:2]) - before; times <- times + 1
  }
  cat(toJSON(list(seconds = spent / times, result = result), digits = 15, auto_unbox = TRUE), "\n", sep = ""); flush(stdout())
}
