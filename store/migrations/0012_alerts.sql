-- What is wrong and has been told, or is to be told.
CREATE TABLE alerts (
  name     {{.Key}} NOT NULL PRIMARY KEY,     -- of a check or group, with the value of a fact where it has one
  since_at {{.Int}} NOT NULL,
  body     {{.Text}} NOT NULL                 -- JSON object
) {{.Table}};

-- Which receiver was told what of an alert.
CREATE TABLE alert_notices (
  receiver {{.Key}} NOT NULL,
  alert    {{.Key}} NOT NULL,
  told_at  {{.Int}} NOT NULL,
  body     {{.Text}} NOT NULL,                -- JSON object
  PRIMARY KEY (receiver, alert)
) {{.Table}};

CREATE INDEX alert_notices_alert ON alert_notices (alert);
