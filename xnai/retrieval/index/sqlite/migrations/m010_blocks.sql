-- What each page is made of, and the heading it begins under; NULL for pages read before.

ALTER TABLE pages ADD COLUMN blocks BLOB;
