-- Users, threads, steps, elements, feedback.
--
-- ``body`` holds a step or an element as JSON, whatever keys Chainlit gives it.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE threads (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    name TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    metadata TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX threads_of_user ON threads (user_id, updated_at DESC, id DESC);
CREATE TABLE steps (
    id TEXT PRIMARY KEY,
    thread_id TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    parent_id TEXT,
    type TEXT NOT NULL,
    created_at TEXT NOT NULL,
    output TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX steps_of_thread ON steps (thread_id, created_at);
CREATE INDEX steps_below ON steps (parent_id);
CREATE TABLE elements (
    id TEXT PRIMARY KEY,
    thread_id TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    for_id TEXT,
    body TEXT NOT NULL
);
CREATE INDEX elements_of_thread ON elements (thread_id);
CREATE TABLE feedbacks (
    id TEXT PRIMARY KEY,
    step_id TEXT NOT NULL UNIQUE REFERENCES steps (id) ON DELETE CASCADE,
    value INTEGER NOT NULL,
    comment TEXT,
    created_at TEXT NOT NULL
);
