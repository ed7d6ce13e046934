-- Checks as people define them, instead of what nodes are asked. One that is deleted keeps its row, so that one of the same name goes on counting
-- revs and old results are never folded into it.
CREATE TABLE check_definitions (
  name       {{.Key}} NOT NULL PRIMARY KEY,
  rev        {{.Int}} NOT NULL,
  task_rev   {{.Int}} NOT NULL,               -- at which what the nodes are asked changed last
  body       {{.Text}} NOT NULL,              -- JSON object
  source     {{.Text}} NOT NULL,              -- where it is provisioned; empty: over REST
  role       {{.Key}} NOT NULL,               -- its owner's, when it was saved
  updated_at {{.Int}} NOT NULL,
  updated_by {{.Text}} NOT NULL,
  deleted_at {{.Int}} NOT NULL                -- zero: it is there
) {{.Table}};

-- What there was is defined in the server's file, and is made anew from it.
INSERT INTO check_definitions (name, rev, task_rev, body, source, role, updated_at, updated_by, deleted_at)
  SELECT name, rev, rev, '{}', '', '', 0, '', 1 FROM checks WHERE name NOT IN (SELECT name FROM (SELECT name FROM check_definitions) known);

DROP TABLE IF EXISTS checks;

-- Which of the last results had another status than the one before, as bits; and whether they make the state flap.
ALTER TABLE check_states ADD COLUMN changes {{.Int}} NOT NULL DEFAULT 0;

ALTER TABLE check_states ADD COLUMN flapping {{.Int}} NOT NULL DEFAULT 0;

-- When it was put down that the state is stale; zero: it is not.
ALTER TABLE check_states ADD COLUMN stale_at {{.Int}} NOT NULL DEFAULT 0;

-- 1: with it the state began to flap; 2: it ceased to.
ALTER TABLE transitions ADD COLUMN flap {{.Int}} NOT NULL DEFAULT 0;

-- What was run because a state changed, so that its limits hold across a restart.
CREATE TABLE remedies (
  seq        {{.Seq}},
  check_name {{.Key}} NOT NULL,
  node       {{.Node}} NOT NULL,
  at         {{.Int}} NOT NULL,
  run        {{.ID}} NOT NULL,
  action     {{.Text}} NOT NULL
) {{.Table}};

CREATE INDEX remedies_node ON remedies (check_name, node, at);

CREATE INDEX remedies_at ON remedies (at);
