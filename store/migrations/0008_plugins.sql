-- Versions of plugins, and of the agent's own program: one for each platform.
CREATE TABLE releases (
  name      {{.Key}} NOT NULL,
  version   {{.Key}} NOT NULL,
  platform  {{.Key}} NOT NULL,                -- os/arch of a program; empty: of a plugin
  digest    {{.ID}} NOT NULL,                 -- SHA-256 of the archive, in hex
  size      {{.Int}} NOT NULL,
  manifest  {{.Text}} NOT NULL,               -- JSON object
  voucher   {{.Text}} NOT NULL,               -- JSON object: what the server signed when it was pushed
  pushed_by {{.Text}} NOT NULL,
  pushed_at {{.Int}} NOT NULL,
  PRIMARY KEY (name, version, platform)
) {{.Table}};

CREATE INDEX releases_digest ON releases (digest);

-- Archives, in the pieces in which they are handed out: no statement grows with an archive.
CREATE TABLE archive_pieces (
  digest {{.ID}} NOT NULL,
  piece  {{.Int}} NOT NULL,
  body   {{.Blob}} NOT NULL,
  PRIMARY KEY (digest, piece)
) {{.Table}};

-- Which version of a plugin is used.
CREATE TABLE plugin_choices (
  name       {{.Key}} NOT NULL PRIMARY KEY,
  current    {{.Key}} NOT NULL,
  former     {{.Key}} NOT NULL,               -- the one before; empty: there was none
  pinned     {{.Int}} NOT NULL,               -- 1: what is pushed does not become current
  changed_by {{.Text}} NOT NULL,
  changed_at {{.Int}} NOT NULL
) {{.Table}};

-- Whose action a run asks, and in which version: JSON object; NULL: one that came with the agent.
ALTER TABLE runs ADD COLUMN plugin {{.Text}};
