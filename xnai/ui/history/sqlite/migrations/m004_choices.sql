-- What a person has chosen in the settings panel, as a JSON object; new chats begin with it.

CREATE TABLE choices (
    person_id TEXT PRIMARY KEY REFERENCES users (identifier) ON DELETE CASCADE ON UPDATE CASCADE,
    chosen TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
