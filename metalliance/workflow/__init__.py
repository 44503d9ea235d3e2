"""Review and plan in, analysis out: the order of steps, no numbers."""
