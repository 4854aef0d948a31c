"""Labels in and out of the store, in the formats of other tools."""
