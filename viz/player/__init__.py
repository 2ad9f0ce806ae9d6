"""The page that plays forward and backward over the drawn graph."""
