-- By whose rights a check's remedy runs: the owner's user, and the token by which the owner came.
ALTER TABLE check_definitions ADD COLUMN account {{.Key}} NOT NULL DEFAULT '';

ALTER TABLE check_definitions ADD COLUMN token {{.Key}} NOT NULL DEFAULT '';

-- Nothing was ever written to it: no server before this one ran remedies.
DROP TABLE IF EXISTS remedies;

-- What became of each transition that called for a remedy. One that was left out is here too, and why.
CREATE TABLE remedies (
  seq         {{.Seq}},
  transition  {{.Int}} NOT NULL,              -- its seq; each is judged once
  check_name  {{.Key}} NOT NULL,
  node        {{.Node}} NOT NULL,
  at          {{.Int}} NOT NULL,              -- when the state changed
  from_status {{.Key}} NOT NULL,
  to_status   {{.Key}} NOT NULL,
  output      {{.Text}} NOT NULL,
  action      {{.Text}} NOT NULL,
  caller      {{.Text}} NOT NULL,             -- by whose rights
  phase       {{.Key}} NOT NULL,
  kind        {{.Key}} NOT NULL,              -- of why, in one word
  why         {{.Text}} NOT NULL,             -- what it waits for, or why it was left out or did not help
  run         {{.ID}} NOT NULL,               -- empty: none was started
  started_at  {{.Int}} NOT NULL,
  ended_at    {{.Int}} NOT NULL               -- zero: it goes on
) {{.Table}};

CREATE UNIQUE INDEX remedies_transition ON remedies (transition);

CREATE INDEX remedies_node ON remedies (check_name, node, seq);

CREATE INDEX remedies_ended ON remedies (ended_at, seq);

CREATE INDEX remedies_at ON remedies (at);
