CREATE TABLE tokens (
  id         {{.ID}} NOT NULL PRIMARY KEY,
  hash       {{.Key}} NOT NULL,               -- of the secret, which is kept nowhere
  kind       {{.Key}} NOT NULL,
  name       {{.Text}} NOT NULL,
  role       {{.Key}} NOT NULL,
  scopes     {{.Text}} NOT NULL,              -- JSON list
  created_at {{.Int}} NOT NULL,
  expires_at {{.Int}} NOT NULL,               -- zero: never
  uses_left  {{.Int}} NOT NULL,               -- below zero: no limit
  rev        {{.Int}} NOT NULL
) {{.Table}};

CREATE UNIQUE INDEX tokens_hash ON tokens (hash);

CREATE INDEX tokens_expires ON tokens (expires_at);

CREATE TABLE saved_filters (
  name        {{.Key}} NOT NULL PRIMARY KEY,
  filter      {{.Text}} NOT NULL,
  description {{.Text}} NOT NULL,
  owner       {{.Text}} NOT NULL,
  updated_at  {{.Int}} NOT NULL,
  rev         {{.Int}} NOT NULL
) {{.Table}};

CREATE TABLE audit (
  seq     {{.Seq}},
  at      {{.Int}} NOT NULL,
  caller  {{.Text}} NOT NULL,
  action  {{.Text}} NOT NULL,
  subject {{.Text}} NOT NULL,
  body    {{.Text}}                           -- JSON; NULL: nothing to add
) {{.Table}};

CREATE INDEX audit_at ON audit (at);

CREATE TABLE settings (
  name  {{.Key}} NOT NULL PRIMARY KEY,
  value {{.Text}} NOT NULL,
  rev   {{.Int}} NOT NULL
) {{.Table}};

CREATE TABLE counters (
  name  {{.Key}} NOT NULL PRIMARY KEY,
  value {{.Int}} NOT NULL
) {{.Table}};

-- Messages that can never be taken in, the newest of them.
CREATE TABLE dead_letters (
  seq         {{.Seq}},
  at          {{.Int}} NOT NULL,
  sender      {{.Text}} NOT NULL,
  destination {{.Text}} NOT NULL,
  reason      {{.Text}} NOT NULL,
  size        {{.Int}} NOT NULL,              -- of the whole message, in bytes
  body        {{.Blob}} NOT NULL              -- its beginning
) {{.Table}};

CREATE INDEX dead_letters_at ON dead_letters (at);
