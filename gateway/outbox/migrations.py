"""The outbox's tables, as steps from each version of its schema to the next.

Boxes upgrade with a backlog: a step that has been released is never edited, a change is a new step. A step may add
tables, columns and indexes; it neither renames, removes nor gives another meaning to what `gateway.outbox.salvage`
reads, because that is the way back to the version before it.
"""

from typing import Final

MIGRATIONS: Final = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE cursor (id INTEGER PRIMARY KEY CHECK (id = 1), delivered INTEGER NOT NULL);
    INSERT INTO cursor VALUES (1, 0);
    CREATE TABLE event (
        sequence INTEGER PRIMARY KEY,
        recorded_ns INTEGER NOT NULL,
        trusted INTEGER NOT NULL,
        sealed INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX event_unsealed ON event (sequence) WHERE sealed = 0;
    CREATE TABLE symbol (
        id INTEGER PRIMARY KEY,
        event INTEGER,
        scanner TEXT NOT NULL,
        monotonic_ns INTEGER NOT NULL,
        symbology TEXT,
        raw BLOB NOT NULL
    );
    CREATE TABLE dead (sequence INTEGER PRIMARY KEY, parked_ns INTEGER NOT NULL, reason TEXT NOT NULL);
    """,
    """
    CREATE TABLE open_item (scanner TEXT PRIMARY KEY, draft BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX symbol_open ON symbol (scanner) WHERE event IS NULL;
    ALTER TABLE dead ADD COLUMN retry INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE unknown (
        identifier TEXT PRIMARY KEY,
        issuer TEXT,
        scans INTEGER NOT NULL,
        first_ns INTEGER NOT NULL,
        last_ns INTEGER NOT NULL,
        resolved_ns INTEGER
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE used_piece (piece TEXT PRIMARY KEY, event TEXT NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
    INSERT OR IGNORE INTO used_piece SELECT
        json_extract(body, '$.data.udi.issuer') || char(31) || json_extract(body, '$.data.udi.deviceIdentifier')
            || char(31) || ifnull(json_extract(body, '$.data.udi.serialNumber'),
                                  json_extract(body, '$.data.udi.donationIdentificationNumber')),
        json_extract(body, '$.id'), sequence
    FROM (SELECT sequence, CAST(body AS TEXT) AS body FROM event ORDER BY sequence)
    WHERE CASE WHEN json_valid(body) THEN
        json_extract(body, '$.data.action') = 'consume'
        AND json_extract(body, '$.data.verdict.disposition') = 'accepted'
        AND json_extract(body, '$.data.repeats') IS NULL
        AND ifnull(json_extract(body, '$.data.udi.serialNumber'),
                   json_extract(body, '$.data.udi.donationIdentificationNumber')) IS NOT NULL
        AND json_extract(body, '$.data.udi.deviceIdentifier') IS NOT NULL
        AND json_extract(body, '$.id') NOT IN (
            SELECT ifnull(ifnull(json_extract(body, '$.data.undoes'), json_extract(body, '$.data.corrects')), '')
            FROM (SELECT CAST(body AS TEXT) AS body FROM event) WHERE json_valid(body))
    ELSE 0 END;
    """,
    """
    ALTER TABLE event ADD COLUMN checksum INTEGER;
    ALTER TABLE open_item ADD COLUMN checksum INTEGER;
    ALTER TABLE dead ADD COLUMN checksum INTEGER;
    ALTER TABLE cursor ADD COLUMN published INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE cursor ADD COLUMN unchecked INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE cursor ADD COLUMN checksum INTEGER;
    UPDATE cursor SET published = delivered, unchecked = (SELECT ifnull(max(sequence), 0) FROM event);
    CREATE TABLE untrusted_boot (boot_id TEXT PRIMARY KEY, not_before_ns INTEGER NOT NULL, handed INTEGER NOT NULL)
        WITHOUT ROWID;
    INSERT INTO untrusted_boot SELECT value, 0, 1 FROM meta WHERE key = 'untrusted_boot';
    DELETE FROM meta WHERE key = 'untrusted_boot';
    """,
    """
    ALTER TABLE used_piece ADD COLUMN away TEXT;
    """,
)
"""Statement blocks: number n leads from version n to n + 1.

cursor.delivered: every event up to it is delivered or dead. An event that is not `sealed` may still get its time
corrected and is not handed over; `trusted`: its recorded_ns is of a synchronised clock. symbol.event is NULL while
the item waits for its other symbols; open_item.draft is then the event it becomes if nothing more comes, as
`gateway.outbox.entry` encodes it. dead.retry: when a person asked for it to be sent again, wall time in
nanoseconds; 0 while nobody has.

used_piece: which event consumed a piece with a serial number; piece is issuer, device identifier and serial number
with a unit separator between them; away is the event that threw it away or returned it, NULL while it counts as used.

checksum: `gateway.outbox.checksums` of the row; NULL in `event` up to cursor.unchecked, whose rows were stored
before. cursor.published: every event up to it has had the broker's PUBACK. untrusted_boot: boots of which events
were stored whose clock had not been set, the earliest time that it can have been then, and whether one of them was
handed over.

unknown.identifier: the device identifier, or where issuer is NULL the text of a label that is no UDI. first_ns,
last_ns: wall time. resolved_ns: when the master was seen to know it; NULL while it does not.
"""
