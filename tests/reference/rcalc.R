# Writes rcalc.json: covariances of correlations of one sample by metafor's rcalc, of the data it
# also writes to datasets/craft2003.csv and of random correlation matrices.
suppressMessages({library(metafor); library(jsonlite)})
craft <- dat.craft2003
write.csv(craft, "datasets/craft2003.csv", row.names = FALSE)
# Two studies lack correlations; of one of them a complete set of three remains.
craft <- craft[!is.na(craft$ri) & craft$study != 17, ]

set.seed(7)
one <- function(study, p, n) {
  R <- cov2cor(crossprod(matrix(rnorm(p * (p + 3)), p + 3, p)))
  pairs <- t(combn(p, 2))
  pairs <- pairs[sample(nrow(pairs)), , drop = FALSE]
  flip <- runif(nrow(pairs)) < .5
  pairs[flip, ] <- pairs[flip, 2:1]
  names <- sample(LETTERS, p)
  data.frame(study = study, var1 = names[pairs[, 1]], var2 = names[pairs[, 2]], ri = round(R[pairs], 4),
             ni = n + sample(0:9, nrow(pairs), TRUE))
}
drawn <- do.call(rbind, Map(one, 1:8, c(2, 3, 3, 4, 4, 5, 2, 6), sample(20:200, 8)))

both <- function(data) list(
  r = unname(as.matrix(rcalc(ri ~ var1 + var2 | study, ni = ni, data = data)$V)),
  z = unname(as.matrix(rcalc(ri ~ var1 + var2 | study, ni = ni, data = data, rtoz = TRUE)$V)))
write_json(list(made_with = list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor"))),
  craft = both(craft), random = c(list(data = as.list(drawn)), both(drawn))),
  "rcalc.json", auto_unbox = TRUE, digits = 16)
