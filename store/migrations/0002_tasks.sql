-- The nodes that ought to answer, kept in parts: no statement grows with the fleet.
CREATE TABLE rosters (
  id              {{.ID}} NOT NULL PRIMARY KEY,
  filter          {{.Text}} NOT NULL,
  undefined_count {{.Int}} NOT NULL,
  created_at      {{.Int}} NOT NULL
) {{.Table}};

CREATE INDEX rosters_created ON rosters (created_at);

CREATE TABLE roster_parts (
  roster {{.ID}} NOT NULL,
  part   {{.Int}} NOT NULL,
  nodes  {{.Text}} NOT NULL,                  -- JSON list of identities
  PRIMARY KEY (roster, part)
) {{.Table}};

CREATE TABLE runs (
  id              {{.ID}} NOT NULL PRIMARY KEY,
  action          {{.Text}} NOT NULL,
  inputs          {{.Text}} NOT NULL,         -- JSON object
  filter          {{.Text}} NOT NULL,
  for_all         {{.Int}} NOT NULL,
  caller          {{.Text}} NOT NULL,
  state           {{.Key}} NOT NULL,
  tally_roster    {{.Int}} NOT NULL,
  tally_ok        {{.Int}} NOT NULL,
  tally_failed    {{.Int}} NOT NULL,
  tally_silent    {{.Int}} NOT NULL,
  tally_never     {{.Int}} NOT NULL,
  tally_pending   {{.Int}} NOT NULL,
  undefined_count {{.Int}} NOT NULL,
  created_at      {{.Int}} NOT NULL,
  deadline_at     {{.Int}} NOT NULL,
  ended_at        {{.Int}} NOT NULL,
  rev             {{.Int}} NOT NULL
) {{.Table}};

CREATE INDEX runs_state ON runs (state, id);

CREATE INDEX runs_ended ON runs (ended_at);

-- A task has a node, or waits in a pool for an agent that meets requires.
CREATE TABLE tasks (
  id         {{.ID}} NOT NULL PRIMARY KEY,
  node       {{.Node}},
  pool       {{.Key}} NOT NULL,
  requires   {{.Text}} NOT NULL,              -- a filter
  run        {{.ID}} NOT NULL,
  check_name {{.Key}} NOT NULL,
  check_rev  {{.Int}} NOT NULL,
  step       {{.Key}} NOT NULL,
  action     {{.Text}} NOT NULL,
  inputs     {{.Text}},                       -- JSON object; NULL: those of the run
  timeout_ms {{.Int}} NOT NULL,
  expires_at {{.Int}} NOT NULL,
  owner      {{.Text}} NOT NULL,
  workspace  {{.Text}} NOT NULL,
  caller     {{.Text}} NOT NULL,
  state      {{.Key}} NOT NULL,               -- queued, sent, answered, cancelled, expired
  queued_at  {{.Int}} NOT NULL,
  sent_at    {{.Int}} NOT NULL,               -- zero: never
  rev        {{.Int}} NOT NULL
) {{.Table}};

CREATE INDEX tasks_node ON tasks (node, state);

CREATE INDEX tasks_run ON tasks (run);

CREATE INDEX tasks_expires ON tasks (state, expires_at);

-- The first answer to each task; batch tells which commit brought it.
CREATE TABLE results (
  seq         {{.Seq}},
  task        {{.ID}} NOT NULL,
  node        {{.Node}} NOT NULL,
  run         {{.ID}} NOT NULL,
  action      {{.Text}} NOT NULL,
  status      {{.Int}} NOT NULL,
  message     {{.Text}} NOT NULL,
  data        {{.Text}},                      -- JSON object
  output      {{.Text}},                      -- JSON object: what a check command printed
  at          {{.Int}} NOT NULL,              -- by the node's clock
  took_ms     {{.Int}} NOT NULL,
  check_name  {{.Key}} NOT NULL,
  check_rev   {{.Int}} NOT NULL,
  merged      {{.Int}} NOT NULL,
  received_at {{.Int}} NOT NULL,
  batch       {{.Int}} NOT NULL
) {{.Table}};

CREATE UNIQUE INDEX results_task ON results (task);

CREATE INDEX results_run ON results (run, seq);

CREATE INDEX results_received ON results (received_at);

CREATE TABLE output_chunks (
  task        {{.ID}} NOT NULL,
  stream      {{.Key}} NOT NULL,
  seq         {{.Int}} NOT NULL,
  received_at {{.Int}} NOT NULL,
  body        {{.Text}} NOT NULL,
  PRIMARY KEY (task, stream, seq)
) {{.Table}};

CREATE INDEX output_chunks_received ON output_chunks (received_at);
