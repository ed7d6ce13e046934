-- What lets machines enrol. The secret of a token is not here: the server derives it, so a stolen database lets nobody in.
CREATE TABLE join_tokens (
  id         {{.ID}} NOT NULL PRIMARY KEY,
  name       {{.Text}} NOT NULL,              -- for people
  uses_max   {{.Int}} NOT NULL,               -- below zero: no limit
  used       {{.Int}} NOT NULL,
  expires_at {{.Int}} NOT NULL,               -- zero: never
  pool       {{.Key}} NOT NULL,               -- empty: none
  labels     {{.Text}} NOT NULL,              -- JSON object
  approval   {{.Key}} NOT NULL,               -- auto, manual; empty: as the server is set
  created_at {{.Int}} NOT NULL,
  created_by {{.Text}} NOT NULL,
  rev        {{.Int}} NOT NULL
) {{.Table}};

-- The public keys of nodes. During a rotation a node has two; pool and labels are those of the token, which may be gone.
CREATE TABLE node_keys (
  id          {{.ID}} NOT NULL PRIMARY KEY,
  node        {{.Node}} NOT NULL,
  sign        {{.Text}} NOT NULL,             -- Ed25519, base64
  seal        {{.Text}} NOT NULL,             -- X25519, base64
  state       {{.Key}} NOT NULL,              -- pending, active, revoked
  token       {{.ID}} NOT NULL,               -- empty: it was rotated
  machine     {{.Text}} NOT NULL,             -- as the machine described itself
  agent       {{.Text}} NOT NULL,             -- the agent's version
  pool        {{.Key}} NOT NULL,
  labels      {{.Text}} NOT NULL,             -- JSON object
  created_at  {{.Int}} NOT NULL,
  approved_at {{.Int}} NOT NULL,              -- zero: never
  approved_by {{.Text}} NOT NULL,             -- empty: the token did
  rotate      {{.Int}} NOT NULL,              -- 1: the node is asked for a new key
  rev         {{.Int}} NOT NULL
) {{.Table}};

CREATE INDEX node_keys_node ON node_keys (node);

-- Identities that more than one machine laid claim to, each claim once.
CREATE TABLE contested (
  node     {{.Node}} NOT NULL,
  claim    {{.ID}} NOT NULL,                  -- id of the key that asked; "sessions": two agents with the same key
  machine  {{.Text}} NOT NULL,
  reason   {{.Text}} NOT NULL,
  tries    {{.Int}} NOT NULL,
  first_at {{.Int}} NOT NULL,
  last_at  {{.Int}} NOT NULL,
  PRIMARY KEY (node, claim)
) {{.Table}};

CREATE INDEX contested_last ON contested (last_at);
