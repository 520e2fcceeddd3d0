-- A file of version 1, as that version wrote it. It is never changed: what it holds has to be
-- read by all later versions.
PRAGMA application_id = 0x74687267;
PRAGMA user_version = 1;

CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE snapshots (
    room INTEGER PRIMARY KEY REFERENCES rooms ON DELETE CASCADE,
    snapshot BLOB NOT NULL
) STRICT;

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room INTEGER NOT NULL REFERENCES rooms,
    sequence INTEGER NOT NULL,
    user INTEGER REFERENCES users,
    thread INTEGER,
    at INTEGER NOT NULL,
    edited_at INTEGER,
    edits INTEGER NOT NULL DEFAULT 0,
    deleted_at INTEGER,
    deleted_by INTEGER REFERENCES users,
    replies INTEGER NOT NULL DEFAULT 0,
    last_reply_at INTEGER NOT NULL DEFAULT 0,
    tallies INTEGER NOT NULL DEFAULT 0,
    format INTEGER NOT NULL,
    metadata TEXT,
    payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_by_sequence ON messages (room, sequence);
CREATE INDEX messages_by_room ON messages (room);
CREATE INDEX messages_by_thread ON messages (room, thread);
CREATE INDEX messages_by_time ON messages (room, at);
CREATE INDEX messages_by_user ON messages (user, room) WHERE user IS NOT NULL;
CREATE INDEX messages_by_deleter ON messages (deleted_by) WHERE deleted_by IS NOT NULL;

CREATE TABLE editions (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    until INTEGER NOT NULL,
    editor INTEGER REFERENCES users,
    format INTEGER NOT NULL,
    metadata TEXT,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX editions_by_message ON editions (message);
CREATE INDEX editions_by_editor ON editions (editor) WHERE editor IS NOT NULL;

CREATE TABLE tallies (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    count INTEGER NOT NULL,
    reaction TEXT NOT NULL,
    UNIQUE (message, reaction)
) STRICT;

CREATE TABLE reactions (
    id INTEGER PRIMARY KEY,
    tally INTEGER NOT NULL REFERENCES tallies ON DELETE CASCADE,
    user INTEGER NOT NULL REFERENCES users,
    UNIQUE (tally, user)
) STRICT;
CREATE INDEX reactions_by_tally ON reactions (tally);
CREATE INDEX reactions_by_user ON reactions (user);

CREATE VIRTUAL TABLE words USING fts5 (
    room, user, text,
    content='', contentless_delete=1, tokenize='ascii', prefix='1 2'
);

INSERT INTO rooms (id, name, last_sequence, last_at, messages) VALUES (1, 'lobby', 3, 2500, 2);
INSERT INTO snapshots (room, snapshot) VALUES (1, x'7b7d');
INSERT INTO users (id, name) VALUES (1, 'ada'), (2, 'bob');
INSERT INTO messages (id, room, sequence, user, thread, at, edited_at, edits, replies,
    last_reply_at, tallies, format, metadata, payload) VALUES
    (8, 1, 1, 1, NULL, 1000, 1500, 1, 1, 2000, 1, 1, '{"lang":"en"}',
        CAST('hello there' AS BLOB)),
    (9, 1, 2, 2, 1, 2000, NULL, 0, 0, 0, 0, 0, NULL, x'00ff');
UPDATE sqlite_sequence SET seq = 10 WHERE name = 'messages';
INSERT INTO editions (id, message, until, editor, format, metadata, payload) VALUES
    (1, 8, 1500, 1, 1, NULL, CAST('hello' AS BLOB));
INSERT INTO tallies (id, message, count, reaction) VALUES (1, 8, 1, '+');
INSERT INTO reactions (id, tally, user) VALUES (1, 1, 2);
INSERT INTO words (rowid, room, user, text) VALUES (8, 'r1', 'u1', 'hello there');
