"""The page: one HTML document that stands alone."""
