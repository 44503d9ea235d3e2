"""The workbook a review team fills in: codebook, template, reading, validation."""
