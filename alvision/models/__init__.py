"""Networks: a trunk by name, a head that can sample, and the Lightning module that joins them."""
