"""Figures: ``x_data(...)`` gives a DataFrame, ``x_plot(data)`` a figure."""
