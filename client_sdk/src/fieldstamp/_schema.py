"""The tables of a store and the steps that brought them there. SQL text only.

A mutation row is written once and its body never changes; only what became of it moves forward.
Nothing in this package deletes a mutation or an upload.
"""

STEPS = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE mutation (
        n INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        action TEXT NOT NULL,
        kind TEXT NOT NULL,
        record TEXT NOT NULL,
        lane INTEGER NOT NULL,
        bundle TEXT,
        body BLOB NOT NULL,
        digest TEXT NOT NULL,
        seal BLOB NOT NULL,
        saved_at TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'ready',
        laid INTEGER NOT NULL DEFAULT 1,
        result TEXT,
        version INTEGER,
        problem TEXT,
        settled_ms INTEGER,
        restores TEXT
    );
    CREATE INDEX mutation_open ON mutation (n) WHERE state IN ('ready', 'waiting', 'aside');
    CREATE INDEX mutation_rejected ON mutation (n) WHERE state = 'rejected';
    CREATE INDEX mutation_record ON mutation (record, n);
    CREATE INDEX mutation_restores ON mutation (restores) WHERE restores IS NOT NULL;
    CREATE INDEX mutation_laid ON mutation (kind, record) WHERE laid = 1;

    CREATE TABLE ack (
        place INTEGER PRIMARY KEY,
        mutation TEXT NOT NULL REFERENCES mutation (id),
        epoch TEXT NOT NULL,
        ack TEXT NOT NULL,
        UNIQUE (mutation, epoch)
    );

    CREATE TABLE record (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        version INTEGER NOT NULL,
        epoch TEXT NOT NULL,
        data TEXT NOT NULL,
        withdrawn INTEGER NOT NULL DEFAULT 0,
        fed_version INTEGER,
        fed_hash TEXT,
        generation INTEGER NOT NULL
    );
    CREATE INDEX record_kind ON record (kind);

    CREATE TABLE pair (
        record TEXT NOT NULL,
        scope TEXT NOT NULL,
        PRIMARY KEY (record, scope)
    ) WITHOUT ROWID;
    CREATE INDEX pair_scope ON pair (scope);

    CREATE TABLE upload (
        record TEXT NOT NULL,
        part TEXT NOT NULL,
        n INTEGER NOT NULL REFERENCES mutation (n),
        sha256 TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        type TEXT NOT NULL,
        key TEXT NOT NULL,
        url TEXT,
        taken INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL DEFAULT 'ready',
        refusals INTEGER NOT NULL DEFAULT 0,
        problem TEXT,
        ack TEXT,
        PRIMARY KEY (record, part)
    ) WITHOUT ROWID;
    CREATE VIEW open_mutation AS
        SELECT * FROM mutation WHERE state IN ('ready', 'waiting', 'aside');
    CREATE INDEX upload_state ON upload (state, n);
    CREATE VIEW open_upload AS
        SELECT * FROM upload
        WHERE state IN ('ready', 'sent', 'stopped') AND (part = 'original' OR state <> 'sent');
    """,
    """
    UPDATE meta SET name = 'key ' || (SELECT trim(value, '"') FROM meta WHERE name = 'device')
        WHERE name = 'key' AND EXISTS (SELECT 1 FROM meta WHERE name = 'device');
    ALTER TABLE upload ADD COLUMN acked_ms INTEGER;
    ALTER TABLE upload ADD COLUMN freed INTEGER NOT NULL DEFAULT 0
    """,
    """
    ALTER TABLE upload ADD COLUMN shown TEXT;
    CREATE TABLE preview (record TEXT PRIMARY KEY, sha256 TEXT) WITHOUT ROWID
    """,
)
