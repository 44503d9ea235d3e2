"""Would the answer survive? Refits under other choices."""
