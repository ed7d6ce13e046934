-- Order, speed and stops of a run: JSON object; NULL: everybody was asked at once.
ALTER TABLE runs ADD COLUMN pace {{.Text}};

-- Why nobody was asked any more.
ALTER TABLE runs ADD COLUMN stopped {{.Key}} NOT NULL DEFAULT '';

-- For the action on each node, in milliseconds.
ALTER TABLE runs ADD COLUMN timeout_ms {{.Int}} NOT NULL DEFAULT 0;

-- The run that this one does again.
ALTER TABLE runs ADD COLUMN retry_of {{.Key}} NOT NULL DEFAULT '';

-- The standing run of which this one is a round.
ALTER TABLE runs ADD COLUMN standing {{.Key}} NOT NULL DEFAULT '';

CREATE INDEX runs_standing ON runs (standing, id);

-- Runs that come again and again.
CREATE TABLE standing (
  name       {{.Key}} NOT NULL PRIMARY KEY,
  body       {{.Text}} NOT NULL,              -- JSON object
  rev        {{.Int}} NOT NULL
) {{.Table}};

-- The last statement of all: a test takes it back, which an index allows.
CREATE INDEX runs_retry ON runs (retry_of);
