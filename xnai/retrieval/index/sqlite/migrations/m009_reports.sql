-- What readers say of their work, and where the words of a page stand that are in pictures.

ALTER TABLE documents ADD COLUMN report TEXT NOT NULL DEFAULT '[]';
ALTER TABLE pages ADD COLUMN places TEXT NOT NULL DEFAULT '';
