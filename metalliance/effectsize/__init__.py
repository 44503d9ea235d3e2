"""From a reported statistic to ``yi``, ``vi`` and their covariances."""
