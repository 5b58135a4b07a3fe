-- The report of the WAR check, whole: each broken rule once, with its first places, its texts as they were, and the waivers
-- that held. A build that was made before, or ended before the check, has none. A report is read with its build and
-- never searched, so it is one value and no table.
alter table build add column war_check jsonb;
