"""RTF files, read by their own words."""
