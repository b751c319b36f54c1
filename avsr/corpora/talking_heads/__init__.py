"""Made data: drawn Korean talking heads that speak with a synthetic voice."""
