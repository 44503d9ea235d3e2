# Exact permutation tests: Rscript permutation.R, in this folder.
suppressMessages({library(metafor); library(jsonlite)})
tight <- list(threshold=1e-12, tol=1e-14, maxiter=1e4)
d <- data.frame(
  yi=c(.12, .41, -.05, .33, .58, .27), vi=c(.02, .05, .031, .014, .06, .022),
  x=c(1, 4, 2, 3, 7, 5), g=c("a", "a", "b", "b", "b", "a"))
out <- list()
for (f in c("~ 1", "~ x", "~ x + g", "~ 0 + g")) for (m in c("REML", "ML", "DL", "PM", "EE")) for (tst in c("z", "knha")) {
  if (m == "EE" && tst == "knha") next
  r <- suppressWarnings(rma(yi, vi, mods=as.formula(f), data=d, method=m, test=tst, control=tight))
  p <- suppressWarnings(permutest(r, exact=TRUE, progbar=FALSE))
  out[[length(out) + 1]] <- list(mods=f, method=m, test=tst, zval=c(r$zval), pval=c(p$pval), QMp=p$QMp, permutations=nrow(p$zval.perm))
}
made <- paste("R", getRversion(), "metafor", packageVersion("metafor"))
write_json(list(made_with=made, data=d, cases=out), "permutation.json", digits=I(12), auto_unbox=TRUE, pretty=TRUE)
