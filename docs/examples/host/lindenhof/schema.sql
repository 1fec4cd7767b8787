CREATE TABLE IF NOT EXISTS people (
    id INTEGER PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('practitioner', 'client', 'staff')),
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    zone TEXT NOT NULL,
    password TEXT NOT NULL
);

-- Times are UTC, as ISO 8601 writes them. A booking is 'asked' until its time is known to be free.
CREATE TABLE IF NOT EXISTS bookings (
    id INTEGER PRIMARY KEY,
    practitioner_id INTEGER NOT NULL REFERENCES people,
    client_id INTEGER NOT NULL REFERENCES people,
    start TEXT NOT NULL,
    minutes INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'booked', 'cancelled')),
    session TEXT NOT NULL DEFAULT '',
    offered INTEGER NOT NULL DEFAULT 0
);

-- What has been heard: an outcome may come twice, and counts once.
CREATE TABLE IF NOT EXISTS heard (
    id TEXT PRIMARY KEY
);
