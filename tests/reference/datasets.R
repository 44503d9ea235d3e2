# Data sets of metadat that the goldens are computed on: Rscript datasets.R, in this folder.
suppressMessages({library(metafor); library(metadat)})
write <- function(name, d) write.csv(d, file.path("datasets", paste0(name, ".csv")), row.names=FALSE, na="")
write("aloe2013", dat.aloe2013)
write("bcg", escalc(measure="RR", ai=tpos, bi=tneg, ci=cpos, di=cneg, data=dat.bcg))
write("raudenbush1985", dat.raudenbush1985)
write("hine1989", escalc(measure="RD", n1i=n1i, n2i=n2i, ai=ai, ci=ci, data=dat.hine1989))
