-- A check that is deleted keeps its row, so that one of the same name goes on counting revs and old results are never folded into it.
CREATE TABLE checks (
  name        {{.Key}} NOT NULL PRIMARY KEY,
  rev         {{.Int}} NOT NULL,
  action      {{.Text}} NOT NULL,
  inputs      {{.Text}} NOT NULL,             -- JSON object
  filter      {{.Text}} NOT NULL,
  interval_ms {{.Int}} NOT NULL,
  timeout_ms  {{.Int}} NOT NULL,
  attempts    {{.Int}} NOT NULL,
  retry_ms    {{.Int}} NOT NULL,
  fresh_ms    {{.Int}} NOT NULL,
  undefined   {{.Key}} NOT NULL,
  deleted_at  {{.Int}} NOT NULL               -- zero: it is there
) {{.Table}};

CREATE TABLE check_states (
  check_name  {{.Key}} NOT NULL,
  node        {{.Node}} NOT NULL,
  check_rev   {{.Int}} NOT NULL,
  status      {{.Key}} NOT NULL,
  soft        {{.Key}} NOT NULL,
  attempt     {{.Int}} NOT NULL,
  since_at    {{.Int}} NOT NULL,
  received_at {{.Int}} NOT NULL,
  output      {{.Text}} NOT NULL,
  perfdata    {{.Text}} NOT NULL,             -- JSON list
  session     {{.Text}} NOT NULL,
  seq         {{.Int}} NOT NULL,
  task        {{.ID}} NOT NULL,               -- of the last result; one that comes again is known by it
  rev         {{.Int}} NOT NULL,
  PRIMARY KEY (check_name, node)
) {{.SmallTable}};

CREATE INDEX check_states_node ON check_states (node);

CREATE TABLE transitions (
  seq         {{.Seq}},
  check_name  {{.Key}} NOT NULL,
  node        {{.Node}} NOT NULL,
  at          {{.Int}} NOT NULL,
  from_status {{.Key}} NOT NULL,              -- empty: there was none
  to_status   {{.Key}} NOT NULL,
  hard        {{.Int}} NOT NULL,
  output      {{.Text}} NOT NULL
) {{.Table}};

CREATE INDEX transitions_node ON transitions (node, seq);

CREATE INDEX transitions_check ON transitions (check_name, seq);

CREATE INDEX transitions_at ON transitions (at);
