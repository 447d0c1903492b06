-- A person as the owner of each document, beside the chat that it may belong to.
--
-- Until now a chat was the owner of its documents. Whose chat it is the history knows: the owner
-- is empty until ``accounts.carry_over`` has asked it.

ALTER TABLE documents ADD COLUMN collection TEXT NOT NULL DEFAULT '';
UPDATE documents SET collection = owner, owner = '' WHERE owner LIKE 'thread:%';
DROP INDEX documents_by_owner;
CREATE INDEX documents_by_owner ON documents (owner, collection, created_at);
CREATE INDEX documents_by_collection ON documents (collection);
