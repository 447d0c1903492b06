"""PDF pages: reading order, columns, tables, footnotes; used in the confined process only."""
