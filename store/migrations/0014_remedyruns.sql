-- The check whose remedy this run is.
ALTER TABLE runs ADD COLUMN remedy {{.Key}} NOT NULL DEFAULT '';

-- The last statement of all: a test takes it back, which an index allows.
CREATE INDEX runs_remedy ON runs (remedy, id);
