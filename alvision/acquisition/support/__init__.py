"""What several strategies share: numerically safe operations, distances, coverage, clusters, draws."""
