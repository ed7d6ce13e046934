CREATE TABLE users (
  name        {{.Key}} NOT NULL PRIMARY KEY,
  hash        {{.Text}} NOT NULL,             -- of the password, by argon2id; empty: it is kept elsewhere, or there is none
  role        {{.Key}} NOT NULL,
  member_of   {{.Text}} NOT NULL,             -- JSON list of groups
  source      {{.Key}} NOT NULL,              -- local, ldap, oidc
  created_at  {{.Int}} NOT NULL,
  changed_at  {{.Int}} NOT NULL,              -- the password
  seen_at     {{.Int}} NOT NULL,              -- the last login; zero: never
  disabled_at {{.Int}} NOT NULL,              -- zero: it is not
  rev         {{.Int}} NOT NULL
) {{.Table}};

-- Who made a token, and the user with whom it ends; both empty where there is none.
ALTER TABLE tokens ADD COLUMN owner {{.Key}} NOT NULL DEFAULT '';

ALTER TABLE tokens ADD COLUMN account {{.Key}} NOT NULL DEFAULT '';

CREATE TABLE policies (
  name       {{.Key}} NOT NULL PRIMARY KEY,
  body       {{.Text}} NOT NULL,              -- JSON object
  owner      {{.Text}} NOT NULL,
  updated_at {{.Int}} NOT NULL,
  rev        {{.Int}} NOT NULL
) {{.Table}};

-- Which nodes of its roster a run was not allowed to ask, and why: JSON list; NULL: none.
ALTER TABLE runs ADD COLUMN refused {{.Text}};

CREATE INDEX tokens_account ON tokens (account);
