"""A split as a few large files (WebDataset's tar layout): written, found again by an index, fetched, and dealt out in order."""
