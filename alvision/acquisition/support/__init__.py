"""What several strategies share: safe operations, distances, coverage, clusters, draws."""
