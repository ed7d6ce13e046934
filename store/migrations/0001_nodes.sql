-- What is known of each node. What changes with every beat stands apart, in node_seen, so that a beat never rewrites a facts document.
CREATE TABLE nodes (
  identity    {{.Node}} NOT NULL PRIMARY KEY,
  facts       {{.Text}},                      -- canonical JSON; NULL: none yet
  facts_hash  {{.Key}} NOT NULL,
  facts_at    {{.Int}} NOT NULL,
  classes     {{.Text}} NOT NULL,             -- JSON list
  agent       {{.Text}} NOT NULL,             -- JSON object
  commands    {{.Text}} NOT NULL,             -- JSON list
  pools       {{.Text}} NOT NULL,             -- JSON list
  labels      {{.Text}} NOT NULL,             -- JSON object
  enrolled_at {{.Int}} NOT NULL,
  session     {{.Text}} NOT NULL,
  seq         {{.Int}} NOT NULL,              -- of the last facts message of that session
  rev         {{.Int}} NOT NULL
) {{.Table}};

CREATE TABLE node_seen (
  node     {{.Node}} NOT NULL PRIMARY KEY,
  liveness {{.Key}} NOT NULL,
  seen_at  {{.Int}} NOT NULL,
  rev      {{.Int}} NOT NULL
) {{.SmallTable}};

-- Every change of a leaf that is not volatile. Undone from the newest backwards, they give the facts of any moment since the oldest.
CREATE TABLE fact_changes (
  seq  {{.Seq}},
  node {{.Node}} NOT NULL,
  path {{.Text}} NOT NULL,
  at   {{.Int}} NOT NULL,                     -- by the server's clock
  old  {{.Text}},                             -- JSON; NULL: it was not there
  new  {{.Text}}                              -- JSON; NULL: it is not there any more
) {{.Table}};

CREATE INDEX fact_changes_node ON fact_changes (node, seq);

CREATE INDEX fact_changes_at ON fact_changes (at);

CREATE TABLE events (
  seq  {{.Seq}},
  kind {{.Key}} NOT NULL,
  node {{.Node}} NOT NULL,
  at   {{.Int}} NOT NULL,
  body {{.Text}}                              -- JSON; NULL: nothing to say
) {{.Table}};

CREATE INDEX events_node ON events (node, seq);

CREATE INDEX events_at ON events (at);
