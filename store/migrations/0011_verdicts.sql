-- Groups of verdicts. (groups is a word of MySQL's own.)
CREATE TABLE verdict_groups (
  name       {{.Key}} NOT NULL PRIMARY KEY,
  body       {{.Text}} NOT NULL,              -- JSON object
  rev        {{.Int}} NOT NULL
) {{.Table}};

-- Silences and maintenance windows; those that are over are kept for a while, so that it can be told what they hid.
CREATE TABLE silences (
  id         {{.ID}} NOT NULL PRIMARY KEY,
  body       {{.Text}} NOT NULL,              -- JSON object
  over_at    {{.Int}} NOT NULL,               -- when it ends, or was ended
  rev        {{.Int}} NOT NULL
) {{.Table}};

-- What verdicts were last, and since when.
CREATE TABLE verdicts (
  name       {{.Key}} NOT NULL PRIMARY KEY,
  status     {{.Key}} NOT NULL,
  since_at   {{.Int}} NOT NULL
) {{.Table}};

-- The last statement of all: a test takes it back, which an index allows.
CREATE INDEX silences_over ON silences (over_at);
