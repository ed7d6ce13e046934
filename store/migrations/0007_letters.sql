-- What a message was sent with, without which it cannot be verified again: JSON object of its headers; NULL: they were not kept.
ALTER TABLE dead_letters ADD COLUMN header {{.Text}};

-- One of a few words for the reason.
ALTER TABLE dead_letters ADD COLUMN kind {{.Key}} NOT NULL DEFAULT '';

-- The last statement of all: a test takes it back, which an index allows.
CREATE INDEX dead_letters_kind ON dead_letters (kind);
