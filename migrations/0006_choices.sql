-- What the service chose for a build by itself (builder, WAR, stack) with the evidence of each: a list of objects with what,
-- value, evidence and overridden. People ask "why this one" long after the log is gone.
alter table build add column choices jsonb not null default '[]';
